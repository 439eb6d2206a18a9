"""A brand's tracking plan as tables that dbt reads, and as JSON Schemas that a team which sends events can test with.

What the plan may say is checked in `orchestration.brands`; what arrived of it is counted in dbt (`ops.tracking_coverage`,
`ops.tracking_properties`).
"""

from __future__ import annotations

from typing import Any

import duckdb
import pandas as pd

from orchestration.brands import Brand, PlannedEvent, TrackingPlan, suggest
from orchestration.landing.contract import load_contract
from orchestration.landing.vocabulary import load_vocabulary

PLANNED_EVENTS = ["event_name", "source_system", "label_zh", "label_en", "owner"]
PLANNED_PROPERTIES = [
    "event_name",
    "property_name",
    "value_type",
    "label_zh",
    "label_en",
    "is_required",
    "is_contract_field",
]
STANDARD_EVENTS = ["event_name", "label_zh", "label_en", "feeds_zh", "feeds_en", "visit_role"]

_JSON_TYPES = {"text": "string", "number": "number", "boolean": "boolean", "timestamp": "string"}


def plan_problems(brand: Brand) -> list[str]:
    """Where the plan names a source system that no source of the brand has, one line each."""
    if brand.tracking_plan is None:
        return []
    systems = {source.source_system for source in brand.sources if "events" in source.entities}
    return [
        f"tracking_plan.yml: events.{name}.source_systems: {system} sends no events; {suggest(system, sorted(systems))}"
        for name, event in brand.tracking_plan.events.items()
        for system in event.source_systems
        if system not in systems
    ]


def contract_fields() -> set[str]:
    """Fields of the contract's events: any other planned property is a key of their `properties`."""
    return {field.name for field in load_contract()["events"].fields}


def planned_events(plan: TrackingPlan | None) -> pd.DataFrame:
    """One row per planned event and source system, columns PLANNED_EVENTS."""
    rows = [
        (name, system, event.label_zh, event.label_en, event.owner)
        for name, event in (plan.events if plan else {}).items()
        for system in event.source_systems
    ]
    return pd.DataFrame(rows, columns=PLANNED_EVENTS, dtype="str")


def planned_properties(plan: TrackingPlan | None) -> pd.DataFrame:
    """One row per planned event and property, columns PLANNED_PROPERTIES."""
    known = contract_fields()
    rows = [
        (name, code, planned.type, planned.label_zh, planned.label_en, planned.required, code in known)
        for name, event in (plan.events if plan else {}).items()
        for code, planned in event.properties.items()
    ]
    return pd.DataFrame(rows, columns=PLANNED_PROPERTIES)


def standard_events() -> pd.DataFrame:
    """One row per standard event, columns STANDARD_EVENTS."""
    rows = [(e.name, e.label.zh, e.label.en, e.feeds.zh, e.feeds.en, e.visit) for e in load_vocabulary().values()]
    return pd.DataFrame(rows, columns=STANDARD_EVENTS, dtype="str")


def write_tracking_config(connection: duckdb.DuckDBPyConnection, brand: Brand) -> None:
    """config.planned_events, config.planned_properties and config.standard_events, as plan and vocabulary say now."""
    connection.execute("create schema if not exists config")
    for name, frame in (
        ("planned_events", planned_events(brand.tracking_plan)),
        ("planned_properties", planned_properties(brand.tracking_plan)),
        ("standard_events", standard_events()),
    ):
        columns = ", ".join(
            f"cast({column} as {'boolean' if column.startswith('is_') else 'varchar'}) as {column}" for column in frame
        )
        connection.register("frame_to_write", frame)
        connection.execute(f"create or replace table config.{name} as select {columns} from frame_to_write")  # noqa: S608  constant names
        connection.unregister("frame_to_write")


def json_schema(name: str, event: PlannedEvent) -> dict[str, Any]:
    """JSON Schema (2020-12) of one planned event as a flat object: what a sender's test validates a sample against."""
    properties: dict[str, Any] = {
        code: {
            "type": _JSON_TYPES[planned.type],
            "title": planned.label_en,
            "description": planned.label_zh,
            **({"format": "date-time"} if planned.type == "timestamp" else {}),
        }
        for code, planned in event.properties.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": event.label_en,
        "description": f"{event.label_zh} · {event.owner}",
        "type": "object",
        "properties": {"event_name": {"const": name}, **properties},
        "required": ["event_name", *(code for code, planned in event.properties.items() if planned.required)],
    }
