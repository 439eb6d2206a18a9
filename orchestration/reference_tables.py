"""Reference tables of the build file (schema reference_data): created empty, and written when their inputs have changed.

What the rows say belongs in `orchestration.reference`, what analysts read of them in dbt_project/models/reference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import duckdb

from orchestration import reference, warehouse
from orchestration.brands import Brand
from orchestration.reference.columns import TABLES
from orchestration.settings import Settings

SCHEMA = "reference_data"
# A year before the brand's first day: what a year ago is compared with.
_DAYS_BEFORE = 366


@dataclass(frozen=True)
class Refresh:
    """What came of a refresh: rows per table, whether they were written now, and how far calendar and rates reach."""

    row_counts: Mapping[str, int]
    is_written: bool
    calendar_until: date | None
    rates_until: date | None


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables with the columns of this version; one with other columns is emptied, for the next refresh to fill."""
    connection.execute(f"create schema if not exists {SCHEMA}")
    connection.execute(f"create table if not exists {SCHEMA}.inputs (fingerprint varchar)")
    for name, columns in TABLES.items():
        found = connection.execute(
            "select column_name from information_schema.columns where table_schema = ? and table_name = ? order by ordinal_position",
            [SCHEMA, name],
        ).fetchall()
        if [row[0] for row in found] != list(columns):
            _create(connection, name, columns)
            connection.execute(f"delete from {SCHEMA}.inputs")  # noqa: S608  a name of this module


def _create(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str]) -> None:
    fields = ", ".join(f'"{column}" {type_}' for column, type_ in columns.items())
    connection.execute(f"create or replace table {SCHEMA}.{name} ({fields})")


def refresh(settings: Settings, brand: Brand) -> Refresh:
    """Write the tables unless they were written from the same inputs; all or nothing."""
    inputs = fingerprint(brand)
    with warehouse.writer(settings.build_file) as connection:
        create_tables(connection)
        is_current = connection.execute(f"select fingerprint from {SCHEMA}.inputs").fetchall() == [(inputs,)]  # noqa: S608
        if not is_current:
            _write(connection, brand, inputs)
        return _described(connection, is_written=not is_current)


def fingerprint(brand: Brand) -> str:
    """Hash of what the rows depend on: library versions, this package's text, and the brand's calendar and currency."""
    folder = Path(reference.__file__).parent
    text = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".py", ".yml"):
            text.update(path.name.encode() + b"\0" + path.read_bytes())
    versions = ",".join(f"{name}={metadata.version(name)}" for name in reference.LIBRARIES)
    parts = (text.hexdigest(), versions, str(brand.calendar_start), str(brand.calendar_end), brand.currency)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _write(connection: duckdb.DuckDBPyConnection, brand: Brand, inputs: str) -> None:
    # Here, not above: the libraries take half a second to import, and most runs have nothing to write.
    from orchestration.reference.tables import Scope, build

    first = brand.calendar_start - timedelta(days=_DAYS_BEFORE)
    tables = build(Scope(first, brand.calendar_end or date.max, brand.currency))
    connection.execute("begin")
    try:
        for name, rows in tables.items():
            connection.register("rows_to_write", rows)
            _create(connection, name, TABLES[name])
            connection.execute(f"insert into {SCHEMA}.{name} select * from rows_to_write")  # noqa: S608
            connection.unregister("rows_to_write")
        connection.execute(f"delete from {SCHEMA}.inputs")  # noqa: S608
        connection.execute(f"insert into {SCHEMA}.inputs values (?)", [inputs])  # noqa: S608
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def _described(connection: duckdb.DuckDBPyConnection, *, is_written: bool) -> Refresh:
    def one(sql: str) -> Any:
        row = connection.execute(sql).fetchone()
        return row[0] if row else None

    return Refresh(
        row_counts={name: one(f"select count(*) from {SCHEMA}.{name}") for name in TABLES},  # noqa: S608
        is_written=is_written,
        calendar_until=one(f"select max(calendar_date) from {SCHEMA}.calendar_days"),  # noqa: S608
        rates_until=one(f"select max(rate_date) from {SCHEMA}.exchange_rates"),  # noqa: S608
    )
