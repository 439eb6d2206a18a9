"""Tables as dictionaries of numpy columns, and joining the tables of cohorts to those of a block.

What the columns are is said where a table is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Table = dict[str, np.ndarray]


def rows(table: Mapping[str, np.ndarray]) -> int:
    return len(next(iter(table.values()))) if table else 0


def take(table: Mapping[str, np.ndarray], which: np.ndarray) -> Table:
    """Rows by position or by a boolean mask."""
    return {name: column[which] for name, column in table.items()}


def stack(tables: Sequence[Mapping[str, np.ndarray]]) -> Table:
    """Rows of all tables under each other; empty tables without columns are left out."""
    full = [table for table in tables if table]
    if not full:
        return {}
    return {name: np.concatenate([table[name] for table in full]) for name in full[0]}


def stack_referring(tables: Sequence[Mapping[str, np.ndarray]], references: Mapping[str, Sequence[int]]) -> Table:
    """`stack`, where some columns hold row numbers of other tables that are stacked as well (-1 = none).

    `references`: column → rows of the referred table in each part; the numbers move on by the rows of the parts before.
    """
    moved = []
    for position, table in enumerate(tables):
        offsets = {name: sum(sizes[:position]) for name, sizes in references.items()}
        moved.append({
            name: np.where(column >= 0, column + offsets[name], -1) if name in offsets else column
            for name, column in table.items()
        })  # fmt: skip
    return stack(moved)
