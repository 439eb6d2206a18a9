"""Which code a new cluster has: that of the stored cluster it continues, so a code means the same from refit to refit.

Centres in, codes out. Where stored centres come from belongs in `store`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


def match_codes(
    centres: NDArray[np.float64],
    stored: NDArray[np.float64],
    stored_codes: Sequence[str],
    prefix: str,
    retired_codes: Sequence[str] = (),
) -> list[str]:
    """A code for each new centre (k, d), given the stored ones (m, d) with theirs.

    Pairs are those of the smallest total distance (Hungarian method; Kuhn 1955). A pair farther apart than the stored
    clusters are from each other at the least is no continuation. What continues nothing gets the next number that was
    never used, `retired_codes` included: a code is not given twice. Raises ValueError where the two have other dimensions.
    """
    codes: list[str | None] = [None] * len(centres)
    if len(stored):
        if stored.shape[1] != centres.shape[1]:
            raise ValueError(f"stored centres have {stored.shape[1]} features, new ones {centres.shape[1]}")
        distances = np.linalg.norm(centres[:, None, :] - stored[None, :, :], axis=2)
        rows, columns = linear_sum_assignment(distances)
        for row, column in zip(rows, columns, strict=True):
            if distances[row, column] <= _reach(stored):
                codes[row] = stored_codes[column]
    used = max((int(code.removeprefix(prefix)) for code in (*stored_codes, *retired_codes)), default=0)
    for row, code in enumerate(codes):
        if code is None:
            used += 1
            codes[row] = f"{prefix}{used}"
    return [code for code in codes if code is not None]


def _reach(stored: NDArray[np.float64]) -> float:
    """Distance between the two nearest stored centres; infinite for a single one."""
    if len(stored) < 2:
        return float("inf")
    between = np.linalg.norm(stored[:, None, :] - stored[None, :, :], axis=2)
    return float(between[~np.eye(len(stored), dtype=bool)].min())
