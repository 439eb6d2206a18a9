"""Whether two DuckDB files hold the same tables, row by row, in any order.

What is compared with what is decided by the caller: a rebuilt past with what was published, a backfill with a full refresh.
"""

# ruff: noqa: S608 (names come from the files' own catalogues, quoted)
from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.warehouse import quoted, scratch

# What people and models read. `ops` tells of runs and batches: each run has its own.
SCHEMAS = ("reference", "marts", "tags", "segments", "metrics", "ml")
# What tells of the runs that were before, and no rebuild can know: the past of tags, who was in an audience when, and the codes of
# clusters, which are those of the clusters that they continue; who was champion of a model when, and how far it has drifted since.
OF_EARLIER_RUNS = re.compile(
    r"tags\.(tags_[a-z]+_history|tag_(history|versions|distributions)|member_tags_long)"
    r"|segments\.(fct_audience_members|agg_audience_days|audience_catalogue|seg_(journey_clusters|ml_strata))"
    r"|ml\.(segment_(members|cards|profiles)|model_(registry|monitoring))"
)
# Columns that tell when something was computed or what of earlier runs it is compared with.
CLOCKS = frozenset(
    {"known_at", "published_at", "checked_at", "run_id", "trained_at", "scored_at"}
    | {"population_stability_index", "changed_share", "previous_date", "reference_date"}
)


@dataclass(frozen=True)
class Compared:
    """Rows of a table on both sides, and how many of them the other side lacks. None: the side has no such table."""

    table: str
    left_rows: int | None
    right_rows: int | None
    only_left: int
    only_right: int

    @property
    def is_equal(self) -> bool:
        return self.left_rows is not None and self.right_rows is not None and not (self.only_left or self.only_right)


def compare_files(
    left: Path, right: Path, *, as_of_date: date | None = None, schemas: Sequence[str] = SCHEMAS
) -> list[Compared]:
    """Compare the tables of two files; of scores and evaluations those of `as_of_date`, where it is given."""
    with scratch() as connection:
        for name, file in (("left_file", left), ("right_file", right)):
            connection.execute(f"attach '{str(file).replace(chr(39), chr(39) * 2)}' as {name} (read_only)")
        tables = {side: _columns(connection, side, schemas) for side in ("left_file", "right_file")}
        return [
            _compare(connection, table, tables["left_file"].get(table), tables["right_file"].get(table), as_of_date)
            for table in sorted(tables["left_file"].keys() | tables["right_file"].keys())
        ]


def _columns(
    connection: duckdb.DuckDBPyConnection, file: str, schemas: Collection[str]
) -> dict[tuple[str, str], list[str]]:
    found = connection.execute(
        """select schema_name, table_name, list(column_name order by column_index) from duckdb_columns()
        where database_name = $1 and list_contains($2, schema_name) group by all""",
        [file, list(schemas)],
    ).fetchall()
    return {
        (schema, table): columns
        for schema, table, columns in found
        if not OF_EARLIER_RUNS.fullmatch(f"{schema}.{table}")
    }


def _compare(
    connection: duckdb.DuckDBPyConnection,
    table: tuple[str, str],
    left: list[str] | None,
    right: list[str] | None,
    as_of_date: date | None,
) -> Compared:
    name = ".".join(table)
    path = ".".join(map(quoted, table))

    def count(query: str) -> int:
        return (connection.execute(f"select count(*) from ({query})").fetchone() or (0,))[0]

    if left is None or right is None:
        rows = count(f"select 1 from {'right_file' if left is None else 'left_file'}.{path}")
        return Compared(name, None if left is None else rows, None if right is None else rows, rows, rows)
    if set(left) != set(right):
        counts = [count(f"select 1 from {side}.{path}") for side in ("left_file", "right_file")]
        return Compared(name, *counts, *counts)
    columns = ", ".join(quoted(column) for column in left if column not in CLOCKS)
    cut = f" where as_of_date = date '{as_of_date}'" if as_of_date and table[0] == "ml" and "as_of_date" in left else ""
    sides = [f"select {columns} from {side}.{path}{cut}" for side in ("left_file", "right_file")]
    # Most tables agree: that is told by a sum over the rows' hashes, without sorting or keeping them.
    sums = [
        connection.execute(f"select count(*), sum(hash(side)::hugeint) from ({sql}) as side").fetchone() or (0, None)
        for sql in sides
    ]
    if sums[0] == sums[1]:
        return Compared(name, sums[0][0], sums[1][0], 0, 0)
    only = [count(f"{sides[0]} except all {sides[1]}"), count(f"{sides[1]} except all {sides[0]}")]
    return Compared(name, sums[0][0], sums[1][0], *only)
