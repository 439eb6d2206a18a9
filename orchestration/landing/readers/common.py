"""What every kind of file shares: how a file and a relation are spoken of, and how names become SQL."""

# ruff: noqa: S608 (names of relations that this package makes)
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.landing.errors import LandingError

ROW_NUMBER = "source_row_number"
UNNAMED = "unnamed_"  # and its position: the name of a column that the file leaves blank


@dataclass(frozen=True)
class SourceFile:
    """A file of a source: `name` is its path below the source's root, as recorded in the lake."""

    path: Path
    name: str
    business_date: date | None


@dataclass(frozen=True)
class Relation:
    """What was read as `src`: its columns with DuckDB types, and the records that could not be split into them."""

    columns: dict[str, str]
    rejected: int


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def check_names(columns: Iterable[str], file: SourceFile) -> list[str]:
    """The columns by which a file is read: a blank name gets one, a name that comes twice is refused."""
    named = [name.strip() or f"{UNNAMED}{position}" for position, name in enumerate(columns, start=1)]
    seen: set[str] = set()
    for name in named:
        if name.casefold() in seen:
            raise LandingError(f"{file.name}: column {name!r} is there twice (case is ignored); rename one of them")
        seen.add(name.casefold())
    if ROW_NUMBER in seen:
        raise LandingError(f"{file.name}: column {ROW_NUMBER!r} is a name that landing needs; rename the column")
    return named


def no_rejects(connection: duckdb.DuckDBPyConnection) -> None:
    """An empty `rejected`: what a kind of file has that cannot be cut into wrong records."""
    connection.execute(
        f"create or replace temp table rejected ({ROW_NUMBER} bigint, reason varchar, source_row varchar)"
    )


def count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = connection.execute(f"select count(*) from {relation}").fetchone()
    return int(row[0]) if row else 0
