"""JSON Lines: one object per line. Every top-level key of the file is a text column; objects and lists are JSON text."""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and literals)
from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb

from orchestration.brands import JsonlReader
from orchestration.landing.errors import LandingError
from orchestration.landing.readers.common import (
    ROW_NUMBER,
    SourceFile,
    check_names,
    count,
    identifier,
    literal,
    no_rejects,
)
from orchestration.landing.readers.delimited import MAX_RECORD_BYTES, lines
from orchestration.landing.readers.text import UTF8, chunks, is_packed, plain

_OPTIONS = f"format = 'newline_delimited', maximum_object_size = {MAX_RECORD_BYTES}"
# json_type fails on what is no JSON, and both sides of an `and` are computed: the cast gives null instead.
_IS_OBJECT = "coalesce(json_type(try_cast(line as json)) = 'OBJECT', false)"


def columns_of(connection: duckdb.DuckDBPyConnection, reader: JsonlReader, file: SourceFile) -> dict[str, str]:
    """Column → VARCHAR: the keys of every object of the file, by their place in it, then by name."""
    if reader.encoding in UTF8:
        _walk(file)
        try:
            return _columns(
                connection,
                f"select json as line from read_json_objects({literal(str(file.path))}, {_OPTIONS})",
                file,
            )
        except duckdb.Error:
            pass  # some line is no JSON: they are looked at one by one
    with tempfile.TemporaryDirectory(prefix="tessera-") as folder:
        _read_lines(connection, reader, file, Path(folder))
    return _columns(connection, "select line from src_lines", file)


def _walk(file: SourceFile) -> None:
    """DuckDB unpacks without bounds: a packed file is walked through first, and only then trusted."""
    if is_packed(file):
        for _ in chunks(file):
            pass


def _columns(connection: duckdb.DuckDBPyConnection, lines_sql: str, file: SourceFile) -> dict[str, str]:
    # Few files have more than some dozen orders of keys: the distinct ones are all that leaves the engine.
    found = connection.execute(
        f"select distinct json_keys(try_cast(line as json)) from ({lines_sql}) where {_IS_OBJECT}"
    ).fetchall()
    place: dict[str, int] = {}
    for (keys,) in found:
        for position, key in enumerate(keys or []):
            place[key] = min(position, place.get(key, position))
    if not place:
        raise LandingError(f"{file.name}: holds no JSON object; deliver it again, or correct reader.kind")
    ordered = sorted(place, key=lambda key: (place[key], key))
    check_names(ordered, file)
    return dict.fromkeys(ordered, "VARCHAR")


def read(
    connection: duckdb.DuckDBPyConnection, reader: JsonlReader, file: SourceFile, columns: dict[str, str], tmp: Path
) -> int:
    """Make `src` and `rejected`: lines that are no JSON, or no object. Returns their number."""
    connection.execute("drop view if exists src")
    if reader.encoding not in UTF8 or not _read_at_once(connection, file, columns):
        _read_lines(connection, reader, file, tmp)
        fields = ", ".join(
            f"json_extract_string(try_cast(line as json), {literal(_pointer(name))}) as {identifier(name)}"
            for name in columns
        )
        connection.execute(
            f"create or replace temp table src_rows as select {ROW_NUMBER}, {fields} from src_lines where {_IS_OBJECT}"
        )
        connection.execute(
            f"""insert into rejected
            select {ROW_NUMBER},
                'malformed_row:' || case
                    when contains(line, chr(65533)) then 'invalid_encoding'
                    when json_valid(line) then 'not_an_object' else 'not_json'
                end,
                to_json({{'line': line}})::varchar
            from src_lines where not {_IS_OBJECT}"""
        )
        connection.execute("drop table src_lines")
    connection.execute("create or replace temp view src as select * from src_rows")
    return count(connection, "rejected")


def _pointer(name: str) -> str:
    """JSON pointer of a top-level key (RFC 6901)."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _read_at_once(connection: duckdb.DuckDBPyConnection, file: SourceFile, columns: dict[str, str]) -> bool:
    """The usual case, in one pass: every line is an object. False when some line is not, with nothing made."""
    declared = ", ".join(f"{identifier(name)}: 'VARCHAR'" for name in columns)
    try:
        connection.execute(
            f"""create or replace temp table src_rows as
            select row_number() over () as {ROW_NUMBER}, *
            from read_json({literal(str(file.path))}, {_OPTIONS}, records = true, columns = {{{declared}}})"""
        )
    except duckdb.Error:
        return False
    no_rejects(connection)
    return True


def _read_lines(connection: duckdb.DuckDBPyConnection, reader: JsonlReader, file: SourceFile, tmp: Path) -> None:
    text = plain(file, reader.encoding, tmp)
    try:
        lines(connection, text.path, above=0)
    finally:
        if text.is_copy:
            text.path.unlink(missing_ok=True)
