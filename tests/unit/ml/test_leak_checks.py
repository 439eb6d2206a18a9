"""The leak checks that a run asks of its own rows: silent on honest data, loud on a planted leak of each kind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from ml.common import pipeline
from ml.common.labels import ImmatureLabelError, build_labels
from ml.common.leakage import SHUFFLES, auc_error, ceiling_check, shift_check, shuffled_check
from ml.common.pipeline import TrainResult, train_and_score
from ml.common.splits import TimeSplit, mature_cuts, split_at
from ml.propensity.model import propensity_task

START, HORIZON = pd.Timestamp("2024-01-01"), 28  # of the shop in conftest.py
TASK = propensity_task(HORIZON, candidate_names=("recency_rule", "rfm_logistic"))
KEYS = ["member_id", "as_of_date"]


@pytest.fixture(scope="module")
def result(shop) -> TrainResult:
    return train_and_score(shop.features, shop.purchase_days, TASK, shop.now)


def checks_of(result: TrainResult) -> dict[str, dict]:
    return {row["check_name"]: row for row in result.checks.to_dict("records")}


def orders_until(shop, days_late: int, window: int = 90) -> pd.Series:
    """Orders of the last `window` days as counted `days_late` days after the cut: what a feature that is taken late knows."""
    merged = shop.features[KEYS].merge(shop.purchase_days, on="member_id")
    age = (merged["as_of_date"] - merged["business_date"]).dt.days
    counted = merged[(age > -days_late) & (age <= window)].groupby(KEYS).size().rename("late_count")
    return shop.features.join(counted, on=KEYS)["late_count"].fillna(0)


def test_honest_rows_pass_every_check(result: TrainResult) -> None:
    found = checks_of(result)
    assert set(found) == {"single_feature_auc", "label_shift", "shuffled_labels"}
    assert all(row["is_ok"] for row in found.values()), result.checks
    assert set(result.checks["model_version"]) == {result.model_version}
    assert 0.6 < found["single_feature_auc"]["value"] < 0.9 and found["shuffled_labels"]["value"] < 0.03


def test_the_same_rows_give_the_same_checks(shop, result: TrainResult) -> None:
    shuffled = shop.features.sample(frac=1, random_state=1), shop.purchase_days.sample(frac=1, random_state=2)
    again = train_and_score(*shuffled, TASK, shop.now)
    pd.testing.assert_frame_equal(again.checks, result.checks, check_exact=True)


def test_2_an_order_on_the_cut_is_the_label_and_one_at_its_end_is_neither() -> None:
    cut, end = START + pd.Timedelta(days=10), START + pd.Timedelta(days=10 + HORIZON)
    members = pd.DataFrame({"member_id": ["before", "cut", "last", "end"], "as_of_date": cut})
    days = [cut - pd.Timedelta(days=1), cut, end - pd.Timedelta(days=1), end]
    orders = pd.DataFrame({"member_id": members["member_id"], "business_date": days})
    labels = build_labels(orders, members, HORIZON, end + pd.Timedelta(days=1)).set_index("member_id")["label"]
    assert labels.to_dict() == {"before": 0, "cut": 1, "last": 1, "end": 0}


def test_3_a_training_cut_one_day_later_is_refused_by_split_and_by_labels(shop) -> None:
    now = shop.now
    newest = now - pd.Timedelta(days=HORIZON)
    assert split_at([newest], HORIZON, now).train_cuts == (newest,)
    late = newest + pd.Timedelta(days=1)
    assert mature_cuts([newest, late], HORIZON, now) == (newest,)
    with pytest.raises(ValueError, match="drop that training cut"):
        TimeSplit((newest, late), now, HORIZON)
    rows = pd.DataFrame({"member_id": ["m"], "as_of_date": [late]})
    with pytest.raises(ImmatureLabelError):
        build_labels(shop.purchase_days, rows, HORIZON, now)


def test_3_with_the_split_broken_the_labels_still_refuse(shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted leak: the split lets cuts in that are a day too young. Training stops; nothing is scored."""
    lenient = lambda cuts, horizon, at: mature_cuts(cuts, horizon - 1, at)  # noqa: E731
    monkeypatch.setattr(pipeline, "mature_cuts", lenient)
    monkeypatch.setattr("ml.common.splits.mature_cuts", lenient)
    moved = shop.features["as_of_date"] + pd.Timedelta(days=1)
    features = pd.concat([shop.features, shop.features.assign(as_of_date=moved)]).query("as_of_date <= @shop.now")
    with pytest.raises(ImmatureLabelError, match="end of what is known"):
        train_and_score(features, shop.purchase_days, TASK, shop.now)


def test_5_an_evaluation_that_trains_on_what_it_judges_is_found(shop) -> None:
    rng = np.random.default_rng(3)
    features = pd.DataFrame(rng.normal(size=(1500, 4)), columns=list("abcd"))
    labels = (rng.random(1500) < 0.3).astype(int)
    train, test = features.iloc[:1000], features.iloc[1000:]
    (honest,) = shuffled_check(train, labels[:1000], test, labels[1000:])
    assert honest.is_ok and honest.threshold < 0.03
    (leaking,) = shuffled_check(features, labels, test, labels[1000:])  # the test rows are among the training rows
    assert not leaking.is_ok and leaking.value > 0.1


def test_5_another_judge_can_be_asked(shop) -> None:
    rows = pd.DataFrame(np.random.default_rng(4).normal(size=(600, 3)))
    labels = np.arange(600) % 2
    seen = []

    def nearest(train: pd.DataFrame, shuffled: np.ndarray, test: pd.DataFrame) -> np.ndarray:
        seen.append(shuffled.sum())
        return KNeighborsClassifier(1).fit(train, shuffled).predict_proba(test)[:, 1]

    (found,) = shuffled_check(rows, labels, rows.iloc[:300], labels[:300], nearest)
    assert len(seen) == SHUFFLES and found.value == pytest.approx(0.5) and not found.is_ok


def test_6_a_column_above_the_ceiling_is_named(shop) -> None:
    ahead = orders_until(shop, HORIZON) - orders_until(shop, 0)
    leaking = train_and_score(shop.features.assign(knows_the_answer=ahead), shop.purchase_days, TASK, shop.now)
    found = checks_of(leaking)["single_feature_auc"]
    assert (found["subject"], found["is_ok"]) == ("knows_the_answer", False) and found["value"] > found["threshold"]


@pytest.mark.parametrize("days_late", [HORIZON // 2, HORIZON])
def test_7_a_column_that_describes_the_label_window_is_found_below_the_ceiling(new_shop, days_late: int) -> None:
    """Counted half a horizon late it stays far below the ceiling: only the window after shows what it is."""
    shop = new_shop(8000, seed=6)
    late = train_and_score(
        shop.features.assign(counted=orders_until(shop, days_late, 30)), shop.purchase_days, TASK, shop.now
    )
    found = checks_of(late)
    assert found["single_feature_auc"]["is_ok"]
    assert (found["label_shift"]["subject"], found["label_shift"]["is_ok"]) == ("counted", False)
    honest = train_and_score(
        shop.features.assign(counted=orders_until(shop, 0, 30)), shop.purchase_days, TASK, shop.now
    )
    assert honest.checks["is_ok"].all()


def test_too_few_rows_say_nothing_rather_than_something_wrong() -> None:
    rows = pd.DataFrame({"a": np.arange(40.0)})
    labels = (np.arange(40) < 5).astype(int)
    assert shuffled_check(rows, labels, rows, labels) == []
    assert shift_check(rows, labels, labels) == []
    assert ceiling_check(rows, np.zeros(40), 0.97) == []
    assert ceiling_check(rows.assign(a=np.nan), labels, 0.97)[0].is_ok


def test_the_error_of_a_coins_auc_is_mann_whitneys() -> None:
    labels = np.r_[np.ones(60), np.zeros(140)]
    rng = np.random.default_rng(0)
    ranks = np.array([rng.permutation(200)[:60].sum() for _ in range(4000)])
    aucs = (ranks + 60 - 60 * 61 / 2) / (60 * 140)
    assert auc_error(labels) == pytest.approx(aucs.std(), rel=0.05)
