"""The lake: where batches are, and how one is committed so that a killed load leaves nothing half-landed.

A batch is its manifest: data files are moved into place first, the manifest last, each by an atomic rename. A data file
without a manifest is a leftover that `recover` deletes. What goes into a batch belongs in `orchestration.landing.land`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from orchestration.landing.errors import LakeError

_CHUNK = 1 << 20
REPLAY_MARK = "#replay-"
_INSTANTS = ("loaded_at", "snapshot_at", "max_event_at")


@dataclass(frozen=True)
class Lake:
    """Paths of one brand's lake. Nothing is created by looking."""

    root: Path

    @property
    def batches(self) -> Path:
        return self.root / "batches"

    @property
    def tmp(self) -> Path:
        return self.root / ".tmp"

    def raw_dir(self, entity: str) -> Path:
        return self.root / "raw" / entity

    def quarantine_dir(self, entity: str) -> Path:
        return self.root / "quarantine" / entity

    def raw_file(self, entity: str, batch_id: str) -> Path:
        return self.raw_dir(entity) / f"{batch_id}.parquet"

    def quarantine_file(self, entity: str, batch_id: str) -> Path:
        return self.quarantine_dir(entity) / f"{batch_id}.parquet"

    def manifest_file(self, batch_id: str) -> Path:
        return self.batches / f"{batch_id}.json"


@dataclass(frozen=True)
class Batch:
    """One landed file of one entity: the manifest.

    rows_in = rows_landed + rows_quarantined. The lake file holds rows_landed + rows_tombstoned + rows_carried rows; a
    tombstone is the last known row of a key that a snapshot no longer has, a carried row stands in for one whose row is
    in quarantine. A file read in mode compare also had rows_unchanged rows, which are in earlier batches.
    """

    batch_id: str
    entity: str
    source_system: str
    source_file: str
    source_business_date: date | None
    content_hash: str
    mapping_hash: str
    file_size: int
    file_mtime_ns: int
    loaded_at: datetime
    rows_in: int
    rows_landed: int
    rows_quarantined: int
    rows_not_of_entity: int = 0
    cleaning_rule_hits: dict[str, int] = field(default_factory=dict)
    quarantine_reasons: dict[str, int] = field(default_factory=dict)
    extra_columns: list[str] = field(default_factory=list)
    # Not in manifests of the first version: they are read with these defaults.
    mode: str = "incremental"
    source_name: str = ""  # stem of the source's YAML
    snapshot_at: datetime | None = None  # full and compare: the time that the snapshot shows
    based_on: str | None = None  # full and compare: batch_id of the snapshot that it was compared with
    rows_tombstoned: int = 0
    rows_carried: int = 0
    rows_unchanged: int = 0
    columns: dict[str, str] = field(default_factory=dict)  # name → DuckDB type as read
    drift: list[dict[str, str]] = field(default_factory=list)  # column, kind (new, missing, retyped), policy
    max_event_at: datetime | None = None  # latest value of the entity's clock
    replay_of: str | None = None  # batch_id whose quarantined rows these are; the rows landed then stay

    @property
    def base_file(self) -> str:
        """The source file, without what marks a replay of some of its rows."""
        return self.source_file.partition(REPLAY_MARK)[0]

    def to_json(self) -> str:
        body = asdict(self)
        day = self.source_business_date
        body["source_business_date"] = day.isoformat() if day else None
        for name in _INSTANTS:
            body[name] = body[name].isoformat(timespec="microseconds") if body[name] else None
        return json.dumps(body, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Batch:
        body: dict[str, Any] = json.loads(text)
        day = body["source_business_date"]
        body["source_business_date"] = date.fromisoformat(day) if day else None
        for name in _INSTANTS:
            body[name] = datetime.fromisoformat(body[name]) if body.get(name) else None
        return cls(**body)


def make_batch_id(loaded_at: datetime, entity: str, *identity: str) -> str:
    """`<time>-<entity>-<hash8>`: sorts by time, differs between files that are landed at the same time."""
    digest = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:8]
    return f"{loaded_at:%Y%m%dT%H%M%S%fZ}-{entity}-{digest}"


def read_batches(lake: Lake) -> list[Batch]:
    """Every committed batch, oldest first. Raises LakeError on a manifest that cannot be read."""
    batches = []
    for path in lake.batches.glob("*.json") if lake.batches.is_dir() else ():
        try:
            batches.append(Batch.from_json(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise LakeError(
                f"{path}: manifest cannot be read; restore it, or delete it to land its file again"
            ) from error
    return sorted(batches, key=lambda batch: (batch.loaded_at, batch.batch_id))


def latest_batches(batches: Iterable[Batch]) -> dict[tuple[str, str, str], Batch]:
    """(entity, source_system, source_file) → its newest batch, given batches oldest first."""
    return {(batch.entity, batch.source_system, batch.source_file): batch for batch in batches}


class Ledger:
    """The batches of a lake, by what is asked of them while landing; those landed meanwhile are added."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self.batches: list[Batch] = []
        self._newest: dict[tuple[str, str, str], Batch] = {}
        self._by_source: dict[tuple[str, str, str], list[Batch]] = {}
        for batch in batches:
            self.add(batch)

    def add(self, batch: Batch) -> None:
        """Add a batch that is newer than those of its file."""
        self.batches.append(batch)
        self._newest[batch.entity, batch.source_system, batch.source_file] = batch
        self._by_source.setdefault((batch.entity, batch.source_system, batch.source_name), []).append(batch)

    def newest(self, entity: str, source_system: str, source_file: str) -> Batch | None:
        """The newest batch of a file."""
        return self._newest.get((entity, source_system, source_file))

    def of_source(self, entity: str, source_system: str, source_name: str) -> list[Batch]:
        """The batches of a source, oldest first."""
        return self._by_source.get((entity, source_system, source_name), [])


def committed_files(lake: Lake, entity: str) -> list[Path]:
    """Landed Parquet files of `entity` that have a manifest: safe to read even while another load is under way."""
    folder = lake.raw_dir(entity)
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else []
    return [path for path in files if lake.manifest_file(path.stem).exists()]


def sha256(path: Path) -> str:
    """Hex digest of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move(source: Path, target: Path) -> None:
    """Move a file to where it belongs, its content on disk before its name is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _sync(source)
    source.replace(target)


def commit(lake: Lake, batches: Sequence[tuple[Batch, Path, Path | None]]) -> None:
    """Move batches' finished files (data, quarantine) from lake/.tmp into place; a manifest, moved last, makes each exist.

    Folders are written through once for all: no manifest is there before the names of all data files are.
    """
    folders = set()
    for batch, raw, quarantine in batches:
        if quarantine is not None:
            _move(quarantine, lake.quarantine_file(batch.entity, batch.batch_id))
            folders.add(lake.quarantine_dir(batch.entity))
        _move(raw, lake.raw_file(batch.entity, batch.batch_id))
        folders.add(lake.raw_dir(batch.entity))
    for folder in sorted(folders):
        _sync(folder)
    for batch, _, _ in batches:
        manifest = lake.tmp / f"{batch.batch_id}.json"
        manifest.write_text(batch.to_json(), encoding="utf-8")
        _move(manifest, lake.manifest_file(batch.batch_id))
    if batches:
        _sync(lake.batches)


def recover(lake: Lake) -> list[Path]:
    """Delete what a killed load left behind, and say what it was. Call it only while holding the brand's run lock.

    Raises LakeError when a committed batch has lost its data file.
    """
    removed = []
    committed = {path.stem for path in lake.batches.glob("*.json")} if lake.batches.is_dir() else set()
    present = set()
    for area in ("raw", "quarantine"):
        folder = lake.root / area
        for path in folder.glob("*/*.parquet") if folder.is_dir() else ():
            if path.stem not in committed:
                path.unlink()
                removed.append(path)
            elif area == "raw":
                present.add(path.stem)
    for path in lake.tmp.iterdir() if lake.tmp.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        removed.append(path)
    lost = sorted(committed - present)
    if lost:
        raise LakeError(
            f"{lake.root}: {len(lost)} committed batch(es) have no data file, first {lost[0]}; "
            "restore the files, or delete these manifests in batches/ to land their sources again"
        )
    return removed
