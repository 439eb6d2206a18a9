"""Landing of files of each kind, beside DuckDB alone and beside dlt, on the same million orders: `python -m benchmarks.landing`.

What is read how belongs in `orchestration.landing.readers`, how results are shown in `benchmarks.__main__`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measures import Measure, seconds_of
from orchestration.brands import Source, load_brand
from orchestration.landing.land import land
from orchestration.landing.readers import file_columns, list_files, read
from orchestration.settings import Settings, load_settings
from orchestration.warehouse import scratch

ROWS = 1_000_000
REPEATS = 3
_BRAND = "bench_files"
_BRAND_YML = f"""\
brand: {_BRAND}
label_zh: 基准
label_en: Benchmark
currency: CNY
calendar_start: 2020-01-01
"""
_SOURCE_YML = """\
source_system: {name}
reader: {{{reader}}}
timestamps_in: Asia/Shanghai
entities:
  orders:
    fields:
      order_key: order_no
      member_key: member
      ordered_at: sold_at
      order_status: "case status when '完成' then 'completed' when '已付款' then 'paid' else 'cancelled' end"
      channel: channel
      store_code: shop
      currency_code: "'CNY'"
      brand_discount_amount: discount
      payable_amount: amount
      remark: remark
"""
_ORDERS = """
    create table orders as
    select 'O' || lpad(i::varchar, 9, '0') as order_no, 'M' || (hash(i) % 200000) as member, 'S' || (i % 300) as shop,
        strftime(timestamp '2025-01-01' + to_seconds(i * 25), '%Y-%m-%d %H:%M:%S') as sold_at,
        ((hash(i * 7) % 100000) / 100)::decimal(18, 2)::varchar as amount,
        ((hash(i * 3) % 1000) / 100)::decimal(18, 2)::varchar as discount,
        ['app', 'mini_program', 'web', 'store'][1 + i % 4] as channel, ['完成', '已付款', '已取消'][1 + i % 3] as status,
        case when i % 5 = 0 then '请放门口，谢谢' when i % 7 = 0 then 'gift, "wrapped"' end as remark
    from range({rows}) as r(i)
"""


@dataclass(frozen=True)
class Kind:
    """A kind of file. `bare`: what DuckDB reads by itself; GBK it does not, so the same rows in UTF-8 are its yardstick."""

    name: str
    file: str
    reader: str
    bare: str
    dlt: Callable[[Any], Any]


KINDS = (
    Kind("CSV", "csv.csv", "kind: csv", "read_csv('{}/csv.csv')", lambda readers: readers.read_csv_duckdb(use_pyarrow=True)),
    Kind(
        "GBK CSV", "gbk.csv", "kind: csv, encoding: gb18030", "read_csv('{}/csv.csv')",
        lambda readers: readers.read_csv(encoding="gb18030"),
    ),
    Kind("JSON Lines", "jsonl.jsonl", "kind: jsonl", "read_json('{}/jsonl.jsonl')", lambda readers: readers.read_jsonl()),
    Kind(
        "Parquet", "parquet.parquet", "kind: parquet", "read_parquet('{}/parquet.parquet')",
        lambda readers: readers.read_parquet(use_pyarrow=True),
    ),
)  # fmt: skip


def write_files(folder: Path, rows: int) -> None:
    """The same orders as one file of each kind."""
    folder.mkdir(parents=True)
    with scratch() as connection:
        connection.execute(_ORDERS.format(rows=rows))
        connection.execute(f"copy orders to '{folder}/csv.csv' (header)")
        connection.execute(f"copy orders to '{folder}/jsonl.jsonl' (format json)")
        connection.execute(f"copy orders to '{folder}/parquet.parquet' (format parquet)")
    with (
        (folder / "csv.csv").open(encoding="utf-8") as plain,
        (folder / "gbk.csv").open("w", encoding="gb18030") as other,
    ):
        shutil.copyfileobj(plain, other)


def _settings(root: Path, kind: Kind) -> Settings:
    brands = root / f"brands-{kind.file}"
    folder = brands / _BRAND / "sources"
    folder.mkdir(parents=True)
    (brands / _BRAND / "brand.yml").write_text(_BRAND_YML, encoding="utf-8")
    text = _SOURCE_YML.format(name="till", reader=f"{kind.reader}, path: {kind.file}")
    (folder / "orders.yml").write_text(text, encoding="utf-8")
    environ = {
        "TESSERA_HOME": str(root / f"home-{kind.file}"),
        "TESSERA_SOURCES": str(root / "files"),
        "TESSERA_BRANDS": str(brands),
    }
    return load_settings(_BRAND, environ)


def landings(folder: Path, rows: int = ROWS) -> list[Measure]:
    """The measurements, in a new folder. Raises RuntimeError when a row was not landed."""
    write_files(folder / "files", rows)
    measured = []
    for kind in KINDS:
        settings = _settings(folder, kind)
        measured += _measure(kind, settings, folder, rows)
    return measured


def _measure(kind: Kind, settings: Settings, folder: Path, rows: int) -> Iterable[Measure]:
    brand = load_brand(settings)
    (source,) = brand.sources
    bare, target = kind.bare.format(folder / "files"), folder / "bare.parquet"

    def landing() -> None:
        shutil.rmtree(settings.lake, ignore_errors=True)
        (batch,) = land(settings, brand, "orders")
        if batch.rows_landed != rows:
            raise RuntimeError(f"{kind.name}: {batch.rows_landed:,} of {rows:,} rows were landed")

    def run(sql: str) -> Callable[[], None]:
        def execute() -> None:
            with scratch() as connection:
                connection.execute(sql)

        return execute

    ways: dict[str, Callable[[], None]] = {
        "landed": landing,
        "read": lambda: _read(settings, source),
        "bare": run(f"create table found as select * from {bare}"),
        "written": run(f"copy (select * from {bare}) to '{target}' (format parquet, compression zstd)"),
    }
    # In turn, so that what else the machine does falls on all alike; the first round is for its caches.
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(REPEATS + 1):
        for name, way in ways.items():
            taken[name].append(seconds_of(way))
    seconds = {name: median(found[1:]) for name, found in taken.items()}
    peer = seconds_of(lambda: _dlt(kind, folder))
    size = (folder / "files" / kind.file).stat().st_size
    on = f"{rows:,} rows, {size / 1e6:.0f} MB, {rows / seconds['landed']:,.0f} rows/s"
    beside = f"{rows:,} rows, {rows / seconds['bare']:,.0f} rows/s bare"
    name, landed = f"landing, {kind.name}", "typed, checked, hashed, committed"
    return (
        Measure(f"reading, {kind.name}", "every column, every line told", seconds["read"], "DuckDB into a table", seconds["bare"], beside),
        Measure(name, landed, seconds["landed"], "DuckDB into a table", seconds["bare"], on),
        Measure(name, landed, seconds["landed"], "DuckDB to Parquet", seconds["written"], on),
        Measure(name, landed, seconds["landed"], "dlt to Parquet", peer, on),
    )  # fmt: skip


def _read(settings: Settings, source: Source) -> None:
    """Read a source's file as landing does, without typing its rows: a Parquet file is not copied, so it is gone through."""
    (file,) = list_files(settings, source)
    settings.lake.mkdir(parents=True, exist_ok=True)
    with scratch() as connection:
        columns = file_columns(connection, source, file)
        read(connection, source, file, columns, settings.lake)
        if source.reader.kind == "parquet":
            connection.execute("create table found as select * from src")


def _dlt(kind: Kind, folder: Path) -> None:
    """dlt's own way from a file to a folder of Parquet files, by the fastest of its readers for the kind."""
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")
    import dlt
    from dlt.destinations import filesystem as destination
    from dlt.sources import filesystem as readers

    place = folder / f"dlt-{kind.file}"
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(place / "state"),
        destination=destination(f"file://{place}/out"),
        dataset_name="bench",
    )
    files = readers.filesystem(f"file://{folder}/files", file_glob=kind.file)
    pipeline.run(
        (files | kind.dlt(readers)).with_name("orders"), loader_file_format="parquet", write_disposition="replace"
    )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
        for found in landings(Path(folder)):
            ours = f"{found.name}: {found.ours} {found.ours_seconds:.2f} s"
            print(f"{ours} | {found.yardstick} {found.yardstick_seconds:.2f} s | {found.ratio:.2f} | {found.on}")


if __name__ == "__main__":
    main()
