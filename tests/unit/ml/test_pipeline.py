"""The whole way on a small shop with known behaviour: determinism, leaks, noise, thin data, and files."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LinearRegression

from ml.churn.model import churn_task
from ml.common.artifacts import ArtifactConflictError, UntrustedModelError, load_artifact, save_artifact
from ml.common.columns import SCORE_COLUMNS
from ml.common.pipeline import EVALUATION_COLUMNS, TrainResult, evaluation_row, model_features, train_and_score
from ml.common.tasks import ALL_CANDIDATES, Task
from ml.propensity.model import propensity_task

SMALL = ("recency_rule", "rfm_logistic")


@pytest.fixture(scope="module")
def result(shop) -> TrainResult:
    return train_and_score(shop.features, shop.purchase_days, propensity_task(28), shop.now)


def champion(result: TrainResult) -> pd.Series:
    return result.evaluation[result.evaluation["is_champion"]].iloc[0]


def test_a_shop_with_a_pattern_is_learnt(shop, result) -> None:
    assert result.status == "trained" and result.reason == ""
    assert list(result.evaluation.columns) == EVALUATION_COLUMNS
    assert result.evaluation["candidate"].tolist() == [*ALL_CANDIDATES, "champion"]
    best = champion(result)
    assert 0.7 < best["auc"] < 0.95 and best["is_rule_beaten"] and not best["is_leak_suspected"]
    assert best["ece_10_equal_count"] < 0.08
    assert best["as_of_date"] == shop.now - pd.Timedelta(days=28)
    assert result.model_version.startswith("propensity-20241126-")
    assert result.card.startswith(f"# {result.model_version}") and "recency_rule" in result.card


def test_the_evaluation_of_a_version_can_be_read_from_its_metadata(result) -> None:
    saved = json.loads(json.dumps(result.metadata))
    row = result.evaluation[result.evaluation["is_champion"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(evaluation_row(saved), row, check_dtype=False)


def test_scores_cover_the_population_once_and_are_ranked(shop, result) -> None:
    scores = result.scores
    present = shop.features[shop.features["as_of_date"] == shop.now]
    assert list(scores.columns) == SCORE_COLUMNS
    assert scores["member_id"].tolist() == sorted(present["member_id"])
    assert scores["score"].between(0, 1).all()
    ranked = scores.sort_values(["score", "member_id"])["percentile"].to_numpy()
    np.testing.assert_allclose(ranked, np.arange(1, len(scores) + 1) / len(scores))
    assert scores.groupby("tier")["percentile"].min()["high"] > 0.8
    assert scores.groupby("tier")["percentile"].max()["low"] <= 0.5


def test_churn_asks_the_recently_active_and_mirrors_the_order_label(shop) -> None:
    churn = train_and_score(shop.features, shop.purchase_days, churn_task(28, 28, candidate_names=SMALL), shop.now)
    buys = propensity_task(28, active_days=28, candidate_names=SMALL)
    propensity = train_and_score(shop.features, shop.purchase_days, buys, shop.now)
    active = shop.features[(shop.features["as_of_date"] == shop.now) & (shop.features["recency_days"] <= 28)]
    assert set(churn.scores["member_id"]) == set(active["member_id"])
    figures, mirrored = champion(churn), champion(propensity)
    assert figures["positive_count"] == mirrored["population_count"] - mirrored["positive_count"]


def test_the_order_of_rows_changes_nothing(shop) -> None:
    task = churn_task(28, 90)
    first = train_and_score(shop.features, shop.purchase_days, task, shop.now)
    shuffled = shop.features.sample(frac=1, random_state=1), shop.purchase_days.sample(frac=1, random_state=2)
    again = train_and_score(*shuffled, task, shop.now)
    assert again.metadata == first.metadata
    pd.testing.assert_frame_equal(again.scores, first.scores, check_exact=True)


def test_the_version_follows_data_and_task(shop) -> None:
    task = propensity_task(28, candidate_names=SMALL)
    base = train_and_score(shop.features, shop.purchase_days, task, shop.now).model_version
    tiers = dataclasses.replace(task, high_tier_percentile=0.9)
    changed = shop.features.assign(spend_amount_90d=shop.features["spend_amount_90d"] + 1)
    assert train_and_score(shop.features, shop.purchase_days, tiers, shop.now).model_version != base
    assert train_and_score(changed, shop.purchase_days, task, shop.now).model_version != base


def test_facts_of_the_future_change_nothing(shop) -> None:
    """Orders at or after known_until, and features of later cuts, are not looked at."""
    task = propensity_task(28, candidate_names=SMALL)
    later = pd.DataFrame({"member_id": shop.features["member_id"].unique(), "business_date": shop.now})
    future_cut = shop.features.assign(as_of_date=shop.features["as_of_date"] + pd.Timedelta(days=400))
    base = train_and_score(shop.features, shop.purchase_days, task, shop.now)
    again = train_and_score(
        pd.concat([shop.features, future_cut]), pd.concat([shop.purchase_days, later]), task, shop.now
    )
    assert again.metadata == base.metadata
    pd.testing.assert_frame_equal(again.scores, base.scores)


def test_a_column_that_knows_the_label_is_a_suspected_leak(shop) -> None:
    keys = shop.features[["member_id", "as_of_date"]]
    merged = keys.merge(shop.purchase_days, on="member_id")
    ahead = (merged["business_date"] - merged["as_of_date"]).dt.days
    future = merged[ahead.between(0, 27)].groupby(["member_id", "as_of_date"]).size().rename("orders_ahead")
    leaking = shop.features.join(future, on=["member_id", "as_of_date"])
    task = propensity_task(28, candidate_names=SMALL)
    result = train_and_score(leaking, shop.purchase_days, task, shop.now)
    # The small candidates do not even use the column: it is found by itself.
    assert champion(result)["is_leak_suspected"] and "orders_ahead" in champion(result)["verdict"]
    clean = train_and_score(shop.features, shop.purchase_days, task, shop.now)
    assert not clean.evaluation["is_leak_suspected"].any()


def test_shuffled_histories_teach_nothing(shop, monkeypatch) -> None:
    """Mean of 20 shuffles: one alone is a flaky test (its standard deviation is about .02 here)."""
    monkeypatch.setattr("ml.common.evaluation.bootstrap_auc_interval", lambda *_: (0.0, 1.0))  # only for speed
    monkeypatch.setattr("ml.common.pipeline.collect", lambda *_: {"reliability": [], "gain": [], "importance": []})
    monkeypatch.setattr("ml.common.pipeline._leak_checks", lambda *_: [])
    task = propensity_task(28, candidate_names=SMALL)
    recent = shop.features[shop.features["as_of_date"] >= shop.now - pd.Timedelta(days=28 * 3)]
    aucs = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        ids = recent.groupby("as_of_date")["member_id"].transform(lambda ids, rng=rng: rng.permutation(ids))
        shuffled = recent.assign(member_id=ids)
        aucs.append(champion(train_and_score(shuffled, shop.purchase_days, task, shop.now))["auc"])
    assert abs(np.mean(aucs) - 0.5) < 0.02


def test_a_short_history_chooses_on_held_out_members_and_leaves_scores_uncalibrated(shop) -> None:
    """A horizon longer than the spacing of the training cuts: none is old enough to fit while another calibrates."""
    task = propensity_task(84, candidate_names=SMALL)
    result = train_and_score(shop.features, shop.purchase_days, task, shop.now)
    assert result.status == "trained"
    assert (result.metadata["chosen_on"], result.metadata["calibration"]) == ("held-out members", "none")
    assert set(result.metadata["validation"]) == set(SMALL)
    assert 0.6 < champion(result)["auc"] < 0.95


def test_unbounded_and_text_columns_stay_out(shop) -> None:
    features = shop.features.assign(lifetime_spend_amount=1.0, city="x", is_subscribed=True)
    names = model_features(features)
    assert names == sorted(names) and "is_subscribed" in names
    assert not {"tenure_days", "lifetime_spend_amount", "city", "member_id", "as_of_date"} & set(names)


def test_infinite_and_empty_columns_do_not_break_a_fit(shop) -> None:
    features = shop.features.assign(ratio=np.inf, nothing=np.nan).astype({"order_count_30d": float})
    started = shop.features["as_of_date"] > shop.features["as_of_date"].min()
    features["late"] = features["recency_days"].where(started)  # the shop began to record it after the first cut
    features.loc[::5, "order_count_30d"] = -np.inf
    result = train_and_score(features, shop.purchase_days, propensity_task(28), shop.now)
    assert result.status == "trained" and result.scores["score"].notna().all()
    assert not {"ratio", "nothing", "late"} & set(result.feature_names) and "order_count_30d" in result.feature_names


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f, p, now: (f.iloc[:0], p), "0 mature as_of_dates"),
        (lambda f, p, now: (f[f["as_of_date"] >= now - pd.Timedelta(days=28)], p), "1 mature as_of_dates"),
        (lambda f, p, now: (f, p.iloc[:0]), "0 positive"),
        (lambda f, p, now: (f[f["member_id"] < "m00050"], p), "100 of each are needed"),
    ],
    ids=["no features", "one cut", "no purchases", "few members"],
)
def test_thin_data_is_a_stated_result(shop, change, reason: str, tmp_path) -> None:
    features, purchases = change(shop.features, shop.purchase_days, shop.now)
    result = train_and_score(features, purchases, propensity_task(28), shop.now)
    assert result.status == "not_trained" and reason in result.reason
    assert result.scores.empty and list(result.scores.columns) == SCORE_COLUMNS
    assert result.evaluation.empty and list(result.evaluation.columns) == EVALUATION_COLUMNS
    with pytest.raises(ValueError, match="was not trained"):
        save_artifact(result, tmp_path)


def test_nobody_to_score_is_said(shop) -> None:
    past = shop.features[shop.features["as_of_date"] < shop.now]
    result = train_and_score(past, shop.purchase_days, propensity_task(28, candidate_names=SMALL), shop.now)
    assert result.status == "trained" and result.scores.empty and "nobody to score" in result.reason


def test_broken_features_are_refused_by_name(shop) -> None:
    task = propensity_task(28)
    with pytest.raises(ValueError, match="order_count_90d"):
        train_and_score(shop.features.drop(columns="order_count_90d"), shop.purchase_days, task, shop.now)
    with pytest.raises(ValueError, match="no value at some as_of_date in spend_amount_90d"):
        train_and_score(shop.features.assign(spend_amount_90d=np.nan), shop.purchase_days, task, shop.now)
    with pytest.raises(ValueError, match="several rows"):
        train_and_score(pd.concat([shop.features] * 2), shop.purchase_days, task, shop.now)


@pytest.mark.parametrize(
    "values",
    [
        {"horizon_days": 0},
        {"horizon_days": 7, "active_days": 0},
        {"horizon_days": 7, "candidate_names": ("oracle", "recency_rule")},
        {"horizon_days": 7, "candidate_names": ("logistic",)},
        {"horizon_days": 7, "high_tier_percentile": 0.4},
    ],
)
def test_a_task_that_makes_no_sense_is_refused(values) -> None:
    with pytest.raises(ValueError, match="task t:"):
        Task(name="t", question="?", positive_is_order=True, **values)


@pytest.mark.parametrize("candidate", ["recency_rule", "gradient_boosting", "blend"])  # blend holds the rest
def test_every_candidate_scores_the_same_after_saving_and_loading(shop, candidate: str, tmp_path) -> None:
    names = ("recency_rule",) if candidate == "recency_rule" else ("recency_rule", candidate)
    task = propensity_task(28, candidate_names=names)
    result = train_and_score(shop.features, shop.purchase_days, task, shop.now)
    assert result.metadata["candidate"] == candidate
    folder = save_artifact(result, tmp_path)
    assert sorted(file.name for file in folder.iterdir()) == ["card.html", "card.md", "metadata.json", "model.skops"]
    loaded = load_artifact(folder)
    assert loaded.task == task and loaded.metadata == json.loads(json.dumps(result.metadata))
    present = shop.features[shop.features["as_of_date"] == shop.now]
    pd.testing.assert_frame_equal(loaded.score(present), result.scores, check_exact=True)


def test_saving_again_keeps_what_is_there_and_leaves_nothing_beside(shop, tmp_path) -> None:
    task = propensity_task(28, candidate_names=SMALL)
    result = train_and_score(shop.features, shop.purchase_days, task, shop.now)
    folder = save_artifact(result, tmp_path)
    before = (folder / "model.skops").stat().st_mtime_ns
    assert save_artifact(result, tmp_path) == folder
    assert (folder / "model.skops").stat().st_mtime_ns == before
    other = dataclasses.replace(result, metadata={**result.metadata, "candidate": "another"})
    with pytest.raises(ArtifactConflictError, match="RECIPE_VERSION"):
        save_artifact(other, tmp_path)
    broken = dataclasses.replace(result, model_version="broken", metadata={"figure": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        save_artifact(broken, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_a_failed_write_leaves_nothing(shop, tmp_path, monkeypatch) -> None:
    task = propensity_task(28, candidate_names=SMALL)
    result = train_and_score(shop.features, shop.purchase_days, task, shop.now)

    def disk_full(*_args, **_options) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ml.common.artifacts.skops.io.dump", disk_full)
    with pytest.raises(OSError, match="No space left"):
        save_artifact(result, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_type_is_refused_before_it_is_built(tmp_path) -> None:
    class Foreign(LinearRegression):
        pass

    Foreign.__module__ = "somewhere.else"
    skops.io.dump({"estimator": Foreign(), "calibrator": None}, tmp_path / "model.skops")
    with pytest.raises(UntrustedModelError, match=r"somewhere\.else\.Foreign"):
        load_artifact(tmp_path)
