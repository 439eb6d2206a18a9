"""dbt as assets: three invocations, because gates and models of Python stand between them."""

from contextlib import nullcontext, redirect_stdout
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from orchestration import build_state
from orchestration.dbt import (
    ACTIVATION_SELECT,
    FEATURES_SELECT,
    SCORES_STAGED,
    WAREHOUSE_SELECT,
    Translator,
    build_arguments,
    dbt_environment,
    environment,
    load_manifest,
    project,
)
from orchestration.partitions import ONE_RUN, business_dates
from orchestration.resources import BrandRun, current_brand, window_of
from orchestration.runtime import CLI_TAG, RunOptions, dbt_log_file


def _test_rows(run_results: dict[str, Any]) -> list[dict[str, object]]:
    """ops.gate_results rows of the data tests in dbt's run_results; counts of failing rows, never the rows."""
    rows = []
    for result in run_results.get("results", []):
        kind, _, name = result["unique_id"].partition(".")
        if kind == "test":
            status = result["status"]
            rows.append(
                {
                    "check_name": name.split(".")[1],
                    "subject": "dbt",
                    "severity": "warn" if status == "warn" else "error",
                    "is_passed": status in ("pass", "warn"),
                    "observed": f"{result.get('failures') or 0} failing rows"
                    if status != "skipped"
                    else "skipped: an upstream check failed",
                }
            )
    return rows


def _stream(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, brand_run: BrandRun, options: RunOptions, gate: str
):
    """Run dbt for the selected assets, pass its events on, and record its tests, whatever their outcome."""
    settings = brand_run.settings
    full_refresh = options.full_refresh or build_state.needs_full_refresh(settings, brand_run.brand)
    env = dbt_environment(
        settings,
        as_of_date=options.as_of_date_or_none(),
        known_at=options.known_at_or_none(),
        window=window_of(context),
    )
    target = settings.brand_home / "dbt" / gate
    target.mkdir(parents=True, exist_ok=True)
    log_file = dbt_log_file(settings)
    # On a terminal dbt's hundreds of lines would bury the progress; they go to a file, which an error names.
    quiet = CLI_TAG in context.run.tags
    with (
        environment(env),
        log_file.open("a", encoding="utf-8") as log,
        redirect_stdout(log) if quiet else nullcontext(),
    ):
        invocation = dbt.cli(
            build_arguments(full_refresh=full_refresh), context=context, target_path=target, raise_on_error=False
        )
        yield from invocation.stream()
    results = invocation.get_artifact("run_results.json") if (target / "run_results.json").exists() else {}
    tests = _test_rows(results)
    brand_run.write_gate_results(context.run_id, f"dbt_{gate}", tests, datetime.now(UTC))
    failed = sorted(
        str(row["check_name"])
        for row in tests
        if not row["is_passed"] and not str(row["observed"]).startswith("skipped")
    )
    built = [r for r in results.get("results", []) if r["unique_id"].startswith("model.")]
    broken = sorted(r["unique_id"].split(".")[-1] for r in built if r["status"] == "error")
    if failed or broken or not invocation.is_successful():
        raise dg.Failure(
            f"dbt {gate}: "
            + "; ".join(
                part
                for part in (
                    f"models in error: {', '.join(broken)}" if broken else "",
                    f"tests that failed: {', '.join(failed)}" if failed else "",
                    f"see {log_file}",
                )
                if part
            ),
            allow_retries=False,
        )
    context.log.info(
        f"dbt {gate}: {len(built)} models, {sum(bool(row['is_passed']) for row in tests)} of {len(tests)} tests passed"
    )


@dg.definitions
def models() -> dg.Definitions:
    manifest = load_manifest()
    translator = Translator(business_dates(current_brand()))
    common: dict[str, Any] = {
        "manifest": manifest,
        "project": project(),
        "dagster_dbt_translator": translator,
        "backfill_policy": ONE_RUN,
    }

    @dbt_assets(name="warehouse_models", select=WAREHOUSE_SELECT, exclude=SCORES_STAGED, **common)
    def warehouse_models(
        context: dg.AssetExecutionContext, dbt: DbtCliResource, brand_run: BrandRun, run_options: RunOptions
    ):
        brand_run.prepare_build_file()
        yield from _stream(context, dbt, brand_run, run_options, "warehouse")
        build_state.record(brand_run.settings, brand_run.brand)

    @dbt_assets(name="feature_models", select=FEATURES_SELECT, **common)
    def feature_models(
        context: dg.AssetExecutionContext, dbt: DbtCliResource, brand_run: BrandRun, run_options: RunOptions
    ):
        yield from _stream(context, dbt, brand_run, run_options, "features")

    @dbt_assets(name="activation_models", select=ACTIVATION_SELECT, **common)
    def activation_models(
        context: dg.AssetExecutionContext, dbt: DbtCliResource, brand_run: BrandRun, run_options: RunOptions
    ):
        yield from _stream(context, dbt, brand_run, run_options, "activation")

    return dg.Definitions(assets=[warehouse_models, feature_models, activation_models])
