"""Extracts: what was read of a database or an API, as immutable Parquet files with the state that lets reading go on.

The state stands in the file's own metadata, so rows and cursor are committed by one rename and can never disagree. An
extract is landed like any other source file, by `orchestration.landing.land`; reading the source belongs in
`orchestration.landing.extract.database` and `.api`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.landing.errors import LandingError
from orchestration.warehouse import scratch

FOLDER = "extracts"
_STATE_KEY = b"tessera.extract"
_TIME_FORMAT = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True)
class Extract:
    """One committed file and the state that stands in it."""

    path: Path
    state: dict[str, Any]

    @property
    def taken_at(self) -> datetime:
        return datetime.strptime(self.path.stem.rpartition("-")[0], _TIME_FORMAT).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Store:
    """The extracts of one source: `<lake>/extracts/<source>/<UTC time>-<n>.parquet`. Nothing is created by looking."""

    lake: Path
    source_name: str

    @property
    def root(self) -> Path:
        return self.lake / FOLDER / self.source_name

    @property
    def tmp(self) -> Path:
        """Files that are being written; a killed extraction leaves them, the next one removes them."""
        return self.root / ".tmp"

    @property
    def parts(self) -> Path:
        """Pages of a snapshot of an API that is not whole yet."""
        return self.root / ".parts"

    def files(self) -> list[Path]:
        """Committed extracts in the order they were taken."""
        return sorted(self.root.glob("*.parquet")) if self.root.is_dir() else []

    def newest(self, identity: dict[str, Any]) -> Extract | None:
        """The newest extract, if it was taken from what `identity` names (table and cursor, or endpoint and paging)."""
        files = self.files()
        if not files:
            return None
        extract = read_extract(files[-1])
        return extract if extract.state.get("identity") == identity else None

    def begin(self) -> None:
        """Remove what a killed extraction was writing. Call it only while holding the brand's run lock."""
        shutil.rmtree(self.tmp, ignore_errors=True)

    def moment(self, wanted: datetime) -> datetime:
        """When the next extraction is taken: `wanted`, or just after the last one if the clock was set back."""
        files = self.files()
        if not files:
            return wanted.astimezone(UTC)
        return max(wanted.astimezone(UTC), Extract(files[-1], {}).taken_at + timedelta(microseconds=1))

    def path(self, taken_at: datetime, number: int) -> Path:
        return self.root / f"{taken_at:{_TIME_FORMAT}}-{number:05d}.parquet"


def read_extract(path: Path) -> Extract:
    """A committed extract. Raises LandingError when its footer cannot be read or holds no state."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
        state = json.loads(metadata[_STATE_KEY])
    except (OSError, pa.ArrowInvalid, KeyError, ValueError) as error:
        raise LandingError(
            f"{path}: is no extract of ours, or damaged ({type(error).__name__}); restore it, or remove the folder "
            "to read the whole source again"
        ) from None
    return Extract(path, state)


class ExtractWriter:
    """Writes one file below the store's `.tmp`; `commit` moves it into place together with its state."""

    def __init__(self, store: Store, target: Path, schema: pa.Schema) -> None:
        store.tmp.mkdir(parents=True, exist_ok=True)
        self.schema = schema
        self.rows = 0
        self._target = target
        self.path = store.tmp / target.name
        self._writer = pq.ParquetWriter(self.path, schema, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        self.path.unlink(missing_ok=True)

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)
        self.rows += table.num_rows

    def finish(self, state: dict[str, Any]) -> None:
        """Close the file with `state` in it. It can be read from now on, but does not count before `commit`."""
        text = json.dumps(state, ensure_ascii=False, sort_keys=True)
        self._writer.add_key_value_metadata({_STATE_KEY.decode(): text})
        self._writer.close()

    def commit(self) -> Path:
        """Move the finished file into place: it exists from here on."""
        self._target.parent.mkdir(parents=True, exist_ok=True)
        for place, move in ((self.path, True), (self._target.parent, False)):
            descriptor = os.open(place, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if move:
                self.path.replace(self._target)
        return self._target


# ---- rows that are there already ---------------------------------------------------------------------------------


def digests(table: pa.Table) -> list[bytes]:
    """16 bytes of each row's content, whatever the order of its columns."""
    order = sorted(table.column_names)
    return [
        hashlib.blake2b(repr([row[name] for name in order]).encode(), digest_size=16).digest()
        for row in table.select(order).to_pylist()
    ]


def unseen(table: pa.Table, seen: Counter[bytes]) -> pa.Table:
    """The rows of `table` that `seen` does not hold. A row that is there twice was seen when it was seen twice."""
    if not seen:
        return table
    keep = []
    for digest in digests(table):
        is_new = seen[digest] <= 0
        keep.append(is_new)
        if not is_new:
            seen[digest] -= 1
    return table.filter(pa.array(keep, pa.bool_()))


def rows_from(store: Store, identity: dict[str, Any], column: str, value: Any, reaches: Any) -> Iterator[pa.Table]:
    """Rows of the committed extracts whose `column` is at least `value`, newest file first.

    `reaches(state)` says whether a file, and so some file before it, can hold such a row at all.
    """
    for path in reversed(store.files()):
        extract = read_extract(path)
        if extract.state.get("identity") != identity or not reaches(extract.state):
            return
        table = pq.read_table(path)
        least = pa.scalar(value, table.schema.field(column).type)
        yield table.filter(pc.field(column) >= least)


def fingerprint(path: Path) -> str:
    """A digest of a Parquet file's columns and rows, whatever the order of the rows.

    Both files of a comparison are read by the same DuckDB, whose hash of a row may change with its version.
    """
    with scratch() as connection:
        columns = connection.execute("describe select * from read_parquet(?)", [str(path)]).fetchall()
        # A sum, not an exclusive or: a row that is there twice must not vanish.
        counted = connection.execute(
            "select count(*), sum(hash(r)::hugeint) from read_parquet(?) as r", [str(path)]
        ).fetchone()
    return hashlib.sha256(repr((columns, counted)).encode()).hexdigest()
