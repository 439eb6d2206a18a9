"""Delimited text: any one delimiter or runs of white space, with or without header, quotes or titles above the header.

DuckDB splits the records; those it cannot split are kept with their line and reason. Every column is text.
"""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and literals)
from __future__ import annotations

import csv
import io
from pathlib import Path

import duckdb

from orchestration.brands import WHITESPACE, CsvReader, Source
from orchestration.landing.errors import LandingError
from orchestration.landing.readers.common import ROW_NUMBER, SourceFile, check_names, count, identifier, literal
from orchestration.landing.readers.text import head, plain

_DELIMITERS = (",", ";", "\t", "|")
_HEADER_BYTES = 1 << 20
# A record longer than this, in bytes, is refused as malformed: a quote was opened and never closed.
MAX_RECORD_BYTES = 16 << 20
_NEVER = "\x01"  # a delimiter that no text holds: the whole line is one column
_NEVER_NULL = "\x02"  # … and a null that none is


def columns_of(reader: CsvReader, source: Source, file: SourceFile) -> dict[str, str]:
    """Column → VARCHAR, from the header or, where there is none, from the source's `columns`."""
    names = _header(reader, source, file) if reader.header else reader.columns
    return dict.fromkeys(check_names(names, file), "VARCHAR")


def _header(reader: CsvReader, source: Source, file: SourceFile) -> list[str]:
    text = head(file, reader.encoding, _HEADER_BYTES)
    if not text:
        raise LandingError(f"{file.name}: is empty (no header); deliver it again, or remove it")
    lines = io.StringIO(text, newline="")
    for _ in range(reader.skip_lines):
        lines.readline()
    try:
        if reader.delimiter == WHITESPACE:
            header = lines.readline().split()
        elif reader.quote:
            header = next(csv.reader(lines, delimiter=reader.delimiter, quotechar=reader.quote), [])
        else:
            header = next(csv.reader(lines, delimiter=reader.delimiter, quoting=csv.QUOTE_NONE), [])
    except csv.Error as error:
        raise LandingError(f"{file.name}: its first line is not CSV; deliver it again") from error
    if any("\ufffd" in name or "\x00" in name for name in header):
        raise LandingError(
            f"{file.name}: its header is not {reader.encoding}; set reader.encoding in {source.file} "
            "(such as gb18030 or latin-1)"
        )
    if not header:
        raise LandingError(f"{file.name}: its first line is blank; the first line must name the columns")
    return header


def guess_delimiter(columns: dict[str, str], source: Source) -> str | None:
    """The delimiter that a one-column header seems to have instead of the configured one."""
    reader = source.reader
    if not isinstance(reader, CsvReader) or len(columns) != 1:
        return None
    header = next(iter(columns))
    counts = {mark: header.count(mark) for mark in _DELIMITERS if mark != reader.delimiter}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else None


def read(
    connection: duckdb.DuckDBPyConnection,
    reader: CsvReader,
    file: SourceFile,
    columns: dict[str, str],
    tmp: Path,
) -> int:
    """Make `src` and `rejected`. Returns the number of rejected records."""
    text = plain(file, reader.encoding, tmp)
    try:
        connection.execute("drop view if exists src")
        if reader.delimiter == WHITESPACE:
            _split_by_whitespace(connection, reader, text.path, columns)
        else:
            _split(connection, reader, text.path, columns)
        if text.has_replaced:
            _set_aside_broken(connection, columns)
        connection.execute("create or replace temp view src as select * from src_rows")
    finally:
        if text.is_copy:
            text.path.unlink(missing_ok=True)
    return count(connection, "rejected")


def _split(connection: duckdb.DuckDBPyConnection, reader: CsvReader, path: Path, columns: dict[str, str]) -> None:
    declared = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    nulls = ", ".join(literal(value) for value in (reader.null_values or [""]))
    # DuckDB's quote must be given; one that no text holds means none.
    quote = literal(reader.quote) if reader.quote else "''"
    above = reader.skip_lines + int(reader.header)
    connection.execute("drop table if exists rejects")
    connection.execute("drop table if exists reject_scans")
    connection.execute(
        f"""create or replace temp table src_rows as
        select row_number() over () as {ROW_NUMBER}, *
        from read_csv({literal(str(path))}, columns = {{{declared}}}, auto_detect = false, header = {reader.header},
            skip = {reader.skip_lines}, delim = {literal(reader.delimiter)}, quote = {quote}, escape = {quote},
            nullstr = [{nulls}], max_line_size = {MAX_RECORD_BYTES},
            store_rejects = true, rejects_table = 'rejects', rejects_scan = 'reject_scans', rejects_limit = 0)"""
    )
    connection.execute(
        f"""create or replace temp table rejected as
        select line - {above} as {ROW_NUMBER},
            'malformed_row:' || replace(lower(min(error_type::varchar)), ' ', '_') as reason,
            to_json({{'csv_line': trim(any_value(csv_line), chr(10) || chr(13))}})::varchar as source_row
        from rejects group by line"""
    )
    connection.execute("drop table rejects")
    connection.execute("drop table reject_scans")
    if count(connection, "rejected"):
        _make_room_for_rejected(connection)


def _make_room_for_rejected(connection: duckdb.DuckDBPyConnection) -> None:
    """Records after a rejected one move down, so that a number means the same record in both."""
    connection.execute(
        f"""create or replace temp table src_numbered as
        with numbers as (
            select n, row_number() over (order by n) as position
            from range(1, (select count(*) from src_rows) + (select count(*) from rejected) + 1) as r(n)
            where n not in (select {ROW_NUMBER} from rejected)
        )
        select numbers.n as {ROW_NUMBER}, src_rows.* exclude ({ROW_NUMBER})
        from src_rows join numbers on numbers.position = src_rows.{ROW_NUMBER}"""
    )
    connection.execute("drop table src_rows")
    connection.execute("alter table src_numbered rename to src_rows")


def _split_by_whitespace(
    connection: duckdb.DuckDBPyConnection, reader: CsvReader, path: Path, columns: dict[str, str]
) -> None:
    """Blanks around a line mean nothing, runs of them one delimiter; a line of another number of words is rejected."""
    lines(connection, path, reader.skip_lines + int(reader.header))
    connection.execute(
        "create or replace temp table words as "
        rf"select {ROW_NUMBER}, line, string_split_regex(trim(line, ' ' || chr(9) || chr(13)), '[ \t]+') as word from src_lines"
    )
    nulls = ", ".join(literal(value) for value in reader.null_values) or "''"
    chosen = ", ".join(
        f"case when word[{n}] not in ({nulls}) then word[{n}] end as {identifier(name)}"
        for n, name in enumerate(columns, start=1)
    )
    fits = f"len(word) = {len(columns)}"
    connection.execute(
        f"create or replace temp table src_rows as select {ROW_NUMBER}, {chosen} from words where {fits}"
    )
    connection.execute(
        f"""insert into rejected
        select {ROW_NUMBER}, 'malformed_row:' || case when len(word) < {len(columns)} then 'missing_columns' else 'too_many_columns' end,
            to_json({{'csv_line': line}})::varchar
        from words where not {fits}"""
    )
    connection.execute("drop table words")
    connection.execute("drop table src_lines")


def lines(connection: duckdb.DuckDBPyConnection, path: Path, above: int) -> None:
    """`src_lines` (source_row_number, line): a text file's lines but for blank ones and the first `above`; also `rejected`."""
    connection.execute("drop table if exists rejects")
    connection.execute("drop table if exists reject_scans")
    connection.execute(
        f"""create or replace temp table src_lines as
        select row_number() over () as {ROW_NUMBER}, line
        from (
            select line from read_csv({literal(str(path))}, columns = {{'line': 'VARCHAR'}}, auto_detect = false, header = false,
                skip = {above}, delim = {literal(_NEVER)}, quote = '', escape = '', nullstr = [{literal(_NEVER_NULL)}], strict_mode = false,
                max_line_size = {MAX_RECORD_BYTES},
                store_rejects = true, rejects_table = 'rejects', rejects_scan = 'reject_scans', rejects_limit = 0)
        )
        where trim(line, ' ' || chr(9) || chr(13)) <> ''"""
    )
    # A line that cannot be read has no number among those that can: it is told by its place in the file.
    connection.execute(
        f"""create or replace temp table rejected as
        select line - {above} as {ROW_NUMBER},
            'malformed_row:' || replace(lower(min(error_type::varchar)), ' ', '_') as reason,
            to_json({{'csv_line': trim(any_value(csv_line), chr(10) || chr(13))}})::varchar as source_row
        from rejects group by line"""
    )
    connection.execute("drop table rejects")
    connection.execute("drop table reject_scans")


def _set_aside_broken(connection: duckdb.DuckDBPyConnection, columns: dict[str, str]) -> None:
    """Bytes that the encoding does not know make the record unreadable, as they do in a UTF-8 file."""
    broken = " or ".join(f"contains({identifier(name)}, chr(65533))" for name in columns)
    record = ", ".join(f"{literal(name)}: {identifier(name)}" for name in columns)
    connection.execute(
        f"""insert into rejected
        select {ROW_NUMBER}, 'malformed_row:invalid_encoding', to_json({{{record}}})::varchar
        from src_rows where {broken}"""
    )
    connection.execute(f"delete from src_rows where {broken}")
