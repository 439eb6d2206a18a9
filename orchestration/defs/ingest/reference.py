"""Reference tables as assets: written when a library, the brand's calendar or this code has changed, else left alone."""

import dagster as dg

from orchestration.reference_tables import SCHEMA, refresh
from orchestration.resources import BrandRun

DESCRIPTIONS = {
    "calendar_days": "One row per day that is known: holidays, make-up workdays, lunar dates and shopping festivals.",
    "festivals": "One row per phase of a year's shopping festival: the window in which it runs.",
    "regions": "One row per administrative code of China, with the names it is written by.",
    "exchange_rates": "One row per currency and day: its worth in the brand's currency.",
}


@dg.multi_asset(
    name="reference_tables",
    specs=[
        dg.AssetSpec(
            [SCHEMA, table],
            group_name="land",
            owners=["team:data-engineering"],
            description=description,
            kinds={"duckdb"},
        )
        for table, description in DESCRIPTIONS.items()
    ],
)
def reference_tables(context: dg.AssetExecutionContext, brand_run: BrandRun):
    result = refresh(brand_run.settings, brand_run.brand)
    currency = brand_run.brand.currency
    if result.is_written:
        rates = f"rates into {currency} to {result.rates_until}" if result.rates_until else f"no rates into {currency}"
        context.log.info(f"reference: calendar to {result.calendar_until}, {rates}")
    reach = {"calendar_days": result.calendar_until, "exchange_rates": result.rates_until}
    for table, rows in result.row_counts.items():
        until = {"until": str(reach[table])} if table in reach else {}
        yield dg.MaterializeResult(
            asset_key=[SCHEMA, table],
            metadata={"dagster/row_count": rows, "is_written": result.is_written, **until},
        )
