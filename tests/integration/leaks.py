"""The injection tests of the leakage battery: fake facts around a cut, features computed anew with dbt's own SQL, compared.

A feature set is every dbt model `feat_members_*`; its facts are the dated tables it reads. Both are discovered, so that a new
feature set is tested as soon as it is there. What a finding means belongs in `test_leakage.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.dbt import load_manifest

ROWS = 200  # fake rows per table and cut
FAKE_AMOUNT, FAKE_COUNT = 1_000_000, 1_000
DATED_BY = ("business_date", "first_seen_date")  # a fact's day, and the day a member became known
# What a fact needs to be looked at, where the shop has no such row to copy.
COUNTED = {
    "fct_events": {"source_event_name": "'view'", "is_behaviour": "true", "is_bot": "false", "is_internal": "false"}
}


@dataclass(frozen=True)
class FeatureSet:
    """One model: its SQL as dbt compiled it, and the tables of dated facts in it as (schema.table, dating column)."""

    name: str
    sql: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Finding:
    """`rows` rows of a feature set differ at or before `cut` after facts were added to `table`."""

    feature_set: str
    table: str
    cut: date
    rows: int


def feature_sets(connection: duckdb.DuckDBPyConnection, compiled: Path) -> list[FeatureSet]:
    """Every `feat_members_*` of the dbt project. `compiled` is dbt's folder of compiled models."""
    dated = {
        f"{schema}.{table}": column
        for schema, table, column in connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() where list_contains($1, column_name)",
            [list(DATED_BY)],
        ).fetchall()
    }
    nodes = load_manifest()["nodes"]
    found = []
    for node in nodes.values():
        if node["resource_type"] == "model" and node["name"].startswith("feat_members_"):
            parents = [nodes[parent] for parent in node["depends_on"]["nodes"] if parent in nodes]
            tables = [f"{parent['schema']}.{parent['name']}" for parent in parents]
            facts = tuple((table, dated[table]) for table in sorted(tables) if table in dated)
            sql = (compiled / node["original_file_path"]).read_text(encoding="utf-8")
            found.append(FeatureSet(node["name"], sql, facts))
    return sorted(found, key=lambda item: item.name)


def cuts_of(connection: duckdb.DuckDBPyConnection, features: FeatureSet) -> list[date]:
    """The cuts a feature set is built for: those of the spine, or the present one alone."""
    source = "int_as_of_dates_spined" if "int_as_of_dates_spined" in features.sql else "int_clocks_resolved"
    return [cut for (cut,) in connection.execute(f"select as_of_date from intermediate.{source} order by 1").fetchall()]


@contextmanager
def planted(
    connection: duckdb.DuckDBPyConnection, table: str, dated_by: str, cut: date, *, is_future: bool
) -> Iterator[None]:
    """ROWS fake rows in `table`, of known and of new members, taken back at the end.

    Future ones lie on the cut itself (its first instant) and on the days after, past ones a second before it. Amounts are
    FAKE_AMOUNT, counts FAKE_COUNT, identifiers new.
    """
    name = table.partition(".")[2]
    columns = connection.execute(f"describe {table}").fetchall()
    key = columns[0][0]
    shift = "cast(fake_number % 3 as integer)" if is_future else "-1"
    day = f"date '{cut}' + {shift}"
    instant = f"(date '{cut}' + {shift if is_future else 0})::timestamp" + ("" if is_future else " - interval 1 second")
    fields = []
    for column, type_, *_ in columns:
        if column in COUNTED.get(name, {}):
            value = COUNTED[name][column]
        elif column == "member_id":
            value = "case when fake_number % 2 = 0 then known_member else 'm_fake_' || fake_number end"
        elif column == key:
            value = "'fake_' || fake_number"
        elif column == dated_by:
            value = day
        elif type_ == "DATE":
            value = f"case when {column} is not null then {day} end"
        elif type_.startswith("TIMESTAMP"):
            value = f"timezone('Asia/Shanghai', {instant})"
        elif type_.startswith("DECIMAL") or type_ in ("DOUBLE", "FLOAT"):
            value = str(FAKE_AMOUNT)
        elif type_ in ("INTEGER", "BIGINT"):
            value = str(FAKE_COUNT)
        else:
            value = column
        fields.append(f"cast({value} as {type_}) as {column}")
    # Members that are known at the cut, in a fixed order; templates of every kind there is.
    connection.execute("begin")
    try:
        connection.execute(
            f"""insert into {table}
            with members as (
                select member_id as known_member, row_number() over (order by hash(member_id)) as fake_number
                from marts.dim_members where first_seen_date < date '{cut}' - 30
            ),
            templates as (select *, row_number() over (order by hash({key})) as fake_number from {table})
            select {", ".join(fields)} from templates inner join members using (fake_number)
            where fake_number <= {ROWS}"""
        )
        yield
    finally:
        connection.execute("rollback")


def keep(connection: duckdb.DuckDBPyConnection, features: FeatureSet) -> None:
    """Keep the features as they are with the facts as they are: what `changed_rows` compares with."""
    connection.execute(f"create or replace temp table kept_{features.name} as {features.sql}")


def changed_rows(
    connection: duckdb.DuckDBPyConnection, features: FeatureSet, cut: date, *, only_at: bool = False
) -> int:
    """Rows at cuts up to `cut` (`only_at`: at `cut` alone) that are not, bit for bit, those that were kept."""
    where = f"where as_of_date {'=' if only_at else '<='} date '{cut}'"
    kept, anew = f"select * from kept_{features.name} {where}", f"select * from ({features.sql}) {where}"
    (count,) = connection.execute(
        f"select (select count(*) from ({kept} except all {anew})) + (select count(*) from ({anew} except all {kept}))"
    ).fetchone() or (0,)
    return int(count)


def findings(connection: duckdb.DuckDBPyConnection, features: FeatureSet, *, is_future: bool) -> Iterator[Finding]:
    """One by one, what fake facts change, for each cut and table.

    Future facts, from the cut on: none may change a row of that cut or an earlier one. Past ones, a second before the cut: those
    of every table must change a row of that cut, or the table is not looked at.
    """
    keep(connection, features)
    for cut in cuts_of(connection, features):
        for table, dated_by in features.facts:
            with planted(connection, table, dated_by, cut, is_future=is_future):
                rows = changed_rows(connection, features, cut, only_at=not is_future)
            if rows:
                yield Finding(features.name, table, cut, rows)
