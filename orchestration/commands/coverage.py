"""`tessera coverage`: what the brand supplies of the contract and of its tracking plan, and what is missing without it.

Both are counted in dbt (`ops.entity_coverage`, `ops.tracking_coverage`); here they are read from the published file.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from orchestration.commands.common import FAILED, USAGE, BrandOption, Format, FormatOption, exit_codes, fail, print_rows
from orchestration.settings import load_settings

# What a table shows of each, in this order, where it is there; --all and the data formats give every column.
TABLES = {
    "entity_coverage": (
        "entity",
        "label_zh",
        "label_en",
        "is_present",
        "row_count",
        "first_date",
        "last_date",
        "enables_zh",
        "enables_en",
    ),
    "tracking_coverage": (
        "event_name",
        "label_zh",
        "label_en",
        "source_system",
        "status",
        "owner",
        "event_count",
        "last_date",
        "feeds_zh",
    ),
}
TITLES = {
    "entity_coverage": "契约覆盖 · What the brand has of the contract",
    "tracking_coverage": "埋点覆盖 · What came of the tracking plan",
}
HEADINGS = {
    "entity": "实体",
    "label_zh": "名称",
    "label_en": "名称（英）",
    "nature": "性质",
    "source_systems": "来源系统",
    "source_system": "来源系统",
    "source_system_count": "来源系统数",
    "is_mapped": "已映射",
    "is_present": "有数据",
    "row_count": "行数",
    "deleted_row_count": "已删除行数",
    "outside_calendar_row_count": "历外行数",
    "quarantined_row_count": "隔离行数",
    "first_date": "最早日期",
    "last_date": "最近日期",
    "loaded_at": "最近入湖",
    "enables_zh": "支撑能力",
    "enables_en": "支撑能力（英）",
    "event_name": "事件",
    "status": "状态",
    "owner": "负责人",
    "is_standard": "标准事件",
    "event_count": "事件数",
    "event_day_count": "有事件天数",
    "feeds_zh": "缺失影响",
    "feeds_en": "缺失影响（英）",
}


class Part(StrEnum):
    all = "all"
    entities = "entities"
    events = "events"


_PARTS = {Part.all: tuple(TABLES), Part.entities: ("entity_coverage",), Part.events: ("tracking_coverage",)}


def coverage(
    brand: BrandOption = None,
    part: Annotated[
        Part, typer.Option("--of", help="Entities of the contract, events of the tracking plan, or both.")
    ] = Part.all,
    every: Annotated[bool, typer.Option("--all", help="Show every column of the tables.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """Show what the brand supplies of the contract and of its tracking plan, and what it goes without.

    Reads the published version. CSV holds one table: choose it with --of.
    """
    with exit_codes():
        settings = load_settings(brand)
        if not settings.published_file.exists():
            raise fail(
                f"nothing is published for {settings.brand}, so nothing is counted yet. "
                f"Run `tessera run --brand {settings.brand}` first",
                USAGE,
            )
        if output is Format.csv and part is Part.all:
            raise fail("CSV holds one table: choose --of entities or --of events", USAGE)
        from orchestration import console, warehouse

        found: dict[str, tuple[list[str], list[tuple[Any, ...]]]] = {}
        with (
            exit_codes({warehouse.EngineError: FAILED}),
            warehouse.sealed_reader(settings.published_file) as connection,
        ):
            known = connection.execute("select table_name from duckdb_tables() where schema_name = 'ops'").fetchall()
            for table in _PARTS[part]:
                if (table,) in known:
                    rows = connection.execute(f"select * from ops.{warehouse.quoted(table)}").fetchall()  # noqa: S608
                    found[table] = ([column[0] for column in connection.description or []], rows)
        missing = [f"ops.{table}" for table in _PARTS[part] if table not in found]
        if missing:
            typer.echo(
                f"the published version of {settings.brand} has no {' and no '.join(missing)}; "
                f"it comes with the next `tessera run --brand {settings.brand}`",
                err=True,
            )
        if not found:
            raise typer.Exit(USAGE)
        if output is Format.json:
            body = {
                table: [dict(zip(names, row, strict=True)) for row in rows] for table, (names, rows) in found.items()
            }
            typer.echo(console.to_json(body))
            return
        for table, (names, rows) in found.items():
            if output is Format.table:
                console.result_console(sys.stdout).print(TITLES[table], style="bold")
                names, rows = (names, rows) if every else _core(table, names, rows)
            print_rows(output, names, rows, HEADINGS)


def _core(table: str, names: list[str], rows: list[tuple[Any, ...]]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns that a person looks at first; all of them where the table has none of these."""
    kept = [names.index(name) for name in TABLES[table] if name in names]
    if not kept:
        return names, rows
    return [names[position] for position in kept], [tuple(row[position] for position in kept) for row in rows]
