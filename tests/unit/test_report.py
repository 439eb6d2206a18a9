"""What a person reads after a run, from results made by hand."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import duckdb
import pytest
from rich.console import Console

from orchestration import report
from orchestration.settings import Settings

SETTINGS = Settings("shop", Path("/home-of-brands"), Path("/brands"), None)


def event(kind: str, step: str | None, **more: Any) -> SimpleNamespace:
    base = {
        "step_key": step,
        "event_type_value": kind,
        "is_step_success": kind == "STEP_SUCCESS",
        "is_step_failure": kind == "STEP_FAILURE",
    }
    return SimpleNamespace(**base | more)


def took(step: str | None, milliseconds: float) -> SimpleNamespace:
    return event("STEP_SUCCESS", step, event_specific_data=SimpleNamespace(duration_ms=milliseconds))


def error(message: str, cause: Any = None) -> SimpleNamespace:
    return SimpleNamespace(message=message, cause=cause)


def failed(step: str, found: Any = None, description: str | None = None) -> SimpleNamespace:
    said = SimpleNamespace(description=description) if description else None
    return event("STEP_FAILURE", step, step_failure_data=SimpleNamespace(error=found, user_failure_data=said))


def checked(step: str, *, passed: bool, blocking: bool = True, description: str | None = None) -> SimpleNamespace:
    data = SimpleNamespace(
        passed=passed,
        blocking=blocking,
        description=description,
        check_name="fct_orders_daily_profile",
        asset_key=dg.AssetKey(["marts", "fct_orders"]),
    )
    return event("ASSET_CHECK_EVALUATION", step, asset_check_evaluation_data=data)


def result(*events: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(all_events=list(events), success=False)


def printed(render: Any, width: int = 100) -> str:
    stream = io.StringIO()
    render(Console(file=stream, width=width))
    return stream.getvalue()


# ---- step seconds ------------------------------------------------------------------------------------------------


def test_step_seconds_are_those_of_steps_that_ended_well() -> None:
    found = report.step_seconds(result(took("gate_raw", 1500), took(None, 9), failed("gate_marts", error("x"))))
    assert found == {"gate_raw": 1.5}


# ---- failures ----------------------------------------------------------------------------------------------------


def test_the_innermost_error_speaks_under_the_title_of_its_step() -> None:
    nested = error("DagsterExecutionStepError", error("wrapped", error("  disk is full\n")))
    assert report.failures(result(failed("warehouse_models", nested))) == ["stage, identify, model (dbt): disk is full"]


def test_what_a_failure_says_of_itself_comes_before_its_error() -> None:
    found = report.failures(result(failed("raw__members", error("Failure"), description="members.csv is gone")))
    assert found == ["raw__members: members.csv is gone"]


def test_a_step_without_an_error_still_counts() -> None:
    assert report.failures(result(failed("gate_raw"))) == ["gate_raw: no message"]


def test_a_closed_gate_is_told_check_by_check_and_once() -> None:
    found = report.failures(
        result(
            checked("gate_marts", passed=False, description="order_count: expected more; 1 of 9 rows unexpected"),
            checked("gate_marts", passed=True),
            checked("gate_marts", passed=False, blocking=False),
            failed("gate_marts", error("dagster.DagsterAssetCheckFailedError: 1 blocking check failed")),
        )
    )
    assert found == ["gate_marts closed on marts/fct_orders: order_count: expected more; 1 of 9 rows unexpected"]


def test_a_check_without_words_is_named() -> None:
    found = report.failures(result(checked("gate_marts", passed=False)))
    assert found == ["gate_marts closed on marts/fct_orders: fct_orders_daily_profile"]


def test_a_good_run_has_none() -> None:
    assert report.failures(result(took("gate_raw", 1), checked("gate_raw", passed=True))) == []


@pytest.mark.parametrize(
    ("manifest", "kept"),
    [({"version": "20260301T000000Z-abc123"}, "version 20260301T000000Z-abc123 stays published"),
     (None, "nothing was published before")],
)  # fmt: skip
def test_a_failure_says_what_is_kept(manifest: dict[str, Any] | None, kept: str) -> None:
    run = result(failed("gate_raw", error("[red] is no markup; a long line is not cut " + "x" * 200)))
    text = printed(lambda console: report.failure(SETTINGS, run, manifest, console), width=60)
    assert "shop: the run failed; nothing was published." in text
    assert "  - gate_raw: [red] is no markup; a long line is not cut " + "x" * 200 + "\n" in text
    assert kept in text


# ---- the table of stages -----------------------------------------------------------------------------------------


def table(seconds: dict[str, float], rows: dict[str, int]) -> list[list[str]]:
    manifest = {"version": "v1", "as_of_date": "2026-03-01", "row_counts": rows}
    rendered = printed(
        lambda console: console.print(report._stage_table(SETTINGS, manifest, (10, 8, 2), seconds, 4.0, 20.5))
    )
    assert "shop: version v1, as of 2026-03-01" in rendered
    lines = [line[1:-1].split("│") for line in rendered.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line] for line in lines]


def test_the_table_shows_stages_that_ran_in_the_order_of_the_data() -> None:
    seconds = {"ops__publication": 3.0, "raw__a": 1.0, "raw__b": 0.5, "warehouse_models": 6.04, "gate_raw": 0.2}
    rows = {"marts.fct_orders": 1000, "marts.dim_members": 234, "tags.member_tags": 5}
    assert table(seconds, rows) == [
        ["start-up", "", "4.0"],
        ["land", "10 in = 8 landed", "1.5"],
        ["", "+ 2 quarantined", ""],
        ["gate_raw", "", "0.2"],
        ["stage, identify, model (dbt)", "1,234", "6.0"],
        ["gate_publish, publish", "1,239", "3.0"],
        ["whole run", "", "20.5"],
    ]


def test_every_step_of_the_job_has_a_title() -> None:
    assert set(report.SCHEMAS_OF_STEP) <= set(report.STEP_TITLES)


# ---- what is missing, and what was set aside ---------------------------------------------------------------------


def test_what_is_missing_is_told_with_what_it_disables_and_the_rest_is_counted() -> None:
    absent = [(f"entity_{n}", f"thing {n}") for n in range(6)]
    (line,) = report.said_of_absence(absent)
    assert line.startswith("Without: entity_0 → thing 0; entity_1 → thing 1; ")
    assert "entity_4" not in line and "and 2 more" in line and "ops.entity_coverage" in line
    (few,) = report.said_of_absence(absent[:1])
    assert few == "Without: entity_0 → thing 0 (all in ops.entity_coverage)"


def test_a_brand_that_has_all_is_told_nothing() -> None:
    assert report.said_of_absence([]) == []
    assert report.said_of_quarantine(0, []) == []


def test_what_was_set_aside_is_told_with_its_reasons() -> None:
    reasons = [("events", "occurred_at:not_a_timestamp", 1200)] + [
        ("members", f"f{n}:missing_value", 1) for n in range(5)
    ]
    (line,) = report.said_of_quarantine(1203, reasons)
    assert line.startswith(
        "Quarantined: 1,203 rows: events occurred_at:not_a_timestamp 1,200, members f0:missing_value 1"
    )
    assert "and 2 reasons more" in line and "ops.quarantine_reasons" in line


@pytest.mark.parametrize(("rfm", "events", "expected"), [(1, 1, 0), (0, 1, 1), (0, 0, 2)])
def test_the_example_is_one_that_has_an_answer(rfm: int, events: int, expected: int) -> None:
    with duckdb.connect() as connection:
        for schema in ("segments", "marts", "ops"):
            connection.execute(f"create schema {schema}")
        connection.execute(
            "create table segments.seg_rfm as select 'a' as label_zh, 'b' as label_en, 1.5 as spend_amount where ? = 1",
            [rfm],
        )
        connection.execute(
            "create table marts.fct_events as select 'view' as event_name, 'm' as member_id where ? = 1", [events]
        )
        connection.execute(
            "create table ops.entity_coverage as select 'a' as entity, 'b' as label_zh, 'c' as label_en, 3 as row_count, "
            "true as is_present"
        )
        query, rows = report._example(connection)
    assert query == report.EXAMPLES[expected] and len(rows) == 1
