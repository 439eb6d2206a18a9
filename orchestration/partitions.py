"""All partitions. The only axis is the business date, in the brand's own zone."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from orchestration.brands import Brand

# A backfill of many dates is one run over the range, not a run per date: dbt and Python start once.
ONE_RUN = dg.BackfillPolicy.single_run()


def business_dates(brand: Brand) -> dg.DailyPartitionsDefinition:
    """One partition per business date of the brand's calendar; its key is the date, `YYYY-MM-DD`.

    A living brand's last partition is today; a closed history's is its calendar_end.
    """
    start = brand.calendar_start.isoformat()
    if brand.calendar_end is None:
        return dg.DailyPartitionsDefinition(start_date=start, timezone=brand.zone, end_offset=1)
    end = (brand.calendar_end + timedelta(days=1)).isoformat()  # Dagster's end is exclusive
    return dg.DailyPartitionsDefinition(start_date=start, end_date=end, timezone=brand.zone)


def last_complete_date(brand: Brand, instant: datetime) -> date:
    """The newest business date that is over at `instant` (with a zone): the day before the one that `instant` falls on.

    The brand's day begins `day_start_minutes` after midnight in its zone, as in dbt's macro `business_date`.
    """
    local = instant.astimezone(ZoneInfo(brand.zone)).replace(tzinfo=None)
    return (local - timedelta(minutes=brand.day_start_minutes)).date() - timedelta(days=1)
