"""One writer at a time per brand.

The lock is a kernel lock (flock) on `settings.lock_file`: a holder that dies, however it dies, lets go of it. A side
file says who holds it and is only ever read to word a message. Which work needs the lock is decided by whoever writes
(a run, `tessera rollback`); opening DuckDB belongs in `orchestration.warehouse`.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestration.settings import Settings

_POLL_SECONDS = 0.1  # a waiting run starts at most this long after the other ends


@dataclass(frozen=True)
class Holder:
    """The process that holds a brand's lock; `started_at` is ISO 8601 in UTC."""

    pid: int
    started_at: str
    command: str


class RunLocked(RuntimeError):
    """Another process is writing this brand. str() says who, since when, and what to do."""

    def __init__(self, settings: Settings, holder: Holder | None) -> None:
        self.brand = settings.brand
        self.holder = holder
        by = f"process {holder.pid} (`{holder.command}`) since {holder.started_at}" if holder else "another process"
        waited = f" after waiting {settings.lock_wait_seconds:g} s" if settings.lock_wait_seconds else ""
        super().__init__(
            f"brand {settings.brand} is locked by {by}{waited}. Wait for it to end and run again, or set "
            "TESSERA_LOCK_WAIT_SECONDS to wait (such as 600). The lock goes with its process: no file needs removing."
        )


def holder_file(settings: Settings) -> Path:
    """The side file with the holder of the lock; absent when nobody holds it."""
    return settings.lock_file.with_name(settings.lock_file.name + ".json")


def read_holder(settings: Settings) -> Holder | None:
    """The living process that holds the lock; None when nobody does or it cannot be told."""
    try:
        holder = Holder(**json.loads(holder_file(settings).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return holder if is_alive(holder.pid) else None


def is_alive(pid: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, as somebody else
        return True
    return True


def _write_holder(settings: Settings) -> None:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
    holder = Holder(pid=os.getpid(), started_at=datetime.now(UTC).isoformat(timespec="seconds"), command=command)
    target = holder_file(settings)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.write_text(json.dumps(asdict(holder)), encoding="utf-8")
    temporary.replace(target)


def _acquire(descriptor: int, wait_seconds: float) -> bool:
    """Whether the lock could be had within `wait_seconds` (>= 0)."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            left = deadline - time.monotonic()
            if not left > 0:
                return False
            time.sleep(min(_POLL_SECONDS, left))
        else:
            return True


# Locks that this process holds and lends to what it runs.
_lent: set[Path] = set()


@contextmanager
def brand_lock(settings: Settings, *, lend: bool = False) -> Iterator[Holder | None]:
    """Hold the brand's lock for the length of the block; gives the holder as others see it.

    Waits `settings.lock_wait_seconds`, then raises RunLocked. A second one in the same process is refused too, unless the
    first one lends its lock (`lend`): the `tessera` command does, to the Dagster run that it starts in its own process.
    """
    if settings.lock_file in _lent:
        yield read_holder(settings)
        return
    settings.lock_file.parent.mkdir(parents=True, exist_ok=True)
    # The lock file stays when the lock is given back: removing it would let two waiters lock two different files.
    descriptor = os.open(settings.lock_file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _acquire(descriptor, settings.lock_wait_seconds):
            raise RunLocked(settings, read_holder(settings))
        with suppress(OSError):  # a full disk must not make the lock fail: the side file only words a message
            _write_holder(settings)
        if lend:
            _lent.add(settings.lock_file)
        try:
            yield read_holder(settings)
        finally:
            _lent.discard(settings.lock_file)
            holder_file(settings).unlink(missing_ok=True)
    finally:
        os.close(descriptor)
