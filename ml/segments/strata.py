"""Strata: members by how they buy and browse together, and what a stratum is called.

Sums come from feat_members_purchases and feat_members_journeys; how clusters are found belongs in `clustering`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ml.segments.journeys import STEPS, pair_columns
from ml.segments.scheme import Prepared, Scheme

# Recency counts as e^(-days / 90): a quarter without an order leaves 37 % of it; who never ordered has none.
RECENCY_SCALE_DAYS = 90.0
# Standard scores beyond this are as far as any: one great spender must not make a stratum of their own.
CLIP = 3.0
# A stratum is called by an archetype only where it leans its way at least so much: in the archetype's first feature, and in
# the mean of all, both in standard scores. A brand without behaviour has nobody who is engaged with content.
MIN_FIT = 0.25
# What no pairing can outweigh.
NO_FIT = -1_000.0

LABELS = {
    "recency": ("近期购买", "bought lately"),
    "order_count": ("订单数", "orders"),
    "spend_amount": ("消费额", "spend"),
    "mean_order_amount": ("客单价", "order value"),
    "category_count": ("品类数", "categories"),
    "discount_rate": ("折扣率", "discounts"),
    "refund_rate": ("退款率", "refunds"),
    "active_days": ("活跃天数", "active days"),
    "browse_rate": ("逛页面占比", "browsing"),
    "view_rate": ("看商品占比", "product views"),
    "content_rate": ("看内容占比", "content"),
    "want_rate": ("加购收藏占比", "wishes"),
}
# Which way a stratum of the name leans, what the name speaks of first. Three names are common in the trade, three are this
# project's proposals.
ARCHETYPES: dict[tuple[str, str], dict[str, int]] = {
    ("核心复购", "core repurchasers"): {"order_count": 1, "spend_amount": 1, "recency": 1, "category_count": 1},
    ("价格敏感", "price-sensitive"): {"discount_rate": 1, "recency": 1, "order_count": 1, "mean_order_amount": -1},
    ("沉默未激活", "silent, not activated"): {"recency": -1, "order_count": -1, "active_days": -1, "view_rate": -1},
    ("新探索者", "new explorers"): {"active_days": 1, "view_rate": 1, "order_count": -1, "spend_amount": -1},
    ("内容互动未转化", "content-engaged, not converted"): {"content_rate": 1, "recency": -1, "order_count": -1},
    ("高潜会员", "high potential"): {"want_rate": 1, "active_days": 1, "recency": 1},
}


def prepare(frame: pd.DataFrame) -> Prepared:
    """Standardised vectors of all members of the frame; what a member has nothing of is 0."""
    measures = _measures(frame)
    values = measures.to_numpy(dtype=np.float64)
    shaped = values.copy()
    for index, name in enumerate(measures.columns):
        if name in ("order_count", "spend_amount", "mean_order_amount", "category_count", "active_days"):
            shaped[:, index] = np.log1p(values[:, index])
    spread = shaped.std(axis=0) if len(shaped) else np.ones(shaped.shape[1])
    mean = shaped.mean(axis=0) if len(shaped) else np.zeros(shaped.shape[1])
    # A feature that does not differ says nothing: 0 for everybody.
    vectors = np.clip((shaped - mean) / np.where(spread > 0, spread, 1.0), -CLIP, CLIP)
    return Prepared(frame["member_id"].astype(str).tolist(), list(measures.columns), vectors, values)


def name_clusters(
    features: list[str], z_scores: NDArray[np.float64], means: NDArray[np.float64]
) -> list[tuple[str, str]]:
    """A label (中文, English) for each stratum: an archetype that it fits, each given once, else what sets it apart most."""
    leans = np.array([[lean.get(name, 0) for name in features] for lean in ARCHETYPES.values()], dtype=np.float64)
    fits = z_scores @ (leans / np.abs(leans).sum(axis=1, keepdims=True)).T
    for column, lean in enumerate(ARCHETYPES.values()):
        first, way = next(iter(lean.items()))
        fits[(z_scores[:, features.index(first)] * way < MIN_FIT) | (fits[:, column] < MIN_FIT), column] = NO_FIT
    rows, columns = linear_sum_assignment(-np.round(fits, 9))
    names = list(ARCHETYPES)
    labels: list[tuple[str, str]] = [_by_features(features, scores) for scores in z_scores]
    for row, column in zip(rows, columns, strict=True):
        if fits[row, column] > NO_FIT:
            labels[row] = names[column]
    return labels


def _by_features(features: list[str], scores: NDArray[np.float64]) -> tuple[str, str]:
    order = sorted(range(len(features)), key=lambda index: (-abs(scores[index]), features[index]))[:2]
    zh = "·".join(f"{LABELS[features[i]][0]}{'高' if scores[i] > 0 else '低'}" for i in order)
    en = ", ".join(f"{'more' if scores[i] > 0 else 'less'} {LABELS[features[i]][1]}" for i in order)
    return zh, en


def _measures(frame: pd.DataFrame) -> pd.DataFrame:
    columns = pair_columns(frame)
    into = {step: [name for name in columns if name.split("_")[1] == step] for step in STEPS}
    steps = _filled(frame, "step_count")
    shares = {
        f"{step}_rate": frame[into[step]].fillna(0).sum(axis=1).astype("float64") / steps.where(steps > 0, 1.0)
        for step in ("browse", "view", "content", "want")
    }
    recency = frame["recency_days"].to_numpy(dtype="float64", na_value=np.nan)
    return pd.DataFrame(
        {
            "recency": np.nan_to_num(np.exp(-recency / RECENCY_SCALE_DAYS), nan=0.0),
            "order_count": _filled(frame, "order_count_180d"),
            "spend_amount": _filled(frame, "spend_amount_180d").clip(lower=0),
            "mean_order_amount": _filled(frame, "mean_order_amount_180d").clip(lower=0),
            "category_count": _filled(frame, "category_count_90d"),
            "discount_rate": _filled(frame, "discount_rate_90d"),
            "refund_rate": _filled(frame, "refund_rate_180d").clip(0, 1),
            "active_days": _filled(frame, "journey_day_count"),
            **shares,
        }
    )


def _filled(frame: pd.DataFrame, name: str) -> pd.Series:
    return pd.Series(np.nan_to_num(frame[name].to_numpy(dtype="float64", na_value=np.nan), nan=0.0), index=frame.index)


STRATA = Scheme("strata", "S", prepare, name_clusters)
