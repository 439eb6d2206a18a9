"""What candidates and calibrators do; the contract that all estimators keep is tested in test_estimator_battery.py."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ml.common.calibration import calibrate, fit_calibrator, usable_methods
from ml.common.estimators import SignedLog1p, candidates, fit, fit_candidates, predict

NAMES = ["gap", "order_count_90d", "recency_days", "spend_amount_90d"]


def test_signed_log_keeps_sign_and_missing() -> None:
    values = np.array([[-np.e + 1, 0.0, np.e - 1, np.nan]]).T
    np.testing.assert_allclose(SignedLog1p().fit_transform(values).ravel(), [-1, 0, 1, np.nan])


def sample(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = pd.DataFrame(rng.gamma(1.0, 20.0, (400, 4)), columns=NAMES)
    inputs.loc[::7, "gap"] = np.nan
    return inputs, (rng.random(400) < 1 / (1 + inputs["recency_days"] / 20)).astype(int).to_numpy()


def test_the_blend_is_the_mean_of_its_parts_however_it_is_fitted() -> None:
    data = sample(1)
    fitted = fit_candidates(tuple(candidates(NAMES)), NAMES, *data)
    parts = [predict(fitted[name], data[0]) for name in ("logistic", "random_forest", "gradient_boosting")]
    np.testing.assert_allclose(predict(fitted["blend"], data[0]), np.mean(parts, axis=0))
    np.testing.assert_allclose(predict(fit(candidates(NAMES)["blend"], *data), data[0]), np.mean(parts, axis=0))


def test_calibration_repairs_what_is_too_bold_and_keeps_the_ranking() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.2, 0.8, 4000)
    labels = (rng.random(4000) < truth).astype(int)
    bold = 1 / (1 + np.exp(-4 * np.log(truth / (1 - truth))))  # log odds four times too large
    for method in ("sigmoid", "isotonic"):
        repaired = calibrate(fit_calibrator(method, bold[:2000], labels[:2000]), bold[2000:])
        assert np.abs(repaired - truth[2000:]).mean() < 0.3 * np.abs(bold[2000:] - truth[2000:]).mean()
        assert (np.diff(repaired[np.argsort(bold[2000:])]) >= -1e-12).all()


def test_a_calibrator_never_turns_the_ranking_round() -> None:
    scores = np.linspace(0.1, 0.9, 100)
    assert fit_calibrator("sigmoid", scores, (scores < 0.5).astype(int)) is None


def test_isotonic_is_not_offered_to_few_positives() -> None:
    assert usable_methods(np.r_[np.ones(199), np.zeros(900)]) == ("none", "sigmoid")
    assert "isotonic" in usable_methods(np.r_[np.ones(200), np.zeros(900)])


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="use one of none, sigmoid, isotonic"):
        fit_calibrator("magic", np.array([0.1, 0.9]), np.array([0, 1]))
