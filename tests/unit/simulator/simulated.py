"""What the tests of the simulator share: a small configuration with faults frequent enough to be counted, and how to read files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from simulator import MessRates, SimulatorConfig, Summary, write_brand

MESS = MessRates(
    duplicate_in_file=0.01,
    duplicate_across_files=0.005,
    late_event=0.01,
    future_event=0.002,
    skewed_device=0.03,
    malformed_row=0.004,
    null_required=0.004,
    unknown_event=0.005,
    phone_change_yearly=0.3,
    recycled_phone=0.9,
    test_account=0.01,
    internal_account=0.01,
    bots_per_10k_members=10,
    over_refund=0.2,
)
CONFIG = SimulatorConfig(members=1_200, days=200, seed=11, events_per_member=60, products=200, mess=MESS)


@dataclass(frozen=True)
class Written:
    """A brand on disk, and a connection that reads its files."""

    config: SimulatorConfig
    summary: Summary
    sources: Path
    truth: Path
    query: Callable[[str], list[tuple[Any, ...]]]

    def one(self, sql: str) -> Any:
        """The first value of the first row. `{s}` and `{t}` stand for the folders of sources and truth."""
        return self.query(sql)[0][0]


def write(config: SimulatorConfig, folder: Path, **more: Any) -> Written:
    sources, truth = folder / "sources", folder / "truth"
    summary = write_brand(config, sources, truth, **more)
    connection = duckdb.connect()

    def query(sql: str) -> list[tuple[Any, ...]]:
        return connection.execute(sql.replace("{s}", str(sources)).replace("{t}", str(truth))).fetchall()

    return Written(config, summary, sources, truth, query)


def csv(path: str, encoding: str = "utf-8", delimiter: str = ",") -> str:
    """A DuckDB relation of a delimited file of the sources, every column as text."""
    return (
        f"read_csv('{{s}}/{path}', all_varchar = true, header = true, delim = '{delimiter}', encoding = '{encoding}')"
    )


def events(system: str) -> str:
    """A DuckDB relation of a system's events: `line`, `doc` (the line where it is JSON) and the file's name."""
    return (
        "(select line, case when json_valid(line) then line end as doc, filename "
        f"from read_csv('{{s}}/{system}/events/*.gz', columns = {{'line': 'varchar'}}, header = false, auto_detect = false, "
        "delim = '\\x01', quote = '', escape = '', filename = true))"
    )
