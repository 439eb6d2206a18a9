"""How right scored pairs are, from those that somebody has looked at or of which the truth is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ml.identity.columns import PROBABILITY

_Z95 = 1.959963984540054  # of a two-sided 95 % interval


@dataclass(frozen=True)
class Measurement:
    """Pairs at least as sure as `threshold`: how many, how many were judged, how many of those are one person.

    Shares are 0 to 1; None where there is nothing to divide by, or the truth is not known.
    """

    threshold: float
    pair_count: int
    judged_count: int
    right_count: int
    precision: float | None
    precision_low: float | None  # of the two-sided 95 % interval
    precision_high: float | None
    recall: float | None


def wilson_interval(successes: int, trials: int, z: float = _Z95) -> tuple[float, float]:
    """Bounds of a share of `trials` (at least 1), two-sided, 95 % by default.

    Source: Wilson, Probable Inference, JASA 22 (1927); as in statsmodels' proportion_confint(method="wilson").
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} of {trials} is no share")
    share, square = successes / trials, z * z
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = z / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def measure(
    pairs: pd.DataFrame, thresholds: Sequence[float], *, judged: str = "is_same", true_pairs: int | None = None
) -> list[Measurement]:
    """A measurement per threshold, from `pairs` with probability and `judged` (True, False, or missing: not looked at).

    The judged pairs must be all pairs, or a random sample of those above the lowest threshold. `true_pairs`: how many pairs of one
    person there are, found or not; recall is left out without it, and where not all pairs were judged.
    """
    results = []
    for threshold in thresholds:
        sure = pairs[pairs[PROBABILITY] >= threshold]
        answers = [bool(answer) for answer in sure[judged].tolist() if not pd.isna(answer)]
        count, right = len(answers), sum(answers)
        low, high = wilson_interval(right, count) if count else (None, None)
        known = true_pairs is not None and true_pairs > 0 and count == len(sure)
        results.append(
            Measurement(
                threshold=threshold,
                pair_count=len(sure),
                judged_count=count,
                right_count=right,
                precision=right / count if count else None,
                precision_low=low,
                precision_high=high,
                recall=right / true_pairs if known and true_pairs else None,
            )
        )
    return results
