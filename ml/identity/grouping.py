"""From pairs to groups: connected components, without those that break a rule.

A group that breaks one is refused whole, as in dbt's tiers: which of its pairs is the wrong one is not known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from ml.identity.columns import ID_LEFT, ID_RIGHT, PROBABILITY

TOO_LARGE, KNOWN_APART, KEPT_APART = "too_large", "known_apart", "kept_apart"


@dataclass(frozen=True)
class Grouping:
    """`group_of`: id → the smallest id of its group, for all ids of groups of two and more; `refused`: the same of
    groups that broke a rule; `reasons`: how many groups broke which."""

    group_of: Mapping[str, str]
    refused: Mapping[str, str]
    reasons: Mapping[str, int]

    def joins(self, left: str, right: str) -> bool:
        return left in self.group_of and self.group_of[left] == self.group_of.get(right)


def components(edges: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Every id of `edges` → the smallest id that it is connected with, itself included."""
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for left, right in edges:
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    return {node: root(node) for node in sorted(parent)}


def group_pairs(
    pairs: pd.DataFrame,
    threshold: float,
    *,
    max_size: int,
    sizes: Mapping[str, int] | None = None,
    apart: Mapping[str, str] | None = None,
    kept_apart: Iterable[tuple[str, str]] = (),
) -> Grouping:
    """Groups of the pairs (id_left, id_right, probability) that are at least as sure as `threshold` (0 to 1).

    Refused are groups of more than `max_size` (an id counts as `sizes` says, else 1: the guard against chains of pairs), groups
    with two different values of `apart`, and groups that hold both ids of one of `kept_apart`.
    """
    sure = pairs[pairs[PROBABILITY] >= threshold]
    found = components(zip(sure[ID_LEFT], sure[ID_RIGHT], strict=True))
    weight: Counter[str] = Counter()
    labels: dict[str, set[str]] = {}
    for node, group in found.items():
        weight[group] += (sizes or {}).get(node, 1)
        if (label := (apart or {}).get(node)) is not None:
            labels.setdefault(group, set()).add(label)
    broken: dict[str, str] = {group: TOO_LARGE for group, size in weight.items() if size > max_size}
    for left, right in kept_apart:
        if left in found and found[left] == found.get(right):
            broken[found[left]] = KEPT_APART
    broken |= {group: KNOWN_APART for group, values in labels.items() if len(values) > 1}
    return Grouping(
        group_of={node: group for node, group in found.items() if group not in broken},
        refused={node: group for node, group in found.items() if group in broken},
        reasons=dict(sorted(Counter(broken.values()).items())),
    )
