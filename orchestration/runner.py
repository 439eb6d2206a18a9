"""One run of a brand from a terminal: lock, decide whether anything is to do, run Dagster's job, say what came of it.

The job itself is `build_brand_job`; its steps belong in `orchestration.defs`. Rendering other commands belongs in the cli.
"""

import os
import shutil
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from orchestration import build_state, publishing, warehouse
from orchestration.brands import Brand, load_brand
from orchestration.landing import land as landing
from orchestration.locking import brand_lock
from orchestration.settings import Settings

RUN_FAILED = 1

# Steps of the job in the order of the data's way, with the names that people know.
STEP_TITLES = {
    "gate_raw": "gate_raw",
    "warehouse_models": "stage, identify, model (dbt)",
    "gate_marts": "gate_marts",
    "feature_models": "describe (dbt)",
    "trained_models": "predict",
    "gate_models": "gate_models",
    "activation_models": "tag, segment, measure (dbt)",
    "gate_tags": "gate_tags",
    "ops__publication": "gate_publish, publish",
}


class RunFailed(RuntimeError):
    """The run ended red; str() says which stage and why."""


def run_brand(
    settings: Settings,
    *,
    as_of: date | None = None,
    full_refresh: bool = False,
    force: bool = False,
    console: Console,
) -> int:
    """Build and publish `settings.brand`. Returns 0 when everything is published, 1 when a stage or a gate failed.

    Does nothing when no source file is new and code, configuration and cut are those of the current publication,
    unless `force` or `full_refresh` is set. Raises BrandConfigError, LandingError, RunLocked.
    """
    started = time.monotonic()
    brand = load_brand(settings)
    if as_of is None and os.environ.get("TESSERA_AS_OF_DATE"):
        as_of = date.fromisoformat(os.environ["TESSERA_AS_OF_DATE"])
    with brand_lock(settings):
        publishing.heal(settings)
        pending = landing.pending(settings, brand)
        fingerprint = build_state.input_fingerprint(settings, brand, as_of_date=as_of.isoformat() if as_of else "")
        manifest = publishing.read_manifest(settings)
        if not (force or full_refresh or pending) and manifest and manifest.get("input_fingerprint") == fingerprint:
            console.print(
                f"[bold]{settings.brand}[/]: nothing new. No source file has changed, and the code and configuration are those of "
                f"version [bold]{manifest['version']}[/] (as of {manifest['as_of_date']})."
            )
            console.print(
                f"Published: {settings.published_file}\nTo build it again all the same: tessera run --brand {settings.brand} --force"
            )
            return 0
    console.print(f"[bold]{settings.brand}[/]: {_what_is_new(pending, manifest)}; building in {settings.brand_home}")
    result, seconds = _execute(settings, pending, as_of, full_refresh, fingerprint, console)
    if not result.success:
        return _report_failure(settings, result, console)
    _summary(settings, brand, result, seconds, time.monotonic() - started, console)
    return 0


def _what_is_new(pending: list[landing.PendingFile], manifest: dict[str, Any] | None) -> str:
    if pending:
        return f"{len(pending)} new or changed source files"
    return "code, configuration or cut has changed" if manifest else "nothing is published yet"


def dagster_instance(settings: Settings):
    """The brand's Dagster instance, kept under its home so that the UI shows runs of the command line too."""
    import dagster as dg

    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("dagster.yaml"), home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return dg.DagsterInstance.get()


def prepare_environment(settings: Settings) -> None:
    """Make this process, and those it starts, speak of one brand and send nothing home."""
    os.environ.update(
        TESSERA_BRAND=settings.brand,
        TESSERA_HOME=str(settings.home),
        TESSERA_BRANDS=str(settings.brands_dir),
        DAGSTER_DISABLE_TELEMETRY="1",
        GX_ANALYTICS_ENABLED="false",
        DBT_SEND_ANONYMOUS_USAGE_STATS="false",
    )


def _execute(settings: Settings, pending, as_of: date | None, full_refresh: bool, fingerprint: str, console: Console):
    """Run the job in this process. Returns (result, {phase: seconds})."""
    prepare_environment(settings)
    clock = time.monotonic()

    from orchestration.definitions import defs
    from orchestration.defs.automation.jobs import range_tags
    from orchestration.runtime import CLI_TAG

    job = defs().resolve_job_def("build_brand_job")
    loaded = time.monotonic() - clock
    options = {
        "as_of_date": as_of.isoformat() if as_of else "",
        "full_refresh": full_refresh,
        "input_fingerprint": fingerprint,
    }
    with dagster_instance(settings) as instance:
        result = job.execute_in_process(
            instance=instance,
            tags={CLI_TAG: "true", **range_tags(pending)},
            run_config={"resources": {"run_options": {"config": options}}, "loggers": {"terminal": {}}},
            raise_on_error=False,
        )
    return result, {"load": loaded}


def _step_seconds(result) -> dict[str, float]:
    """Seconds of each step that ran, by step key."""
    return {
        event.step_key: event.event_specific_data.duration_ms / 1000
        for event in result.all_events
        if event.is_step_success and event.step_key
    }


def _failures(result) -> list[str]:
    """One message per failed step, in the words of the innermost error; checks that closed a gate are named by it."""
    messages = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.event_specific_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            text = (
                event.step_failure_data.user_failure_data.description
                if event.step_failure_data.user_failure_data
                else None
            ) or (error.message.strip() if error else "no message")
            messages.append(f"{STEP_TITLES.get(event.step_key, event.step_key)}: {text}")
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if not check.passed and check.blocking:
                messages.append(
                    f"gate closed: {check.asset_key.to_user_string()}: {check.check_name}: {check.description or 'failed'}"
                )
    return messages


def _report_failure(settings: Settings, result, console: Console) -> int:
    console.print(f"\n[bold red]{settings.brand}: the run failed; nothing was published.[/]")
    for message in _failures(result):
        console.print(f"  - {message}", markup=False, highlight=False, soft_wrap=True)
    manifest = publishing.read_manifest(settings)
    kept = f"version {manifest['version']} stays published" if manifest else "nothing was published before"
    console.print(
        f"Last good publication: {kept}. What landed is kept; after mending the cause, the same command goes on from there."
    )
    return RUN_FAILED


def _summary(
    settings: Settings, brand: Brand, result, seconds: dict[str, float], total: float, console: Console
) -> None:
    """What a person wants to know after a run: stages, gates, models, where the file is, and what to do with it."""
    manifest = publishing.read_manifest(settings) or {}
    rows = manifest.get("row_counts", {})
    steps = _step_seconds(result)
    landed = {key: value for key, value in steps.items() if key.startswith("raw__")}
    with warehouse.read_only(settings.published_file) as connection:
        batches = connection.execute(
            "select coalesce(sum(rows_in), 0), coalesce(sum(rows_landed), 0), coalesce(sum(rows_quarantined), 0) "
            "from ops.load_batches where is_current"
        ).fetchone()
        gates = connection.execute(
            "select gate, count(*) filter (where is_passed), count(*) from ops.gate_results where run_id = ? group by gate order by min(checked_at)",
            [manifest.get("run_id")],
        ).fetchall()
        models = connection.execute(
            "select model_name, candidate, auc, brier, ece_10_equal_count, lift_at_10_percent, population_count from ml.model_evaluations "
            "where is_champion qualify row_number() over (partition by model_name order by as_of_date desc, model_version desc) = 1 order by model_name"
        ).fetchall()
        example = connection.execute(_EXAMPLE).fetchall()
    stages = Table(
        title=f"{settings.brand}: {manifest.get('version')}, as of {manifest.get('as_of_date')}", title_justify="left"
    )
    for heading, justify in (("stage", "left"), ("rows", "right"), ("seconds", "right")):
        stages.add_column(heading, justify=justify)  # type: ignore[arg-type]
    assert batches is not None  # an aggregate always has a row
    stages.add_row("start-up (Dagster, dbt manifest)", "", f"{seconds['load']:.1f}")
    stages.add_row(
        "land", f"{batches[0]:,} in = {batches[1]:,} landed + {batches[2]:,} quarantined", f"{sum(landed.values()):.1f}"
    )
    tables_of = {
        "warehouse_models": ("marts.",),
        "trained_models": ("ml.",),
        "activation_models": ("tags.", "segments.", "metrics.", "ops."),
        "ops__publication": ("",),
    }
    for key, title in STEP_TITLES.items():
        if key in steps:
            prefixes = tables_of.get(key)
            count = f"{sum(n for table, n in rows.items() if table.startswith(prefixes)):,}" if prefixes else ""
            stages.add_row(title, count, f"{steps[key]:.1f}")
    stages.add_row("whole run", "", f"{total:.1f}")
    console.print()
    console.print(stages)
    console.print(
        "Gates: " + ", ".join(f"{gate} {passed}/{count}" for gate, passed, count in gates),
        highlight=False,
        soft_wrap=True,
    )
    for name, candidate, auc, brier, ece, lift, population in models:
        console.print(
            f"Model {name}: {candidate}, AUC {auc:.3f}, Brier {brier:.3f}, ECE {ece:.3f}, lift@10 % {lift:.2f} on {population:,} members "
            "of a later period",
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"\nPublished file: {settings.published_file}", highlight=False, soft_wrap=True)
    console.print(
        f'Try:  tessera query --brand {settings.brand} "{_EXAMPLE}"', markup=False, highlight=False, soft_wrap=True
    )
    for line in example[:3]:
        console.print("      " + " | ".join(str(value) for value in line), markup=False, highlight=False)
    console.print(f"UI:   make ui BRAND={settings.brand}   (http://127.0.0.1:3000)", highlight=False)


_EXAMPLE = "select label_zh, label_en, count(*) as members, round(avg(spend_amount), 2) as mean_spend from segments.seg_rfm group by all order by members desc"


def open_ui(settings: Settings, port: int) -> None:
    """Replace this process by Dagster's UI and daemon for the brand, on loopback only. Does not return."""
    prepare_environment(settings)
    from orchestration.dbt import ensure_manifest

    load_brand(settings)
    ensure_manifest()
    dagster_instance(settings).dispose()
    dagster = Path(sys.executable).with_name("dagster")
    workspace = settings.project_root / "workspace.yaml"
    os.chdir(settings.project_root)
    arguments = [str(dagster), "dev", "--workspace", str(workspace), "--host", "127.0.0.1", "--port", str(port)]
    os.execv(dagster, arguments)  # noqa: S606  our own executable and fixed arguments
