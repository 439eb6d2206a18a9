"""Parquet: the columns and types are the file's own."""

# ruff: noqa: S608 (SQL is put together from quoted literals)
from __future__ import annotations

import duckdb

from orchestration.landing.errors import LandingError
from orchestration.landing.readers.common import ROW_NUMBER, SourceFile, check_names, literal, no_rejects
from orchestration.landing.readers.text import refuse_bomb

# A row of an export takes some bytes even where most of its columns repeat themselves; small files may do as they like.
MAX_ROWS_PER_BYTE = 20
TOLERATED_ROWS = 20_000_000


def columns_of(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> dict[str, str]:
    """Column → DuckDB type, from the footer alone."""
    try:
        rows = connection.execute(f"describe select * from read_parquet({literal(str(file.path))})").fetchall()
    except duckdb.Error as error:
        raise LandingError(
            f"{file.name}: cannot be read as Parquet; deliver it again, or correct reader.kind"
        ) from error
    check_names([row[0] for row in rows], file)
    _refuse_bomb(connection, file)
    return {row[0]: row[1] for row in rows}


def _refuse_bomb(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> None:
    """Refuse a file whose footer tells of far more than its bytes can hold: repeated values take next to no room."""
    found = connection.execute(
        f"select coalesce(sum(total_uncompressed_size), 0) from parquet_metadata({literal(str(file.path))})"
    ).fetchone()
    counted = connection.execute(f"select num_rows from parquet_file_metadata({literal(str(file.path))})").fetchone()
    refuse_bomb(file, int(found[0]) if found else 0)
    rows, size = int(counted[0]) if counted else 0, file.path.stat().st_size
    if rows > TOLERATED_ROWS and rows > MAX_ROWS_PER_BYTE * size:
        raise LandingError(f"{file.name}: has {rows:,} rows in {size:,} bytes, as no export does; deliver it again")


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
