"""publish: copy the build, audit the copy, swap it in. The audit is gate_publish; a closed gate discards the copy."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import dagster as dg
import pandas as pd

from orchestration import build_state, publishing, warehouse
from orchestration.build_file import replace_rows
from orchestration.landing import land as landing
from orchestration.quality.adapter import check_result, check_spec, describe, gate_rows
from orchestration.quality.suite import Suite, SuiteResult, run_suite
from orchestration.quality.suites import publish
from orchestration.resources import BrandRun, current_brand
from orchestration.runtime import RunOptions

PUBLICATION = dg.AssetKey(["ops", "publication"])
# Everything that is published must be there before; what stands behind a closed gate is not.
UPSTREAM = (
    ("tags", "member_tags"),
    ("tags", "tag_catalogue"),
    ("tags", "tag_values"),
    ("tags", "tag_history"),
    ("tags", "member_tags_long"),
    ("segments", "seg_rfm"),
    ("segments", "seg_lifecycle"),
    ("segments", "fct_audience_members"),
    ("segments", "agg_audience_days"),
    ("segments", "audience_catalogue"),
    ("segments", "audience_overlaps"),
    ("segments", "audience_contacts"),
    ("metrics", "agg_daily_sales"),
    ("metrics", "agg_daily_sales_slices"),
    ("metrics", "agg_member_days"),
    ("metrics", "agg_member_product_days"),
    ("metrics", "agg_monthly_repurchase"),
    ("metrics", "agg_campaigns_redemptions"),
    ("ops", "load_batches"),
    ("ops", "cleaning_rule_hits"),
    ("ops", "reconciliation"),
    ("ops", "quarantine_reasons"),
    ("ops", "standardising"),
    ("ops", "entity_coverage"),
    ("ops", "late_arrivals"),
    ("ops", "unmatched_references"),
    ("marts", "fct_events"),
    ("marts", "fct_page_views"),
    ("marts", "fct_ledger_entries"),
    ("marts", "fct_tier_changes"),
    ("reference", "ref_calendar_days"),
    ("reference", "ref_festivals"),
    ("reference", "ref_regions"),
    ("reference", "ref_exchange_rates"),
    ("reference", "ref_categories"),
    ("ml", "churn_scores"),
    ("ml", "propensity_scores"),
    ("ml", "model_evaluations"),
    ("ml", "model_registry"),
    ("ml", "model_monitoring"),
    ("ml", "segment_cards"),
    ("ml", "segment_profiles"),
)


def _suites(brand_run: BrandRun | None = None) -> tuple[Suite, ...]:
    """The gate's suites; facts are compared with the last publication of the same brand, where there is one."""
    counts: dict[str, int] = {}
    if brand_run is not None:
        with suppress(publishing.PublishError):
            counts = (publishing.read_manifest(brand_run.settings) or {}).get("row_counts", {})
    kept = {table: rows for table, rows in counts.items() if table.startswith(("marts.", "tags.")) and rows > 0}
    shrinkage = publish.shrinkage(
        kept or {"marts.dim_members": 1}, max_shrink_rate=current_brand().publish.max_shrink_rate
    )
    return (publish.RECONCILIATION, publish.content(landing.entities(current_brand())), shrinkage)


def _summary(brand_run: BrandRun, run_id: str) -> dict[str, int]:
    frame = brand_run.query(
        """
        select
            count(*) filter (where is_passed) as passed,
            count(*) filter (where not is_passed and severity = 'error') as failed,
            count(*) filter (where not is_passed and severity = 'warn') as warned
        from ops.gate_results where run_id = ?
        """,
        [run_id],
    )
    return {name: int(frame[name].iloc[0]) for name in ("passed", "failed", "warned")}


def _audit(staged: publishing.StagedPublication, suites: tuple[Suite, ...], run_id: str) -> list[SuiteResult]:
    """Judge the staged copy, and write what came of it into the copy itself."""
    with warehouse.read_only(staged.file) as connection:
        results = [run_suite(suite, connection.execute(suite.sql).df()) for suite in suites]
    frame = pd.DataFrame(gate_rows(results)).assign(run_id=run_id, gate=publish.GATE, checked_at=datetime.now(UTC))
    with warehouse.writer(staged.file) as connection:
        replace_rows(connection, "ops.gate_results", frame, key=("run_id", "gate"))
    return results


def _promote(staged: publishing.StagedPublication, results: list[SuiteResult], brand_run: BrandRun, run_id: str):
    """Swap the audited copy in. Returns the manifest."""
    earlier = _summary(brand_run, run_id)
    outcomes = [outcome for result in results for outcome in result.outcomes]
    summary = earlier | {"passed": earlier["passed"] + sum(outcome.is_passed for outcome in outcomes)}
    return publishing.promote(staged, summary, keep_versions=brand_run.brand.publish.keep_versions)


def _freshness(brand_run: BrandRun) -> dict[str, datetime | None]:
    """Newest clock among the landed rows, newest arrival of a file, newest landing; and the oldest arrival among the files that
    this publication is the first to hold, None when there are none."""
    last = None
    with suppress(publishing.PublishError):
        last = (publishing.read_manifest(brand_run.settings) or {}).get("known_at")
    row = brand_run.query(
        """
        select max(max_event_at) as latest_event_at, max(arrived_at) as latest_arrival_at, max(loaded_at) as latest_loaded_at,
            min(arrived_at) filter (where loaded_at > cast(? as timestamptz)) as first_new_arrival_at
        from ops.load_batches where is_current
        """,
        [last],
    ).iloc[0]
    return {name: None if pd.isna(value) else value.to_pydatetime().astimezone(UTC) for name, value in row.items()}


@dg.asset(
    key=PUBLICATION,
    group_name="publish",
    owners=["team:data-engineering"],
    description="One row: the version, as_of_date and known_at of the published file that analysts read.",
    deps=[list(key) for key in UPSTREAM],
    check_specs=[check_spec(suite) for suite in _suites()],
    kinds={"duckdb"},
)
def publication(context: dg.AssetExecutionContext, brand_run: BrandRun, run_options: RunOptions):
    settings = brand_run.settings
    clocks = brand_run.query("select known_at from intermediate.int_clocks_resolved").iloc[0]
    extra = {
        "as_of_date": brand_run.as_of_date(),
        "known_at": clocks["known_at"].to_pydatetime(),
        "input_fingerprint": build_state.input_fingerprint(
            settings, brand_run.brand, as_of_date=run_options.as_of_date
        ),
        "run_id": context.run_id,
        **_freshness(brand_run),
        "entities": sorted(landing.entities(brand_run.brand)),
    }
    try:
        staged = publishing.stage_publication(settings, manifest_extra=extra)
        try:
            results = _audit(staged, _suites(brand_run), context.run_id)
            is_passed = all(result.is_passed for result in results)
            manifest = _promote(staged, results, brand_run, context.run_id) if is_passed else None
        finally:
            publishing.discard(staged)  # promoted, it is no longer there; otherwise nobody shall read it
    except publishing.PublishError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    brand_run.write_gate_results(context.run_id, publish.GATE, gate_rows(results), datetime.now(UTC))
    yield from (check_result(result) for result in results)
    if manifest is None:
        for line in (describe(o) for r in results for o in r.outcomes if not o.is_passed):
            context.log.error(f"{publish.GATE} closed: {line}")
        raise dg.Failure(f"{publish.GATE} closed; the last publication stays in place", allow_retries=False)
    rows, gates = sum(manifest["row_counts"].values()), manifest["gates"]
    context.log.info(f"published {manifest['version']}: {rows} rows, {gates['passed']} checks passed")
    yield dg.MaterializeResult(
        metadata={
            "version": manifest["version"],
            "file": str(settings.published_file),
            "gates": json.dumps(gates),
            **{name: dg.MetadataValue.float(seconds) for name, seconds in publishing.latencies(manifest).items()},
        }
    )
