"""dbt as assets: three invocations, because gates and models of Python stand between them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from orchestration import build_state
from orchestration.dbt import (
    ACTIVATION_SELECT,
    FEATURES_SELECT,
    SCORES_STAGED,
    WAREHOUSE_SELECT,
    Invocation,
    NodeResult,
    Translator,
    build_arguments,
    dbt_environment,
    load_manifest,
    project,
    run_dbt,
)
from orchestration.partitions import ONE_RUN, business_dates
from orchestration.resources import BrandRun, current_brand, window_of
from orchestration.runtime import RunOptions

UNIQUE_ID = "dagster_dbt/unique_id"


@dataclass(frozen=True)
class Stage:
    """One dbt invocation: its name, what it selects, and how many assets that is."""

    name: str
    select: str
    exclude: str
    asset_count: int

    def is_whole(self, context: dg.AssetExecutionContext) -> bool:
        """Whether a run builds all of the stage. In a run of a few assets the context knows only of those few."""
        return len(context.selected_asset_keys) == self.asset_count


Events = Iterator[dg.MaterializeResult | dg.AssetCheckResult]


def gate_rows(nodes: tuple[NodeResult, ...]) -> list[dict[str, object]]:
    """ops.gate_results rows of dbt's data tests: counts of failing rows, never the rows."""
    return [
        {
            "check_name": node.name,
            "subject": "dbt",
            "severity": "warn" if node.status == "warn" else "error",
            "is_passed": node.is_good,
            "observed": "skipped: something upstream failed"
            if node.status == "skipped"
            else f"{node.failures} failing rows",
        }
        for node in nodes
        if node.is_test
    ]


def events_of(context: dg.AssetExecutionContext, nodes: tuple[NodeResult, ...]) -> Events:
    """Dagster events of what dbt did: a materialization per model, a check result per data test."""
    specs = {spec.metadata.get(UNIQUE_ID): spec for spec in context.assets_def.specs}
    checks = {spec.metadata.get(UNIQUE_ID): spec for spec in context.assets_def.check_specs}
    wanted = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
    for node in nodes:
        spec = specs.get(node.unique_id)
        if spec is not None and node.is_good and spec.key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=spec.key, metadata={"seconds": node.seconds})
    for node in nodes:
        check = checks.get(node.unique_id)
        if check is not None and (check.asset_key, check.name) in wanted and node.status != "skipped":
            yield dg.AssetCheckResult(
                passed=node.is_good,
                asset_key=check.asset_key,
                check_name=check.name,
                severity=dg.AssetCheckSeverity.WARN if node.status == "warn" else dg.AssetCheckSeverity.ERROR,
                metadata={"failing_rows": node.failures},
            )


def failure_text(stage: str, invocation: Invocation, log_file: object) -> str | None:
    """What to tell when dbt failed, None when it did not: names of models and tests, and where to read more."""
    models = sorted(n.name for n in invocation.nodes if not n.is_test and n.status == "error")
    tests = sorted(n.name for n in invocation.nodes if n.is_test and n.status in ("fail", "error"))
    if not (models or tests or invocation.return_code):
        return None
    parts = [f"models in error: {', '.join(models)}"] if models else []
    parts += [f"tests that failed: {', '.join(tests)}"] if tests else []
    parts += [invocation.complaint] if invocation.complaint else []
    return f"dbt {stage}: " + "; ".join([*parts, f"see {log_file}"])


def _select(context: dg.AssetExecutionContext, stage: Stage) -> tuple[list[str], list[str]]:
    """dbt's --select and --exclude: the stage's folders, or the names of the models that were picked in the UI."""
    if stage.is_whole(context):
        return stage.select.split(), stage.exclude.split()
    specs = (spec for spec in context.assets_def.specs if spec.key in context.selected_asset_keys)
    wanted = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
    tests = (spec for spec in context.assets_def.check_specs if (spec.asset_key, spec.name) in wanted)
    # Tests are named too: one that compares a picked model with one that stands already would be left out otherwise.
    return sorted({str(spec.metadata[UNIQUE_ID]).split(".")[2] for spec in (*specs, *tests)}), []


def _build(context: dg.AssetExecutionContext, brand_run: BrandRun, options: RunOptions, stage: Stage) -> Events:
    """Run dbt for the selected models, record its tests whatever their outcome, and fail the step if dbt failed."""
    settings = brand_run.settings
    select, left_out = _select(context, stage)
    full_refresh = options.full_refresh or build_state.needs_full_refresh(settings, brand_run.brand, stage.name)
    invocation = run_dbt(
        build_arguments(select, left_out, full_refresh=full_refresh),
        dbt_environment(
            settings,
            as_of_date=options.as_of_date_or_none(),
            known_at=options.known_at_or_none(),
            window=window_of(context),
        ),
        target=settings.brand_home / "dbt",
        logs=settings.brand_home / "logs",
        tell=context.log.info,
    )
    rows = gate_rows(invocation.nodes)
    brand_run.write_gate_results(context.op_execution_context.run_id, f"dbt_{stage.name}", rows, datetime.now(UTC))
    yield from events_of(context, invocation.nodes)
    failure = failure_text(stage.name, invocation, settings.brand_home / "logs" / "dbt.log")
    if failure:
        raise dg.Failure(failure, allow_retries=False)
    if stage.is_whole(context):
        build_state.record(settings, brand_run.brand, stage.name)
    models = sum(not node.is_test for node in invocation.nodes)
    context.log.info(
        f"dbt {stage.name}: {models} models, {sum(bool(r['is_passed']) for r in rows)} of {len(rows)} tests passed"
    )


@dg.definitions
def models() -> dg.Definitions:
    common: dict[str, Any] = {
        "manifest": load_manifest(),
        "project": project(),
        "dagster_dbt_translator": Translator(business_dates(current_brand())),
        "backfill_policy": ONE_RUN,
    }

    def stage_of(name: str, assets: dg.AssetsDefinition, select: str, exclude: str = "") -> Stage:
        return Stage(name, select, exclude, len(list(assets.keys)))

    @dbt_assets(name="warehouse_models", select=WAREHOUSE_SELECT, exclude=SCORES_STAGED, **common)
    def warehouse_models(context: dg.AssetExecutionContext, brand_run: BrandRun, run_options: RunOptions):
        brand_run.prepare_build_file()
        stage = stage_of("warehouse", warehouse_models, WAREHOUSE_SELECT, SCORES_STAGED)
        yield from _build(context, brand_run, run_options, stage)

    @dbt_assets(name="feature_models", select=FEATURES_SELECT, **common)
    def feature_models(context: dg.AssetExecutionContext, brand_run: BrandRun, run_options: RunOptions):
        yield from _build(context, brand_run, run_options, stage_of("features", feature_models, FEATURES_SELECT))

    @dbt_assets(name="activation_models", select=ACTIVATION_SELECT, **common)
    def activation_models(context: dg.AssetExecutionContext, brand_run: BrandRun, run_options: RunOptions):
        yield from _build(context, brand_run, run_options, stage_of("activation", activation_models, ACTIVATION_SELECT))

    return dg.Definitions(assets=[warehouse_models, feature_models, activation_models])
