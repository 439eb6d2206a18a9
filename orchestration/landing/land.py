"""Land source files: what is pending, in which order it is landed, and what is said about it.

Pure of Dagster. How a file becomes a batch belongs in `orchestration.landing.batches`, where batches live in `lake`;
reading the landed rows in dbt's staging.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime

from orchestration.brands import Brand, Source
from orchestration.landing import lake as lakes
from orchestration.landing import snapshots
from orchestration.landing.batches import Load, PendingFile, land_files
from orchestration.landing.contract import load_contract
from orchestration.landing.errors import LandingError
from orchestration.landing.lake import Batch, Lake, Ledger
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
def loading(
    lake: Lake, loaded_at: datetime | None, log: Callable[[str], None], present: set[str] | None = None
) -> Iterator[Load]:
    if loaded_at is not None and loaded_at.tzinfo is None:
        raise ValueError("loaded_at must be an aware timestamp, such as datetime(2026, 1, 1, tzinfo=UTC)")
    removed = lakes.recover(lake)
    if removed:
        log(f"removed {len(removed)} leftover file(s) of a load that did not finish")
    lake.tmp.mkdir(parents=True, exist_ok=True)
    with scratch() as connection:
        connection.execute(f"set temp_directory = {literal(str(lake.tmp / 'spill'))}")
        yield Load(connection, lake, Ledger(lakes.read_batches(lake)), loaded_at, log, present or set())


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
    with loading(Lake(settings.lake), loaded_at, log) as load:
        waiting = [p for p in pending(settings, brand) if p.entity == entity and _within(p.business_date, window)]
        step = max(1, len(waiting) // _MESSAGES_PER_ENTITY)
        results: list[Batch] = []
        errors: list[str] = []
        for position, (item, result) in enumerate(_in_turn(settings, brand, entity, waiting, load), start=1):
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


def _in_turn(
    settings: Settings, brand: Brand, entity: str, waiting: list[PendingFile], load: Load
) -> Iterator[tuple[PendingFile, Batch | LandingError]]:
    """Land an entity's files, source by source; each snapshot after the one that it is compared with."""
    for source in brand.sources:
        if entity not in source.entities:
            continue
        if not source.is_snapshot:
            yield from land_files(load, [item for item in waiting if item.source is source])
            continue
        files = _files(settings, brand, source)
        load.present = {file.name for file in files}
        # One by one: whether a snapshot is to be landed depends on the one before it, which may just have been.
        for item in _waiting(source, entity, files, load.ledger):
            yield from land_files(load, [item])


def _within(day: date | None, window: tuple[date, date] | None) -> bool:
    return day is None or window is None or window[0] <= day <= window[1]


def _progress(entity: str, position: int, total: int, item: PendingFile, results: list[Batch]) -> str:
    landed = sum(batch.rows_landed for batch in results)
    quarantined = sum(batch.rows_quarantined for batch in results)
    return (
        f"{entity}: {position}/{total} files, {landed:,} rows landed, {quarantined:,} quarantined (at {item.file.name})"
    )
