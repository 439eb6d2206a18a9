"""`python -m benchmarks`: run every measurement on one brand in a temporary folder, and print the table.

Under four minutes on two busy cores. Without the data it says what is missing and ends with 0.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.extract import extractions
from benchmarks.lake import NoData, write_brand
from benchmarks.landing import landings
from benchmarks.measures import MEASURES, Measure

os.environ.update(GX_ANALYTICS_ENABLED="false", DBT_SEND_ANONYMOUS_USAGE_STATS="false")

_LANDED_ROWS = 200_000  # `python -m benchmarks.landing` takes a million
_WIDTH = 170  # a row is a line, also when the output goes into a file


def main() -> int:
    console, told = Console(width=_WIDTH), Console(stderr=True)
    started = time.perf_counter()
    table = Table(title="Ours against a yardstick, in one run", title_justify="left")
    for name in ("measure", "ours", "seconds", "yardstick", "seconds", "ratio", "on"):
        table.add_column(name, justify="right" if name in ("seconds", "ratio") else "left")
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
        try:
            settings = write_brand(Path(folder))
        except NoData as missing:
            console.print(f"skipped: {missing}")
            return 0
        for measure in MEASURES:
            told.print(f"{time.perf_counter() - started:6.1f}s  {measure.__name__}", highlight=False)
            table.add_row(*_cells(measure(settings)))
        told.print(f"{time.perf_counter() - started:6.1f}s  landings", highlight=False)
        for found in landings(Path(folder) / "landings", _LANDED_ROWS):
            table.add_row(*_cells(found))
        told.print(f"{time.perf_counter() - started:6.1f}s  extractions", highlight=False)
        try:
            for found in extractions(Path(folder)):
                table.add_row(*_cells(found))
        except RuntimeError as missing:  # no server, or one that does not start
            console.print(f"skipped: extraction: {missing}")
    console.print(table)
    console.print(f"{time.perf_counter() - started:.0f} s in all, {os.cpu_count()} cores", highlight=False)
    return 0


def _cells(found: Measure) -> tuple[str, ...]:
    return (
        found.name,
        found.ours,
        f"{found.ours_seconds:.2f}",
        found.yardstick,
        f"{found.yardstick_seconds:.2f}",
        f"{found.ratio:.2f}",
        found.on,
    )


if __name__ == "__main__":
    sys.exit(main())
