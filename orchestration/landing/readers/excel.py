"""A sheet of an .xlsx workbook, through DuckDB's excel extension. Every column is text; dates come as ISO text."""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and literals)
from __future__ import annotations

import importlib.util
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.brands import ExcelReader, Source
from orchestration.landing.errors import LandingError
from orchestration.landing.readers.common import ROW_NUMBER, SourceFile, check_names, identifier, literal, no_rejects
from orchestration.landing.readers.text import refuse_bomb

_EXTENSION = "duckdb_extension_excel"
# Day 0 of a workbook's dates: 1900-01-01 is day 1, and the format counts a 29 February 1900 that never was.
_DAY_ZERO = "timestamp '1899-12-30'"
_WIDEST, _LAST_ROW = "ZZ", 1_048_576


def load_extension(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the extension from its wheel: nothing is fetched, nothing is written."""
    spec = importlib.util.find_spec(_EXTENSION)
    if spec is None or not spec.submodule_search_locations:
        raise LandingError(f"reading Excel needs the package {_EXTENSION.replace('_', '-')}; install it (`make setup`)")
    folder = Path(next(iter(spec.submodule_search_locations))) / "extensions" / f"v{duckdb.__version__}"
    connection.execute(f"load {literal(str(folder / 'excel.duckdb_extension'))}")


@dataclass(frozen=True)
class _Sheet:
    """What a sheet holds from its header down: the engine's names of its columns, the header, and where it is."""

    cells: list[str]
    header: list[str]
    area: str  # as an option of read_xlsx; empty where DuckDB finds it itself


def _sql(reader: ExcelReader, file: SourceFile, *options: str) -> str:
    sheet = [f"sheet = {literal(reader.sheet)}"] if reader.sheet is not None else []
    given = [literal(str(file.path)), "stop_at_empty = false", *sheet, *(option for option in options if option)]
    return f"read_xlsx({', '.join(given)})"


_TEXT = ("header = false", "all_varchar = true")


def _look(connection: duckdb.DuckDBPyConnection, reader: ExcelReader, file: SourceFile) -> _Sheet:
    area = ""
    if reader.skip_lines:
        # DuckDB takes the first row for the width of the sheet; titles above the header are narrower than it.
        row = reader.skip_lines + 1
        wide = _sql(reader, file, f"range = 'A{row}:{_WIDEST}{row}'", *_TEXT)
        header = connection.execute(f"select * from {wide}").fetchone() or ()
        width = max((n for n, value in enumerate(header, start=1) if value is not None), default=1)
        letters = connection.execute(f"describe select * from {wide}").fetchall()[width - 1][0]
        area = f"range = 'A{row}:{letters}{_LAST_ROW}'"
    text = _sql(reader, file, area, *_TEXT)
    cells = [row[0] for row in connection.execute(f"describe select * from {text}").fetchall()]
    header = connection.execute(f"select * from {text} limit 1").fetchone() or ()
    return _Sheet(cells, [str(value or "") for value in header], area)


def columns_of(
    connection: duckdb.DuckDBPyConnection, reader: ExcelReader, source: Source, file: SourceFile
) -> dict[str, str]:
    """Column → VARCHAR, from the sheet's header row."""
    try:
        with zipfile.ZipFile(file.path) as archive:
            refuse_bomb(file, sum(entry.file_size for entry in archive.infolist()))
            # The engine can read a damaged workbook for ever: the archive's own check sums are asked first.
            is_damaged = archive.testzip() is not None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError) as error:
        raise LandingError(
            f"{file.name}: is not an .xlsx workbook; save it as .xlsx (not .xls), or correct reader.kind"
        ) from error
    if is_damaged:
        raise LandingError(f"{file.name}: is damaged (its check sums do not agree); deliver it again")
    load_extension(connection)
    try:
        sheet = _look(connection, reader, file)
    except (duckdb.Error, IndexError) as error:
        named = f"sheet {reader.sheet!r}" if reader.sheet else "its first sheet"
        raise LandingError(
            f"{file.name}: {named} cannot be read ({type(error).__name__}); correct reader.sheet in {source.file}, or "
            "deliver the workbook again"
        ) from error
    if not any(sheet.header):
        raise LandingError(f"{file.name}: row {reader.skip_lines + 1} is blank; it must name the columns (skip_lines)")
    return dict.fromkeys(check_names(sheet.header, file), "VARCHAR")


def read(connection: duckdb.DuckDBPyConnection, reader: ExcelReader, file: SourceFile, columns: dict[str, str]) -> int:
    """Make `src`: the rows below the header that are not blank. No record of a workbook can be wrongly split: returns 0."""
    load_extension(connection)
    sheet = _look(connection, reader, file)
    # Only the engine's types tell a date from the number that stands for it. A cell that is not of its column's type must
    # not end that look; the text is taken from the other pass.
    typed = _sql(reader, file, sheet.area, "header = true", "ignore_errors = true")
    kinds = [row[1] for row in connection.execute(f"describe select * from {typed}").fetchall()]
    chosen = ", ".join(_as_text(*named) for named in zip(sheet.cells, columns, kinds, strict=True))
    blank = " and ".join(f"{identifier(cell)} is null" for cell in sheet.cells)
    connection.execute("drop view if exists src")
    connection.execute(
        f"""create or replace temp table src_rows as
        select row_number() over () as {ROW_NUMBER}, {chosen}
        from (select * from {_sql(reader, file, sheet.area, *_TEXT)} offset 1) where not ({blank})"""
    )
    connection.execute("create or replace temp view src as select * from src_rows")
    no_rejects(connection)
    return 0


def _as_text(cell: str, name: str, kind: str) -> str:
    """A cell's text; in a column of dates the day number that the workbook stores becomes the date it stands for."""
    column = identifier(cell)
    if not kind.startswith(("DATE", "TIMESTAMP")):
        return f"{column} as {identifier(name)}"
    number = f"try_cast({column} as double)"
    moment = f"{_DAY_ZERO} + to_microseconds(cast(round({number} * 86400) as bigint) * 1000000)"
    form = "'%Y-%m-%d'" if kind == "DATE" else "'%Y-%m-%d %H:%M:%S'"
    return f"case when {number} is null then {column} else strftime({moment}, {form}) end as {identifier(name)}"
