"""What dbt's sources are on Spark: the lake's own Parquet files, and the tables of the build file as Parquet beside them.

The contract gives the lake's tables their columns, as it gives DuckDB's views theirs. Which statements Spark gets is made here as
text; running them belongs in `orchestration.spark.statements`, starting Spark in `orchestration.spark.cluster`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestration import warehouse
from orchestration.landing.contract import Entity

RAW = "raw"
# The lake's files as they are; `raw` are views on them, with the columns that a reader may rely on.
FILES = "lake"
_SPARK_TYPES = {
    "VARCHAR": "string",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "DATE": "date",
    "BIGINT": "bigint",
    "INTEGER": "int",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
}


def spark_type(duckdb_type: str) -> str:
    """Spark's name of a type of the contract. Raises ValueError for a type that the contract has not had so far."""
    if duckdb_type.startswith("DECIMAL("):
        return duckdb_type.lower()
    if duckdb_type not in _SPARK_TYPES:
        raise ValueError(
            f"{duckdb_type} has no type of Spark yet: add it to _SPARK_TYPES in orchestration/spark/sources.py"
        )
    return _SPARK_TYPES[duckdb_type]


def declared_sources(manifest: Mapping[str, object]) -> list[tuple[str, str]]:
    """(schema, table) of every source that the dbt project declares, sorted."""
    sources = manifest["sources"]
    assert isinstance(sources, Mapping)
    return sorted((source["schema"], source["name"]) for source in sources.values())


def export(build_file: Path, tables: Sequence[tuple[str, str]], folder: Path) -> dict[tuple[str, str], Path]:
    """Write tables of the build file as Parquet, each into a folder of its own; (schema, table) → that folder.

    Maps become text as DuckDB prints them: models show them as text, and the engines print a map differently.
    """
    written = {}
    with warehouse.read_only(build_file) as connection:
        for schema, table in tables:
            columns = connection.execute(
                "select column_name, data_type from duckdb_columns() where schema_name = ? and table_name = ? order by column_index",
                [schema, table],
            ).fetchall()
            if not columns:
                raise LookupError(f"{build_file} has no {schema}.{table}, which the dbt project names as a source")
            fields = ", ".join(
                f"cast({warehouse.quoted(name)} as varchar) as {warehouse.quoted(name)}"
                if type_.startswith("MAP(")
                else warehouse.quoted(name)
                for name, type_ in columns
            )
            target = folder / schema / table
            target.mkdir(parents=True)
            name = f"{warehouse.quoted(schema)}.{warehouse.quoted(table)}"
            connection.execute(
                f"copy (select {fields} from {name}) to {_text(target / 'rows.parquet')} (format parquet)"  # noqa: S608
            )
            written[schema, table] = target
    return written


def statements(
    contract: Mapping[str, Entity], lake: Path, exported: Mapping[tuple[str, str], Path], empty: Path
) -> list[str]:
    """SQL that makes every source of dbt readable. An entity without files is read from a folder below `empty`."""
    schemas = sorted({FILES, RAW, *(schema for schema, _ in exported)})
    made = [f"create schema if not exists {schema}" for schema in schemas]
    for entity in contract.values():
        columns = entity.duckdb_columns()
        folder = lake / RAW / entity.name
        location = folder if any(folder.glob("*.parquet")) else empty / entity.name
        typed = ", ".join(f"`{name}` {spark_type(type_)}" for name, type_ in columns)
        made.append(f"create table {FILES}.`{entity.name}` ({typed}) using parquet location {_location(location)}")
        fields = ", ".join(
            "coalesce(`is_deleted`, false) as `is_deleted`" if name == "is_deleted" else f"`{name}`"
            for name, _ in columns
        )
        made.append(f"create view {RAW}.`{entity.name}` as select {fields} from {FILES}.`{entity.name}`")  # noqa: S608
    for (schema, table), folder in exported.items():
        made.append(f"create table {schema}.`{table}` using parquet location {_location(folder)}")
    return made


def _text(path: Path) -> str:
    """A path as a literal of DuckDB."""
    return "'" + str(path).replace("'", "''") + "'"


def _location(path: Path) -> str:
    """A path as a literal of Spark, which reads a backslash as an escape."""
    return "'" + path.as_uri().replace("'", "%27") + "'"
