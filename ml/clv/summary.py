"""From days with a purchase to what buy-till-you-die models see of a member: repeats, when the last was, how long they are known."""

from __future__ import annotations

from datetime import date

import pandas as pd

DAYS_PER_WEEK = 7.0


def customer_summary(days: pd.DataFrame, cut: date | pd.Timestamp) -> pd.DataFrame:
    """One row per member with a purchase before `cut`, by member_id.

    `days`: member_id, business_date, amount; several rows of a day are one purchase of their sum. Columns: frequency (repeat days), recency
    and age (weeks from the first day to the last, and to `cut` exclusive: the newest known day is no week old), mean_amount (of the
    repeat days; NaN without one). Fader, Hardie and Lee 2005 call them x, t_x, T and m.
    """
    # The last known day closes the period: T of a member who came on it is 0.
    end = pd.Timestamp(cut) - pd.Timedelta(days=1)
    known = days.assign(business_date=pd.to_datetime(days["business_date"]))
    known = known.loc[known["business_date"] <= end]
    daily = known.groupby(["member_id", "business_date"], sort=True)["amount"].sum().reset_index()
    grouped = daily.groupby("member_id", sort=True)
    first, last = grouped["business_date"].min(), grouped["business_date"].max()
    frequency = grouped.size() - 1
    repeats = daily.loc[daily["business_date"] > daily["member_id"].map(first)]
    summary = pd.DataFrame(
        {
            "frequency": frequency.astype("int64"),
            "recency": (last - first).dt.days / DAYS_PER_WEEK,
            "age": (end - first).dt.days / DAYS_PER_WEEK,
            "mean_amount": repeats.groupby("member_id")["amount"].mean().reindex(frequency.index),
        }
    )
    return summary.rename_axis("member_id").reset_index()
