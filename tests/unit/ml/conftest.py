"""A small shop with known behaviour: members buy at their own daily rate, and some stop for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

START = pd.Timestamp("2024-01-01")
DAYS = 330
HORIZON = 28
NOW = START + pd.Timedelta(days=DAYS)


@dataclass(frozen=True, eq=False)
class Shop:
    features: pd.DataFrame
    purchase_days: pd.DataFrame
    now: pd.Timestamp = NOW


def features_at(bought: np.ndarray, ids: np.ndarray, cut: int) -> pd.DataFrame:
    """Features of everyone who bought before day `cut`, from the matrix (members, days) of purchase days."""
    past = bought[:, :cut]
    last = np.where(past.any(axis=1), cut - 1 - past[:, ::-1].argmax(axis=1), -1)
    frame = pd.DataFrame(
        {
            "member_id": ids,
            "as_of_date": START + pd.Timedelta(days=cut),
            "recency_days": (cut - last).astype(float),
            "tenure_days": float(cut),
            "order_count_30d": past[:, -30:].sum(axis=1),
            "order_count_90d": past[:, -90:].sum(axis=1),
            "spend_amount_90d": past[:, -90:].sum(axis=1) * 10.0,
            "gap_days_mean_180d": 180 / np.where(past[:, -180:].sum(axis=1) > 1, past[:, -180:].sum(axis=1), np.nan),
        }
    )
    return frame[last >= 0]


def make_shop(members: int = 900, seed: int = 7, day: int = DAYS) -> Shop:
    """The shop as it is known on `day`; the same seed has the same past on every day."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1.2, 0.04, members).clip(0.002, 0.5)[:, None]
    stops = np.where(rng.random(members) < 0.5, rng.integers(60, DAYS, members), DAYS)[:, None]
    bought = (rng.random((members, DAYS)) < rate) & (np.arange(DAYS) < stops)
    ids = np.array([f"m{number:05d}" for number in rng.permutation(members)])
    bought = bought[:, :day]
    cuts = [day - HORIZON * step for step in range(7)]
    features = pd.concat([features_at(bought, ids, cut) for cut in cuts], ignore_index=True)
    member, bought_on = np.nonzero(bought)
    days = pd.DataFrame({"member_id": ids[member], "business_date": START + pd.to_timedelta(bought_on, unit="D")})
    return Shop(features, days, START + pd.Timedelta(days=day))


@pytest.fixture(scope="session")
def shop() -> Shop:
    return make_shop()


@pytest.fixture(scope="session")
def new_shop() -> Callable[..., Shop]:
    """`make_shop`, for tests that want another size, seed or day."""
    return make_shop
