"""Journeys as vectors: which step follows which in what a member does, and what a cluster of them is called.

Counts of pairs of steps come from feat_members_journeys; how clusters are found belongs in `clustering`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml.segments.scheme import Prepared, Scheme

# Below so many steps in the window, shares of pairs are noise: such members are in no cluster.
MIN_STEPS = 10
# Pairs named in a label: one more makes labels longer, not clearer.
NAMED_PAIRS = 2

STEPS = {
    "start": ("进入", "start"),
    "browse": ("逛页面", "browse"),
    "search": ("搜索", "search"),
    "view": ("看商品", "view"),
    "content": ("看内容", "content"),
    "want": ("加购收藏", "want"),
    "buy": ("下单", "buy"),
    "service": ("问客服", "service"),
}


def pair_columns(frame: pd.DataFrame) -> list[str]:
    """Columns of feat_members_journeys that count a pair: `<step>_<step>_count`, in the frame's order."""
    return [str(name) for name in frame.columns if _pair(str(name)) is not None]


def prepare(frame: pd.DataFrame) -> Prepared:
    """Vectors of the members with enough steps: the square root of each pair's share of the member's steps.

    Distances between such vectors are Hellinger's: seldom pairs weigh more than between bare shares, where `view → view`
    would drown them, and how much a member does is left out.
    """
    columns = pair_columns(frame)
    steps = frame["step_count"].to_numpy(dtype=np.float64) if len(frame) else np.empty(0)
    known = frame.loc[steps >= MIN_STEPS].reset_index(drop=True)
    shares = known[columns].to_numpy(dtype=np.float64)
    shares = shares / shares.sum(axis=1, keepdims=True) if len(known) else shares
    features = [column.removesuffix("_count") for column in columns]
    return Prepared(known["member_id"].astype(str).tolist(), features, np.sqrt(shares), shares)


def name_clusters(
    features: list[str], z_scores: NDArray[np.float64], means: NDArray[np.float64]
) -> list[tuple[str, str]]:
    """A label (中文, English) for each cluster: the pairs that set it apart most and make a step in a hundred at the least."""
    labels: list[tuple[str, str]] = []
    for scores, shares in zip(z_scores, means, strict=True):
        order = sorted(range(len(features)), key=lambda index: (-scores[index], features[index]))
        common = [index for index in order if shares[index] >= 0.01] or order
        texts = [_texts(features[index]) for index in common[:NAMED_PAIRS]]
        labels.append((" · ".join(zh for zh, _ in texts), " · ".join(en for _, en in texts)))
    return labels


def _pair(column: str) -> tuple[str, str] | None:
    parts = column.removesuffix("_count").split("_")
    return (parts[0], parts[1]) if len(parts) == 2 and parts[0] in STEPS and parts[1] in STEPS else None


def _texts(feature: str) -> tuple[str, str]:
    first, second = feature.split("_")
    (first_zh, first_en), (second_zh, second_en) = STEPS[first], STEPS[second]
    return f"{first_zh}→{second_zh}", f"{first_en} → {second_en}"


JOURNEYS = Scheme("journeys", "J", prepare, name_clusters)
