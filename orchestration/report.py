"""What a person reads after a run: stages, gates, models, where the file is; or what failed and what was kept.

Only rendering: the run itself belongs in `orchestration.runner`, other commands' output in `orchestration.console`.
"""

from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from orchestration import warehouse
from orchestration.publishing import read_manifest
from orchestration.settings import Settings

# Steps of the job in the order of the data's way, with the names that people know.
STEP_TITLES = {
    "gate_raw": "gate_raw",
    "warehouse_models": "stage, identify, model (dbt)",
    "gate_marts": "gate_marts",
    "feature_models": "describe (dbt)",
    "trained_models": "predict",
    "clustered_members": "cluster",
    "gate_models": "gate_models",
    "gate_segments": "gate_segments",
    "activation_models": "tag, segment, measure (dbt)",
    "gate_tags": "gate_tags",
    "audiences": "segment (audiences)",
    "gate_audiences": "gate_audiences",
    "ops__publication": "gate_publish, publish",
}


# A stage's rows are those of the published tables it makes.
SCHEMAS_OF_STEP = {
    "warehouse_models": ("marts.",),
    "trained_models": ("ml.",),
    "activation_models": ("tags.", "segments.", "metrics.", "ops."),
    "ops__publication": ("",),
}
# The first that has an answer is shown: a brand without orders has no RFM, and one without behaviour no events.
EXAMPLES = (
    "select label_zh, label_en, count(*) as members, round(avg(spend_amount), 2) as mean_spend "
    "from segments.seg_rfm group by all order by members desc",
    "select event_name, count(*) as events, count(distinct member_id) as members "
    "from marts.fct_events group by all order by events desc",
    "select entity, label_zh, label_en, row_count from ops.entity_coverage where is_present order by row_count desc",
)
_SHOWN = 4
_BATCHES = """
    select coalesce(sum(rows_in), 0), coalesce(sum(rows_landed), 0), coalesce(sum(rows_quarantined), 0)
    from ops.load_batches where is_current
"""
# What most of the product lives on comes first: of a brand that has little, that is what to hear of.
_ABSENT = """
    select entity, enables_en from ops.entity_coverage where not is_present
    order by list_position(['order_lines', 'events', 'members', 'products', 'touches', 'coupon_redemptions'], entity) nulls last, entity
"""
_QUARANTINED = """
    select entity, reason, sum(row_count) as row_count from ops.quarantine_reasons where is_current
    group by entity, reason order by row_count desc, entity, reason
"""
_GATES = """
    select gate, count(*) filter (where is_passed), count(*) from ops.gate_results
    where run_id = ? group by gate order by min(checked_at)
"""
_MODELS = """
    select model_name, candidate, auc, brier, ece_10_equal_count, lift_at_10_percent, population_count, verdict
    from ml.model_evaluations
    where is_champion or candidate = 'none'
    qualify row_number() over (partition by model_name order by as_of_date desc, model_version desc) = 1
    order by model_name
"""


def _plain(console: Console, text: str) -> None:
    """Print text as it is, so that a path or a query can be copied whole."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def step_seconds(result) -> dict[str, float]:
    """Seconds of each step that ran, by step key."""
    return {
        event.step_key: event.event_specific_data.duration_ms / 1000
        for event in result.all_events
        if event.is_step_success and event.step_key
    }


def failures(result) -> list[str]:
    """One message per failed step or closed gate, in the words of the innermost error."""
    messages = []
    for event in result.all_events:
        title = STEP_TITLES.get(event.step_key, event.step_key)
        if event.is_step_failure:
            error, said = event.step_failure_data.error, event.step_failure_data.user_failure_data
            while error is not None and error.cause is not None:
                error = error.cause
            text = (said.description if said else None) or (error.message.strip() if error else "no message")
            if "DagsterAssetCheckFailedError" not in text:  # told below, check by check
                messages.append(f"{title}: {text}")
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if not check.passed and check.blocking:
                subject = check.asset_key.to_user_string()
                messages.append(f"{title} closed on {subject}: {check.description or check.check_name}")
    return messages


def failure(settings: Settings, result, manifest: dict[str, Any] | None, console: Console) -> None:
    """Why nothing was published, and what still is."""
    console.print(f"\n[bold red]{settings.brand}: the run failed; nothing was published.[/]")
    for message in failures(result):
        _plain(console, f"  - {message}")
    kept = f"version {manifest['version']} stays published" if manifest else "nothing was published before"
    _plain(console, f"Last good publication: {kept}. What landed is kept; mend the cause and give the same command.")


def success(settings: Settings, result, load_seconds: float, total_seconds: float, console: Console) -> None:
    """Stages with rows and seconds, gates, models, and what to do next."""
    manifest = read_manifest(settings) or {}
    with warehouse.read_only(settings.published_file) as connection:
        batches = connection.execute(_BATCHES).fetchone() or (0, 0, 0)
        gates = connection.execute(_GATES, [manifest.get("run_id")]).fetchall()
        models = connection.execute(_MODELS).fetchall()
        absent = connection.execute(_ABSENT).fetchall()
        reasons = connection.execute(_QUARANTINED).fetchall()
        example, rows = _example(connection)
    console.print()
    console.print(_stage_table(settings, manifest, batches, step_seconds(result), load_seconds, total_seconds))
    _plain(console, "Gates: " + ", ".join(f"{gate} {passed}/{count}" for gate, passed, count in gates))
    for line in (*said_of_absence(absent), *said_of_quarantine(batches[2], reasons)):
        _plain(console, line)
    for name, candidate, auc, brier, ece, lift, population, verdict in models:
        if candidate == "none":
            _plain(console, f"Model {name}: {verdict}")
        else:
            _plain(
                console,
                f"Model {name}: AUC {auc:.3f}, Brier {brier:.3f}, ECE {ece:.3f}, lift@10 % {lift:.2f}, "
                f"judged on {population:,} members of a later period",
            )
    _plain(console, f"\nPublished file: {settings.published_file}")
    _plain(console, f'Try:  tessera query --brand {settings.brand} "{example}"')
    for row in rows:
        _plain(console, "      " + " | ".join(str(value) for value in row))
    _plain(console, f"UI:   make ui BRAND={settings.brand}   (http://127.0.0.1:3000)")


def _example(connection: duckdb.DuckDBPyConnection) -> tuple[str, list[tuple[Any, ...]]]:
    """A query that has an answer for this brand, and the first rows of it."""
    rows: list[tuple[Any, ...]] = []
    for query in EXAMPLES:
        rows = connection.execute(query).fetchmany(3)
        if rows:
            return query, rows
    return EXAMPLES[-1], rows


def said_of_absence(absent: list[tuple[str, str]]) -> list[str]:
    """One line on what the brand lacks and what it does without, from (entity, what it enables); none when it has all."""
    if not absent:
        return []
    named = "; ".join(f"{entity} → {enables}" for entity, enables in absent[:_SHOWN])
    more = f"; and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
    return [f"Without: {named}{more} (all in ops.entity_coverage)"]


def said_of_quarantine(rows: int, reasons: list[tuple[str, str, int]]) -> list[str]:
    """One line on what was set aside and why, from (entity, reason, rows with it); none when nothing was."""
    if not rows:
        return []
    named = ", ".join(f"{entity} {reason} {count:,}" for entity, reason, count in reasons[:_SHOWN])
    more = f", and {len(reasons) - _SHOWN} reasons more" if len(reasons) > _SHOWN else ""
    return [f"Quarantined: {rows:,} rows: {named}{more} (all in ops.quarantine_reasons)"]


def _stage_table(
    settings: Settings,
    manifest: dict[str, Any],
    batches: tuple[int, int, int],
    seconds: dict[str, float],
    load_seconds: float,
    total_seconds: float,
) -> Table:
    rows = manifest.get("row_counts", {})
    table = Table(
        title=f"{settings.brand}: version {manifest.get('version')}, as of {manifest.get('as_of_date')}",
        title_justify="left",
    )
    table.add_column("stage")
    table.add_column("rows", justify="right")
    table.add_column("seconds", justify="right")
    rows_in, landed, quarantined = batches
    land_seconds = sum(value for key, value in seconds.items() if key.startswith("raw__"))
    table.add_row("start-up", "", f"{load_seconds:.1f}")
    table.add_row("land", f"{rows_in:,} in = {landed:,} landed\n+ {quarantined:,} quarantined", f"{land_seconds:.1f}")
    for key, title in STEP_TITLES.items():
        if key in seconds:
            prefixes = SCHEMAS_OF_STEP.get(key)
            count = sum(n for name, n in rows.items() if name.startswith(prefixes)) if prefixes else None
            table.add_row(title, f"{count:,}" if count is not None else "", f"{seconds[key]:.1f}")
    table.add_row("whole run", "", f"{total_seconds:.1f}")
    return table
