"""Drift, decay and label age: silent on the same population, loud on another one, and never louder than noise."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml.common.checks import CHECK_COLUMNS, Check, check_rows
from ml.common.watching import (
    DRIFT,
    calibration_decay,
    input_drift,
    label_maturity,
    noise_floor,
    population_stability_index,
    profile,
    score_drift,
)

DAY = pd.Timestamp("2024-06-01")


def test_psi_is_the_textbook_sum() -> None:
    # Siddiqi, Credit Risk Scorecards (2006), the stability index: sum of (actual - expected) * ln(actual / expected).
    expected, actual = np.array([0.06, 0.10, 0.14, 0.70]), np.array([0.08, 0.11, 0.21, 0.60])
    by_hand = 0.02 * np.log(0.08 / 0.06) + 0.01 * np.log(1.1) + 0.07 * np.log(1.5) - 0.1 * np.log(0.6 / 0.7)
    assert population_stability_index(expected, actual) == pytest.approx(by_hand) == pytest.approx(0.0505, abs=1e-4)
    assert np.isfinite(population_stability_index(np.array([1.0, 0.0]), np.array([0.0, 1.0])))


@given(
    arrays(float, 8, elements=st.floats(0.01, 1)).map(lambda a: a / a.sum()),
    arrays(float, 8, elements=st.floats(0.01, 1)).map(lambda a: a / a.sum()),
)
def test_psi_is_symmetric_never_negative_and_zero_for_equals(left: np.ndarray, right: np.ndarray) -> None:
    assert population_stability_index(left, left) == 0
    there, back = population_stability_index(left, right), population_stability_index(right, left)
    assert there >= 0 and there == pytest.approx(back)


def test_two_samples_of_one_population_stay_below_the_noise_floor() -> None:
    rng = np.random.default_rng(1)
    values = []
    for _ in range(400):
        kept = profile(pd.DataFrame({"x": rng.normal(size=500)}))
        (check,) = input_drift(kept, pd.DataFrame({"x": rng.normal(size=300)}))
        values.append((check.value, check.threshold - DRIFT))
        assert check.is_ok
    above = np.mean([value > floor for value, floor in values])
    assert above < 0.04  # one in a hundred, and the edges are those of the first sample


def test_the_noise_floor_is_the_anchors() -> None:
    """Measured on a real shop: 95 % of clean pairs of 2,000 members each stay below .018 (ten bins)."""
    assert noise_floor(10, 2000, 2000) == pytest.approx(0.0217, abs=0.0005)
    assert noise_floor(10, 0, 10) == noise_floor(1, 10, 10) == 0


@pytest.mark.parametrize(
    "present",
    [
        lambda x: x + 1.2,
        lambda x: np.where(x > 0, np.nan, x),
        lambda x: np.where(x > 0, np.inf, x),
        lambda x: x * 0 + 9,
    ],
    ids=["moved", "half is missing", "half is infinite", "constant"],
)
def test_another_population_is_told_and_named(present) -> None:
    x = np.random.default_rng(2).normal(size=2000)
    kept = json.loads(json.dumps(profile(pd.DataFrame({"x": x, "y": x}))))  # as it is read back from a file
    moved, same = input_drift(kept, pd.DataFrame({"y": x, "x": present(x)}))
    assert (moved.subject, moved.is_ok) == ("x", False) and moved.value > moved.threshold
    assert same.is_ok and same.value == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("values", [[0.0] * 50, [np.nan] * 50, [0.0] * 48 + [1.0, np.nan], [True, False] * 25])
def test_columns_of_few_values_have_few_bins_and_no_drift_from_themselves(values: list) -> None:
    frame = pd.DataFrame({"x": values})
    kept = profile(frame)["x"]
    assert sum(kept["shares"]) == pytest.approx(1) and len(kept["shares"]) == len(kept["edges"]) + 2
    (check,) = input_drift({"x": kept}, frame)
    assert check.is_ok and check.value == 0


def test_scores_are_compared_with_the_run_before() -> None:
    rng = np.random.default_rng(3)
    before = pd.Series(rng.beta(2, 5, 3000))
    (same,) = score_drift(before, pd.Series(rng.beta(2, 5, 3000)))
    (other,) = score_drift(before, pd.Series(rng.beta(5, 2, 3000)))
    assert same.is_ok and not other.is_ok
    assert score_drift(before.iloc[:0], before) == score_drift(before, before.iloc[:0]) == []


@pytest.mark.parametrize(("factor", "is_ok"), [(1.0, True), (1.15, True), (1.6, False), (0.6, False)])
def test_calibration_is_judged_on_the_level_of_the_scores(factor: float, is_ok: bool) -> None:
    labels = (np.arange(2000) % 5 == 0).astype(int)
    (check,) = calibration_decay(pd.Series(np.full(2000, 0.2 * factor)), labels, DAY)
    assert check.value == pytest.approx(factor) and check.is_ok is is_ok and check.subject == "2024-06-01"
    assert calibration_decay(pd.Series([0.5]), np.array([0]), DAY) == []


def test_a_label_that_ends_after_what_is_known_is_not_ok() -> None:
    assert label_maturity(DAY, DAY) == Check("label_maturity_days", "2024-06-01", 0, 0, True)
    assert not label_maturity(DAY + pd.Timedelta(days=1), DAY).is_ok


def test_rows_have_the_tables_columns() -> None:
    rows = check_rows("churn", "churn-1", DAY, [Check("score_drift", "scores", 0.12345678, 0.3, True)])
    assert list(rows.columns) == CHECK_COLUMNS and rows["value"].tolist() == [0.123457]
    assert list(check_rows("churn", "churn-1", DAY, []).columns) == CHECK_COLUMNS


def test_what_moved_as_far_between_the_training_cuts_raises_no_alarm() -> None:
    """Messages come in campaigns: a month without any is another population, but one that the model has seen."""
    rng = np.random.default_rng(4)
    months = pd.Series(np.repeat(pd.date_range("2024-01-01", periods=4, freq="MS"), 500))
    touches = pd.DataFrame({"touches": rng.poisson(np.where(months.dt.month == 2, 0.0, 3.0))})
    silent, many = pd.DataFrame({"touches": np.zeros(500)}), pd.DataFrame({"touches": np.full(500, 30.0)})
    (seen,) = input_drift(profile(touches, months), silent)
    (unseen,) = input_drift(profile(touches, months), many)
    (without_cuts,) = input_drift(profile(touches), silent)
    assert seen.is_ok and seen.value > DRIFT and not unseen.is_ok and not without_cuts.is_ok
