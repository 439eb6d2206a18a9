"""The only module that opens DuckDB.

Connections are short and closed by `with`: a writer shuts out every other process, so nobody may hold one for long.
What is created inside a file by hand (raw views, brand parameters, empty model tables) is created here too;
every other table belongs to dbt.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

# UTC in every session: a cast of a timestamp to text or date must not depend on the machine's zone.
_SESSION = ("set TimeZone = 'UTC'", "set autoinstall_known_extensions = false", "set autoload_known_extensions = false")


def _configure(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    for statement in _SESSION:
        connection.execute(statement)
    return connection


@contextmanager
def scratch() -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory database for reading files and comparing frames."""
    connection = _configure(duckdb.connect(":memory:"))
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def writer(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-write connection to `path`; its folder is created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = _configure(duckdb.connect(str(path)))
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def read_only(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to `path`. Raises FileNotFoundError when there is no such file."""
    if not path.exists():
        raise FileNotFoundError(f"no warehouse file {path}; run `tessera run` first")
    connection = _configure(duckdb.connect(str(path), read_only=True))
    try:
        yield connection
    finally:
        connection.close()


# ---- copying schemas for publishing, and reading what analysts may read ------------------------------------------

# What the engine raises (full disk, locked file, bad SQL); named here so that nobody else imports duckdb for it.
EngineError = duckdb.Error

_EXPLAIN = re.compile(r"\s*explain(?:\s+analyze)?(?:\s*\([^)]*\))?\s+(?P<inner>.*)", re.IGNORECASE | re.DOTALL)


# Their messages name files, tables and columns; those of the others (a failed cast) can quote a member's value.
_QUOTABLE = (duckdb.IOException, duckdb.CatalogException, duckdb.BinderException, duckdb.OutOfMemoryException)
_FILE_TROUBLE = re.compile(r'Could not \w+ file "[^"\n]+": [\w ]+')


def reason_of(error: duckdb.Error) -> str:
    """One line on what went wrong that is fit for a log: never a value from the data."""
    if isinstance(error, _QUOTABLE):
        return str(error).strip().splitlines()[0]
    # A full disk at commit comes as a TransactionException, as does a duplicate key, which quotes it.
    if match := _FILE_TROUBLE.search(str(error)):
        return match[0]
    return f"{type(error).__name__} (its text is left out: it may quote data)"


class MissingSchema(LookupError):
    """The build file lacks schemas that are to be published; str() names them."""


class StatementRefused(ValueError):
    """The SQL would do something other than read the published tables."""


@dataclass(frozen=True)
class Relation:
    """A table or view of the build file, with the comments that travel with it."""

    schema: str
    name: str
    comment: str | None
    column_comments: tuple[tuple[str, str], ...]

    @property
    def sql(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"


def quoted(identifier: str) -> str:
    """An identifier as SQL, whatever characters it holds."""
    return '"' + identifier.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _relations(connection: duckdb.DuckDBPyConnection, schemas: Sequence[str]) -> list[Relation]:
    """Tables and views of the connection's default database in these schemas, ordered by name."""
    found = connection.execute(
        """
        select schema_name, table_name, comment from duckdb_tables()
        where database_name = current_database() and not internal and schema_name in (select unnest(?))
        union all
        select schema_name, view_name, comment from duckdb_views()
        where database_name = current_database() and not internal and schema_name in (select unnest(?))
        order by 1, 2
        """,
        [list(schemas), list(schemas)],
    ).fetchall()
    comments: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, table, column, comment in connection.execute(
        """
        select schema_name, table_name, column_name, comment from duckdb_columns()
        where database_name = current_database() and not internal and comment is not null
        order by schema_name, table_name, column_index
        """
    ).fetchall():
        comments.setdefault((schema, table), []).append((column, comment))
    return [Relation(schema, name, comment, tuple(comments.get((schema, name), ()))) for schema, name, comment in found]


def copy_schemas(
    source: Path,
    target: Path,
    schemas: Sequence[str],
    *,
    without: Collection[tuple[str, str]] = (),
    views: Collection[tuple[str, str]] = (),
) -> dict[str, int]:
    """Copy whole schemas of `source` into the new file `target`; views become tables, row order is kept.

    `without` names (schema, table) pairs to leave behind, `views` those that stay views: they show another form of what is copied
    anyway, and as tables would be many times its size. Returns rows per "schema.table" of the tables.
    Raises MissingSchema when one of them is missing in `source`, EngineError when reading or writing fails
    (`target` may then be half written: it is the caller's to remove).
    """
    # dbt writes the file's own name into its views, so the file is attached under exactly that name.
    build, copy = quoted(source.stem), quoted("publication")
    rows: dict[str, int] = {}
    with scratch() as connection:
        connection.execute(f"set temp_directory = {_literal(f'{target}.tmp')}")
        connection.execute(f"attach {_literal(str(source))} as {build} (read_only)")
        connection.execute(f"attach {_literal(str(target))} as {copy}")
        connection.execute(f"use {build}")
        present = {
            name
            for (name,) in connection.execute(
                "select schema_name from duckdb_schemas() where database_name = current_database()"
            ).fetchall()
        }
        if missing := [schema for schema in schemas if schema not in present]:
            raise MissingSchema(", ".join(missing))
        for schema in schemas:
            connection.execute(f"create schema if not exists {copy}.{quoted(schema)}")
        for relation in _relations(connection, schemas):
            if (relation.schema, relation.name) in {*without, *views}:
                continue
            counted = connection.execute(
                f"create table {copy}.{relation.sql} as select * from {build}.{relation.sql}"  # noqa: S608, quoted above
            ).fetchone()
            rows[f"{relation.schema}.{relation.name}"] = counted[0] if counted else 0
            if relation.comment:
                connection.execute(f"comment on table {copy}.{relation.sql} is {_literal(relation.comment)}")
            for column, comment in relation.column_comments:
                connection.execute(f"comment on column {copy}.{relation.sql}.{quoted(column)} is {_literal(comment)}")
        _copy_views(connection, source.stem, [view for view in views if view[0] in schemas])
        connection.execute(f"checkpoint {copy}")
    return rows


def _copy_views(connection: duckdb.DuckDBPyConnection, build: str, views: Collection[tuple[str, str]]) -> None:
    """Make views of the default database again in `publication`, reading that file's own tables."""
    found = connection.execute(
        "select schema_name, view_name, sql, comment from duckdb_views() where database_name = current_database() order by 1, 2"
    ).fetchall()
    connection.execute("use publication")
    for schema, name, sql, comment in found:
        if (schema, name) not in views:
            continue
        # The build file's name stands before every schema; without it a view reads the file that it is in.
        connection.execute(re.sub(rf'(?<![\w".])"?{re.escape(build)}"?\.(?=["\w])', "", sql))
        if comment:
            connection.execute(f"comment on view {quoted(schema)}.{quoted(name)} is {_literal(comment)}")
    connection.execute(f"use {quoted(build)}")


def settle(path: Path) -> dict[str, int]:
    """Move what the engine still keeps beside the file into it, and count: rows per "schema.table" of every table."""
    with writer(path) as connection:
        connection.execute("checkpoint")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = current_database() order by 1, 2"
        ).fetchall()
        rows: dict[str, int] = {}
        for schema, table in tables:
            counted = connection.execute(
                f"select count(*) from {quoted(schema)}.{quoted(table)}"  # noqa: S608, quoted
            ).fetchone()
            rows[f"{schema}.{table}"] = counted[0] if counted else 0
    return rows


@contextmanager
def sealed_reader(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection that can neither read nor write any other file, and cannot be talked out of it.

    Use with `read_statements`: DuckDB keeps write access to `<path>.wal` beside the file even when external access is
    off, and a stray file there breaks every reader.
    """
    with read_only(path) as connection:
        spill = Path(tempfile.gettempdir()) / f"tessera-query-{os.getpid()}"
        connection.execute(f"set temp_directory = {_literal(str(spill))}")
        connection.execute("set allow_persistent_secrets = false")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        yield connection


def read_statements(connection: duckdb.DuckDBPyConnection, sql: str) -> list[duckdb.Statement]:
    """The statements of `sql`, all of which only read. Raises StatementRefused for others, EngineError for bad SQL."""
    statements = connection.extract_statements(sql)
    if not statements:
        raise StatementRefused("the SQL is empty")
    for statement in statements:
        if not _only_reads(connection, statement):
            kind = statement.type.name.lower().replace("_", " ")
            raise StatementRefused(
                f"a {kind} statement is not a query; the published file is for reading "
                "(select, with, from, pivot, describe, show, summarize, explain, use). "
                "To keep a result, use --format csv or json and redirect the output."
            )
    return statements


def _only_reads(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> bool:
    kind = statement.type
    if kind in (duckdb.StatementType.SELECT, duckdb.StatementType.SET):
        return True
    if kind == duckdb.StatementType.CREATE:
        return not statement.query  # the engine's own first step of a PIVOT; one that a person wrote has text
    if kind == duckdb.StatementType.EXPLAIN:
        # `explain analyze copy …` runs the copy.
        match = _EXPLAIN.fullmatch(statement.query)
        return match is not None and all(
            inner.type == duckdb.StatementType.SELECT for inner in connection.extract_statements(match["inner"])
        )
    return False
