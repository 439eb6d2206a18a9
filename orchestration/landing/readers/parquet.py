"""Parquet: the columns and types are the file's own."""

# ruff: noqa: S608 (SQL is put together from quoted literals)
from __future__ import annotations

import duckdb

from orchestration.landing.errors import LandingError
from orchestration.landing.readers.common import ROW_NUMBER, SourceFile, check_names, literal, no_rejects


def columns_of(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> dict[str, str]:
    """Column → DuckDB type, from the footer alone."""
    try:
        rows = connection.execute(f"describe select * from read_parquet({literal(str(file.path))})").fetchall()
    except duckdb.Error as error:
        raise LandingError(
            f"{file.name}: cannot be read as Parquet; deliver it again, or correct reader.kind"
        ) from error
    check_names([row[0] for row in rows], file)
    return {row[0]: row[1] for row in rows}


def read(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> int:
    """`src` over the file itself: nothing is copied. Returns the rejected records, of which there are none."""
    connection.execute("drop view if exists src")
    connection.execute(
        f"""create or replace temp view src as
        select file_row_number + 1 as {ROW_NUMBER}, * exclude (file_row_number)
        from read_parquet({literal(str(file.path))}, file_row_number = true)"""
    )
    no_rejects(connection)
    return 0
