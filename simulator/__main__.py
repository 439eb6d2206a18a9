"""`python -m simulator`: write a simulated brand."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import date
from pathlib import Path

from simulator.brand import BLOCK_MEMBERS, write_brand
from simulator.config import SimulatorConfig


def main(arguments: list[str] | None = None) -> int:
    defaults = SimulatorConfig()
    parser = argparse.ArgumentParser(prog="python -m simulator", description="Write a simulated brand and its truth.")
    parser.add_argument("--members", type=int, default=defaults.members)
    parser.add_argument("--start", type=date.fromisoformat, default=defaults.start, help="first day, YYYY-MM-DD")
    parser.add_argument("--days", type=int, default=defaults.days)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--events-per-member", type=float, default=defaults.events_per_member)
    parser.add_argument("--block-members", type=int, default=BLOCK_MEMBERS, help="members in memory at once")
    parser.add_argument("--target", type=Path, required=True, help="folder of the source files")
    parser.add_argument("--truth", type=Path, required=True, help="folder of the truth, apart from the sources")
    given = parser.parse_args(arguments)
    started = time.perf_counter()

    def tell(message: str) -> None:
        print(f"{time.perf_counter() - started:7.1f}s  {message}", file=sys.stderr, flush=True)

    try:
        config = SimulatorConfig(
            members=given.members,
            start=given.start,
            days=given.days,
            seed=given.seed,
            events_per_member=given.events_per_member,
        )
        write_brand(config, given.target, given.truth, tell, block_members=given.block_members)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
