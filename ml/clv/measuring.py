"""How good are expected amounts? Bias, error and ranking of what was expected against what came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class ValueMetrics:
    """Figures of expected against actual amounts of the same members; amounts in the unit that came in."""

    member_count: int
    actual_sum: float
    bias: float  # (expected - actual) / actual, of the sums
    mean_absolute_error: float
    normalised_gini: float  # of the actual amounts ranked by the expected, over the same ranked by themselves


def value_metrics(expected: ArrayLike, actual: ArrayLike) -> ValueMetrics:
    """Figures of (n,) expected against (n,) actual amounts. NaN where nothing came at all."""
    found, came = np.asarray(expected, dtype=float), np.asarray(actual, dtype=float)
    total = float(came.sum())
    best = _gini(came, came)
    return ValueMetrics(
        member_count=len(came),
        actual_sum=total,
        bias=float(found.sum() / total - 1) if total else float("nan"),
        mean_absolute_error=float(np.abs(found - came).mean()) if len(came) else float("nan"),
        normalised_gini=_gini(came, found) / best if best else float("nan"),
    )


def _gini(actual: np.ndarray, ranked_by: np.ndarray) -> float:
    """Share of the total that the first of a ranking have beyond their number; equal ranks share what they have."""
    if not len(actual) or actual.sum() == 0:
        return 0.0
    _, groups = np.unique(-ranked_by, return_inverse=True)
    sizes, sums = np.bincount(groups), np.bincount(groups, weights=actual)
    shared = np.repeat(sums / sizes, sizes)
    lorenz = np.cumsum(shared) / actual.sum()
    return float(lorenz.mean() - (len(actual) + 1) / (2 * len(actual)))
