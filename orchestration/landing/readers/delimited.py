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
from orchestration.landing.readers.careful import RETURN_MARK, line_count, set_apart
from orchestration.landing.readers.common import ROW_NUMBER, SourceFile, check_names, count, identifier, literal
from orchestration.landing.readers.text import head, plain

_DELIMITERS = (",", ";", "\t", "|")
_HEADER_BYTES = 1 << 20
# A record longer than this, in bytes, is refused as malformed: a quote was opened and never closed.
MAX_RECORD_BYTES = 16 << 20
_NEVER = "\x01"  # a delimiter that no text holds: the whole line is one column
_NEVER_NULL = "\x02"  # … and a null that none is
_BLANKS = "' ' || chr(9) || chr(13)"
_OPEN_QUOTE = "malformed_row:unquoted_value"
_TOO_LONG = "malformed_row:line_size_over_maximum"


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
    text = plain(file, reader.encoding, tmp, reader.skip_lines)
    try:
        connection.execute("drop view if exists src")
        if reader.delimiter == WHITESPACE:
            _split_by_whitespace(connection, reader, text.path, columns)
        elif not _is_split(connection, reader, text.path, columns):
            _split_carefully(connection, reader, file, text.path, columns, tmp)
        if text.has_replaced:
            _set_aside_broken(connection, columns)
    finally:
        if text.is_copy:
            text.path.unlink(missing_ok=True)
    return count(connection, "rejected")


def _is_split(connection: duckdb.DuckDBPyConnection, reader: CsvReader, path: Path, columns: dict[str, str]) -> bool:
    """Make `src` and `rejected`. False where what was made, if anything was, does not tell each record of the file."""
    try:
        _split(connection, reader, path, columns)
    except duckdb.InvalidInputException:
        return False  # lines that end in different ways, most often
    rejected = count(connection, "rejected")
    if rejected and _has_reason(connection, _OPEN_QUOTE, _TOO_LONG):
        return False
    # A record is at least one line. As many records as lines: none was lost, whatever the engine made of the quotes.
    # Fewer: line breaks in quotes, blank lines, or records that were swallowed without a word; that has to be looked at.
    if count(connection, "src_rows") + rejected != line_count(path) - reader.header:
        return False
    number_rows(connection, columns, rejected)
    return True


def _has_reason(connection: duckdb.DuckDBPyConnection, *reasons: str) -> bool:
    named = ", ".join(map(literal, reasons))
    row = connection.execute(f"select exists(select 1 from rejected where reason in ({named}))").fetchone()
    return bool(row and row[0])


def _split_carefully(
    connection: duckdb.DuckDBPyConnection,
    reader: CsvReader,
    file: SourceFile,
    path: Path,
    columns: dict[str, str],
    tmp: Path,
) -> None:
    target = tmp / f"careful-{file.path.name}.txt"
    try:
        found = set_apart(file, path, target, reader.delimiter, reader.quote)
        _split(connection, reader, target, columns)
    finally:
        target.unlink(missing_ok=True)
    above = int(reader.header)
    is_whole = count(connection, "src_rows") + count(connection, "rejected") == found.records - above
    if not is_whole or (reader.quote and _has_reason(connection, _OPEN_QUOTE)):
        raise LandingError(
            f"{file.name}: its quotes cannot be told apart; correct reader.quote or reader.delimiter in the source's YAML, "
            "or deliver it again"
        )
    connection.execute(f"create or replace temp table bad_lines ({ROW_NUMBER} bigint, ahead bigint, line varchar)")
    if found.bad:
        connection.executemany(
            "insert into bad_lines values (?, ?, ?)",
            [
                (bad.before - above + place, bad.before - above, bad.text)
                for place, bad in enumerate(found.bad, start=1)
            ],
        )
        connection.execute(
            f"""create or replace temp table rejected as
            select {ROW_NUMBER} + (select count(*) from bad_lines where ahead < rejected.{ROW_NUMBER}) as {ROW_NUMBER},
                reason, source_row
            from rejected
            union all
            select {ROW_NUMBER}, {literal(_OPEN_QUOTE)}, to_json({{'csv_line': line}})::varchar from bad_lines"""
        )
    connection.execute("drop table bad_lines")
    number_rows(connection, columns, count(connection, "rejected"), restore_returns=found.has_marks)


def _split(connection: duckdb.DuckDBPyConnection, reader: CsvReader, path: Path, columns: dict[str, str]) -> None:
    """Make `src_rows`, in the order of the file, and `rejected`."""
    declared = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    nulls = ", ".join(literal(value) for value in (reader.null_values or [_NEVER_NULL]))
    # DuckDB's quote must be given; one that no text holds means none.
    quote = literal(reader.quote) if reader.quote else "''"
    forget_rejects(connection)
    # Without a row number: a window would keep the engine to one thread. The order of the file is kept all the same.
    connection.execute(
        f"""create or replace temp table src_rows as
        select *
        from read_csv({literal(str(path))}, columns = {{{declared}}}, auto_detect = false, header = {reader.header},
            delim = {literal(reader.delimiter)}, quote = {quote}, escape = {quote},
            nullstr = [{nulls}], max_line_size = {MAX_RECORD_BYTES},
            store_rejects = true, rejects_table = 'rejects', rejects_scan = 'reject_scans', rejects_limit = 0)"""
    )
    keep_rejects(connection, "rejected", int(reader.header))


def forget_rejects(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("drop table if exists rejects")
    connection.execute("drop table if exists reject_scans")


def keep_rejects(connection: duckdb.DuckDBPyConnection, table: str, above: int) -> None:
    """Make `table` of what DuckDB's last scan could not read; `above` lines stood above the first record."""
    connection.execute(
        f"""create or replace temp table {table} as
        select line - {above} as {ROW_NUMBER},
            'malformed_row:' || replace(lower(min(error_type::varchar)), ' ', '_') as reason,
            to_json({{'csv_line': trim(any_value(csv_line), chr(10) || chr(13))}})::varchar as source_row
        from rejects group by line"""
    )
    forget_rejects(connection)


def number_rows(
    connection: duckdb.DuckDBPyConnection, columns: dict[str, str], rejected: int, *, restore_returns: bool = False
) -> None:
    """Make `src` of `src_rows`: each row with its number among all records, those of `rejected` too."""
    if not rejected and not restore_returns and "rowid" not in {name.casefold() for name in columns}:
        connection.execute(f"create or replace temp view src as select rowid + 1 as {ROW_NUMBER}, * from src_rows")
        return
    given = [identifier(name) for name in columns]
    if restore_returns:
        mark = literal(RETURN_MARK)
        given = [f"replace({name}, {mark}, chr(13)) as {name}" for name in given]
    connection.execute(
        f"""create or replace temp table src_numbered as
        with free as (
            select n, row_number() over (order by n) as position
            from range(1, (select count(*) from src_rows) + (select count(*) from rejected) + 1) as r(n)
            where n not in (select {ROW_NUMBER} from rejected)
        ),
        found as (select row_number() over () as position, {", ".join(given)} from src_rows)
        select free.n as {ROW_NUMBER}, found.* exclude (position)
        from found join free on free.position = found.position
        order by free.n"""
    )
    connection.execute("drop table src_rows")
    connection.execute("create or replace temp view src as select * from src_numbered")


def _split_by_whitespace(
    connection: duckdb.DuckDBPyConnection, reader: CsvReader, path: Path, columns: dict[str, str]
) -> None:
    """Blanks around a line mean nothing, runs of them one delimiter; a line of another number of words is rejected."""
    lines(connection, path, int(reader.header))
    connection.execute(
        "create or replace temp table words as "
        rf"select {ROW_NUMBER}, line, string_split_regex(trim(line, {_BLANKS}), '[ \t]+') as word from src_lines"
    )
    nulls = ", ".join(literal(value) for value in reader.null_values) or literal(_NEVER_NULL)
    chosen = ", ".join(
        f"case when word[{n}] not in ({nulls}) then word[{n}] end as {identifier(name)}"
        for n, name in enumerate(columns, start=1)
    )
    fits = f"len(word) = {len(columns)}"
    connection.execute(
        f"create or replace temp table src_numbered as select {ROW_NUMBER}, {chosen} from words where {fits}"
    )
    connection.execute(
        f"""create or replace temp table rejected as
        select * from rejected_lines
        union all
        select {ROW_NUMBER}, 'malformed_row:' || case when len(word) < {len(columns)} then 'missing_columns' else 'too_many_columns' end,
            to_json({{'csv_line': line}})::varchar
        from words where not {fits}"""
    )
    connection.execute("drop table words")
    forget_lines(connection)
    connection.execute("create or replace temp view src as select * from src_numbered")


def lines(connection: duckdb.DuckDBPyConnection, path: Path, above: int) -> None:
    """`src_lines` (source_row_number, line): a text file's lines but for blank ones and the first `above`.

    Also `rejected_lines`: those that cannot be read (bytes that are not UTF-8, too long), numbered among the others.
    """
    forget_lines(connection)
    forget_rejects(connection)
    connection.execute(
        f"""create or replace temp table file_lines as
        select line from read_csv({literal(str(path))}, columns = {{'line': 'VARCHAR'}}, auto_detect = false, header = false,
            skip = {above}, delim = {literal(_NEVER)}, quote = '', escape = '', nullstr = [{literal(_NEVER_NULL)}], strict_mode = false,
            max_line_size = {MAX_RECORD_BYTES},
            store_rejects = true, rejects_table = 'rejects', rejects_scan = 'reject_scans', rejects_limit = 0)"""
    )
    keep_rejects(connection, "rejected_lines", above)
    is_blank = f"coalesce(trim(line, {_BLANKS}), '') = ''"
    # What begins with a blank sorts before the exclamation mark: few lines are trimmed to be looked at.
    may_be_blank = "(line is null or line < '!')"
    row = connection.execute(
        f"select (select count(*) from rejected_lines), (select count(*) from file_lines where {may_be_blank} and {is_blank})"
    ).fetchone()
    if row == (0, 0):
        connection.execute(f"create temp view src_lines as select rowid + 1 as {ROW_NUMBER}, line from file_lines")
        return
    numbered = f"""
        with free as (
            select n, row_number() over (order by n) as position
            from range(1, (select count(*) from file_lines) + (select count(*) from rejected_lines) + 1) as r(n)
            where n not in (select {ROW_NUMBER} from rejected_lines)
        ),
        placed as (
            select free.n, line, not {is_blank} as is_record
            from (select row_number() over () as position, line from file_lines) as found
            join free on free.position = found.position
            union all
            select {ROW_NUMBER}, null, true from rejected_lines
        )
        select n, line, is_record, count(*) filter (where is_record) over (order by n) as {ROW_NUMBER} from placed"""
    connection.execute(f"create or replace temp table placed_lines as {numbered}")
    connection.execute(
        f"""create or replace temp table rejected_lines as
        select placed_lines.{ROW_NUMBER}, reason, source_row
        from rejected_lines join placed_lines on placed_lines.n = rejected_lines.{ROW_NUMBER}"""
    )
    connection.execute("drop table file_lines")
    connection.execute(
        f"""create temp view src_lines as
        select {ROW_NUMBER}, line from placed_lines where is_record and line is not null order by n"""
    )


def forget_lines(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop what `lines` made, and whatever was made of it."""
    connection.execute("drop view if exists src_lines")
    for table in ("file_lines", "placed_lines", "kept_lines", "rejected_lines", "lines_of"):
        connection.execute(f"drop table if exists {table}")


def _set_aside_broken(connection: duckdb.DuckDBPyConnection, columns: dict[str, str]) -> None:
    """Bytes that the encoding does not know make the record unreadable, as they do in a UTF-8 file."""
    broken = " or ".join(f"contains({identifier(name)}, chr(65533))" for name in columns)
    record = ", ".join(f"{literal(name)}: {identifier(name)}" for name in columns)
    connection.execute(
        f"""insert into rejected
        select {ROW_NUMBER}, 'malformed_row:invalid_encoding', to_json({{{record}}})::varchar from src where {broken}"""
    )
    connection.execute(
        f"create or replace temp table src_whole as select * from src where not coalesce({broken}, false)"
    )
    connection.execute("create or replace temp view src as select * from src_whole")
