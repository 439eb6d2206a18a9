"""The quarantine: what is set aside, why, what it looks like without showing it, and landing it after the mapping is fixed.

Rows are set aside in `orchestration.landing.land`. No function here gives a real value of a row: samples keep the shape of
a value only. The commands over these functions belong in `orchestration.cli`.
"""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and from names of the contract)
from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.brands import Brand, CsvReader, Source
from orchestration.landing import lake as lakes
from orchestration.landing.batches import (
    Content,
    Load,
    NothingLanded,
    PendingFile,
    land_file,
    land_rows,
    moment_after,
)
from orchestration.landing.contract import QUARANTINE_COLUMNS
from orchestration.landing.errors import LandingError
from orchestration.landing.lake import REPLAY_MARK, Batch, Lake, Ledger
from orchestration.landing.land import loading
from orchestration.landing.mapping import mapping_hash
from orchestration.landing.readers import ROW_NUMBER, SourceFile, identifier, list_files
from orchestration.settings import Settings
from orchestration.warehouse import scratch

_LINE = "csv_line"  # the one key of a record that could not be split
_KEPT_CATEGORIES = ("P", "S", "Z")  # punctuation, symbols, blanks


@dataclass(frozen=True)
class QuarantinedRow:
    """Where a row that is set aside stands, and why. `reason` may hold several, separated by `; `."""

    batch_id: str
    entity: str
    source_system: str
    source_file: str
    source_row_number: int
    reason: str
    loaded_at: datetime

    @property
    def field(self) -> str:
        """The field of the first reason."""
        return self.reason.partition(":")[0]


@dataclass(frozen=True)
class QuarantineCount:
    """How many rows of a file are set aside for one reason. A row with two reasons counts in both."""

    entity: str
    source_system: str
    source_file: str
    field: str
    reason: str
    row_count: int


@dataclass(frozen=True)
class MaskedRow:
    """A row that is set aside, its values by their shape only."""

    entity: str
    source_file: str
    source_row_number: int
    reason: str
    values: dict[str, str | None]


@dataclass(frozen=True)
class Replay:
    """What came of replaying the quarantined rows of one file.

    `how`: "file" = the whole file was landed again; "rows" = its file is gone and the rows alone were; "skipped", with the
    reason in `problem`. rows_replayed = rows_landed + rows_quarantined: of the rows that were set aside, how many are
    accepted now (those that the mapping's `where` leaves out among them) and how many are not.
    """

    entity: str
    source_file: str
    how: str
    rows_replayed: int
    rows_landed: int
    rows_quarantined: int
    batch: Batch | None = None
    problem: str | None = None


# ---- looking ------------------------------------------------------------------------------------------------------


def current_batches(
    batches: Iterable[Batch], *, entity: str | None = None, source_file: str | None = None
) -> list[Batch]:
    """Batches whose quarantined rows are still set aside, oldest first.

    That is the newest batch of every file, unless its rows were replayed: then what still failed is in the replay's batch.
    """
    ledger = Ledger(batches)
    newest = [b for b in ledger.batches if ledger.newest(b.entity, b.source_system, b.source_file) is b]
    replayed = {batch.replay_of for batch in newest}
    found = []
    for batch in newest:
        base = ledger.newest(batch.entity, batch.source_system, batch.base_file)
        is_stale = batch.replay_of is not None and base is not None and base.loaded_at > batch.loaded_at
        if batch.rows_quarantined and batch.batch_id not in replayed and not is_stale:
            found.append(batch)
    return [
        batch
        for batch in found
        if (entity is None or batch.entity == entity)
        and (source_file is None or source_file in (batch.source_file, batch.base_file))
    ]


def list_quarantine(
    settings: Settings,
    *,
    entity: str | None = None,
    source_file: str | None = None,
    reason: str | None = None,
    limit: int = 100,
) -> list[QuarantinedRow]:
    """The rows that are set aside now, by entity, file and line, at most `limit`. `reason`: part of it, such as `phone:`.

    Rows of a file that was landed again since, or that were replayed, are not set aside any more and are left out.
    """
    with scratch() as connection:
        batches = _view(connection, settings, entity, source_file)
        rows = connection.execute(
            "select batch_id, source_system, source_file, source_row_number, reason, loaded_at from quarantined "
            "where contains(reason, ?) order by entity, source_file, source_row_number, reason limit ?",
            [reason or "", limit],
        ).fetchall()
    return [QuarantinedRow(row[0], batches[row[0]].entity, *row[1:]) for row in rows]


def counts(
    settings: Settings, *, entity: str | None = None, source_file: str | None = None, reason: str | None = None
) -> list[QuarantineCount]:
    """How many rows are set aside now, by file and reason, from the manifests alone; the largest of a file first."""
    return [
        QuarantineCount(b.entity, b.source_system, b.source_file, why.partition(":")[0], why, count)
        for b in sorted(
            current_batches(_batches(settings), entity=entity, source_file=source_file),
            key=lambda b: (b.entity, b.source_file),
        )
        for why, count in sorted(b.quarantine_reasons.items(), key=lambda pair: (-pair[1], pair[0]))
        if (reason or "") in why
    ]


def masked_samples(
    settings: Settings,
    *,
    entity: str | None = None,
    source_file: str | None = None,
    reason: str | None = None,
    limit: int = 5,
) -> list[MaskedRow]:
    """A few of the rows that are set aside now, each value masked by its shape (see `mask`).

    A record that could not be split into its columns has one value, `csv_line`.
    """
    with scratch() as connection:
        batches = _view(connection, settings, entity, source_file)
        rows = connection.execute(
            "select batch_id, source_file, source_row_number, reason, source_row from quarantined "
            "where contains(reason, ?) order by entity, source_file, source_row_number, reason limit ?",
            [reason or "", limit],
        ).fetchall()
    return [
        MaskedRow(batches[batch_id].entity, file, number, why, _masked(source_row))
        for batch_id, file, number, why, source_row in rows
    ]


def mask(text: str) -> str:
    """A value by its shape: letters x, digits 9, Chinese, Japanese and Korean characters 〇, punctuation as it is."""
    return "".join(_mask_character(character) for character in text)


def _mask_character(character: str) -> str:
    category = unicodedata.category(character)
    if category.startswith("N"):
        return "9"
    if category.startswith(_KEPT_CATEGORIES):
        # Emoji and other signs are somebody's choice of words too.
        return "x" if category == "So" else character
    if category == "Lo" and unicodedata.east_asian_width(character) in ("W", "F", "H"):
        return "〇"
    return "x" if category[0] in "LM" else " "


def _masked(source_row: str) -> dict[str, str | None]:
    return {name: None if value is None else mask(_text(value)) for name, value in json.loads(source_row).items()}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _batches(settings: Settings) -> list[Batch]:
    return lakes.read_batches(Lake(settings.lake))


def _view(
    connection: duckdb.DuckDBPyConnection, settings: Settings, entity: str | None, source_file: str | None
) -> dict[str, Batch]:
    """Make the table `quarantined` of the rows that are set aside now; gives their batches by id."""
    lake = Lake(settings.lake)
    batches = current_batches(_batches(settings), entity=entity, source_file=source_file)
    columns = ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in QUARANTINE_COLUMNS)
    connection.execute(f"create temp table quarantined as select '' as entity, {columns} where false")
    for batch in batches:
        connection.execute(
            "insert into quarantined by name select ? as entity, * from read_parquet(?)",
            [batch.entity, str(lake.quarantine_file(batch.entity, batch.batch_id))],
        )
    return {batch.batch_id: batch for batch in batches}


# ---- replaying ----------------------------------------------------------------------------------------------------


def replay(
    settings: Settings,
    brand: Brand,
    *,
    entity: str | None = None,
    source_file: str | None = None,
    loaded_at: datetime | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> list[Replay]:
    """Land what is set aside once more, as the brand's mappings read it now; one result for each file that has such rows.

    Where the file is still there, it is landed again whole. Where it is gone, its quarantined rows alone are, as a batch
    of `<file>#replay-<n>` beside the rows that were landed then; what fails again stays set aside. The limit on the share
    of bad rows holds for a whole file, not for such rows. Call it while holding the brand's run lock.
    """
    with loading(Lake(settings.lake), loaded_at, log) as load:
        listed: dict[str, list[SourceFile]] = {}
        results = []
        for batch in current_batches(load.ledger.batches, entity=entity, source_file=source_file):
            results.append(_replay_batch(settings, brand, load, batch, listed))
            log(_told(results[-1]))
    return results


def _told(result: Replay) -> str:
    if result.how == "skipped":
        return f"{result.entity}: {result.source_file}: not replayed: {result.problem}"
    return (
        f"{result.entity}: {result.source_file}: of {result.rows_replayed:,} quarantined rows {result.rows_landed:,} "
        f"landed, {result.rows_quarantined:,} stay in quarantine"
    )


def _replay_batch(
    settings: Settings, brand: Brand, load: Load, batch: Batch, listed: dict[str, list[SourceFile]]
) -> Replay:
    def skipped(problem: str) -> Replay:
        held = batch.rows_quarantined
        return Replay(batch.entity, batch.source_file, "skipped", held, 0, held, problem=problem)

    source = _source_of(brand, batch)
    if source is None:
        return skipped("no source of the brand maps it any more")
    if source.name not in listed:
        try:
            listed[source.name] = list_files(settings, source)
        except LandingError:
            listed[source.name] = []
    load.present = {file.name for file in listed[source.name]}
    file = next((file for file in listed[source.name] if file.name == batch.base_file), None)
    try:
        if file is not None:
            return _replay_file(load, source, batch, file)
        return _replay_rows(load, source, batch)
    except LandingError as error:
        return skipped(str(error))


def _source_of(brand: Brand, batch: Batch) -> Source | None:
    candidates = [s for s in brand.sources if s.source_system == batch.source_system and batch.entity in s.entities]
    named = [source for source in candidates if source.name == batch.source_name]
    return (named or candidates or [None])[0]


def _replay_file(load: Load, source: Source, batch: Batch, file: SourceFile) -> Replay:
    previous = load.ledger.newest(batch.entity, source.source_system, file.name)
    item = PendingFile(batch.entity, source, file, mapping_hash(source, batch.entity), previous)
    landed = land_file(load, item)
    held = min(batch.rows_quarantined, landed.rows_quarantined)
    return Replay(
        batch.entity, file.name, "file", batch.rows_quarantined, batch.rows_quarantined - held, held, batch=landed
    )


def _replay_rows(load: Load, source: Source, batch: Batch) -> Replay:
    """Land the quarantined rows of a file that is gone, beside the rows of it that were landed."""
    connection, held = load.connection, batch.rows_quarantined
    _check_newest(load, source, batch)
    path = load.lake.quarantine_file(batch.entity, batch.batch_id)
    rejected = _read_back(connection, source, batch, path)
    number = int(batch.source_file.rpartition(REPLAY_MARK)[2]) + 1 if batch.replay_of else 1
    name = f"{batch.base_file}{REPLAY_MARK}{number}"
    item = PendingFile(
        batch.entity, source, SourceFile(path, name, batch.source_business_date), mapping_hash(source, batch.entity)
    )
    moment = moment_after(load.next_moment(), batch)
    content = Content(lakes.sha256(path), path.stat(), batch.columns, rejected, moment, replay_of=batch)
    try:
        landed = land_rows(load, item, content)
    except NothingLanded:
        return Replay(batch.entity, batch.source_file, "rows", held, 0, held)
    stays = landed.rows_quarantined
    return Replay(batch.entity, batch.source_file, "rows", held, held - stays, stays, batch=landed)


def _check_newest(load: Load, source: Source, batch: Batch) -> None:
    if source.is_snapshot != (batch.snapshot_at is not None):
        raise LandingError(f"it was landed in mode {batch.mode}, {source.file} is in mode {source.mode} now")
    later = [
        other
        for other in load.ledger.of_source(batch.entity, source.source_system, source.name)
        if other.snapshot_at is not None and batch.snapshot_at is not None and other.snapshot_at > batch.snapshot_at
    ]
    if later:
        raise LandingError(f"a later snapshot, {later[-1].source_file}, has taken its place")


def _read_back(connection: duckdb.DuckDBPyConnection, source: Source, batch: Batch, path: Path) -> int:
    """Make `src` and `rejected` of a batch's quarantined rows; gives how many cannot be split into columns even now."""
    kept = connection.execute(
        f"select {ROW_NUMBER}, reason, source_row from read_parquet(?) order by {ROW_NUMBER}", [str(path)]
    ).fetchall()
    good: list[tuple[int, dict[str, str | None]]] = []
    rejected: list[tuple[int, str, str]] = []
    for number, reason, source_row in kept:
        record = _record(source, batch, reason, json.loads(source_row))
        if record is None:
            rejected.append((number, reason, source_row))
        else:
            good.append((number, record))
    table = pa.table(
        {
            ROW_NUMBER: pa.array([number for number, _ in good], pa.int64()),
            **{name: pa.array([record.get(name) for _, record in good], pa.string()) for name in batch.columns},
        }
    )
    casts = ", ".join(
        f"try_cast({identifier(name)} as {type_}) as {identifier(name)}" for name, type_ in batch.columns.items()
    )
    connection.register("read_back", table)
    connection.execute("drop view if exists src")
    connection.execute(f"create or replace temp table src_rows as select {ROW_NUMBER}, {casts} from read_back")
    connection.unregister("read_back")
    connection.execute("create or replace temp view src as select * from src_rows")
    connection.execute(
        f"create or replace temp table rejected ({ROW_NUMBER} bigint, reason varchar, source_row varchar)"
    )
    if rejected:
        connection.executemany("insert into rejected values (?, ?, ?)", rejected)
    return len(rejected)


def _record(source: Source, batch: Batch, reason: str, source_row: dict[str, object]) -> dict[str, str | None] | None:
    """Column → text of a quarantined row; None when it cannot be split into columns, or holds broken bytes."""
    if not reason.startswith("malformed_row"):
        return {name: None if value is None else _text(value) for name, value in source_row.items()}
    reader = source.reader
    if set(source_row) != {_LINE} or not isinstance(reader, CsvReader) or "\ufffd" in str(source_row[_LINE]):
        return None
    cells = next(_split(reader, str(source_row[_LINE])), [])
    if len(cells) != len(batch.columns):
        return None
    return {name: None if cell in reader.null_values else cell for name, cell in zip(batch.columns, cells, strict=True)}


def _split(reader: CsvReader, line: str) -> Iterator[list[str]]:
    if reader.delimiter == "whitespace":
        yield line.split()
        return
    quoting = csv.QUOTE_MINIMAL if reader.quote else csv.QUOTE_NONE
    try:
        yield from csv.reader([line], delimiter=reader.delimiter, quotechar=reader.quote or None, quoting=quoting)
    except csv.Error:
        return
