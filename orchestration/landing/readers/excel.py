"""A sheet of an .xlsx workbook, through DuckDB's excel extension. Every column is text; dates come as ISO text.

Where the table stands in the sheet, and which of its numbers are dates, is found by `workbook`.
"""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and literals)
from __future__ import annotations

import importlib.util
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.brands import ExcelReader
from orchestration.landing.errors import LandingError
from orchestration.landing.readers.common import ROW_NUMBER, SourceFile, check_names, identifier, literal, no_rejects
from orchestration.landing.readers.workbook import Sheet, letters, look_through

_EXTENSION = "duckdb_extension_excel"


def load_extension(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the extension from its wheel: nothing is fetched, nothing is written."""
    spec = importlib.util.find_spec(_EXTENSION)
    if spec is None or not spec.submodule_search_locations:
        raise LandingError(f"reading Excel needs the package {_EXTENSION.replace('_', '-')}; install it (`make setup`)")
    folder = Path(next(iter(spec.submodule_search_locations))) / "extensions" / f"v{duckdb.__version__}"
    connection.execute(f"load {literal(str(folder / 'excel.duckdb_extension'))}")


def columns_of(connection: duckdb.DuckDBPyConnection, reader: ExcelReader, file: SourceFile) -> dict[str, str]:
    """Column → VARCHAR, from the row below `skip_lines`, or else the first that holds something."""
    sheet = look_through(file, reader.sheet, reader.skip_lines)
    load_extension(connection)
    row = sheet.first_row
    if not sheet.cells or (reader.skip_lines and row != reader.skip_lines + 1):
        raise LandingError(f"{file.name}: row {reader.skip_lines + 1} is blank; it must name the columns (skip_lines)")
    header = connection.execute(f"select * from {_cells(reader, file, sheet, row, row)}").fetchone() or ()
    return dict.fromkeys(check_names([str(value or "") for value in header], file), "VARCHAR")


def _cells(reader: ExcelReader, file: SourceFile, sheet: Sheet, first_row: int, last_row: int) -> str:
    """The cells of some rows as text."""
    area = f"{letters(sheet.first_column)}{first_row}:{letters(sheet.last_column)}{last_row}"
    chosen = [f"sheet = {literal(reader.sheet)}"] if reader.sheet is not None else []
    options = ["header = false", "all_varchar = true", "stop_at_empty = false", f"range = {literal(area)}", *chosen]
    return f"read_xlsx({literal(str(file.path))}, {', '.join(options)})"


def read(connection: duckdb.DuckDBPyConnection, reader: ExcelReader, file: SourceFile, columns: dict[str, str]) -> int:
    """Make `src`: the rows below the header that are not blank. No record of a workbook can be wrongly split: returns 0."""
    sheet = look_through(file, reader.sheet, reader.skip_lines)
    load_extension(connection)
    connection.execute("drop view if exists src")
    no_rejects(connection)
    body = sheet.first_row + 1
    if sheet.last_row < body:
        nothing = ", ".join(f"cast(null as varchar) as {identifier(name)}" for name in columns)
        connection.execute(
            f"create or replace temp table src_rows as select cast(null as bigint) as {ROW_NUMBER}, {nothing} limit 0"
        )
        connection.execute("create or replace temp view src as select * from src_rows")
        return 0
    cells = _cells(reader, file, sheet, body, sheet.last_row)
    names = [row[0] for row in connection.execute(f"describe select * from {cells}").fetchall()]
    connection.execute(f"create or replace temp table sheet_rows as select * from {cells}")
    # A row's place in the sheet is its place in the table: the order of the file is kept, blank rows are rows.
    chosen, joined = [], []
    for position, (cell, name) in enumerate(zip(names, columns, strict=True), start=sheet.first_column):
        dates = {row - body: text for row, text in sheet.dates.get(position, {}).items() if row >= body}
        value = f"cells.{identifier(cell)}"
        if dates:
            table = f"dates_{position}"
            connection.register(f"given_{table}", pa.table({"place": list(dates), "iso": list(dates.values())}))
            connection.execute(f"create or replace temp table {table} as select * from given_{table}")
            connection.unregister(f"given_{table}")
            joined.append(table)
            value = f"coalesce({table}.iso, {value})"
        chosen.append(f"{value} as {identifier(name)}")
    joins = " ".join(f"left join {table} on {table}.place = cells.rowid" for table in joined)
    blank = " and ".join(f"cells.{identifier(cell)} is null" for cell in names)
    connection.execute(
        f"""create or replace temp table src_rows as
        select row_number() over (order by cells.rowid) as {ROW_NUMBER}, {", ".join(chosen)}
        from sheet_rows as cells {joins} where not ({blank}) order by {ROW_NUMBER}"""
    )
    for table in ("sheet_rows", *joined):
        connection.execute(f"drop table {table}")
    connection.execute("create or replace temp view src as select * from src_rows")
    return 0
