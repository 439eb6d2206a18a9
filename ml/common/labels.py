"""From purchase days to labels: what happened in [as_of_date, as_of_date + horizon), and who is asked.

Features belong in dbt (`feat_*`), choosing the cuts in `ml.common.splits`. Nothing here looks at a feature but recency.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from ml.common import columns as col


class ImmatureLabelError(ValueError):
    """A label was asked for whose window is not yet fully known."""


def build_labels(
    purchase_days: pd.DataFrame, members_at_cuts: pd.DataFrame, horizon_days: int, known_until: date | pd.Timestamp
) -> pd.DataFrame:
    """Label every (member_id, as_of_date): 1 = ordered in [as_of_date, as_of_date + horizon_days), else 0.

    `purchase_days` has (member_id, business_date); `members_at_cuts` has (member_id, as_of_date), one row each.
    `known_until` is the exclusive cut of what is known. Returns the keys plus an int8 `label`, sorted by key.
    Raises ImmatureLabelError when a window ends after `known_until`, ValueError for a horizon below one day.
    """
    if horizon_days < 1:
        raise ValueError(f"horizon_days is {horizon_days}: a label window needs at least one day")
    rows = members_at_cuts.loc[:, col.KEYS].sort_values([col.AS_OF_DATE, col.MEMBER_ID], ignore_index=True)
    rows[col.AS_OF_DATE] = _to_days(rows.loc[:, col.AS_OF_DATE])
    horizon = pd.Timedelta(days=horizon_days)
    immature = rows.loc[rows[col.AS_OF_DATE] + horizon > pd.Timestamp(known_until), col.AS_OF_DATE]
    if not immature.empty:
        raise ImmatureLabelError(
            f"as_of_date {immature.max():%Y-%m-%d} + {horizon_days} days ends after"
            f" {pd.Timestamp(known_until):%Y-%m-%d}, the end of what is known:"
            " leave the cut out, or wait for its window to close"
        )
    days = purchase_days.loc[:, [col.MEMBER_ID, col.BUSINESS_DATE]].drop_duplicates()
    days = days.assign(**{col.BUSINESS_DATE: _to_days(days.loc[:, col.BUSINESS_DATE])})
    days = days.assign(next_purchase=days[col.BUSINESS_DATE]).sort_values(col.BUSINESS_DATE)
    # One next purchase day per row: an order on the cut itself is the first day of the label window.
    merged = pd.merge_asof(
        rows,
        days,
        left_on=col.AS_OF_DATE,
        right_on=col.BUSINESS_DATE,
        by=col.MEMBER_ID,
        direction="forward",
        allow_exact_matches=True,
    )
    bought = (merged["next_purchase"] - merged[col.AS_OF_DATE]) < horizon  # NaT compares false
    labelled = rows.assign(**{col.LABEL: bought.astype("int8")})
    return labelled.sort_values(col.KEYS, ignore_index=True)


def labels_of(
    scores: pd.DataFrame,
    purchase_days: pd.DataFrame,
    horizon_days: int,
    known_until: date | pd.Timestamp,
    positive_is_order: bool,
) -> np.ndarray:
    """What came true of scores: 0/1 (n,) for rows of one cut in member order, as `score_members` gives them.

    Raises ImmatureLabelError when the window has not closed, ValueError for rows in another order.
    """
    labelled = build_labels(purchase_days, scores, horizon_days, known_until)
    if not np.array_equal(labelled[col.MEMBER_ID].to_numpy(), scores[col.MEMBER_ID].to_numpy()):
        raise ValueError("scores are not those of one cut in member order: sort them by member_id")
    labels = labelled[col.LABEL].to_numpy()
    return labels if positive_is_order else 1 - labels


def in_population(features: pd.DataFrame, active_days: int | None) -> pd.Series:
    """Who is asked: members with a known purchase, or with one in the last `active_days` before the cut.

    `recency_days` counts from the cut, so the newest known day is 1 and "in the last N days" is recency <= N.
    """
    recency = features.loc[:, col.RECENCY]
    return recency.notna() if active_days is None else recency.le(active_days).fillna(False).astype(bool)


def _to_days(values: pd.Series) -> pd.Series:
    # One resolution for both sides: merge_asof refuses to compare seconds with nanoseconds.
    return pd.to_datetime(values).dt.normalize().astype("datetime64[ns]")
