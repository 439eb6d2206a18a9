"""Source files: which there are, what columns they have, and how DuckDB reads them as the relation `src`.

`src` has `source_row_number` and the file's columns: all text for CSV, as typed in the file for Parquet. What the
columns mean belongs in `orchestration.landing.mapping`.
"""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and from the brand's checked expressions)
from __future__ import annotations

import codecs
import csv
import importlib.util
import io
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath

import duckdb

from orchestration.brands import DATE_PLACEHOLDER, Source
from orchestration.landing.errors import LandingError
from orchestration.settings import Settings

ROW_NUMBER = "source_row_number"
_UTF8 = {"utf-8", "utf-8-sig", "ascii"}
_DELIMITERS = (",", ";", "\t", "|")
_HEADER_BYTES = 1 << 20
_SURVIVES_GLOB = re.compile(r"[^*?\[\]]+")


@dataclass(frozen=True)
class SourceFile:
    """A file of a source: `name` is its path below the source's root, as recorded in the lake."""

    path: Path
    name: str
    business_date: date | None


@dataclass(frozen=True)
class Relation:
    """What was read as `src`: its columns with DuckDB types, and the CSV records that could not be split."""

    columns: dict[str, str]
    rejected: int


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def source_root(settings: Settings, source: Source) -> Path:
    """Folder that the source's path is relative to. Raises LandingError when it is not there."""
    reader = source.reader
    if reader.location == "package":
        package = str(reader.python_package)
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise LandingError(
                f"{source.file}: reader.python_package: {package} is not installed; "
                "install it (`make setup`), or correct the name"
            )
        return Path(next(iter(spec.submodule_search_locations)))
    if settings.sources_root is None:
        raise LandingError(
            f"{source.file}: TESSERA_SOURCES is not set; set it to the folder that holds {reader.path} "
            "(export TESSERA_SOURCES=/path/to/sources)"
        )
    if not settings.sources_root.is_dir():
        raise LandingError(
            f"{source.file}: TESSERA_SOURCES is {settings.sources_root}, which is not a folder; "
            f"set it to the folder that holds {reader.path}"
        )
    return settings.sources_root


def _path_regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\{date\}|\*|\?)", pattern)
    wild = {DATE_PLACEHOLDER: r"(?P<date>\d{4}-\d{2}-\d{2})", "*": r"[^/]*", "?": r"[^/]"}
    return re.compile("".join(wild.get(part, re.escape(part)) for part in parts))


def list_files(settings: Settings, source: Source) -> list[SourceFile]:
    """Files of a source that are there now, by date and name.

    Raises LandingError when the root or the folder is missing, a file lies outside the root, a file that is not daily
    is missing, or a file name holds no real date.
    """
    root = source_root(settings, source)
    reader = source.reader
    pattern = reader.path
    parent = PurePosixPath(pattern).parent.as_posix()
    if not re.search(r"[*?{]", parent) and not (root / parent).is_dir():
        raise LandingError(f"{source.file}: folder {parent} is not in {root}; create it, or correct reader.path")
    regex = _path_regex(pattern)
    prefix = f"{reader.python_package}/" if reader.location == "package" else ""
    resolved_root = root.resolve()
    files = []
    for path in sorted(root.glob(pattern.replace(DATE_PLACEHOLDER, "????-??-??"))):
        below = path.relative_to(root).as_posix()
        match = regex.fullmatch(below)
        if match is None or path.is_dir():
            continue
        # An installer may link a package's files to its cache; a source folder has no such reason.
        if reader.location == "sources" and not path.resolve().is_relative_to(resolved_root):
            raise LandingError(f"{below}: is a link to a place outside TESSERA_SOURCES; copy the file instead")
        if not _SURVIVES_GLOB.fullmatch(str(path)):
            raise LandingError(f"{below}: its path holds one of * ? [ ]; rename it")
        day = None
        if source.is_daily:
            try:
                day = date.fromisoformat(match["date"])
            except ValueError as error:
                raise LandingError(f"{below}: its name holds no real date (YYYY-MM-DD); rename it") from error
        files.append(SourceFile(path=path, name=prefix + below, business_date=day))
    if not files and not source.is_daily:
        raise LandingError(f"{source.file}: no file {pattern} in {root}; put it there, or correct reader.path")
    return sorted(files, key=lambda file: (file.business_date or date.min, file.name))


def _check_columns(columns: list[str], file: SourceFile) -> list[str]:
    named = [name.strip() or f"unnamed_{position}" for position, name in enumerate(columns, start=1)]
    seen: set[str] = set()
    for name in named:
        if name.casefold() in seen:
            raise LandingError(f"{file.name}: column {name!r} is there twice (case is ignored); rename one of them")
        seen.add(name.casefold())
    if ROW_NUMBER in seen:
        raise LandingError(f"{file.name}: column {ROW_NUMBER!r} is a name that landing needs; rename the column")
    return named


def _csv_header(source: Source, file: SourceFile) -> list[str]:
    encoding = source.reader.encoding
    with file.path.open("rb") as stream:
        head = stream.read(_HEADER_BYTES)
    if not head:
        raise LandingError(f"{file.name}: is empty (0 bytes, no header); deliver it again, or remove it")
    # Incremental, because the last character of `head` may be cut in two.
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding in _UTF8 else encoding)(errors="replace")
    text = io.StringIO(decoder.decode(head), newline="")
    try:
        header = next(csv.reader(text, delimiter=source.reader.delimiter), [])
    except csv.Error as error:
        raise LandingError(f"{file.name}: its first line is not CSV; deliver it again") from error
    if any("\ufffd" in name or "\x00" in name for name in header):
        raise LandingError(
            f"{file.name}: its header is not {encoding}; set reader.encoding in {source.file} "
            "(such as gb18030 or latin-1)"
        )
    if not header:
        raise LandingError(f"{file.name}: its first line is blank; the first line must name the columns")
    return header


def file_columns(connection: duckdb.DuckDBPyConnection, source: Source, file: SourceFile) -> dict[str, str]:
    """Column → DuckDB type of a file, from its header or footer alone. Raises LandingError when it has none."""
    if source.reader.kind == "csv":
        return dict.fromkeys(_check_columns(_csv_header(source, file), file), "VARCHAR")
    if file.path.stat().st_size == 0:
        raise LandingError(f"{file.name}: is empty (0 bytes); deliver it again, or remove it")
    try:
        rows = connection.execute(f"describe select * from read_parquet({literal(str(file.path))})").fetchall()
    except duckdb.Error as error:
        raise LandingError(
            f"{file.name}: cannot be read as Parquet; deliver it again, or correct reader.kind"
        ) from error
    _check_columns([row[0] for row in rows], file)
    return {row[0]: row[1] for row in rows}


def guess_delimiter(columns: dict[str, str], source: Source) -> str | None:
    """The delimiter that a one-column CSV header seems to have instead of the configured one."""
    if source.reader.kind != "csv" or len(columns) != 1:
        return None
    header = next(iter(columns))
    counts = {mark: header.count(mark) for mark in _DELIMITERS if mark != source.reader.delimiter}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else None


def _transcode(source: Source, file: SourceFile, tmp: Path) -> tuple[Path, bool]:
    """A UTF-8 copy of a file in lake/.tmp, and whether some bytes had to be replaced by U+FFFD."""
    target = tmp / f"transcoded-{file.path.name}"
    replaced = False
    with (
        file.path.open("r", encoding=source.reader.encoding, errors="replace", newline="") as reading,
        target.open("w", encoding="utf-8", newline="") as writing,
    ):
        while chunk := reading.read(1 << 20):
            replaced = replaced or "\ufffd" in chunk
            writing.write(chunk)
    return target, replaced


def _read_csv(
    connection: duckdb.DuckDBPyConnection, source: Source, file: SourceFile, columns: dict[str, str], tmp: Path
) -> int:
    reader = source.reader
    path, replaced = file.path, False
    if reader.encoding not in _UTF8:
        path, replaced = _transcode(source, file, tmp)
    declared = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    nulls = ", ".join(literal(value) for value in (reader.null_values or [""]))
    connection.execute("drop table if exists rejects")
    connection.execute(
        f"""create or replace temp table src_rows as
        select row_number() over () as {ROW_NUMBER}, *
        from read_csv({literal(str(path))}, columns = {{{declared}}}, auto_detect = false, header = true,
            delim = {literal(reader.delimiter)}, quote = '"', escape = '"', nullstr = [{nulls}],
            store_rejects = true, rejects_table = 'rejects', rejects_scan = 'reject_scans', rejects_limit = 0)"""
    )
    connection.execute(
        r"""create or replace temp table rejected as
        select line - 1 as source_row_number,
            'malformed_row:' || replace(lower(min(error_type::varchar)), ' ', '_') as reason,
            to_json({'csv_line': trim(any_value(csv_line), chr(10) || chr(13))})::varchar as source_row
        from rejects group by line"""
    )
    connection.execute("drop table rejects")
    connection.execute("drop table reject_scans")
    if _count(connection, "rejected"):
        # Records after a rejected one move down, so that a number means the same record in both.
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
    if replaced:
        # Bytes that the encoding does not know make the record unreadable, as they do in a UTF-8 file.
        broken = " or ".join(f"contains({identifier(name)}, chr(65533))" for name in columns)
        record = ", ".join(f"{literal(name)}: {identifier(name)}" for name in columns)
        connection.execute(
            f"""insert into rejected
            select {ROW_NUMBER}, 'malformed_row:invalid_encoding', to_json({{{record}}})::varchar
            from src_rows where {broken}"""
        )
        connection.execute(f"delete from src_rows where {broken}")
    connection.execute("create or replace temp view src as select * from src_rows")
    if path != file.path:
        path.unlink()
    return _count(connection, "rejected")


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = connection.execute(f"select count(*) from {relation}").fetchone()
    return int(row[0]) if row else 0


def read(
    connection: duckdb.DuckDBPyConnection, source: Source, file: SourceFile, columns: dict[str, str], tmp: Path
) -> Relation:
    """Make `src` (and `rejected`: source_row_number, reason, source_row) of one file in the scratch connection.

    `columns` is what `file_columns` said. Raises LandingError when the file cannot be read at all.
    """
    try:
        if source.reader.kind == "csv":
            return Relation(columns=columns, rejected=_read_csv(connection, source, file, columns, tmp))
        connection.execute(
            f"""create or replace temp view src as
            select file_row_number + 1 as {ROW_NUMBER}, * exclude (file_row_number)
            from read_parquet({literal(str(file.path))}, file_row_number = true)"""
        )
        connection.execute(
            f"create or replace temp table rejected ({ROW_NUMBER} bigint, reason varchar, source_row varchar)"
        )
    except duckdb.Error as error:
        raise LandingError(
            f"{file.name}: cannot be read as {source.reader.kind} ({type(error).__name__}); "
            f"deliver it again, or correct reader in {source.file}"
        ) from error
    return Relation(columns=columns, rejected=0)
