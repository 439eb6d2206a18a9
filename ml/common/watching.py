"""Is the present still what a model learnt from? Drift of inputs and of scores, decay of calibration, age of labels.

Pure: frames in, `Check` lines out. Reading earlier scores and writing the lines belong in `orchestration`; figures that speak of
leaks in `ml.common.leakage`.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from ml.common import columns as col
from ml.common.checks import Check
from ml.common.labels import labels_of

BINS = 10
DRIFT = 0.25  # PSI: below .1 nothing, .1 to .25 look, above .25 another population (the usual rule in credit scoring)
# Of the PSI that two samples of one population show; with thirty inputs, a third of a false line a run.
NOISE_QUANTILE = 0.99
DECAY = 0.25  # mean score over observed rate outside 1/1.25 … 1.25: a budget planned on the scores is a quarter off
DECAY_ERRORS = 2  # standard errors of the observed rate, beside DECAY
_SHARE_FLOOR = 1e-4  # an empty bin counts as this share: PSI would be infinite


def profile(values: pd.DataFrame, cuts: pd.Series | None = None) -> dict[str, dict[str, Any]]:
    """What a model's inputs looked like: per column the inner edges of at most BINS bins, their shares, and the rows.

    Bins hold about equal counts; a value that fills several is one bin. The last share is that of missing values. With `cuts`, the
    as_of_date of every row, also `cut_drift`: the largest PSI of one cut against all of them. Plain numbers, to be kept as JSON.
    """
    kept = {str(name): _profile_of(values.loc[:, name]) for name in values.columns}
    if cuts is not None and cuts.nunique() > 1:
        for name, column in kept.items():
            parts = [_psi_of(column, part) for _, part in values.loc[:, name].groupby(cuts.to_numpy())]
            column["cut_drift"] = round(max(parts), 9)
    return kept


def population_stability_index(reference: np.ndarray, present: np.ndarray) -> float:
    """PSI of two vectors of shares: sum((p - q) * ln(p / q)); a share below 1e-4 counts as that."""
    p, q = (np.clip(np.asarray(shares, dtype=float), _SHARE_FLOOR, None) for shares in (present, reference))
    return float(np.sum((p - q) * np.log(p / q)))


def noise_floor(bins: int, reference_count: int, present_count: int) -> float:
    """PSI that samples of one population stay below with probability NOISE_QUANTILE.

    PSI * n * m / (n + m) is about chi-square with bins - 1 degrees of freedom (Yurdakul and Naranjo 2020).
    """
    if min(reference_count, present_count) == 0 or bins < 2:
        return 0.0
    return float(chi2.ppf(NOISE_QUANTILE, bins - 1) * (1 / reference_count + 1 / present_count))


def input_drift(reference: dict[str, dict[str, Any]], present: pd.DataFrame) -> list[Check]:
    """One line per input of the model: PSI between its training rows (`profile`) and the rows scored now.

    What moved as far between the training cuts (messages come in campaigns) has been learnt from and raises no alarm. Columns
    that grow with the age of the data are no inputs (see `ml.common.columns`), so they raise none either. Nothing is said
    where nobody is scored.
    """
    if present.empty:
        return []
    return [_drift("input_drift", name, kept, present.loc[:, name]) for name, kept in sorted(reference.items())]


def score_drift(earlier: pd.Series, present: pd.Series) -> list[Check]:
    """PSI of the scores given now against those of the run before. Nothing is said where one of them gave none."""
    if earlier.empty or present.empty:
        return []
    return [_drift("score_drift", "scores", _profile_of(earlier), present)]


def calibration_decay(scores: pd.Series, labels: np.ndarray, cut: pd.Timestamp) -> list[Check]:
    """Mean score over the observed rate, of the scores that were given at `cut` and whose window has closed since.

    `scores` (n,) and 0/1 `labels` (n,) of the same members. Bounds: 1.25 either way, and DECAY_ERRORS standard errors of the rate.
    Nothing is said where nothing or nobody happened.
    """
    count, positives = len(labels), int(np.sum(labels))
    if positives == 0:
        return []
    base = positives / count
    value = float(scores.mean()) / base
    threshold = 1 + DECAY + DECAY_ERRORS * float(np.sqrt((1 - base) / positives))
    return [Check("calibration_decay", f"{cut:%Y-%m-%d}", value, threshold, 1 / threshold <= value <= threshold)]


def watch_scores(
    earlier: pd.DataFrame,
    present: pd.DataFrame,
    purchase_days: pd.DataFrame,
    positive_is_order: bool,
    known_until: date,
) -> tuple[list[Check], dict[str, list[Check]]]:
    """Score drift against the run before, and calibration decay of the newest cut whose window has closed, by its version.

    `earlier` has the scores of earlier cuts (member_id, model_version, horizon_days, score, as_of_date), `present` those given now.
    """
    if earlier.empty:
        return [], {}
    cuts = pd.to_datetime(earlier[col.AS_OF_DATE])
    drift = score_drift(earlier.loc[cuts == cuts.max(), col.SCORE], present.loc[:, col.SCORE])
    horizons = pd.to_timedelta(earlier[col.HORIZON_DAYS].to_numpy(), unit="D")
    closed = cuts + horizons <= pd.Timestamp(known_until)
    if not closed.any():
        return drift, {}
    cut: Any = cuts[closed].max()
    decay = {}
    for version, rows in earlier.loc[cuts == cut].sort_values(col.MEMBER_ID).groupby(col.MODEL_VERSION, sort=True):
        horizon = int(rows[col.HORIZON_DAYS].iloc[0])
        labels = labels_of(rows, purchase_days, horizon, known_until, positive_is_order)
        decay[str(version)] = calibration_decay(rows.loc[:, col.SCORE], labels, cut)
    return drift, decay


def label_maturity(newest_label_end: pd.Timestamp, known_until: pd.Timestamp) -> Check:
    """Days between the end of the newest label window a model was taught and the end of what is known: never below 0."""
    days = (known_until - newest_label_end).days
    return Check("label_maturity_days", f"{newest_label_end:%Y-%m-%d}", days, 0, days >= 0)


def _profile_of(values: Any) -> dict[str, Any]:
    numbers = np.asarray(values, dtype=float)
    known = numbers[np.isfinite(numbers)]
    quantiles = np.quantile(known, np.arange(1, BINS) / BINS) if len(known) else np.array([])
    edges = np.unique(np.round(quantiles, 9))
    return {"edges": edges.tolist(), "shares": _shares(numbers, edges).round(9).tolist(), "row_count": len(numbers)}


def _shares(numbers: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Share of each bin (value <= edge goes to the left), then of what is missing or infinite."""
    finite = np.isfinite(numbers)
    counts = np.bincount(np.searchsorted(edges, numbers[finite], side="left"), minlength=len(edges) + 1)
    return np.append(counts, len(numbers) - finite.sum()) / max(1, len(numbers))


def _drift(check_name: str, subject: str, kept: dict[str, Any], present: Any) -> Check:
    value = _psi_of(kept, present)
    threshold = max(DRIFT, kept.get("cut_drift", 0)) + noise_floor(len(kept["shares"]), kept["row_count"], len(present))
    return Check(check_name, subject, value, threshold, value <= threshold)


def _psi_of(kept: dict[str, Any], present: Any) -> float:
    shares = _shares(np.asarray(present, dtype=float), np.asarray(kept["edges"], dtype=float))
    return population_stability_index(np.asarray(kept["shares"], dtype=float), shares)
