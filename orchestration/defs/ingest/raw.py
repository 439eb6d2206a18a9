"""Raw assets: one per contract entity that the brand has. Each lands the entity's new files in the lake."""

import dagster as dg

from orchestration.landing import land as landing
from orchestration.landing.contract import load_contract
from orchestration.landing.errors import LandingError
from orchestration.partitions import ONE_RUN, business_dates
from orchestration.resources import BrandRun, current_brand, window_of


def _raw_asset(entity: str, *, is_daily: bool) -> dg.AssetsDefinition:
    @dg.asset(
        key=["raw", entity],
        group_name="land",
        owners=["team:data-engineering"],
        description=load_contract()[entity].description,
        partitions_def=business_dates(current_brand()) if is_daily else None,
        backfill_policy=ONE_RUN if is_daily else None,
        # A source on a network may come back; a row that breaks the contract will not, and is not tried again.
        retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
        kinds={"parquet"},
    )
    def _raw(context: dg.AssetExecutionContext, brand_run: BrandRun) -> dg.MaterializeResult:
        try:
            batches = landing.land(
                brand_run.settings,
                brand_run.brand,
                entity,
                window=window_of(context) if is_daily else None,
                log=context.log.info,
            )
        except LandingError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        totals = {
            name: sum(getattr(batch, name) for batch in batches)
            for name in ("rows_in", "rows_landed", "rows_quarantined")
        }
        if not batches:
            context.log.info(f"{entity}: nothing new")
        return dg.MaterializeResult(metadata={"batches": len(batches), **totals})

    return _raw


@dg.definitions
def raw() -> dg.Definitions:
    brand = current_brand()
    daily = landing.daily_entities(brand)
    return dg.Definitions(assets=[_raw_asset(entity, is_daily=entity in daily) for entity in landing.entities(brand)])
