"""Extraction of a PostgreSQL table, beside PostgreSQL's own COPY and beside dlt as it comes: `python -m benchmarks.extract`.

The server is started for it, on loopback, and removed again. What is extracted how belongs in
`orchestration.landing.extract`, how results are shown in `benchmarks.__main__`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.measures import Measure, seconds_of
from orchestration.brands import Quarantine, Source
from orchestration.landing.extract.run import extract
from orchestration.landing.extract.store import Store
from orchestration.settings import PROJECT_ROOT, Settings

ROWS = 600_000
_SECRET = "TESSERA_SECRET_BENCH"
_TABLE = f"""
    create table orders as
    select i::bigint as id, 'O' || i as order_no, (i %% 100000)::int as member_id,
        (i::bigint * 37 %% 100000 / 100.0)::numeric(18, 2) as amount,
        timestamptz '2024-01-01 00:00:00Z' + i / 3 * interval '13 second' as updated_at,
        timestamp '2024-01-01' + i * interval '1 second' as created_at,
        case when i %% 7 > 0 then '备注 ' || md5(i::text) end as note, i %% 3 = 0 as is_paid
    from generate_series(1, {ROWS}) as i
"""


def _source(mode: str, **reader: object) -> Source:
    return Source.model_validate(
        {
            "name": f"orders_{mode}",
            "limits": Quarantine(),
            "source_system": "bench",
            "mode": mode,
            "timestamps_in": "UTC",
            "entities": {"orders": {"fields": {"order_key": "order_no"}}},
            "reader": {"kind": "database", "connection_secret": _SECRET, "table": "orders", **reader},
        }
    )


def extractions(folder: Path) -> list[Measure]:
    """The measurements, in a new folder. Raises servers.NoServer where PostgreSQL is not installed."""
    # The servers are those of the tests.
    sys.path.insert(0, str(PROJECT_ROOT / "tests" / "integration"))
    import servers
    from sqlalchemy import create_engine

    with servers.postgresql() as url:
        os.environ[_SECRET] = url
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql(_TABLE)
            connection.exec_driver_sql("alter table orders add primary key (id)")
            connection.exec_driver_sql("create index on orders (updated_at)")
            connection.exec_driver_sql("analyze orders")
        engine.dispose()
        settings = Settings(brand="bench", home=folder / "home", brands_dir=folder, sources_root=None)
        whole, by_cursor = _source("full"), _source("incremental", cursor="updated_at")
        # Imports, and the server's cache.
        _copy(url, folder / "orders.csv")
        _dlt(url, folder / "dlt.parquet")
        ours = seconds_of(lambda: extract(settings, whole))
        again = seconds_of(lambda: extract(settings, whole))
        stepwise = seconds_of(lambda: extract(settings, by_cursor))
        nothing = seconds_of(lambda: extract(settings, by_cursor))
        copied = seconds_of(lambda: _copy(url, folder / "orders.csv"), 3)
        loaded = seconds_of(lambda: _dlt(url, folder / "dlt.parquet"))
        for source in (whole, by_cursor):
            counted = sum(pq.read_metadata(path).num_rows for path in Store(settings.lake, source.name).files())
            if counted != ROWS:
                raise RuntimeError(f"{source.name}: {counted:,} of {ROWS:,} rows")
    on = f"{ROWS:,} rows, 8 columns, {ROWS / ours:,.0f} rows/s"
    beside = f"{ROWS:,} rows, {ROWS / stepwise:,.0f} rows/s"
    return [
        Measure("extraction, whole table", "typed Parquet, committed", ours, "COPY to a CSV file", copied, on),
        Measure("extraction, whole table", "typed Parquet, committed", ours, "dlt's sql_table to Parquet", loaded, on),
        Measure("extraction, whole table", "read again, unchanged", again, "read the first time", ours, on),
        Measure("extraction, by cursor", "chunks of 100,000", stepwise, "COPY to a CSV file", copied, beside),
        Measure("extraction, by cursor", "nothing new", nothing, "read the first time", stepwise, beside),
    ]


def _copy(url: str, target: Path) -> None:
    import psycopg

    address = url.replace("+psycopg", "")
    with (
        psycopg.connect(address) as connection,
        connection.cursor() as cursor,
        cursor.copy("copy orders to stdout (format csv)") as copy,
        target.open("wb") as file,
    ):
        for record in copy:
            file.write(record)


def _dlt(url: str, target: Path) -> None:
    from dlt.sources.sql_database import sql_table

    writer = None
    for table in sql_table(credentials=url, table="orders", backend="pyarrow", chunk_size=100_000):
        writer = writer or pq.ParquetWriter(target, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
        for found in extractions(Path(folder)):
            ours = f"{found.name}: {found.ours} {found.ours_seconds:.2f} s"
            print(f"{ours} | {found.yardstick} {found.yardstick_seconds:.2f} s | {found.ratio:.2f} | {found.on}")


if __name__ == "__main__":
    main()
