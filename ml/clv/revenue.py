"""The boosted challenger: what a member will spend in the next days, learnt from features at earlier cuts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from ml.common import columns as col
from ml.common.estimators import SEED
from ml.common.pipeline import model_features
from ml.common.splits import mature_cuts

_UNIT_FLOOR = 1e-9


def spend_after(days: pd.DataFrame, rows: pd.DataFrame, horizon_days: int) -> np.ndarray:
    """What each (member_id, as_of_date) of `rows` spent in [as_of_date, as_of_date + horizon_days), (n,), in the order of `rows`.

    `days`: member_id, business_date, amount; one row per member and day. Amounts below 0 (more given back than bought) stay.
    """
    daily: Any = days.assign(business_date=pd.to_datetime(days["business_date"]).astype("datetime64[ns]"))
    daily = daily.sort_values(by=["member_id", "business_date"])
    daily["sum_until"] = daily.groupby("member_id")["amount"].cumsum()
    asked = rows.loc[:, col.KEYS].astype({col.AS_OF_DATE: "datetime64[ns]"}).reset_index(drop=True)
    sums = []
    for offset in (0, horizon_days):
        ends = asked.assign(at=asked[col.AS_OF_DATE] + pd.Timedelta(days=offset), place=range(len(asked)))
        merged = pd.merge_asof(
            ends.sort_values("at"),
            daily[["member_id", "business_date", "sum_until"]].sort_values("business_date"),
            left_on="at", right_on="business_date", by="member_id", allow_exact_matches=False,
        )  # fmt: skip
        sums.append(merged.sort_values("place")["sum_until"].fillna(0.0).to_numpy())
    return sums[1] - sums[0]


def fit_revenue(features: pd.DataFrame, days: pd.DataFrame, at: pd.Timestamp, horizon_days: int) -> pd.Series:
    """Expected spend in [at, at + horizon_days) of every member with features at `at`, by member_id.

    Poisson boosting on all numeric features, learnt from the earlier cuts in `features` whose window ended by `at`. Raises ValueError where
    there is no such cut.
    """
    cuts = mature_cuts(features[col.AS_OF_DATE].unique(), horizon_days, at)
    if not cuts:
        raise ValueError(f"no as_of_date has a {horizon_days}-day window known by {at:%Y-%m-%d}: nothing to learn from")
    names = model_features(features)
    stamps = pd.to_datetime(features[col.AS_OF_DATE])
    train = features.loc[stamps.isin(cuts)].sort_values(col.KEYS)
    now = features.loc[stamps == at].sort_values("member_id")
    target = np.maximum(spend_after(days, train, horizon_days), 0.0)
    unit = max(float(target[target > 0].mean()) if (target > 0).any() else 1.0, _UNIT_FLOOR)
    model = HistGradientBoostingRegressor(
        loss="poisson", learning_rate=0.05, max_iter=150, max_leaf_nodes=12, min_samples_leaf=40, l2_regularization=5.0,
        max_features=0.5, early_stopping=False, random_state=SEED,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    model.fit(train.loc[:, names].astype(float), target / unit)
    return pd.Series(
        model.predict(now.loc[:, names].astype(float)) * unit, index=now["member_id"].to_numpy(), name="expected_amount"
    )
