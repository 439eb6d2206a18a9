"""Read a REST endpoint page by page into extracts: from where the last run stopped, whatever stopped it.

dlt's REST client builds the requests and turns the pages. What a page becomes, where paging goes on after a kill and when
a list cannot be trusted is decided here; manners are in `polite`, committing files in `store`.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import simplejson

from orchestration.brands import ApiReader, Source
from orchestration.landing.errors import LandingError, SourceUnavailable
from orchestration.landing.extract import loaders
from orchestration.landing.extract.polite import Clock, Pace, PoliteSession, Refused
from orchestration.landing.extract.secrets import secret
from orchestration.landing.extract.store import ExtractWriter, Store, fingerprint, read_extract

PASSES = 3  # how often a list is read anew that does not add up, or whose paging cursor has expired
PARTS_LIVE_HOURS = 24  # a half-read list that is older is read anew: its pages would be of different days
EMPTY_PAGES = 100  # pages without a record in a row, after which the API is thought to turn in circles
_TOKEN = "{token}"  # noqa: S105  stands for the token in a saved position
_EXPIRED = {400, 404, 410, 422}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = dict[str, str | None]
Log = Callable[[str], None]


@dataclass(frozen=True)
class Page:
    """Records of one answer as rows of text, and the request that asks for what follows (None: there is nothing)."""

    rows: list[Row]
    next: dict[str, Any] | None
    total: int | None


@dataclass
class _Reading:
    """Where reading is: what the next checkpoint will say."""

    paging: dict[str, Any]  # how the list is paged, and where: a position means something only there
    since: str | None = None  # value of the cursor that was asked for
    high: str | None = None  # greatest value that was seen
    position: dict[str, Any] | None = None  # request of the next page; None = the first
    received: int = 0  # different records of this pass
    rows: list[Row] = field(default_factory=list)  # not committed yet

    def go_on(self, state: dict[str, Any]) -> bool:
        """Take up a list that was not read to its end; whether it could be."""
        if state["complete"] or state["paging"] != self.paging:
            return False
        self.since, self.position, self.received = state["since"], state["next"], state["received"]
        return True


def extract_endpoint(
    store: Store, source: Source, reader: ApiReader, taken_at: datetime, log: Log, clock: Clock | None = None
) -> list[Path]:
    """Read what is new of the endpoint into extracts; gives the new files."""
    identity = {
        "endpoint": reader.endpoint,
        "parameters": reader.parameters,
        "records": reader.records,
        "cursor": reader.cursor,
    }
    token = secret(reader.token_secret, "token_secret", source.file) if reader.token_secret else None
    client = _Client(source, reader, token, clock or Clock())
    if reader.cursor is None:
        return _snapshot(store, source, reader, client, identity, taken_at, log)
    return _from_cursor(store, source, reader, client, identity, taken_at, log)


def _paging(reader: ApiReader) -> dict[str, Any]:
    return {"base_url": reader.base_url, **reader.paging.model_dump()}


def _from_cursor(
    store: Store,
    source: Source,
    reader: ApiReader,
    client: _Client,
    identity: dict[str, Any],
    taken_at: datetime,
    log: Log,
) -> list[Path]:
    last = store.newest(identity)
    if last is None and store.files():
        log(f"{source.name}: what reader asks for has changed: everything is read again")
    reading = _Reading(_paging(reader))
    if last is not None:
        # The list was asked for from `since` on, and its end was not reached: all of it is asked for again, or the rest.
        reading.high = last.state["high"]
        reading.since = reading.high if last.state["complete"] else last.state["since"]
        if reading.go_on(last.state):
            log(f"{source.name}: goes on after {reading.received:,} records of a list that was not read to its end")
    seen = _seen(store, identity, str(reader.cursor), reading.since)

    def checkpoint(number: int, complete: bool) -> Path:
        return _commit(store, store.path(taken_at, number), identity, reading, taken_at, complete)

    paths: list[Path] = []
    _read_list(source, reader, client, reading, seen, paths, checkpoint, lambda: None, log)
    if not paths:
        log(f"{source.name}: nothing new")
    return paths


def _snapshot(
    store: Store,
    source: Source,
    reader: ApiReader,
    client: _Client,
    identity: dict[str, Any],
    taken_at: datetime,
    log: Log,
) -> list[Path]:
    """The whole list as one file. Its pages wait as parts until the last one is there."""
    reading = _Reading(_paging(reader))
    parts = sorted(store.parts.glob("*.parquet")) if store.parts.is_dir() else []
    state = read_extract(parts[-1]).state if parts else {}
    begun = datetime.fromisoformat(state["begun_at"]) if state else taken_at
    is_old = taken_at - begun > timedelta(hours=PARTS_LIVE_HOURS)
    if parts and (is_old or state["identity"] != identity or state["paging"] != reading.paging):
        shutil.rmtree(store.parts)
        parts, state, begun = [], {}, taken_at
    seen = {_digest(row) for path in parts for row in pq.read_table(path).to_pylist()}
    if not state.get("complete", False):
        if state and reading.go_on(state):
            log(f"{source.name}: goes on after {reading.received:,} records of a list that was not read to its end")

        def checkpoint(number: int, complete: bool) -> Path:
            return _commit(store, store.parts / f"{number:05d}.parquet", identity, reading, begun, complete)

        def anew() -> None:
            """Records of two readings are not of one state: of a record that has changed, both would be in the list."""
            shutil.rmtree(store.parts, ignore_errors=True)
            parts.clear()
            seen.clear()
            reading.rows = []

        _read_list(source, reader, client, reading, seen, parts, checkpoint, anew, log)
    return _joined(store, source, identity, parts, taken_at, log)


def _joined(
    store: Store, source: Source, identity: dict[str, Any], parts: list[Path], taken_at: datetime, log: Log
) -> list[Path]:
    last = store.newest(identity)
    if not parts and last is None:
        log(f"{source.name}: the list is empty, nothing is extracted")
        return []
    names: dict[str, None] = {}
    for path in parts or [last.path if last else Path()]:
        names.update(dict.fromkeys(pq.read_schema(path).names))
    with ExtractWriter(store, store.path(taken_at, 1), _schema(names)) as writer:
        for path in parts:
            writer.write(_table(pq.read_table(path).to_pylist(), writer.schema))
        rows = writer.rows
        writer.finish({"identity": identity, "rows": rows})
        same = last is not None and fingerprint(last.path) == fingerprint(writer.path)
        committed = [] if same else [writer.commit()]
    shutil.rmtree(store.parts, ignore_errors=True)
    log(f"{source.name}: {rows:,} records, {'the same as before' if same else 'extracted'}")
    return committed


def _commit(
    store: Store,
    target: Path,
    identity: dict[str, Any],
    reading: _Reading,
    begun_at: datetime,
    complete: bool,
) -> Path:
    """Write the waiting rows and where reading is into one file; then they wait no more."""
    names = dict.fromkeys(name for row in reading.rows for name in row)
    with ExtractWriter(store, target, _schema(names)) as writer:
        writer.write(_table(reading.rows, writer.schema))
        writer.finish(
            {
                "identity": identity,
                "paging": reading.paging,
                "rows": len(reading.rows),
                "complete": complete,
                "since": reading.since,
                "high": reading.high,
                "next": reading.position,
                "received": reading.received,
                "begun_at": begun_at.isoformat(),
            }
        )
        path = writer.commit()
    reading.rows = []
    return path


def _schema(names: dict[str, None]) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in names])


def _table(rows: list[Row], schema: pa.Schema) -> pa.Table:
    columns = [pa.array([row.get(name) for row in rows], pa.string()) for name in schema.names]
    return pa.Table.from_arrays(columns, schema=schema)


# ---- reading a list ----------------------------------------------------------------------------------------------


def _read_list(
    source: Source,
    reader: ApiReader,
    client: _Client,
    reading: _Reading,
    seen: set[bytes],
    paths: list[Path],
    checkpoint: Callable[[int, bool], Path],
    anew: Callable[[], None],
    log: Log,
) -> None:
    """Read to the end of the list; every `chunk_rows` rows are committed, to `paths`, once it is known what follows.

    `anew` is called before a list is read from its beginning again.
    """

    def commit(complete: bool) -> None:
        count = len(reading.rows)
        paths.append(checkpoint(len(paths) + 1, complete))
        log(f"{source.name}: {count:,} records extracted")

    for attempt in range(1, PASSES + 1):
        total, most = None, 0
        counted: set[bytes] = set()
        before = reading.received
        try:
            for page in _pages(source, reader, client, reading):
                if page.total is not None:
                    total, most = page.total, max(most, page.total)
                fresh = {digest: row for row in page.rows if (digest := _digest(row)) not in seen}
                # Only with more rows to come, so that the last file is always the one that says "complete".
                if fresh and len(reading.rows) >= reader.chunk_rows:
                    commit(complete=False)
                reading.rows += fresh.values()
                seen.update(fresh)
                counted.update(_digest(row) for row in page.rows)
                for row in page.rows:
                    reading.high = _later(source, reader, row, reading.high)
                reading.received = before + len(counted)
                reading.position = page.next
        except Refused as refusal:
            # The first request was right, so it is the place in the list that the API no longer knows.
            if reading.position is None or refusal.status not in _EXPIRED or attempt == PASSES:
                raise
            log(f"{source.name}: the API no longer knows where reading stopped: the list is read from its beginning")
        else:
            # A list that is asked for from ever later values says how many are left, not how many there are.
            if total is None or reader.ordered or (reading.received >= total and total == most):
                break
            # A list that has grown shorter has moved records to pages that were turned already.
            told = (
                f"{total:,} records, {most:,} before"
                if total < most
                else f"{total:,} records and sent {reading.received:,}"
            )
            if attempt == PASSES:
                raise SourceUnavailable(
                    f"{source.file}: GET {reader.endpoint}: the API states {told}; run again when the list is at rest, or "
                    "check reader.paging"
                )
            log(f"{source.name}: the API states {told}: the list is read again")
        reading.position, reading.received = None, 0
        anew()
    reading.position = None
    if reading.rows:
        commit(complete=True)


def _pages(source: Source, reader: ApiReader, client: _Client, reading: _Reading) -> Iterator[Page]:
    """Pages from `reading.position` on. Raises LandingError when the API sends the same page again."""
    where = f"{source.file}: GET {reader.endpoint}"
    while True:
        previous: bytes | None = None
        visited: set[str] = set()
        empty = 0
        reached = None
        for page in client.pages(reading.since, reading.position):
            content = hashlib.blake2b(repr(page.rows).encode(), digest_size=16).digest()
            place = repr(page.next)
            if (page.rows and content == previous) or (page.next is not None and place in visited):
                raise LandingError(
                    f"{where}: the API sends the same page again and again; check reader.paging: are "
                    "its parameters those that this API knows?"
                )
            previous = content
            visited.add(place)
            empty = 0 if page.rows else empty + 1
            if empty > EMPTY_PAGES:
                raise LandingError(f"{where}: {EMPTY_PAGES} pages without a record came in a row; check reader.paging")
            if reader.ordered and page.rows:
                reached = _in_order(source, reader, page.rows, reading.since)
            yield page
            if reached != reading.since and reached is not None:
                break
        if reached is None or reached == reading.since:
            return
        # From here on the list is asked for from the value reached: what has moved meanwhile is behind it.
        reading.since, reading.position = reached, None


def _in_order(source: Source, reader: ApiReader, rows: list[Row], since: str | None) -> str | None:
    """The last cursor value of a page, given that they ascend and none lies before what was asked for."""
    name = str(reader.cursor)
    keys = [_key(source, name, row) for row in rows]
    if since is not None and keys[0] < cursor_key(since):
        raise LandingError(
            f"{source.file}: reader.cursor_parameter: GET {reader.endpoint} answers with records from before the value "
            f"that was asked for; is {reader.cursor_parameter} the parameter that this API knows?"
        )
    if keys != sorted(keys):
        raise LandingError(
            f"{source.file}: reader.ordered: GET {reader.endpoint} does not answer in the order of {name}; "
            "ask for it in reader.parameters, or remove ordered"
        )
    if since is not None and keys[-1] == cursor_key(since):
        return since
    return rows[-1][name]


def _later(source: Source, reader: ApiReader, row: Row, high: str | None) -> str | None:
    if reader.cursor is None:
        return None
    key = _key(source, reader.cursor, row)
    return row[reader.cursor] if high is None or key > cursor_key(high) else high


def _key(source: Source, name: str, row: Row) -> Decimal:
    try:
        return cursor_key(row.get(name) or "")
    except ValueError:
        raise LandingError(
            f"{source.file}: reader.cursor: {name} is missing from a record, or neither a number nor an ISO 8601 "
            "timestamp; name another field, or use mode: compare"
        ) from None


def cursor_key(text: str) -> Decimal:
    """A cursor value in its natural order: the number, or a timestamp's seconds since 1970 (no zone: UTC).

    Raises ValueError when it is neither.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        moment = datetime.fromisoformat(text)
        since_epoch = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
        return Decimal(since_epoch // timedelta(microseconds=1)) / 1_000_000
    if not number.is_finite():
        raise ValueError(text)
    return number


def _seen(store: Store, identity: dict[str, Any], cursor: str, since: str | None) -> set[bytes]:
    """Content of the records that can come again: those extracted before with a cursor value of at least `since`."""
    seen: set[bytes] = set()
    lowest = cursor_key(since) if since is not None else None
    for path in reversed(store.files()):
        state = read_extract(path).state
        if state["identity"] != identity or (lowest is not None and cursor_key(state["high"]) < lowest):
            break
        rows = pq.read_table(path).to_pylist()
        seen.update(_digest(row) for row in rows if lowest is None or cursor_key(row[cursor]) >= lowest)
    return seen


def _digest(row: Row) -> bytes:
    content = sorted((name, value) for name, value in row.items() if value is not None)
    return hashlib.blake2b(repr(content).encode(), digest_size=16).digest()


# ---- requests and answers ----------------------------------------------------------------------------------------


class _Client:
    """dlt's REST client on a polite session, told by a source's reader."""

    def __init__(self, source: Source, reader: ApiReader, token: str | None, clock: Clock) -> None:
        self._reader = reader
        self._token = token
        self._where = f"{source.file}: GET {reader.endpoint}"
        pace = Pace(reader.requests_per_minute, clock)
        self._client = loaders.RESTClient(
            base_url=reader.base_url,
            auth=loaders.BearerTokenAuth(token) if token else None,
            session=PoliteSession(reader.base_url, self._where, pace, (token,) if token else ()),
            # Given, so that it is not looked for in files of this machine.
            config=loaders.RuntimeConfiguration(),
        )

    def pages(self, since: str | None, position: dict[str, Any] | None) -> Iterator[Page]:
        """Pages from the position on, or from the first one of what is at or above `since`."""
        reader = self._reader
        path, parameters = reader.endpoint, self._first_parameters(since)
        if position is not None:
            path, parameters = (
                self._opened(position["path"]),
                {k: self._opened(v) for k, v in position["query"].items()},
            )
        answers = self._client.paginate(
            path,
            params=parameters,
            paginator=_paginator(reader, position),
            data_selector=_selector(reader.records),
            hooks={"response": []},  # the session has judged the status already
        )
        for answer in answers:
            body = answer.response.json()
            records = self._records(body)
            yield Page([_row(record, self._where) for record in records], self._next(answer), self._total(body))

    def _first_parameters(self, since: str | None) -> dict[str, Any]:
        reader, paging = self._reader, self._reader.paging
        parameters: dict[str, Any] = dict(reader.parameters)
        if paging.kind != "none" and paging.size_parameter is not None:
            parameters[paging.size_parameter] = paging.size
        if since is not None and reader.cursor_parameter is not None:
            parameters[reader.cursor_parameter] = since
        return parameters

    def _records(self, body: Any) -> list[Any]:
        found = _at(body, self._reader.records)
        if found is _MISSING:
            raise LandingError(
                f"{self._where}: reader.records: the answer has no {self._reader.records}; correct the path to the list"
            )
        if found is None:
            return []
        if not isinstance(found, list):
            raise LandingError(
                f"{self._where}: reader.records: {self._reader.records} is no list; correct the path to the list"
            )
        return found

    def _total(self, body: Any) -> int | None:
        path = self._reader.paging.total
        if path is None:
            return None
        found = _at(body, path)
        try:
            return int(found)
        except (TypeError, ValueError):
            raise LandingError(
                f"{self._where}: reader.paging.total: the answer has no whole number at {path}; correct the path"
            ) from None

    def _next(self, answer: loaders.PageData[Any]) -> dict[str, Any] | None:
        if not answer.paginator.has_next_page:
            return None
        request = answer.request
        parameters: Any = request.params or {}  # a dict, as it was given
        query = {str(name): self._closed(value) for name, value in parameters.items()}
        return {"path": self._closed(request.url), "query": query}

    def _closed(self, value: Any) -> Any:
        """`value` without the token, which is in no file: an API may repeat it in its links."""
        return value.replace(self._token, _TOKEN) if self._token and isinstance(value, str) else value

    def _opened(self, value: Any) -> Any:
        return value.replace(_TOKEN, self._token) if self._token and isinstance(value, str) else value


def _paginator(reader: ApiReader, position: dict[str, Any] | None) -> loaders.BasePaginator:
    paging = reader.paging
    query = position["query"] if position else {}
    if paging.kind == "page":
        return loaders.PageNumberPaginator(
            base_page=paging.first_page,
            page=int(query.get(paging.page_parameter, paging.first_page)),
            page_param=paging.page_parameter,
            total_path=None,
        )
    if paging.kind == "offset":
        return _Offset(
            limit=paging.size,
            offset=int(query.get(paging.offset_parameter, 0)),
            offset_param=paging.offset_parameter,
            limit_param=paging.size_parameter,
            total_path=None,
        )
    if paging.kind == "cursor":
        return loaders.JSONResponseCursorPaginator(
            cursor_path=_selector(paging.next_cursor), cursor_param=paging.cursor_parameter
        )
    if paging.kind == "link":
        return _Link(_selector(paging.next_link)) if paging.next_link else loaders.HeaderLinkPaginator()
    return loaders.SinglePagePaginator()


class _Offset(loaders.OffsetPaginator):
    """Goes on after what came, not after what was asked for: an API may send fewer records than `size`."""

    def update_state(self, response: Any, data: list[Any] | None = None) -> None:
        self.value_step = len(data or [])
        super().update_state(response, data)


class _Link(loaders.JSONLinkPaginator):
    """An empty link is no link."""

    def update_state(self, response: Any, data: list[Any] | None = None) -> None:
        super().update_state(response, data)
        self._next_reference = self._next_reference or None


_MISSING = object()


def _at(body: Any, path: str) -> Any:
    """What stands at `a.b.c` of an answer; `$` is the answer itself."""
    found = body
    for name in () if path == "$" else path.split("."):
        if not isinstance(found, dict) or name not in found:
            return _MISSING
        found = found[name]
    return found


def _selector(path: str) -> str:
    """The path as JSONPath, whatever characters its names have."""
    return path if path == "$" else ".".join(f"'{name}'" for name in path.split("."))


def _row(record: Any, where: str) -> Row:
    """A record as text: what JSON calls a string as it is, numbers with their digits, objects and lists as JSON."""
    if not isinstance(record, dict):
        raise LandingError(f"{where}: reader.records: an entry of the list is no object; correct the path to the list")
    return {str(name): _text(value) for name, value in record.items()}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return simplejson.dumps(value, use_decimal=True, ensure_ascii=False, separators=(",", ":"))
    return format(value, "f") if isinstance(value, Decimal) else str(value)
