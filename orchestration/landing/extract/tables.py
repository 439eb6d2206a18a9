"""What of a database's table becomes an extract: what a cursor says is new, or all of it when it has changed.

How the table is read belongs in `database`, how files are committed in `store`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestration.brands import DatabaseReader, Source
from orchestration.landing.errors import LandingError
from orchestration.landing.extract import database
from orchestration.landing.extract.store import (
    Extract,
    ExtractWriter,
    Store,
    digests,
    fingerprint,
    rows_from,
    unseen,
)

_TYPES: dict[str, Callable[[str], Any]] = {
    "int": int,
    "Decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
}


def extract_table(
    store: Store, source: Source, reader: DatabaseReader, taken_at: datetime, log: Callable[[str], None]
) -> list[Path]:
    """Read what is new of the table into extracts; gives the new files."""
    # The dots of `public.orders` and its default schema are told apart by nobody but the database.
    identity = {"table": reader.table, "cursor": reader.cursor}
    last = store.newest(identity)
    if last is None and store.files():
        log(f"{source.name}: reader.table or reader.cursor has changed: the whole table is read again")
    with database.open_table(source, reader) as opened:
        if reader.cursor is None:
            return _snapshot(store, source, opened, identity, last, taken_at, log)
        return _from_cursor(store, source, reader, opened, identity, last, taken_at, log)


def _snapshot(
    store: Store,
    source: Source,
    opened: database.OpenTable,
    identity: dict[str, Any],
    last: Extract | None,
    taken_at: datetime,
    log: Callable[[str], None],
) -> list[Path]:
    with ExtractWriter(store, store.path(taken_at, 1), opened.schema) as writer:
        for table in database.tables(opened, database.statement(opened)):
            writer.write(table)
        if writer.rows == 0 and last is None:
            log(f"{source.name}: the table is empty, nothing is extracted")
            return []
        # The rows are read back from the file: the state must not be part of what is compared.
        writer.finish(state := {"identity": identity, "rows": writer.rows})
        content = fingerprint(writer.path)
        if last is not None and fingerprint(last.path) == content:
            log(f"{source.name}: {writer.rows:,} rows, the same as in {last.path.name}")
            return []
        log(f"{source.name}: {state['rows']:,} rows extracted")
        return [writer.commit()]


def _from_cursor(
    store: Store,
    source: Source,
    reader: DatabaseReader,
    opened: database.OpenTable,
    identity: dict[str, Any],
    last: Extract | None,
    taken_at: datetime,
    log: Callable[[str], None],
) -> list[Path]:
    name = str(reader.cursor)
    opened.cursor_expression(name)
    if database.has_null_cursor(opened, name):
        raise LandingError(
            f"{source.file}: reader.cursor: {name} is null in some rows of {reader.table}, which no question from a "
            "value on would find; name a column that is never null, read a view that fills it, or use mode: compare"
        )
    high = _decoded(last.state["high"]) if last else None
    since = _below(high, reader.cursor_overlap)
    seen = _seen(store, identity, name, since)
    paths: list[Path] = []
    pieces: list[pa.Table] = []
    waiting = 0

    def write(size: int) -> None:
        nonlocal high, waiting
        whole = pa.concat_tables(pieces)
        chunk = whole.slice(0, size)
        rest = whole.slice(size)
        pieces[:] = [rest] if rest.num_rows else []
        waiting = rest.num_rows
        reached = chunk[name][-1].as_py()  # rows come in the order of the cursor
        high = reached if high is None else max(high, reached)
        with ExtractWriter(store, store.path(taken_at, len(paths) + 1), opened.schema) as writer:
            writer.write(chunk)
            writer.finish({"identity": identity, "rows": chunk.num_rows, "high": _encoded(high)})
            paths.append(writer.commit())
        log(f"{source.name}: {chunk.num_rows:,} rows extracted, {name} up to {high}")

    for table in database.tables(opened, database.statement(opened, cursor=name, since=since)):
        fresh = unseen(table, seen)
        seen = +seen  # what was met is used up; when nothing is left, rows are no longer compared
        pieces.append(fresh)
        waiting += fresh.num_rows
        while waiting >= reader.chunk_rows:
            write(reader.chunk_rows)
    if waiting:
        write(waiting)
    if not paths:
        log(f"{source.name}: nothing new")
    return paths


def _seen(store: Store, identity: dict[str, Any], name: str, since: Any) -> Counter[bytes]:
    """Content of the rows that are asked for again and were extracted before."""
    seen: Counter[bytes] = Counter()
    if since is None:
        return seen
    for table in rows_from(store, identity, name, since, lambda state: _decoded(state["high"]) >= since):
        seen.update(digests(table))
    return seen


def _below(high: Any, overlap: int) -> Any:
    if high is None:
        return None
    return high - (timedelta(seconds=overlap) if isinstance(high, date) else overlap)


def _encoded(value: Any) -> dict[str, str]:
    text = value.isoformat() if isinstance(value, date) else str(value)
    return {"type": type(value).__name__, "value": text}


def _decoded(state: dict[str, str]) -> Any:
    return _TYPES[state["type"]](state["value"])
