"""`python -m benchmarks.simulate`: seconds, peak memory and rows of writing simulated brands of several sizes.

Each size runs in a process of its own, so that its peak is its own. The files go to a temporary folder and are deleted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

SIZES = ((1_000, 150.0), (20_000, 150.0))  # members and events of each
MILLION = (1_000_000, 50.0)
_KIB = 1024


def measure(members: int, events_per_member: float, folder: Path) -> dict[str, float]:
    """Seconds, peak bytes, bytes on disk and rows of one brand, written in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "simulator",
        "--members",
        str(members),
        "--events-per-member",
        str(events_per_member),
    ]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--target", str(folder / "sources"), "--truth", str(folder / "truth")])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(
            f"the simulator ended with {process.returncode} at {members:,} members; its message is above"
        )
    seconds = time.perf_counter() - started
    rows = json.loads((folder / "sources" / "simulation.json").read_text(encoding="utf-8"))["rows"]
    return {
        "seconds": seconds,
        "peak": usage.ru_maxrss * _KIB,
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "rows": sum(rows.values()),
        "events": sum(count for name, count in rows.items() if "/events/" in name),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulate", description=__doc__)
    parser.add_argument("--million", action="store_true", help="also 1,000,000 members with 50 events each")
    sizes = [*SIZES, *([MILLION] if parser.parse_args().million else [])]
    table = Table(title="Writing a simulated brand", title_justify="left")
    for name in ("members", "events", "rows", "seconds", "peak GiB", "on disk GiB"):
        table.add_column(name, justify="right")
    for members, events_per_member in sizes:
        with tempfile.TemporaryDirectory(prefix="tessera-simulate-") as folder:
            found = measure(members, events_per_member, Path(folder))
        table.add_row(
            f"{members:,}", f"{found['events']:,.0f}", f"{found['rows']:,.0f}", f"{found['seconds']:.1f}",
            f"{found['peak'] / _KIB**3:.2f}", f"{found['bytes'] / _KIB**3:.2f}",
        )  # fmt: skip
    Console(width=120).print(table)
    print(f"{os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
