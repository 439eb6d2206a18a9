"""Sources that deliver the whole of themselves each time: the order of their deliveries, and what each one changed.

Every delivery is compared with the one before it in time, whenever it came in. The rows of a file are typed and judged in
`orchestration.landing.land`; which landed row counts is decided when reading (dbt's staging), by changed_at.
"""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and from names of the contract)
from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb

from orchestration.brands import Source
from orchestration.landing.contract import Entity
from orchestration.landing.errors import LandingError
from orchestration.landing.lake import Batch, Lake
from orchestration.landing.readers import SourceFile, literal

MODES = ("full", "compare")
_TICK = timedelta(microseconds=1)
_EXTRACT_TIME = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-\d+\.parquet")


# ---- which snapshot comes after which -----------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Delivery:
    """A snapshot: the time it shows and its file. A file that is overwritten makes one delivery of each content."""

    snapshot_at: datetime
    source_file: str


def delivery_of(batch: Batch) -> Delivery:
    """The delivery that a batch of a snapshot is a version of."""
    if batch.snapshot_at is None:
        raise ValueError(f"{batch.batch_id}: is not a batch of a snapshot")
    return Delivery(batch.snapshot_at, batch.source_file)


def chain(batches: Iterable[Batch]) -> list[Batch]:
    """The newest batch of each delivery, in the order of the snapshots, given one source's batches oldest first.

    What was replayed of a file is a delivery right after it, until the file itself is landed again.
    """
    newest: dict[Delivery, Batch] = {}
    replays: dict[str, list[Delivery]] = {}
    for batch in batches:
        if batch.mode not in MODES:
            continue
        here = delivery_of(batch)
        if batch.replay_of:
            replays.setdefault(batch.base_file, []).append(here)
        else:
            for stale in replays.pop(batch.source_file, []):
                newest.pop(stale, None)
        newest[here] = batch
    return [newest[delivery] for delivery in sorted(newest)]


def predecessor(links: list[Batch], delivery: Delivery) -> Batch | None:
    """The snapshot that comes just before `delivery` in a chain."""
    earlier = [batch for batch in links if delivery_of(batch) < delivery]
    return earlier[-1] if earlier else None


def _written_at(file: SourceFile, status: os.stat_result) -> datetime:
    extracted = _EXTRACT_TIME.fullmatch(file.path.name)
    if extracted:
        return datetime.strptime(extracted[1], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    return datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1e6, tz=UTC)


def delivery(
    source: Source,
    file: SourceFile,
    status: os.stat_result,
    *,
    is_same_content: bool,
    previous: Batch | None,
    moment: datetime,
) -> Delivery:
    """The delivery that a file holds now. `previous` is the newest batch of its name, `moment` when it is landed.

    A date in its name is the start of that day in the source's zone. Without one, the time at which the file was written
    counts, never after it was landed and always after what it replaces.
    """
    day = file.business_date
    if day is not None:
        return Delivery(datetime.combine(day, time(), ZoneInfo(source.timestamps_in)).astimezone(UTC), file.name)
    before = previous.snapshot_at if previous else None
    if before is not None and is_same_content:
        return Delivery(before, file.name)
    written = min(_written_at(file, status), moment)
    return Delivery(max(written, before + _TICK) if before else written, file.name)


def in_order(files: list[SourceFile]) -> list[SourceFile]:
    """Files of a snapshot source in the order of their snapshots."""

    def position(file: SourceFile) -> tuple[datetime, str]:
        day = file.business_date
        if day is not None:
            return datetime.combine(day, time(), UTC), file.name
        return _written_at(file, file.path.stat()), file.name

    return sorted(files, key=position)


def check_place(source: Source, file: SourceFile, links: list[Batch], here: Delivery, present: set[str]) -> None:
    """Refuse an older snapshot that cannot be put in its place because the file of the one after it is gone.

    In mode compare that one holds what changed since its own predecessor; with another one before it, it is wrong.
    """
    later = [batch for batch in links if delivery_of(batch) > here]
    known = any(delivery_of(batch) == here for batch in links)
    if source.mode != "compare" or known or not later or later[0].source_file in present:
        return
    raise LandingError(
        f"{file.name}: is older than {later[0].source_file}, which has been compared already and whose file is gone; "
        "put that file back beside it, or remove the older one"
    )


# ---- what a snapshot changed --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """What a snapshot changed, in keys, and how many of its rows were there before.

    `live`: keys before it; `gone`: of those, the ones it no longer has; `tombstoned`: all that are gone by now;
    `carried`: those whose row is set aside, so that what was known of them stays.
    """

    live: int
    gone: int
    tombstoned: int
    carried: int
    unchanged: int


def _columns(entity: Entity) -> list[tuple[str, str]]:
    kept = ("loaded_at", "changed_at", "change_sequence", "is_deleted", "extra_fields")
    technical = [(name, type_) for name, type_ in entity.duckdb_columns() if name in kept]
    return [(field.name, field.duckdb_type) for field in entity.fields] + technical


def _key(entity: Entity, left: str, right: str) -> str:
    # Keys are never null in what is compared, and plain equality lets the engine hash them.
    return " and ".join(f"{left}.{name} = {right}.{name}" for name in entity.key)


def _content(entity: Entity, row: str) -> str:
    names = [*(field.name for field in entity.fields), "is_deleted", "extra_fields"]
    return "{" + ", ".join(f"{literal(name)}: {row}.{name}" for name in names) + "}"


def fold(connection: duckdb.DuckDBPyConnection, lake: Lake, entity: Entity, links: list[Batch]) -> None:
    """Make `state`: the last known row of every key after the snapshots `links`, tombstones included."""
    columns = _columns(entity)
    start = max((position for position, batch in enumerate(links) if batch.mode == "full"), default=0)
    read = links[start:]
    names = ", ".join(name for name, _ in columns)
    empty = ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in columns)
    connection.execute(f"create or replace temp table state as select {empty} where false")
    if not read:
        return
    order = ", ".join(f"{literal(batch.batch_id)}: {position}" for position, batch in enumerate(read))
    paths = ", ".join(literal(str(lake.raw_file(entity.name, batch.batch_id))) for batch in read)
    connection.execute(
        f"""insert into state by name
        select {names} from (
            select {empty}, cast(null as varchar) as batch_id, cast(null as bigint) as source_row_number where false
            union all by name select * from read_parquet([{paths}], union_by_name = true)
        )
        qualify row_number() over (
            partition by {", ".join(entity.key)}
            order by map {{{order}}}[batch_id] desc, source_row_number nulls last
        ) = 1"""
    )


def advance(connection: duckdb.DuckDBPyConnection, lake: Lake, entity: Entity, batch: Batch) -> None:
    """Bring `state` from the snapshot before `batch` to `batch` itself."""
    if batch.mode == "full":
        fold(connection, lake, entity, [batch])
        return
    rows = f"read_parquet({literal(str(lake.raw_file(entity.name, batch.batch_id)))})"
    names = ", ".join(name for name, _ in _columns(entity))
    connection.execute(f"delete from state using {rows} as changed where {_key(entity, 'changed', 'state')}")
    connection.execute(
        f"""insert into state by name select {names} from {rows}
        qualify row_number() over (partition by {", ".join(entity.key)} order by source_row_number nulls last) = 1"""
    )


def compare(
    connection: duckdb.DuckDBPyConnection,
    entity: Entity,
    snapshot_at: datetime,
    rejected: int,
    *,
    is_partial: bool = False,
) -> Comparison:
    """Compare the rows in `typed` with `state`. Makes `gone` (state's rows without a good row) and `changed`.

    `gone` says of each row whether its key is in the file at all (is_held: its row is in quarantine) and, where it is
    not, that it is a tombstone from now on. `changed` holds source_row_number and changed_at of the rows that are new
    or differ. `rejected` is how many records of the file could not even be split: which keys they held nobody knows, so
    nothing is deleted on the strength of such a file, nor of one that holds a part of its rows (`is_partial`).
    """
    unreadable = " or ".join(f"{name} is null" for name in entity.key)
    (nameless,) = _one(connection, f"select count(*) from typed where {unreadable}")
    keeps_all = is_partial or bool(nameless or rejected)
    now = _instant(snapshot_at)
    # A later version in any case: a row may change while its source's own clock stands still, or go back to a value.
    bumped = f"greatest({now}, state.changed_at + interval 1 microsecond)"
    is_held = f"({'true' if keeps_all else 'false'} or found.is_found is not null)"
    connection.execute(
        f"""create or replace temp table gone as
        with found as (select distinct {", ".join(entity.key)}, true as is_found from typed),
        good as (select distinct {", ".join(entity.key)}, true as is_good from typed where set_aside_for is null)
        select state.* exclude (changed_at, is_deleted),
            case when state.is_deleted or {is_held} then state.changed_at else {bumped} end as changed_at,
            state.is_deleted or not {is_held} as is_deleted,
            not state.is_deleted and {is_held} as is_held,
            not state.is_deleted and not {is_held} as is_new
        from state
        left join found on {_key(entity, "found", "state")}
        left join good on {_key(entity, "good", "state")}
        where good.is_good is null"""
    )
    connection.execute(
        f"""create or replace temp table changed as
        select typed.source_row_number,
            case when state.loaded_at is null then coalesce(typed.changed_at, {now})
                when typed.changed_at > state.changed_at then typed.changed_at
                else {bumped} end as changed_at
        from typed left join state on {_key(entity, "state", "typed")}
        where typed.set_aside_for is null
            and (state.loaded_at is null or {_content(entity, "typed")} is distinct from {_content(entity, "state")})"""
    )
    live, gone, tombstoned, carried, unchanged = _one(
        connection,
        """select (select count(*) from state where not is_deleted), (select count(*) from gone where is_new),
            (select count(*) from gone where is_deleted), (select count(*) from gone where is_held),
            (select count(*) from typed where set_aside_for is null) - (select count(*) from changed)""",
    )
    return Comparison(live, gone, tombstoned, carried, unchanged)


def check_size(source: Source, file: SourceFile, found: Comparison) -> None:
    """Refuse a snapshot that lost so many keys that it is rather a part of one."""
    limits = source.limits
    share = limits.max_deleted_share
    is_small = found.gone > limits.tolerated_rows and found.gone > share * found.live
    is_empty = found.live > 0 and found.gone == found.live
    if share < 1 and (is_small or is_empty):
        raise LandingError(
            f"{file.name}: {found.gone} of the {found.live} keys of the snapshot before it are gone, more than "
            f"quarantine.max_deleted_share {share:g} allows; deliver it whole, or raise quarantine.max_deleted_share "
            f"in {source.file} if so many are really gone (1 allows all)"
        )


def full_sql(entity: Entity, snapshot_at: datetime, technical: dict[str, str]) -> str:
    """Rows of a batch in mode full: the good ones, what stands in for those in quarantine, and all tombstones."""
    now = _instant(snapshot_at)
    # A row that says of itself that it is deleted keeps the time at which it first said so.
    changed_at = (
        f"coalesce(typed.changed_at, case when typed.is_deleted and state.is_deleted then state.changed_at end, {now})"
    )
    fields = [field.name for field in entity.fields]
    row = {"changed_at": changed_at, "change_sequence": "typed.change_sequence", "is_deleted": "typed.is_deleted"}
    landed = _select(fields, technical | row, "typed")
    rest = _select(fields, technical | {"source_row_number": "cast(null as bigint)"} | _OWN, "gone")
    return f"""
        select {landed} from typed left join state on {_key(entity, "state", "typed")} where typed.set_aside_for is null
        union all
        select {rest} from gone
        order by source_row_number nulls last, {", ".join(entity.key)}"""


def compare_sql(entity: Entity, technical: dict[str, str]) -> str:
    """Rows of a batch in mode compare: what is new or differs, and the tombstones of what is gone since."""
    fields = [field.name for field in entity.fields]
    row = {"source_row_number": "typed.source_row_number", "changed_at": "changed.changed_at"}
    landed = _select(fields, technical | _OWN | row, "typed")
    rest = _select(fields, technical | {"source_row_number": "cast(null as bigint)"} | _OWN, "gone")
    return f"""
        select {landed} from typed join changed on changed.source_row_number = typed.source_row_number
        union all
        select {rest} from gone where is_new
        order by source_row_number nulls last, {", ".join(entity.key)}"""


_OWN = {"changed_at": "", "change_sequence": "", "is_deleted": ""}


def _select(fields: list[str], technical: dict[str, str], row: str) -> str:
    """Select list in the order of the lake's files; an empty expression stands for the column of `row` itself."""
    listed = [f"{row}.{name}" for name in fields]
    listed += [f"{sql or f'{row}.{name}'} as {name}" for name, sql in technical.items()]
    return ", ".join([*listed, f"{row}.extra_fields"])


def _instant(moment: datetime) -> str:
    return f"timestamptz {literal(moment.isoformat(timespec='microseconds'))}"


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    return connection.execute(sql).fetchone() or ()
