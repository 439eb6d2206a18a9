"""From files to batches: rows are read, typed and judged, and what comes of them is committed, good or quarantined.

Which files are landed, and when, belongs in `orchestration.landing.land`; what a row means in `mapping`, whether a file has
the columns it should in `drift`, what a snapshot changed in `snapshots`, where batches live in `lake`.
"""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and from the brand's checked expressions)
from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration.brands import Source
from orchestration.landing import lake as lakes
from orchestration.landing import snapshots
from orchestration.landing.contract import Entity, load_contract
from orchestration.landing.drift import Reading, find_reading
from orchestration.landing.errors import LandingError
from orchestration.landing.lake import Batch, Lake, Ledger
from orchestration.landing.mapping import (
    FILE_NUMBER,
    TEXT_READERS,
    expressions,
    parse_expression,
    rejecting_sql,
    rule_hits,
    try_is_safe,
    typed_sql,
)
from orchestration.landing.readers import (
    ROW_NUMBER,
    SourceFile,
    file_columns,
    identifier,
    literal,
    read,
    read_together,
)

# Small files share their queries: planning one costs more than the rows of such a file.
GROUP_FILES = 64
GROUP_BYTES = 32 << 20
SMALL_BYTES = 4 << 20
_ALL_ROWS = "true"


class NothingLanded(LandingError):
    """Every quarantined row that was replayed breaks the contract still."""


@dataclass(frozen=True)
class PendingFile:
    """A file whose content, as its mapping reads it now, is not in the lake. `previous` is the file's newest batch."""

    entity: str
    source: Source
    file: SourceFile
    mapping_hash: str
    previous: Batch | None = None

    @property
    def path(self) -> Path:
        return self.file.path

    @property
    def business_date(self) -> date | None:
        """The day that a daily file is for. The date of a snapshot says when it was taken, not which day it is for."""
        return self.file.business_date if self.source.is_daily else None


@dataclass
class Load:
    """What the files of one load share."""

    connection: duckdb.DuckDBPyConnection
    lake: Lake
    ledger: Ledger
    next_moment: Callable[[], datetime]  # loaded_at of the file whose turn it is
    log: Callable[[str], None]
    tmp: Path  # of this load alone: files of two sources may have one name
    present: set[str] = field(default_factory=set)  # names of the files that are there, of snapshot sources
    readings: dict[object, Reading] = field(default_factory=dict)
    state_of: tuple[str, str, str | None] | None = None  # entity, source and batch that the temp table `state` shows


@dataclass(frozen=True)
class Content:
    """What a file holds, standing in `src` and `rejected`. `moment` is its loaded_at; `check` raises when it was not whole.

    `replay_of`: the batch whose quarantined rows these are; of such rows nothing is committed unless some of them land.
    """

    hash: str
    status: os.stat_result
    columns: dict[str, str]
    rejected: int
    moment: datetime
    check: Callable[[], None] = lambda: None
    replay_of: Batch | None = None


@dataclass(frozen=True)
class _Judged:
    """The rows of one file in `src`, `typed` and `rejected`: those of which `only` is true, and what was counted of them."""

    only: str
    rows_source: int
    rows_typed: int
    rows_bad: int
    max_event_at: datetime | None
    hits: dict[str, int]


@dataclass(frozen=True)
class _Written:
    """A batch whose files are in lake/.tmp."""

    batch: Batch
    raw: Path
    quarantine: Path | None


def open_file(load: Load, item: PendingFile) -> Content:
    """Read one file as `src` and `rejected`. Raises LandingError when it cannot be read."""
    return _read(load, item, _look(load, item))


def _look(load: Load, item: PendingFile) -> Content:
    """What is known of a file before its rows are read."""
    file = item.file
    before = file.path.stat()
    content_hash = lakes.sha256(file.path)
    columns = file_columns(load.connection, item.source, file)

    def check() -> None:
        after = file.path.stat()
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise LandingError(f"{file.name}: changed while it was read; run again when it is complete")

    return Content(content_hash, before, columns, 0, moment_after(load.next_moment(), item.previous), check)


def _read(load: Load, item: PendingFile, content: Content) -> Content:
    relation = read(load.connection, item.source, item.file, content.columns, load.tmp)
    return replace(content, rejected=relation.rejected)


def land_file(load: Load, item: PendingFile) -> Batch:
    """Land one file, all of it or nothing."""
    return land_rows(load, item, open_file(load, item))


def land_rows(load: Load, item: PendingFile, content: Content) -> Batch:
    """Turn `src` and `rejected` into one batch."""
    connection, source = load.connection, item.source
    entity = load_contract()[item.entity]
    reading = _reading(load, item, content.columns)
    _type_rows(connection, source, entity, reading, item.file, content.moment)
    _mark_duplicate_keys(connection, entity, by_version=not source.is_snapshot)
    hits = {} if reading.rejected else rule_hits(connection, source, item.entity, reading.layout.relation)
    clock = entity.clock or "cast(null as timestamptz)"
    row = connection.execute(
        f"""select (select count(*) from src), count(*), count(*) filter (where set_aside_for is not null),
            max({clock}) filter (where set_aside_for is null) from typed"""
    ).fetchone() or (0, 0, 0, None)
    judged = _Judged(_ALL_ROWS, row[0], row[1], row[2], row[3], _of_file(hits, 0, source, item.entity))
    written = _write(load, item, content, reading, judged)
    _commit(load, [written])
    if source.is_snapshot:
        snapshots.advance(connection, load.lake, entity, written.batch)
        load.state_of = (item.entity, source.name, written.batch.batch_id)
    return written.batch


def _of_file(hits: dict[int, dict[str, int]], number: int, source: Source, entity: str) -> dict[str, int]:
    return hits.get(number, {rule.code: 0 for rule in source.rules_of(entity)})


def _write(load: Load, item: PendingFile, content: Content, reading: Reading, judged: _Judged) -> _Written:
    """Write the batch of one file's judged rows to lake/.tmp. Raises LandingError when they must not be landed."""
    connection, source, file, moment = load.connection, item.source, item.file, content.moment
    entity = load_contract()[item.entity]
    if content.replay_of and judged.rows_bad == judged.rows_source:
        raise NothingLanded(f"{file.name}: all {judged.rows_bad + content.rejected} rows still break the contract")
    rows_found = judged.rows_typed + content.rejected
    rows_quarantined = judged.rows_bad + content.rejected
    reasons = _reasons(connection, judged.only) if rows_quarantined else {}
    if reading.rejected is None and content.replay_of is None:
        _check_share(source, file, rows_found, rows_quarantined, reasons)
    place = _compare(load, item, entity, content) if source.is_snapshot else _Place()
    batch_id = lakes.make_batch_id(
        moment, item.entity, source.source_system, file.name, content.hash, item.mapping_hash, place.based_on or ""
    )
    technical = _technical(source, file, batch_id, moment)
    mode = "compare" if content.replay_of and source.is_snapshot else source.mode
    raw = load.lake.tmp / f"{batch_id}.raw.parquet"
    rows_written = _copy(connection, _landed_sql(entity, mode, place.snapshot_at, technical, judged.only), raw)
    quarantine = None
    if rows_quarantined:
        quarantine = load.lake.tmp / f"{batch_id}.quarantine.parquet"
        rows_quarantined = _copy(connection, _quarantined_sql(content.columns, technical, judged.only), quarantine)
    counts = place.counts(mode)
    rows_landed = rows_written - counts["rows_tombstoned"] - counts["rows_carried"]
    rows_in = rows_found - counts["rows_unchanged"]
    if rows_landed + rows_quarantined != rows_in:
        raise LandingError(
            f"{file.name}: {rows_in} rows in, {rows_landed} landed and {rows_quarantined} quarantined do not add up; "
            "this is a defect of landing, nothing was landed"
        )
    content.check()
    for found in reading.drift:
        load.log(f"{item.entity}: {file.name}: column {found.column} is {found.kind} (policy: {found.policy})")
    if reading.rejected is not None:
        load.log(f"{item.entity}: {file.name}: all {rows_found:,} rows set aside: {reading.rejected}")
    latest = judged.max_event_at
    batch = Batch(
        batch_id=batch_id,
        entity=item.entity,
        source_system=source.source_system,
        source_file=file.name,
        source_business_date=item.business_date,
        content_hash=content.hash,
        mapping_hash=item.mapping_hash,
        file_size=content.status.st_size,
        file_mtime_ns=content.status.st_mtime_ns,
        loaded_at=moment,
        rows_in=rows_in,
        rows_landed=rows_landed,
        rows_quarantined=rows_quarantined,
        rows_not_of_entity=judged.rows_source - judged.rows_typed,
        cleaning_rule_hits=judged.hits,
        quarantine_reasons=reasons,
        extra_columns=reading.layout.extras,
        mode=mode,
        source_name=source.name,
        snapshot_at=place.snapshot_at,
        based_on=place.based_on,
        columns=reading.columns,
        drift=[found.as_dict() for found in reading.drift],
        max_event_at=latest.astimezone(UTC) if latest else None,
        replay_of=content.replay_of.batch_id if content.replay_of else None,
        **counts,
    )
    return _Written(batch, raw, quarantine)


def _commit(load: Load, written: list[_Written]) -> None:
    lakes.commit(load.lake, [(one.batch, one.raw, one.quarantine) for one in written])
    for one in written:
        load.ledger.add(one.batch)


# ---- many small files at once -------------------------------------------------------------------------------------


def land_files(load: Load, items: Iterable[PendingFile]) -> Iterator[tuple[PendingFile, Batch | LandingError]]:
    """Land files in turn and give what came of each: its batch, or why there is none.

    Small text files of one source that look alike share their queries and are committed together; each becomes the batch
    that it would be alone.
    """
    waiting = deque(items)
    while waiting:
        run = _small_ones(waiting)
        if run > 1:
            yield from _land_together(load, waiting, run)
            continue
        item = waiting.popleft()
        yield item, _attempt(item, land_file, load)


def _small_ones(waiting: Sequence[PendingFile]) -> int:
    """How many of the files that wait may be read together."""
    first, size = waiting[0], 0
    for position, item in enumerate(waiting):
        # What is packed is a tenth to a fiftieth of what it holds.
        own = item.path.stat().st_size * (20 if item.path.suffix.casefold() == ".gz" else 1)
        size += own
        may_share = item.source.reader.kind in TEXT_READERS and not item.source.is_snapshot and own <= SMALL_BYTES
        if not may_share or item.source is not first.source or position >= GROUP_FILES or size > GROUP_BYTES:
            return position
    return len(waiting)


def _attempt(item: PendingFile, landing: Callable[..., Batch], load: Load, *more: Content) -> Batch | LandingError:
    try:
        return landing(load, item, *more)
    except LandingError as error:
        return error


def _land_together(
    load: Load, waiting: deque[PendingFile], run: int
) -> Iterator[tuple[PendingFile, Batch | LandingError]]:
    """Land up to `run` of the files that wait; the first that looks different ends the group, and waits on."""
    group: list[tuple[PendingFile, Content]] = []
    for _ in range(run):
        item = waiting[0]
        try:
            content = _look(load, item)
            if not group:
                # Its rows are needed to find how files that look like it are read.
                content = _read(load, item, content)
                reading = _reading(load, item, content.columns)
                if reading.drift:
                    waiting.popleft()
                    yield item, _attempt(item, land_rows, load, content)
                    continue
        except LandingError as error:
            waiting.popleft()
            yield item, error
            continue
        if group and list(content.columns) != list(group[0][1].columns):
            break
        group.append((item, content))
        waiting.popleft()
    if not group:
        return
    gathered = _gather(load, group)
    kept = [(item, content) for item, content in gathered if isinstance(content, Content)]
    yield from ((item, content) for item, content in gathered if isinstance(content, LandingError))
    if kept:
        yield from zip([item for item, _ in kept], _land_group(load, kept), strict=True)


@contextmanager
def _one_thread(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A few thousand rows are read and written faster by one thread than by several that wait for each other."""
    connection.execute("set threads = 1")
    try:
        yield
    finally:
        connection.execute("reset threads")


def _gather(load: Load, group: list[tuple[PendingFile, Content]]) -> list[tuple[PendingFile, Content | LandingError]]:
    """Make `group_rows` and `group_rejected` of the files' rows, each under its number among those that can be read."""
    connection, columns = load.connection, group[0][1].columns
    connection.execute(
        f"""create or replace temp table group_rejected (
            {FILE_NUMBER} integer, {ROW_NUMBER} bigint, reason varchar, source_row varchar
        )"""
    )
    files = [item.file for item, _ in group]
    if read_together(connection, group[0][0].source, files, columns, table="group_rows", number=FILE_NUMBER):
        return [(item, replace(content, rejected=0)) for item, content in group]
    names = ", ".join(identifier(name) for name in columns)
    found: list[tuple[PendingFile, Content | LandingError]] = []
    number = 0
    with _one_thread(connection):
        for item, looked_at in group:
            try:
                content = _read(load, item, looked_at)
            except LandingError as error:
                found.append((item, error))
                continue
            into = "insert into group_rows" if number else "create or replace temp table group_rows as"
            connection.execute(f"{into} select {number} as {FILE_NUMBER}, {ROW_NUMBER}, {names} from src")
            if content.rejected:
                connection.execute(
                    f"insert into group_rejected select {number}, {ROW_NUMBER}, reason, source_row from rejected"
                )
            number += 1
            found.append((item, content))
    return found


def _land_group(load: Load, group: list[tuple[PendingFile, Content]]) -> list[Batch | LandingError]:
    """Land the gathered files: one query for all that is computed of rows, one batch for each file."""
    connection, (first, opened) = load.connection, group[0]
    source, entity = first.source, load_contract()[first.entity]
    reading = _reading(load, first, opened.columns)
    connection.execute("drop view if exists src")
    connection.execute("create temp view src as select * from group_rows")
    try:
        moment = max(content.moment for _, content in group)
        typed = typed_sql(connection, source, entity, reading.layout, moment, guarded=False, by_file=True)
        # In order here, once, and not again for each file: a table that is read without an order keeps its own.
        connection.execute(
            f"create or replace temp table typed as select * from ({typed}) order by {FILE_NUMBER}, {ROW_NUMBER}"
        )
        _mark_duplicate_keys(connection, entity, by_version=True, by_file=True)
        hits = rule_hits(connection, source, entity.name, reading.layout.relation, by_file=True)
    except (duckdb.Error, LandingError):
        # Some row of some file makes an expression fail: each is landed alone, and set aside what must be.
        return [_attempt(item, land_file, load) for item, _ in group]
    connection.execute("create or replace temp table rejected as select * from group_rejected")
    results: list[_Written | LandingError] = []
    counted = _count_by_file(connection, entity)
    with _one_thread(connection):
        for number, (item, content) in enumerate(group):
            rows = counted.get(number, (0, 0, 0, None))
            own_hits = _of_file(hits, number, source, item.entity)
            judged = _Judged(f"{FILE_NUMBER} = {number}", rows[0], rows[1], rows[2], rows[3], own_hits)
            try:
                results.append(_write(load, item, content, reading, judged))
            except LandingError as error:
                results.append(error)
    _commit(load, [result for result in results if isinstance(result, _Written)])
    return [result.batch if isinstance(result, _Written) else result for result in results]


def _count_by_file(
    connection: duckdb.DuckDBPyConnection, entity: Entity
) -> dict[int, tuple[int, int, int, datetime | None]]:
    clock = entity.clock or "cast(null as timestamptz)"
    rows = connection.execute(
        f"""with judged as (
            select {FILE_NUMBER}, count(*) as typed_count, count(*) filter (where set_aside_for is not null) as bad_count,
                max({clock}) filter (where set_aside_for is null) as latest
            from typed group by {FILE_NUMBER}
        ),
        found as (select {FILE_NUMBER}, count(*) as source_count from src group by {FILE_NUMBER})
        select {FILE_NUMBER}, source_count, coalesce(typed_count, 0), coalesce(bad_count, 0), latest
        from found left join judged using ({FILE_NUMBER})"""
    ).fetchall()
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in rows}


# ---- one file -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """Where a snapshot stands among the others of its source, and what it changed. Of other files it is empty."""

    snapshot_at: datetime | None = None
    based_on: str | None = None
    tombstoned: int = 0
    carried: int = 0
    new_tombstones: int = 0
    unchanged: int = 0

    def counts(self, mode: str) -> dict[str, int]:
        """Row counts of the manifest; a batch in mode compare holds only what changed."""
        if mode == "compare":
            return {"rows_tombstoned": self.new_tombstones, "rows_carried": 0, "rows_unchanged": self.unchanged}
        return {"rows_tombstoned": self.tombstoned, "rows_carried": self.carried, "rows_unchanged": 0}


def _compare(load: Load, item: PendingFile, entity: Entity, content: Content) -> _Place:
    """Compare the typed rows with the snapshot before. Raises LandingError when that cannot be done or looks wrong."""
    source, connection = item.source, load.connection
    links = snapshots.chain(load.ledger.of_source(entity.name, source.source_system, source.name))
    if content.replay_of:
        here = snapshots.Delivery(snapshots.delivery_of(content.replay_of).snapshot_at, item.file.name)
    else:
        same = item.previous is not None and item.previous.content_hash == content.hash
        here = snapshots.delivery(
            source, item.file, content.status, is_same_content=same, previous=item.previous, moment=content.moment
        )
        snapshots.check_place(source, item.file, links, here, load.present)
    before = [batch for batch in links if snapshots.delivery_of(batch) < here]
    based_on = before[-1].batch_id if before else None
    if load.state_of != (entity.name, source.name, based_on):
        snapshots.fold(connection, load.lake, entity, before)
        load.state_of = (entity.name, source.name, based_on)
    found = snapshots.compare(
        connection, entity, here.snapshot_at, content.rejected, is_partial=content.replay_of is not None
    )
    snapshots.check_size(source, item.file, found)
    return _Place(
        snapshot_at=here.snapshot_at,
        based_on=based_on,
        tombstoned=found.tombstoned,
        carried=found.carried,
        new_tombstones=found.gone,
        unchanged=found.unchanged,
    )


def _reading(load: Load, item: PendingFile, columns: dict[str, str]) -> Reading:
    """How the file is read; files that look alike, after batches that looked alike, are read alike."""
    source = item.source
    batches = load.ledger.of_source(item.entity, source.source_system, source.name)
    former = next((b.columns for b in reversed(batches) if b.columns and b.mapping_hash == item.mapping_hash), {})
    looks = (source.name, item.entity, tuple(columns.items()), tuple(former.items()))
    if looks not in load.readings:
        load.readings[looks] = find_reading(load.connection, source, item.entity, item.file, columns, former)
    return load.readings[looks]


def moment_after(loaded_at: datetime, previous: Batch | None) -> datetime:
    """`loaded_at` of a batch: as asked, and later than that of the batch before it."""
    moment = loaded_at.astimezone(UTC)
    # A changed file must come after what it replaces, even if the clock was set back or stands still.
    return max(moment, previous.loaded_at + timedelta(microseconds=1)) if previous else moment


def _type_rows(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    entity: Entity,
    reading: Reading,
    file: SourceFile,
    moment: datetime,
) -> None:
    def create(guarded: bool) -> None:
        sql = typed_sql(connection, source, entity, reading.layout, moment, guarded=guarded)
        # The rows stand in the order of the file, which a window function alone does not keep.
        order = f" order by {ROW_NUMBER}" if windows else ""
        connection.execute(f"create or replace temp table typed as {sql}{order}")

    windows = [
        key
        for key, sql in expressions(source, entity.name)
        if key.startswith("entities.") and parse_expression(connection, sql).has_window
    ]

    if reading.rejected is not None:
        connection.execute(f"create or replace temp table typed as {rejecting_sql(entity, reading.rejected)}")
        return
    try:
        create(guarded=False)
        return
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException):
        pass
    except duckdb.Error as error:
        # A Parquet file is read as it is typed: damage shows only here.
        raise LandingError(
            f"{file.name}: cannot be read to its end ({type(error).__name__}); deliver it again"
        ) from None
    try:
        with try_is_safe(connection):
            create(guarded=True)
    except duckdb.Error:
        named = ", ".join(key.rpartition(".")[2] for key in windows) or "its fields"
        # DuckDB's own message holds the value it stumbled over: it is not passed on.
        raise LandingError(
            f"{file.name}: an expression of {source.file}, entities.{entity.name} fails on a row; "
            f"use try_cast or try_strptime inside the window functions of {named}"
        ) from None


def _mark_duplicate_keys(
    connection: duckdb.DuckDBPyConnection, entity: Entity, *, by_version: bool, by_file: bool = False
) -> None:
    """Rows with the key and version of an earlier good row and other content get a reason; exact repeats are left to
    staging. A snapshot has one row of each key, whatever version it says it is.
    """
    keys = [
        *([FILE_NUMBER] if by_file else []),
        *entity.key,
        *(["changed_at", "change_sequence"] if by_version else []),
    ]
    key = ", ".join(keys)
    row = ", ".join([*([FILE_NUMBER] if by_file else []), ROW_NUMBER])
    # Few keys come twice. They are found by their keys alone; ranking every wide row would cost as much as typing it.
    connection.execute(
        f"""create or replace temp table repeated as
        select {key} from typed where set_aside_for is null group by {key} having count(*) > 1"""
    )
    if connection.execute("select count(*) from repeated").fetchone() == (0,):
        return
    names = [*(found.name for found in entity.fields), "is_deleted"]
    content = ", ".join(f"{identifier(name)} := typed.{identifier(name)}" for name in names)
    same = " and ".join(f"typed.{name} is not distinct from repeated.{name}" for name in keys)
    connection.execute(
        f"""update typed set set_aside_for = '{entity.key[0]}:duplicate_key' where ({row}) in (
            select ({row}) from (
                select {", ".join(f"typed.{name}" for name in row.split(", "))}, struct_pack({content}) as content,
                    first_value(struct_pack({content})) over (
                        partition by {", ".join(f"typed.{name}" for name in keys)} order by typed.{ROW_NUMBER}
                    ) as first_content
                from typed join repeated on {same}
                where typed.set_aside_for is null
            ) where content is distinct from first_content
        )"""
    )


def _reasons(connection: duckdb.DuckDBPyConnection, only: str) -> dict[str, int]:
    rows = connection.execute(
        f"""select pair, count(*) from (
            select unnest(string_split(set_aside_for, '; ')) as pair from typed where set_aside_for is not null and {only}
            union all select reason from rejected where {only}
        ) group by pair order by count(*) desc, pair"""
    ).fetchall()
    return {pair: int(count) for pair, count in rows}


def _check_share(
    source: Source, file: SourceFile, rows_in: int, rows_quarantined: int, reasons: dict[str, int]
) -> None:
    limits = source.limits
    nothing_good = rows_quarantined == rows_in and rows_in > 0
    too_many = rows_quarantined > limits.tolerated_rows and rows_quarantined > limits.max_share * rows_in
    if not nothing_good and not too_many:
        return
    counted = Counter(reasons).most_common(8)
    remedy = f"correct the file or the mapping in {source.file}"
    if any(reason == "malformed_row:invalid_encoding" for reason, _ in counted):
        remedy = f"set reader.encoding in {source.file} (such as gb18030), or correct the file"
    elif any(reason.startswith("malformed_row") for reason, _ in counted):
        remedy = f"check reader.delimiter and quoting in {source.file}, or correct the file"
    raise LandingError(
        f"{file.name}: {rows_quarantined} of {rows_in} rows break the contract, more than quarantine.max_share "
        f"{limits.max_share:g} allows ({', '.join(f'{reason}: {count}' for reason, count in counted)}); {remedy}, "
        "or raise quarantine.max_share"
    )


def _technical(source: Source, file: SourceFile, batch_id: str, moment: datetime) -> dict[str, str]:
    return {
        "batch_id": literal(batch_id),
        "source_system": literal(source.source_system),
        "source_file": literal(file.name),
        ROW_NUMBER: ROW_NUMBER,
        "loaded_at": f"timestamptz {literal(moment.isoformat(timespec='microseconds'))}",
    }


def _landed_sql(entity: Entity, mode: str, snapshot_at: datetime | None, technical: dict[str, str], only: str) -> str:
    """The rows of a batch, in the columns and the order in which the lake keeps them."""
    if snapshot_at is not None:
        if mode == "compare":
            return snapshots.compare_sql(entity, technical)
        return snapshots.full_sql(entity, snapshot_at, technical)
    names = [found.name for found in entity.fields]
    added = [f"{sql} as {name}" for name, sql in technical.items()]
    own = ["changed_at", "change_sequence", "is_deleted", "extra_fields"]
    columns = ", ".join([*names, *added, *own])
    # They stand in the order of the file already.
    return f"select {columns} from typed where set_aside_for is null and {only}"


def _quarantined_sql(columns: dict[str, str], technical: dict[str, str], only: str) -> str:
    record = ", ".join(f"{literal(name)}: found.{identifier(name)}" for name in columns)
    added = ", ".join(f"{sql} as {name}" for name, sql in technical.items())
    return f"""
        with bad as (
            select judged.{ROW_NUMBER}, judged.set_aside_for as reason, cast(to_json({{{record}}}) as varchar) as source_row
            from (select * from typed where set_aside_for is not null and {only}) as judged
            join (select * from src where {only}) as found on found.{ROW_NUMBER} = judged.{ROW_NUMBER}
            union all
            select {ROW_NUMBER}, reason, source_row from rejected where {only}
        )
        select {added}, split_part(reason, ':', 1) as field, reason, source_row from bad order by {ROW_NUMBER}"""


def _copy(connection: duckdb.DuckDBPyConnection, sql: str, target: Path) -> int:
    row = connection.execute(
        f"copy ({sql}) to {literal(str(target))} (format parquet, compression zstd, compression_level 1)"
    ).fetchone()
    return int(row[0]) if row else 0
