"""What every system's export needs: the block with its ids, rows by file, and the list of what was dirtied on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from simulator import mess, text
from simulator.block import Block, World
from simulator.config import SimulatorConfig
from simulator.files import Files
from simulator.identities import Keys
from simulator.mess import MALFORMED, NO_TIME, TWICE, TWICE_ACROSS, file_of


@dataclass
class MessLog:
    """Rows dirtied on purpose: kind, source system, file, and the key by which the row can be found."""

    kinds: list[pa.Array] = field(default_factory=list)
    sources: list[pa.Array] = field(default_factory=list)
    files: list[pa.Array] = field(default_factory=list)
    keys: list[pa.Array] = field(default_factory=list)

    def add(self, kind: pa.Array | str, source: str, file: pa.Array | str, keys: pa.Array) -> None:
        size = len(keys)
        self.kinds.append(kind if isinstance(kind, pa.Array) else pa.repeat(pa.scalar(kind), size))
        self.sources.append(pa.repeat(pa.scalar(source), size))
        self.files.append(file if isinstance(file, pa.Array) else pa.repeat(pa.scalar(file), size))
        self.keys.append(keys)

    def columns(self) -> dict[str, pa.Array]:
        return {
            name: pa.chunked_array(parts, pa.string()).combine_chunks() if parts else pa.array([], pa.string())
            for name, parts in (
                ("kind", self.kinds), ("source_system", self.sources), ("file", self.files), ("row_key", self.keys),
            )
        }  # fmt: skip


@dataclass(frozen=True)
class Export:
    """A block on its way into files."""

    world: World
    block: Block
    keys: Keys
    files: Files
    log: MessLog

    @property
    def config(self) -> SimulatorConfig:
        return self.world.config

    def clock(self, seconds: np.ndarray) -> pa.Array:
        return text.clock(self.config, seconds)


def month_names(config: SimulatorConfig, edges: np.ndarray) -> list[str]:
    """Names of exports by their last day, such as 202507."""
    return [str(np.datetime64(config.start) + int(edge)).replace("-", "")[:6] for edge in edges]


def by_file(
    export: Export, source: str, pattern: str, at: np.ndarray, fault: np.ndarray | None, keys: pa.Array, months: int = 1
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Files of an export that comes every so many months: name, rows by time, and which of them are cut off.

    Rows with a fault are repeated here, in the same file or in the next; `fault` is by row (`mess.row_faults`), `keys` are
    what the truth calls them. NO_TIME is left to the caller: only it knows which field to empty.
    """
    config = export.config
    edges = mess.month_edges(config, months)
    names = month_names(config, edges)
    place = file_of(at // 86_400, edges)
    row = np.arange(len(at))
    if fault is not None:
        twice = np.flatnonzero(fault == TWICE)
        across = np.flatnonzero((fault == TWICE_ACROSS) & (place < len(edges) - 1))
        row = np.concatenate([row, twice, across])
        place = np.concatenate([place, place[twice], place[across] + 1])
        for kind, which in (("duplicate_in_file", twice), ("duplicate_across_files", across)):
            name = text.pick(
                [pattern.format(n) for n in names],
                place[len(at) :][: len(twice)] if kind == "duplicate_in_file" else place[len(at) + len(twice) :],
            )
            export.log.add(kind, source, name, keys.take(pa.array(which)))
        for kind, code in (("malformed_row", MALFORMED), ("null_required", NO_TIME)):
            which = np.flatnonzero(fault == code)
            name = text.pick([pattern.format(n) for n in names], place[which])
            export.log.add(kind, source, name, keys.take(pa.array(which)))
    order = np.lexsort((row, at[row], place))
    row, place = row[order], place[order]
    bounds = np.searchsorted(place, np.arange(len(edges) + 1))
    for number, name in enumerate(names):
        mine = row[bounds[number] : bounds[number + 1]]
        broken = np.zeros(len(mine), dtype=bool) if fault is None else fault[mine] == MALFORMED
        yield pattern.format(name), mine, broken
