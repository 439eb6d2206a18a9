"""Several small files in one query, where nothing of them needs a closer look: plain UTF-8 CSV of one header.

A file of which any record cannot be split is read alone, by `delimited`: only there is the record kept with its reason.
"""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and literals)
from __future__ import annotations

from collections.abc import Sequence

import duckdb

from orchestration.brands import WHITESPACE, CsvReader, Source
from orchestration.landing.readers.common import ROW_NUMBER, SourceFile, identifier, literal
from orchestration.landing.readers.delimited import MAX_RECORD_BYTES
from orchestration.landing.readers.text import UTF8, is_packed


def read_together(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    files: Sequence[SourceFile],
    columns: dict[str, str],
    *,
    table: str,
    number: str,
) -> bool:
    """Make `table`: column `number` (position in `files`), source_row_number within the file, `columns`.

    `columns` must be those of every file. False, and no table, where the files have to be read one by one.
    """
    reader = source.reader
    if not isinstance(reader, CsvReader) or reader.delimiter == WHITESPACE or reader.encoding not in UTF8:
        return False
    if reader.skip_lines or not reader.null_values or any(is_packed(file) for file in files):
        return False
    declared = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    nulls = ", ".join(literal(value) for value in reader.null_values)
    quote = literal(reader.quote) if reader.quote else "''"
    paths = [str(file.path) for file in files]
    names = ", ".join(identifier(name) for name in columns)
    try:
        connection.execute(
            f"""create or replace temp table {table} as
            with found as (
                select list_position([{", ".join(map(literal, paths))}], tessera_path) - 1 as {number},
                    row_number() over () as position, {names}
                from read_csv([{", ".join(map(literal, paths))}], columns = {{{declared}}}, auto_detect = false,
                    header = {reader.header}, delim = {literal(reader.delimiter)},
                    quote = {quote}, escape = {quote}, nullstr = [{nulls}], max_line_size = {MAX_RECORD_BYTES},
                    filename = 'tessera_path')
            ),
            firsts as (select {number}, min(position) as first from found group by {number})
            select found.{number}, found.position - firsts.first + 1 as {ROW_NUMBER}, {names}
            from found join firsts on firsts.{number} = found.{number}"""
        )
    except duckdb.Error:
        return False
    return _is_whole(connection, reader, files, table=table, number=number)


def _is_whole(
    connection: duckdb.DuckDBPyConnection, reader: CsvReader, files: Sequence[SourceFile], *, table: str, number: str
) -> bool:
    """Whether every line of every file has become a row.

    Asked because DuckDB 1.5, reading several files with one thread, can drop the end of a file from an unclosed quote on
    without an error. A record is at least one line, so as many rows as lines means that none is lost; fewer may mean that,
    or only quoted line breaks and blank lines: the file is then read alone.
    """
    rows = dict(connection.execute(f"select {number}, count(*) from {table} group by {number}").fetchall())
    return all(rows.get(position, 0) == _lines(file) - reader.header for position, file in enumerate(files))


def _lines(file: SourceFile) -> int:
    content = file.path.read_bytes()
    return content.count(b"\n") + (not content.endswith(b"\n"))
