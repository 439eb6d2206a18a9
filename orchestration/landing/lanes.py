"""Work of several sources side by side: what each gives is taken in one thread, in the order in which it comes.

DuckDB reads a file of some ten thousand rows, and Python unpacks one, with one processor each: two sources are landed in half the
time. The files of one source stay in turn, because each is compared with the one before it. What landing a file is belongs
in `orchestration.landing.batches`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
from typing import TypeVar

MAX_LANES = 4  # each has a database in memory of its own
Item = TypeVar("Item")
Lane = Callable[[], Iterator[Item]]


def side_by_side(lanes: Sequence[Lane[Item]], workers: int | None = None) -> Iterator[Item]:
    """Give what the lanes give, of up to `workers` (default: one a processor, at most 4) of them at a time.

    An error of a lane is raised here, once the others have come to the end of the item that they were at; so is what
    interrupts the reader.
    """
    workers = min(len(lanes), workers or min(os.cpu_count() or 1, MAX_LANES))
    if workers <= 1:
        for lane in lanes:
            yield from lane()
        return
    given: SimpleQueue[tuple[str, Item | BaseException | None]] = SimpleQueue()
    stopped = Event()

    def drive(lane: Lane[Item]) -> None:
        try:
            if not stopped.is_set():
                for item in lane():
                    given.put(("item", item))
                    if stopped.is_set():
                        break
        except BaseException as error:
            given.put(("error", error))
        else:
            given.put(("end", None))

    with ThreadPoolExecutor(workers, thread_name_prefix="landing") as pool:
        try:
            for lane in lanes:
                pool.submit(drive, lane)
            open_lanes = len(lanes)
            while open_lanes:
                kind, value = given.get()
                if kind == "item":
                    yield value  # type: ignore[misc]
                elif kind == "error":
                    assert isinstance(value, BaseException)
                    raise value
                else:
                    open_lanes -= 1
        finally:
            stopped.set()
