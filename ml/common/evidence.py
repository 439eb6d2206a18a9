"""What a model card shows beside the figures: points of curves and the weight of inputs, on the test cut. Numbers only.

Figures of a whole cut belong in `ml.common.evaluation`, drawing in `ml.common.plots`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from ml.common.estimators import SEED

BINS = 10
GAIN_POINTS = 21  # every 5 % of the members
IMPORTANCE_ROWS = 1500  # rows that are permuted: enough for an error of about .01 of AUC
IMPORTANCE_REPEATS = 3
IMPORTANCE_SHOWN = 12
_Z = 1.96  # 95 %
DECIMALS = 6

Scorer = Callable[[pd.DataFrame], np.ndarray]


def collect(scorer: Scorer, inputs: pd.DataFrame, labels: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Reliability, gain and importance of one model on one cut, as plain numbers for JSON.

    `scorer` gives probabilities of rows like `inputs` (n, p); `labels` (n,) 0/1 and `scores` (n,) are those of `inputs`. Labels of
    one class give empty lists.
    """
    labels = np.asarray(labels, dtype=float)
    if labels.sum() in (0, len(labels)):
        return {"reliability": [], "gain": [], "importance": []}
    return {
        "reliability": reliability(labels, scores),
        "gain": cumulative_gain(labels, scores),
        "importance": permutation_importance(scorer, inputs, labels),
    }


def reliability(labels: np.ndarray, scores: np.ndarray, bins: int = BINS) -> list[dict[str, float]]:
    """Equal-count bins of the scores: mean score, observed rate and its 95 % interval (Wilson 1927), rows."""
    order = np.lexsort((labels, scores))
    found = []
    for part in np.array_split(order, bins):
        if len(part):
            count, rate = len(part), float(labels[part].mean())
            centre = (rate + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
            half = _Z / (1 + _Z**2 / count) * np.sqrt(rate * (1 - rate) / count + _Z**2 / (4 * count**2))
            row = {"mean_score": float(scores[part].mean()), "rate": rate, "low": centre - half, "high": centre + half}
            found.append({name: round(float(value), DECIMALS) for name, value in row.items()} | {"row_count": count})
    return found


def cumulative_gain(labels: np.ndarray, scores: np.ndarray, points: int = GAIN_POINTS) -> list[dict[str, float]]:
    """Share of the positives among the highest-scored share of the members; equal scores share their rate."""
    _, group = np.unique(-scores, return_inverse=True)
    rates = (np.bincount(group, weights=labels) / np.bincount(group))[group]
    reached = np.r_[0.0, np.cumsum(rates[np.argsort(group, kind="stable")])] / labels.sum()
    shares = np.linspace(0, 1, points)
    found = np.interp(shares, np.linspace(0, 1, len(reached)), reached)
    return [
        {"share": round(float(s), DECIMALS), "reached": round(float(r), DECIMALS)}
        for s, r in zip(shares, found, strict=True)
    ]


def permutation_importance(scorer: Scorer, inputs: pd.DataFrame, labels: np.ndarray) -> list[dict[str, Any]]:
    """AUC lost when a column's values are dealt out anew (Breiman 2001), mean of IMPORTANCE_REPEATS; the largest first.

    Columns that say the same stand in for each other: each alone looks lighter than it is.
    """
    step = max(1, -(-len(inputs) // IMPORTANCE_ROWS))
    rows, truth = inputs.iloc[::step].reset_index(drop=True), labels[::step]
    if truth.sum() in (0, len(truth)):
        return []
    whole = float(roc_auc_score(truth, scorer(rows)))
    lost = np.zeros((IMPORTANCE_REPEATS, rows.shape[1]))
    for repeat in range(IMPORTANCE_REPEATS):
        dealt = rows.iloc[np.random.default_rng(SEED + repeat).permutation(len(rows))].reset_index(drop=True)
        # All columns' variants in one frame: one call of a forest costs as much as a thousand rows.
        variants = pd.concat([rows.assign(**{name: dealt[name]}) for name in rows.columns], ignore_index=True)
        scores = scorer(variants).reshape(rows.shape[1], len(rows))
        lost[repeat] = [whole - roc_auc_score(truth, of_column) for of_column in scores]
    means = pd.Series(lost.mean(axis=0), index=rows.columns).sort_values(ascending=False, kind="stable")
    return [
        {"feature": str(name), "lost_auc": round(float(value), DECIMALS)}
        for name, value in means.head(IMPORTANCE_SHOWN).items()
    ]
