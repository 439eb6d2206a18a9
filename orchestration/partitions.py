"""All partitions. The only axis is the business date, in the brand's own zone."""

from __future__ import annotations

import dagster as dg

from orchestration.brands import Brand

# A backfill of many dates is one run over the range, not a run per date: dbt and Python start once.
ONE_RUN = dg.BackfillPolicy.single_run()


def business_dates(brand: Brand) -> dg.DailyPartitionsDefinition:
    """One partition per business date since the brand's calendar began; its key is the date, `YYYY-MM-DD`."""
    return dg.DailyPartitionsDefinition(start_date=brand.calendar_start.isoformat(), timezone=brand.zone, end_offset=1)
