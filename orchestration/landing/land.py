"""Land source files: what is pending, in which order it is landed, and what is said about it.

Pure of Dagster. How a file becomes a batch belongs in `orchestration.landing.batches`, where batches live in `lake`;
reading the landed rows in dbt's staging.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count

from orchestration.brands import Brand, Source
from orchestration.landing import lake as lakes
from orchestration.landing import snapshots
from orchestration.landing.batches import Load, PendingFile, land_files
from orchestration.landing.contract import load_contract
from orchestration.landing.errors import LandingError
from orchestration.landing.lake import Batch, Lake, Ledger
from orchestration.landing.lanes import Lane, side_by_side
from orchestration.landing.mapping import mapping_hash
from orchestration.landing.readers import SourceFile, list_files, literal
from orchestration.settings import Settings
from orchestration.warehouse import scratch

BatchResult = Batch
_MESSAGES_PER_ENTITY = 20
_ERRORS_SHOWN = 10


def entities(brand: Brand) -> list[str]:
    """Contract entities that the brand has a source for, in the contract's order."""
    mapped = {entity for source in brand.sources for entity in source.entities}
    return [entity for entity in load_contract() if entity in mapped]


def daily_entities(brand: Brand) -> list[str]:
    """Entities that come in one file per business date."""
    daily = {entity for source in brand.sources if source.is_daily for entity in source.entities}
    return [entity for entity in entities(brand) if entity in daily]


def pending(settings: Settings, brand: Brand) -> list[PendingFile]:
    """Files to land, by entity and date. Reads no data: size and time decide, and the content's hash where they differ.

    Landing an older snapshot makes those after it pending, where their files are still there.
    Raises LandingError when a source's folder or file is missing, or a file is dated outside the brand's calendar.
    """
    ledger = Ledger(lakes.read_batches(Lake(settings.lake)))
    order = {entity: position for position, entity in enumerate(load_contract())}
    found = []
    for source in brand.sources:
        files = _files(settings, brand, source)
        for entity in source.entities:
            if entity in order:
                found += _waiting(source, entity, files, ledger)
    return sorted(found, key=lambda p: (order[p.entity], p.business_date or date.min, *_place(p)))


def _place(item: PendingFile) -> tuple[str, str]:
    """Snapshots stay in the order in which they were found: the sort is stable."""
    return (item.source.name, "") if item.source.is_snapshot else ("", item.file.name)


def _files(settings: Settings, brand: Brand, source: Source) -> list[SourceFile]:
    files = list_files(settings, source)
    if source.is_snapshot:
        return snapshots.in_order(files)
    for file in files:
        _check_calendar(file, brand)
    return files


def _waiting(source: Source, entity: str, files: list[SourceFile], ledger: Ledger) -> Iterator[PendingFile]:
    """The files of a source that are to be landed for an entity, found one by one: each sees what was landed before it."""
    digest = mapping_hash(source, entity)
    for file in files:
        previous = ledger.newest(entity, source.source_system, file.name)
        if (
            previous is None
            or not _is_landed(file, digest, previous)
            or (source.is_snapshot and _is_misplaced(source, previous, ledger))
        ):
            yield PendingFile(entity, source, file, digest, previous)


def _is_misplaced(source: Source, batch: Batch, ledger: Ledger) -> bool:
    """Whether a snapshot was compared with another one than the one that comes before it now."""
    links = snapshots.chain(ledger.of_source(batch.entity, source.source_system, source.name))
    before = snapshots.predecessor(links, snapshots.delivery_of(batch))
    return batch.based_on != (before.batch_id if before else None)


def _check_calendar(file: SourceFile, brand: Brand) -> None:
    """Refuse a daily file outside the brand's calendar: no partition would hold it."""
    day = file.business_date
    if day is None:
        return
    if day < brand.calendar_start:
        edge, remedy = f"before calendar_start ({brand.calendar_start})", "move calendar_start back"
    elif brand.calendar_end is not None and day > brand.calendar_end:
        edge, remedy = f"after calendar_end ({brand.calendar_end})", "move calendar_end on, or remove it"
    else:
        return
    raise LandingError(
        f"{file.name}: lies {edge} of brand.yml, so no partition would hold it; {remedy}, or remove the file"
    )


def _is_landed(file: SourceFile, digest: str, previous: Batch) -> bool:
    if previous.mapping_hash != digest:
        return False
    status = file.path.stat()
    if (status.st_size, status.st_mtime_ns) == (previous.file_size, previous.file_mtime_ns):
        return True
    return status.st_size == previous.file_size and lakes.sha256(file.path) == previous.content_hash


@contextmanager
def loading(lake: Lake, loaded_at: datetime | None, log: Callable[[str], None]) -> Iterator[Load]:
    """Clear what a killed load left, and open a load that lands file after file."""
    with _lane(_prepared(lake, loaded_at, log), "lane", lambda: loaded_at or datetime.now(UTC)) as load:
        yield load


def _prepared(lake: Lake, loaded_at: datetime | None, log: Callable[[str], None]) -> _Shared:
    if loaded_at is not None and loaded_at.tzinfo is None:
        raise ValueError("loaded_at must be an aware timestamp, such as datetime(2026, 1, 1, tzinfo=UTC)")
    removed = lakes.recover(lake)
    if removed:
        log(f"removed {len(removed)} leftover file(s) of a load that did not finish")
    return _Shared(lake, Ledger(lakes.read_batches(lake)), loaded_at, log)


@dataclass(frozen=True)
class _Shared:
    """What the lanes of one load share. A ledger's lists belong to one source each, and so to one lane."""

    lake: Lake
    ledger: Ledger
    loaded_at: datetime | None
    log: Callable[[str], None]


@contextmanager
def _lane(shared: _Shared, name: str, next_moment: Callable[[], datetime]) -> Iterator[Load]:
    """A load with a database and a folder of its own: files of two sources may have one name."""
    tmp = shared.lake.tmp / name
    tmp.mkdir(parents=True, exist_ok=True)
    try:
        with scratch() as connection:
            connection.execute(f"set temp_directory = {literal(str(tmp / 'spill'))}")
            yield Load(connection, shared.lake, shared.ledger, next_moment, shared.log, tmp)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


def land(
    settings: Settings,
    brand: Brand,
    entity: str,
    *,
    window: tuple[date, date] | None = None,
    loaded_at: datetime | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> list[BatchResult]:
    """Land every pending file of `entity`; of daily sources only those dated within `window` (both ends included).

    `loaded_at` (aware; default now) is the second clock of the batches. Call it while holding the brand's run lock: it
    deletes what a killed load left behind. A file that cannot be landed does not stop the others; LandingError then
    names each of them at the end, with nothing of them in the lake.
    """
    told: deque[str] = deque()  # by the lanes, and passed on by this thread
    shared = replace(_prepared(Lake(settings.lake), loaded_at, log), log=told.append)
    waiting = [p for p in pending(settings, brand) if p.entity == entity and _within(p.business_date, window)]
    step = max(1, len(waiting) // _MESSAGES_PER_ENTITY)
    results: list[Batch] = []
    errors: list[str] = []
    lanes = _lanes(settings, brand, entity, waiting, shared)
    for position, (item, result) in enumerate(side_by_side(lanes), start=1):
        while told:
            log(told.popleft())
        if isinstance(result, LandingError):
            errors.append(str(result))
            log(f"{entity}: refused {item.file.name}")
            continue
        results.append(result)
        if position % step == 0 or position >= len(waiting):
            log(_progress(entity, position, max(position, len(waiting)), item, results))
    if errors:
        shown = "\n".join(f"  - {message}" for message in errors[:_ERRORS_SHOWN])
        more = f"\n  … and {len(errors) - _ERRORS_SHOWN} more" if len(errors) > _ERRORS_SHOWN else ""
        raise LandingError(
            f"{entity}: {len(errors)} of {len(errors) + len(results)} file(s) could not be landed, {len(results)} were\n"
            f"{shown}{more}"
        )
    return results


def _lanes(
    settings: Settings, brand: Brand, entity: str, waiting: list[PendingFile], shared: _Shared
) -> list[Lane[tuple[PendingFile, Batch | LandingError]]]:
    """A lane for each source of an entity that may have something to land.

    Which lane is faster must not show in the lake: whatever came first gives a member its id. So all files are loaded at one
    moment, and a microsecond apart in the order in which one lane would have landed them.
    """
    started = datetime.now(UTC)
    places: dict[str, int] = {}  # of each source's first file

    def moments(source: Source) -> Callable[[], datetime]:
        numbers = count(places[source.name])
        return lambda: shared.loaded_at or started + timedelta(microseconds=next(numbers))

    def files_of(source: Source) -> Iterator[tuple[PendingFile, Batch | LandingError]]:
        with _lane(shared, source.name, moments(source)) as load:
            yield from land_files(load, [item for item in waiting if item.source is source])

    def snapshots_of(source: Source) -> Iterator[tuple[PendingFile, Batch | LandingError]]:
        files = _files(settings, brand, source)
        with _lane(shared, source.name, moments(source)) as load:
            load.present = {file.name for file in files}
            # One by one: whether a snapshot is to be landed depends on the one before it, which may just have been.
            for item in _waiting(source, entity, files, load.ledger):
                yield from land_files(load, [item])

    sources = [
        source
        for source in brand.sources
        if entity in source.entities and (source.is_snapshot or any(item.source is source for item in waiting))
    ]
    place = 0
    for source in sources:
        places[source.name] = place
        place += len(_files(settings, brand, source)) if source.is_snapshot else len(waiting)
    return [partial(snapshots_of if source.is_snapshot else files_of, source) for source in sources]


def _within(day: date | None, window: tuple[date, date] | None) -> bool:
    return day is None or window is None or window[0] <= day <= window[1]


def _progress(entity: str, position: int, total: int, item: PendingFile, results: list[Batch]) -> str:
    landed = sum(batch.rows_landed for batch in results)
    quarantined = sum(batch.rows_quarantined for batch in results)
    return (
        f"{entity}: {position}/{total} files, {landed:,} rows landed, {quarantined:,} quarantined (at {item.file.name})"
    )
