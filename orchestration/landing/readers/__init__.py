"""Source files: which there are, what columns they have, and how DuckDB reads them as the relation `src`.

`src` has `source_row_number` and the file's columns: all text for CSV, JSON Lines and Excel, as typed in the file for
Parquet. What the columns mean belongs in `orchestration.landing.mapping`.

`files` lists them, `text` brings a file to plain UTF-8, and there is a module per kind.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.brands import ApiReader, CsvReader, DatabaseReader, ExcelReader, JsonlReader, Source
from orchestration.landing.errors import LandingError
from orchestration.landing.readers import delimited, excel, jsonl, parquet
from orchestration.landing.readers.common import ROW_NUMBER, UNNAMED, Relation, SourceFile, identifier, literal
from orchestration.landing.readers.files import list_files, source_root
from orchestration.landing.readers.together import read_together

__all__ = [
    "ROW_NUMBER",
    "UNNAMED",
    "Relation",
    "SourceFile",
    "file_columns",
    "guess_delimiter",
    "identifier",
    "list_files",
    "literal",
    "read",
    "read_together",
    "source_root",
]

guess_delimiter = delimited.guess_delimiter


def file_columns(connection: duckdb.DuckDBPyConnection, source: Source, file: SourceFile) -> dict[str, str]:
    """Column → DuckDB type of a file, in its order. Raises LandingError when it has none, naming file and remedy."""
    if file.path.stat().st_size == 0:
        raise LandingError(f"{file.name}: is empty (0 bytes); deliver it again, or remove it")
    try:
        match source.reader:
            case CsvReader():
                return delimited.columns_of(source.reader, source, file)
            case JsonlReader():
                return jsonl.columns_of(connection, source.reader, file)
            case ExcelReader():
                return excel.columns_of(connection, source.reader, file)
            case _:
                return parquet.columns_of(connection, file)
    except duckdb.Error as error:
        raise _unreadable(source, file, error) from error


def read(
    connection: duckdb.DuckDBPyConnection, source: Source, file: SourceFile, columns: dict[str, str], tmp: Path
) -> Relation:
    """Make `src` (and `rejected`: source_row_number, reason, source_row) of one file in the scratch connection.

    `columns` is what `file_columns` said. Raises LandingError when the file cannot be read at all.
    """
    try:
        match source.reader:
            case CsvReader():
                rejected = delimited.read(connection, source.reader, file, columns, tmp)
            case JsonlReader():
                rejected = jsonl.read(connection, source.reader, file, columns, tmp)
            case ExcelReader():
                rejected = excel.read(connection, source.reader, file, columns)
            case _:
                rejected = parquet.read(connection, file)
    except duckdb.Error as error:
        raise _unreadable(source, file, error) from error
    return Relation(columns=columns, rejected=rejected)


def file_kind(source: Source) -> str:
    """How a source's files are written: what a database or an API gave is kept as Parquet."""
    return "parquet" if isinstance(source.reader, DatabaseReader | ApiReader) else source.reader.kind


def _unreadable(source: Source, file: SourceFile, error: duckdb.Error) -> LandingError:
    # The engine's own message may quote the file.
    return LandingError(
        f"{file.name}: cannot be read as {file_kind(source)} ({type(error).__name__}); "
        f"deliver it again, or correct reader in {source.file}"
    )
