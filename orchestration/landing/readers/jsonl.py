"""JSON Lines: one object per line. Every top-level key of the file is a text column; objects and lists are JSON text.

The lines are read once, as text: their keys are the columns, and a line that is no object is set aside by itself.
Numbers are those of JSON's usual readers, 64 bits: digits beyond the 15th of a fraction are only safe in quotes.
"""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and literals)
from __future__ import annotations

import json
import tempfile
from pathlib import Path

import duckdb

from orchestration.brands import JsonlReader
from orchestration.landing.errors import LandingError
from orchestration.landing.readers.common import ROW_NUMBER, SourceFile, check_names, count, identifier, literal
from orchestration.landing.readers.delimited import forget_lines, lines
from orchestration.landing.readers.text import plain

# json_type fails on what is no JSON, and both sides of an `and` are computed: the cast gives null instead.
_IS_OBJECT = "coalesce(json_type(try_cast(line as json)) = 'OBJECT', false)"
# What is JSON and begins with a brace is an object.
_LOOKS_OTHERWISE = "not starts_with(line, '{') and not starts_with(ltrim(line, ' ' || chr(9) || chr(13)), '{')"


def columns_of(connection: duckdb.DuckDBPyConnection, reader: JsonlReader, file: SourceFile) -> dict[str, str]:
    """Column → VARCHAR: the keys of every object of the file, by their place in it, then by name."""
    with tempfile.TemporaryDirectory(prefix="tessera-") as folder:
        _read_lines(connection, reader, file, Path(folder))
    place: dict[str, int] = {}
    for keys in _orders_of_keys(connection):
        for position, key in enumerate(keys):
            place[key] = min(position, place.get(key, position))
    if not place:
        raise LandingError(f"{file.name}: holds no JSON object; deliver it again, or correct reader.kind")
    ordered = sorted(place, key=lambda key: (place[key], key))
    check_names(ordered, file)
    if "" in place:
        raise LandingError(f"{file.name}: a key of its objects is empty; name it")
    return dict.fromkeys(ordered, "VARCHAR")


def _orders_of_keys(connection: duckdb.DuckDBPyConnection) -> list[list[str]]:
    """The distinct lists of keys. Few files have more than some dozen: they are all that leaves the engine."""
    try:
        found = connection.execute("select distinct json_keys(line) from src_lines").fetchall()
    except duckdb.Error:  # some line is no JSON
        found = connection.execute(
            f"select distinct json_keys(try_cast(line as json)) from src_lines where {_IS_OBJECT}"
        ).fetchall()
    return [keys or [] for (keys,) in found]


def read(
    connection: duckdb.DuckDBPyConnection, reader: JsonlReader, file: SourceFile, columns: dict[str, str], tmp: Path
) -> int:
    """Make `src` and `rejected`: lines that are no JSON, or no object. Returns their number."""
    connection.execute("drop view if exists src")
    if not _stand_already(connection, file):
        _read_lines(connection, reader, file, tmp)
    connection.execute("create or replace temp table rejected as select * from rejected_lines")
    shape = literal(json.dumps(dict.fromkeys(columns, "VARCHAR"), ensure_ascii=False))
    fields = ", ".join(f"found.{identifier(name)} as {identifier(name)}" for name in columns)
    converted = (
        f"select {ROW_NUMBER}, {fields} from (select {ROW_NUMBER}, from_json(line, {shape}) as found from src_lines)"
    )
    try:
        if _exists(connection, f"select 1 from src_lines where {_LOOKS_OTHERWISE}"):
            raise duckdb.InvalidInputException("some line is no object")
        connection.execute(f"create or replace temp table src_rows as {converted}")
    except duckdb.Error:
        _set_aside(connection)
        connection.execute(f"create or replace temp table src_rows as {converted}")
    connection.execute("create or replace temp view src as select * from src_rows")
    forget_lines(connection)
    return count(connection, "rejected")


def _set_aside(connection: duckdb.DuckDBPyConnection) -> None:
    """Move the lines that are no object to `rejected`."""
    connection.execute(
        f"""insert into rejected
        select {ROW_NUMBER}, 'malformed_row:' || case when json_valid(line) then 'not_an_object' else 'not_json' end,
            to_json({{'line': line}})::varchar
        from src_lines where not {_IS_OBJECT}"""
    )
    _keep_lines(connection, _IS_OBJECT)


def _keep_lines(connection: duckdb.DuckDBPyConnection, condition: str) -> None:
    connection.execute(f"create or replace temp table kept_lines as select * from src_lines where {condition}")
    connection.execute("drop view if exists src_lines")
    connection.execute("create temp view src_lines as select * from kept_lines")


def _read_lines(connection: duckdb.DuckDBPyConnection, reader: JsonlReader, file: SourceFile, tmp: Path) -> None:
    """Make `src_lines` and `rejected_lines`, and note whose they are."""
    text = plain(file, reader.encoding, tmp)
    try:
        lines(connection, text.path, above=0)
    finally:
        if text.is_copy:
            text.path.unlink(missing_ok=True)
    if text.has_replaced:
        broken = "contains(line, chr(65533))"
        connection.execute(
            f"""insert into rejected_lines
            select {ROW_NUMBER}, 'malformed_row:invalid_encoding', to_json({{'line': line}})::varchar
            from src_lines where {broken}"""
        )
        _keep_lines(connection, f"not {broken}")
    connection.execute("create or replace temp table lines_of as select ? as file", [_identity(file)])


def _stand_already(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> bool:
    """Whether the lines of this very file stand since its columns were looked up."""
    try:
        return connection.execute("select file from lines_of").fetchone() == (_identity(file),)
    except duckdb.CatalogException:
        return False


def _identity(file: SourceFile) -> str:
    status = file.path.stat()
    return f"{file.path}|{status.st_size}|{status.st_mtime_ns}"


def _exists(connection: duckdb.DuckDBPyConnection, query: str) -> bool:
    row = connection.execute(f"select exists({query})").fetchone()
    return bool(row and row[0])
