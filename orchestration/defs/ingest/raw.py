"""Raw assets: one per contract entity that the brand has. Each lands the entity's new files in the lake.

Databases and APIs are first read into files, once per run: `tessera run` has done so before it starts the run.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import dagster as dg

from orchestration.landing import land as landing
from orchestration.landing.contract import load_contract
from orchestration.landing.errors import LandingError, SourceUnavailable
from orchestration.landing.extract.run import extract_once
from orchestration.landing.lake import Batch
from orchestration.partitions import ONE_RUN, business_dates
from orchestration.resources import BrandRun, current_brand, window_of

_ROWS_SHOWN = 20
_COUNTS = ("rows_in", "rows_landed", "rows_quarantined", "rows_tombstoned")


def batch_metadata(batches: Sequence[Batch]) -> dict[str, Any]:
    """What the UI shows of a load: counts, reasons of quarantine and drift of columns; names and numbers, no values."""
    reasons: Counter[str] = Counter()
    for batch in batches:
        reasons.update(batch.quarantine_reasons)
    metadata: dict[str, Any] = {"batches": len(batches)}
    metadata |= {name: sum(getattr(batch, name) for batch in batches) for name in _COUNTS}
    if reasons:
        lines = [f"| {reason} | {count:,} |" for reason, count in reasons.most_common(_ROWS_SHOWN)]
        metadata["quarantine_reasons"] = _table("| reason | rows |", lines)
    drifted = [(batch.source_file, found) for batch in batches for found in batch.drift]
    if drifted:
        lines = [f"| {file} | {d['column']} | {d['kind']} | {d['policy']} |" for file, d in drifted[:_ROWS_SHOWN]]
        metadata["schema_drift"] = _table("| file | column | is | policy |", lines)
        metadata["drifted_columns"] = len(drifted)
    return metadata


def _table(head: str, lines: list[str]) -> dg.MarkdownMetadataValue:
    rule = "|" + "---|" * (head.count("|") - 1)
    return dg.MetadataValue.md("\n".join([head, rule, *lines]))


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
        settings, brand = brand_run.settings, brand_run.brand
        try:
            extract_once(settings, brand, context.run_id, entity=entity, log=context.log.info)
            batches = landing.land(
                settings,
                brand,
                entity,
                window=window_of(context) if is_daily else None,
                log=context.log.info,
            )
        except SourceUnavailable as error:
            raise dg.Failure(str(error)) from None
        except LandingError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        if not batches:
            context.log.info(f"{entity}: nothing new")
        return dg.MaterializeResult(metadata=batch_metadata(batches))

    return _raw


@dg.definitions
def raw() -> dg.Definitions:
    brand = current_brand()
    daily = landing.daily_entities(brand)
    return dg.Definitions(assets=[_raw_asset(entity, is_daily=entity in daily) for entity in landing.entities(brand)])
