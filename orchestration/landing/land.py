"""Land source files: what is pending, and one batch per file and entity, rows good or quarantined, none lost.

Pure of Dagster. What a row means belongs in `orchestration.landing.mapping`; where batches live in
`orchestration.landing.lake`; reading the landed rows in dbt's staging.
"""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and from the brand's checked expressions)
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration.brands import Brand, Source
from orchestration.landing import lake as lakes
from orchestration.landing.contract import Entity, load_contract
from orchestration.landing.errors import LandingError
from orchestration.landing.lake import Batch, Lake
from orchestration.landing.mapping import (
    check_columns,
    extra_columns,
    mapping_hash,
    parse_expression,
    rule_hits,
    try_is_safe,
    typed_sql,
)
from orchestration.landing.readers import (
    ROW_NUMBER,
    SourceFile,
    file_columns,
    identifier,
    list_files,
    literal,
    read,
)
from orchestration.settings import Settings
from orchestration.warehouse import scratch

BatchResult = Batch
_MESSAGES_PER_ENTITY = 20
_ERRORS_SHOWN = 10


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
        return self.file.business_date


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

    Raises LandingError when a source's folder or file is missing, or a file is dated outside the brand's calendar.
    """
    newest = lakes.latest_batches(lakes.read_batches(Lake(settings.lake)))
    order = {entity: position for position, entity in enumerate(load_contract())}
    found = []
    for source in brand.sources:
        hashes = {entity: mapping_hash(source, entity) for entity in source.entities if entity in order}
        for file in list_files(settings, source):
            _check_calendar(file, brand)
            for entity, digest in hashes.items():
                previous = newest.get((entity, source.source_system, file.name))
                if previous is None or not _is_landed(file, digest, previous):
                    found.append(PendingFile(entity, source, file, digest, previous))
    return sorted(found, key=lambda p: (order[p.entity], p.business_date or date.min, p.file.name))


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
    if loaded_at is not None and loaded_at.tzinfo is None:
        raise ValueError("loaded_at must be an aware timestamp, such as datetime(2026, 1, 1, tzinfo=UTC)")
    lake = Lake(settings.lake)
    removed = lakes.recover(lake)
    if removed:
        log(f"{entity}: removed {len(removed)} leftover file(s) of a load that did not finish")
    waiting = [p for p in pending(settings, brand) if p.entity == entity and _within(p.business_date, window)]
    if not waiting:
        return []
    results: list[Batch] = []
    errors: list[str] = []
    step = max(1, len(waiting) // _MESSAGES_PER_ENTITY)
    lake.tmp.mkdir(parents=True, exist_ok=True)
    with scratch() as connection:
        connection.execute(f"set temp_directory = {literal(str(lake.tmp / 'spill'))}")
        for position, item in enumerate(waiting, start=1):
            try:
                results.append(_land_file(connection, lake, item, loaded_at))
            except LandingError as error:
                errors.append(str(error))
                log(f"{entity}: refused {item.file.name}")
                continue
            if position % step == 0 or position == len(waiting):
                log(_progress(entity, position, len(waiting), item, results))
    if errors:
        shown = "\n".join(f"  - {message}" for message in errors[:_ERRORS_SHOWN])
        more = f"\n  … and {len(errors) - _ERRORS_SHOWN} more" if len(errors) > _ERRORS_SHOWN else ""
        raise LandingError(
            f"{entity}: {len(errors)} of {len(waiting)} file(s) could not be landed, {len(results)} were\n{shown}{more}"
        )
    return results


def _within(day: date | None, window: tuple[date, date] | None) -> bool:
    return day is None or window is None or window[0] <= day <= window[1]


def _progress(entity: str, position: int, total: int, item: PendingFile, results: list[Batch]) -> str:
    landed = sum(batch.rows_landed for batch in results)
    quarantined = sum(batch.rows_quarantined for batch in results)
    return (
        f"{entity}: {position}/{total} files, {landed:,} rows landed, {quarantined:,} quarantined (at {item.file.name})"
    )


def _land_file(
    connection: duckdb.DuckDBPyConnection, lake: Lake, item: PendingFile, loaded_at: datetime | None
) -> Batch:
    file, source = item.file, item.source
    entity = load_contract()[item.entity]
    before = file.path.stat()
    content_hash = lakes.sha256(file.path)
    columns = file_columns(connection, source, file)
    relation = read(connection, source, file, columns, lake.tmp)
    check_columns(connection, source, item.entity, file, columns)
    extras = extra_columns(connection, source, columns)
    _type_rows(connection, source, entity, extras, file)
    _mark_duplicate_keys(connection, entity)

    rows_source, rows_typed, rows_bad = _one(
        connection,
        "select (select count(*) from src), (select count(*) from typed), "
        "(select count(*) from typed where reason is not null)",
    )
    rows_in = rows_typed + relation.rejected
    rows_quarantined = rows_bad + relation.rejected
    reasons = _reasons(connection) if rows_quarantined else {}
    _check_share(source, file, rows_in, rows_quarantined, reasons)

    hits = rule_hits(connection, source, item.entity)
    moment = _moment(loaded_at, item.previous)
    batch_id = lakes.make_batch_id(
        moment, item.entity, source.source_system, file.name, content_hash, item.mapping_hash
    )
    raw = lake.tmp / f"{batch_id}.raw.parquet"
    technical = _technical(source, file, batch_id, moment)
    rows_landed = _copy(connection, _landed_sql(entity, technical), raw)
    quarantine = None
    if rows_quarantined:
        quarantine = lake.tmp / f"{batch_id}.quarantine.parquet"
        rows_quarantined = _copy(connection, _quarantined_sql(columns, technical), quarantine)
    if rows_landed + rows_quarantined != rows_in:
        raise LandingError(
            f"{file.name}: {rows_in} rows in, {rows_landed} landed and {rows_quarantined} quarantined do not add up; "
            "this is a defect of landing, nothing was landed"
        )
    after = file.path.stat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise LandingError(f"{file.name}: changed while it was read; run again when it is complete")
    batch = Batch(
        batch_id=batch_id,
        entity=item.entity,
        source_system=source.source_system,
        source_file=file.name,
        source_business_date=file.business_date,
        content_hash=content_hash,
        mapping_hash=item.mapping_hash,
        file_size=before.st_size,
        file_mtime_ns=before.st_mtime_ns,
        loaded_at=moment,
        rows_in=rows_in,
        rows_landed=rows_landed,
        rows_quarantined=rows_quarantined,
        rows_not_of_entity=rows_source - rows_typed,
        cleaning_rule_hits=hits,
        quarantine_reasons=reasons,
        extra_columns=extras,
    )
    lakes.commit(lake, batch, raw, quarantine)
    return batch


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    return connection.execute(sql).fetchone() or ()


def _moment(loaded_at: datetime | None, previous: Batch | None) -> datetime:
    moment = (loaded_at or datetime.now(UTC)).astimezone(UTC)
    # A changed file must come after what it replaces, even if the clock was set back or stands still.
    return max(moment, previous.loaded_at + timedelta(microseconds=1)) if previous else moment


def _type_rows(
    connection: duckdb.DuckDBPyConnection, source: Source, entity: Entity, extras: list[str], file: SourceFile
) -> None:
    def create(guarded: bool) -> None:
        sql = typed_sql(connection, source, entity, extras, guarded=guarded)
        connection.execute(f"create or replace temp table typed as {sql}")

    try:
        create(guarded=False)
        return
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException):
        pass
    try:
        with try_is_safe(connection):
            create(guarded=True)
    except duckdb.Error:
        windows = [
            name
            for name, sql in source.entities[entity.name].fields.items()
            if parse_expression(connection, sql).has_window
        ]
        # DuckDB's own message holds the value it stumbled over: it is not passed on.
        raise LandingError(
            f"{file.name}: an expression of {source.file}, entities.{entity.name} fails on a row; "
            f"use try_cast or try_strptime inside the window functions of {', '.join(windows) or 'its fields'}"
        ) from None


def _mark_duplicate_keys(connection: duckdb.DuckDBPyConnection, entity: Entity) -> None:
    """Rows with the key of an earlier good row and other content get a reason; exact repeats are left to staging."""
    key = ", ".join(entity.key)
    (repeated,) = _one(
        connection,
        f"select count(*) from (select 1 from typed where reason is null group by {key} having count(*) > 1)",
    )
    if not repeated:
        return
    content = ", ".join(f"{name} := {name}" for name in (field.name for field in entity.fields))
    connection.execute(
        f"""update typed set reason = '{entity.key[0]}:duplicate_key' where {ROW_NUMBER} in (
            select {ROW_NUMBER} from (
                select {ROW_NUMBER}, struct_pack({content}) as content,
                    first_value(struct_pack({content})) over (partition by {key} order by {ROW_NUMBER}) as first_content
                from typed where reason is null
            ) where content is distinct from first_content
        )"""
    )


def _reasons(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    rows = connection.execute(
        """select pair, count(*) from (
            select unnest(string_split(reason, '; ')) as pair from typed where reason is not null
            union all select reason from rejected
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


def _landed_sql(entity: Entity, technical: dict[str, str]) -> str:
    names = [field.name for field in entity.fields]
    added = [f"{sql} as {name}" for name, sql in technical.items()]
    return f"select {', '.join([*names, *added, 'extra_fields'])} from typed where reason is null order by {ROW_NUMBER}"


def _quarantined_sql(columns: dict[str, str], technical: dict[str, str]) -> str:
    record = ", ".join(f"{literal(name)}: src.{identifier(name)}" for name in columns)
    added = ", ".join(f"{sql} as {name}" for name, sql in technical.items())
    return f"""
        with bad as (
            select typed.{ROW_NUMBER}, typed.reason, cast(to_json({{{record}}}) as varchar) as source_row
            from typed join src on src.{ROW_NUMBER} = typed.{ROW_NUMBER}
            where typed.reason is not null
            union all
            select {ROW_NUMBER}, reason, source_row from rejected
        )
        select {added}, split_part(reason, ':', 1) as field, reason, source_row from bad order by {ROW_NUMBER}"""


def _copy(connection: duckdb.DuckDBPyConnection, sql: str, target: Path) -> int:
    row = connection.execute(f"copy ({sql}) to {literal(str(target))} (format parquet, compression zstd)").fetchone()
    return int(row[0]) if row else 0
