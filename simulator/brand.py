"""Write a whole brand: its source files into one folder and its truth into another, each complete or not there at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from simulator.block import World, cohort_count, join_cohorts, make_cohort
from simulator.catalogue import build_catalogue
from simulator.config import COHORT_MEMBERS, VERSION, SimulatorConfig
from simulator.files import Files
from simulator.identities import make_keys
from simulator.seasons import build_seasons
from simulator.silos.behaviour_files import write_events
from simulator.silos.catalogue_files import write_brand_files
from simulator.silos.exports import Export, MessLog
from simulator.silos.marketing_files import write_marketing
from simulator.silos.members_files import write_members
from simulator.silos.orders_files import write_orders
from simulator.tables import rows
from simulator.truth import write_block_truth, write_mess, write_shared_truth

SIMULATION_FILE = "simulation.json"
BLOCK_MEMBERS = 20_000  # at 150 events each a block takes about 1.1 GiB at its peak
_WRITERS = 2


@dataclass(frozen=True)
class Summary:
    """What was written, or was there already. `files` and `truth` hold rows per file."""

    target: Path
    truth: Path
    fingerprint: str
    is_new: bool
    seconds: float
    files: dict[str, int]
    truth_files: dict[str, int]

    @property
    def rows(self) -> int:
        return sum(self.files.values())


def fingerprint(config: SimulatorConfig) -> str:
    """Two brands with the same fingerprint are the same, byte for byte where the blocks are the same size."""
    known = json.dumps({"version": VERSION, "config": config.as_json()}, sort_keys=True)
    return hashlib.sha256(known.encode()).hexdigest()


def write_brand(
    config: SimulatorConfig,
    target: Path,
    truth: Path,
    progress: Callable[[str], None] = lambda _: None,
    *,
    block_members: int = BLOCK_MEMBERS,
) -> Summary:
    """Write the brand's files below `target` and its truth below `truth`.

    Both folders are written beside their place and renamed when complete, the truth first, so that a run that is killed
    leaves nothing half-written and the next begins anew. Where both hold the same configuration and version already,
    nothing is done. Raises ValueError when one folder lies in the other, or when a folder holds files that are no
    simulation: they would be deleted.
    """
    target, truth = target.resolve(), truth.resolve()
    if target == truth or target in truth.parents or truth in target.parents:
        raise ValueError(f"truth ({truth}) and target ({target}) must lie apart: sources must never hold the truth")
    started = time.perf_counter()
    wanted = fingerprint(config)
    found = [_read(folder) for folder in (target, truth)]
    if all(one is not None and one["fingerprint"] == wanted for one in found):
        progress(f"simulated brand is there already ({config.members:,} members, seed {config.seed})")
        sources, known = found
        assert sources is not None and known is not None
        return Summary(target, truth, wanted, False, time.perf_counter() - started, sources["rows"], known["rows"])
    for folder, one in zip((target, truth), found, strict=True):
        if one is None and folder.exists() and any(folder.iterdir()):
            raise ValueError(f"{folder} holds files that are no simulated brand; give an empty folder, or remove them")

    folders = []
    for folder in (target, truth):
        folder.parent.mkdir(parents=True, exist_ok=True)
        for left in folder.parent.glob(f".{folder.name}.writing-*"):
            shutil.rmtree(left)
        folders.append(Path(tempfile.mkdtemp(prefix=f".{folder.name}.writing-", dir=folder.parent)))
    try:
        sources_files, truth_files = Files(folders[0]), Files(folders[1])
        _write_all(config, sources_files, truth_files, block_members, progress)
        for files in (truth_files, sources_files):
            files.close()
            _describe(files, config, wanted)
        for folder, written in ((truth, folders[1]), (target, folders[0])):
            if folder.exists():
                shutil.rmtree(folder)
            written.rename(folder)
    except BaseException:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    seconds = time.perf_counter() - started
    summary = Summary(target, truth, wanted, True, seconds, dict(sources_files.rows), dict(truth_files.rows))
    progress(f"{config.members:,} members: {summary.rows:,} rows in {len(summary.files)} files, {seconds:.0f} s")
    return summary


def _write_all(
    config: SimulatorConfig, files: Files, truth: Files, block_members: int, progress: Callable[[str], None]
) -> None:
    world = World(config, build_catalogue(config), build_seasons(config))
    write_brand_files(world, files)
    write_shared_truth(world, truth)
    log = MessLog()
    count = cohort_count(config)
    size = max(1, block_members // COHORT_MEMBERS)
    waiting: list[Future[None]] = []
    events = 0
    with ThreadPoolExecutor(_WRITERS) as pool:
        for first in range(0, count, size):
            block = join_cohorts([make_cohort(world, cohort) for cohort in range(first, min(first + size, count))])
            keys = make_keys(block["people"])
            for future in waiting:  # a file takes its blocks in order
                future.result()
            export = Export(world, block, keys, files, log)
            waiting = write_events(export, pool)
            write_members(export)
            write_orders(export)
            write_marketing(export)
            write_block_truth(world, block, keys, truth)
            events += rows(block["events"])
            done = min((first + size) * COHORT_MEMBERS, config.members)
            progress(f"{done:,} of {config.members:,} members, {events:,} events")
        for future in waiting:
            future.result()
    write_mess(log, truth)


def _read(folder: Path) -> dict | None:
    try:
        document = json.loads((folder / SIMULATION_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) and {"fingerprint", "rows"} <= set(document) else None


def _describe(files: Files, config: SimulatorConfig, wanted: str) -> None:
    document = {
        "fingerprint": wanted,
        "version": VERSION,
        "config": config.as_json(),
        "rows": dict(sorted(files.rows.items())),
        "sha256": files.hashes(),
    }
    (files.root / SIMULATION_FILE).write_text(
        json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
