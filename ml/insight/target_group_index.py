"""Target group index (TGI) of what members of a group have in common, with significance under many comparisons.

Counts in, figures out. Which members, tags and base belongs to whoever counts them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

# Below this expected count in a cell the chi-squared approximation is not to be trusted (Cochran's rule); Fisher's test is exact.
LEAST_EXPECTED = 5.0
# Share of false discoveries that is put up with among those called significant.
FALSE_DISCOVERY_RATE = 0.05


def target_group_index(counts: pd.DataFrame, group_count: int, base_count: int) -> pd.DataFrame:
    """Figures of each row of `counts`, in its order.

    `counts` has `group_members` (of the group, with the value) and `base_members` (of the base, with it; the group is part of the
    base). Adds group_rate, base_rate, tgi = 100 × group_rate ÷ base_rate (NaN where nobody has the value), p_value of
    independence in the 2 × 2 table of the group against the rest of the base (chi-squared without correction; Fisher's exact
    test where an expected count is below 5), q_value (Benjamini and Hochberg 1995 over all rows), is_significant (q ≤ 0.05).

    Raises ValueError for counts that no group within a base can have.
    """
    group = counts["group_members"].to_numpy(dtype=np.int64)
    base = counts["base_members"].to_numpy(dtype=np.int64)
    with_value, without = group, group_count - group
    rest_with, rest_without = base - group, (base_count - group_count) - (base - group)
    cells = np.column_stack([with_value, without, rest_with, rest_without])
    if group_count > base_count or (cells < 0).any():
        raise ValueError("the group is no part of the base: a count is larger than what it is part of")
    result = counts.copy()
    result["group_rate"] = group / group_count if group_count else np.nan
    result["base_rate"] = base / base_count if base_count else np.nan
    result["tgi"] = np.divide(
        100 * result["group_rate"], result["base_rate"], out=np.full(len(group), np.nan), where=base > 0
    )
    result["p_value"] = _p_values(cells)
    result["q_value"] = stats.false_discovery_control(result["p_value"]) if len(result) else np.empty(0)
    result["is_significant"] = result["q_value"] <= FALSE_DISCOVERY_RATE
    return result


def _p_values(cells: np.ndarray) -> np.ndarray:
    """p of every 2 × 2 table; 1 where a margin is empty, because nothing is compared there."""
    a, b, c, d = cells.T.astype(float)
    total = a + b + c + d
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    with np.errstate(divide="ignore", invalid="ignore"):
        chi_squared = np.where(margins > 0, total * (a * d - b * c) ** 2 / margins, 0.0)
        least = np.minimum(a + b, c + d) * np.minimum(a + c, b + d) / np.maximum(total, 1)
    p = np.where(margins > 0, stats.chi2.sf(chi_squared, 1), 1.0)
    for row in np.flatnonzero((margins > 0) & (least < LEAST_EXPECTED)):
        _, p[row] = stats.fisher_exact(cells[row].reshape(2, 2))
    return np.clip(p, 0.0, 1.0)
