"""From a model's score to an honest probability: none, sigmoid or isotonic.

Fitted on a later cut than the model and judged on a later one still; which method is chosen in `ml.common.pipeline`.
Isotonic makes ties, which cost average precision, and follows one cut's base rate closely: it is never the default.
"""

from __future__ import annotations

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

METHODS = ("none", "sigmoid", "isotonic")  # simplest first
MIN_ISOTONIC_CLASS = 200  # rows of the rarer class; below it the steps of the curve are noise
_EDGE = 1e-4  # a probability of exactly 0 or 1 claims more than a few thousand members can show

Calibrator = LogisticRegression | IsotonicRegression | None


def usable_methods(labels: np.ndarray) -> tuple[str, ...]:
    """The methods that this many labels can carry."""
    rarer = min(int(labels.sum()), int(len(labels) - labels.sum()))
    return METHODS if rarer >= MIN_ISOTONIC_CLASS else METHODS[:2]


def fit_calibrator(method: str, scores: np.ndarray, labels: np.ndarray) -> Calibrator:
    """Fit `method` on probabilities (n,) and 0/1 labels (n,); None = leave the scores as they are."""
    if method == "none" or len(np.unique(labels)) < 2:
        return None
    if method == "sigmoid":  # Platt scaling on the log odds
        sigmoid = LogisticRegression(C=1e6).fit(_log_odds(scores), labels)
        # A falling curve would turn the ranking round: the scores say nothing here, keep them as they are.
        return sigmoid if sigmoid.coef_[0, 0] > 0 else None
    if method == "isotonic":
        return IsotonicRegression(y_min=_EDGE, y_max=1 - _EDGE, out_of_bounds="clip").fit(scores, labels)
    raise ValueError(f"unknown calibration method {method!r}: use one of {', '.join(METHODS)}")


def calibrate(calibrator: Calibrator, scores: np.ndarray) -> np.ndarray:
    """Probabilities (n,) to calibrated probabilities (n,), within [0.0001, 0.9999]."""
    if calibrator is None:
        calibrated = scores
    elif isinstance(calibrator, LogisticRegression):
        calibrated = calibrator.predict_proba(_log_odds(scores))[:, 1]
    else:
        calibrated = calibrator.predict(scores)
    return np.clip(calibrated, _EDGE, 1 - _EDGE)


def _log_odds(scores: np.ndarray) -> np.ndarray:
    clipped = np.clip(scores, _EDGE, 1 - _EDGE)
    return np.log(clipped / (1 - clipped)).reshape(-1, 1)
