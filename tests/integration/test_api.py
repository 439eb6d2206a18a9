"""A REST API against a server on loopback: every kind of paging, rates, faults, kills; no record lost or doubled.

How a database is read is tested in test_databases.py; what needs no server, in tests/unit/landing/test_extract.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import servers
from extraction import Extraction, source_of
from servers import Answer, Request, RestApi

from orchestration.brands import ApiReader, Source
from orchestration.landing.errors import LandingError, SourceUnavailable
from orchestration.landing.extract.polite import ATTEMPTS, Clock
from orchestration.settings import PROJECT_ROOT

TOKEN = "TESSERA_SECRET_API_TOKEN"
PAGINGS: dict[str, dict[str, Any]] = {
    "page": {"kind": "page", "size": 10},
    "offset": {"kind": "offset", "size": 10, "size_parameter": "limit"},
    "cursor": {"kind": "cursor", "size": 10, "next_cursor": "meta.next", "cursor_parameter": "after"},
    "link": {"kind": "link", "size": 10},
    "json_link": {"kind": "link", "size": 10, "next_link": "meta.next"},
}


class Orders:
    """A list of records behind every kind of paging; the path names the kind."""

    def __init__(self, count: int) -> None:
        self.records: list[dict[str, Any]] = [order(number) for number in range(1, count + 1)]
        self.largest_page = 1000
        self.faults: list[Answer] = []
        self.before_answer: Callable[[Request], None] = lambda _: None

    def __call__(self, request: Request) -> Answer:
        if self.faults:
            return self.faults.pop(0)
        self.before_answer(request)
        kind, query = request.path.strip("/").split("/")[-1], request.query
        since = query.get("updated_since", "")
        rows = sorted((r for r in self.records if r["updated_at"] >= since), key=lambda r: (r["updated_at"], r["id"]))
        size = min(int(query.get("page_size", query.get("limit", "10"))), self.largest_page)
        start = {
            "page": lambda: (int(query["page"]) - 1) * size,
            "offset": lambda: int(query["offset"]),
        }.get(kind, lambda: int(query.get("after", "0")))()
        page = rows[start : start + size]
        more = start + size < len(rows)
        meta: dict[str, Any] = {"total": len(rows)}
        headers = {}
        link = f"/{kind}?after={start + size}&page_size={size}&updated_since={since}"
        if kind == "cursor":
            meta["next"] = start + size if more else None
        if kind == "json_link":
            meta["next"] = link if more else ""
        if kind == "link" and more:
            headers["Link"] = f'<http://{request.headers["Host"]}{link}>; rel="next", </x>; rel="last"'
        return Answer({"data": {"orders": page}, "meta": meta}, headers=headers)


def order(number: int, at: str | None = None) -> dict[str, Any]:
    stamp = at or f"2024-05-{1 + number // 60:02d}T00:{number % 60:02d}:00Z"
    return {"id": number, "updated_at": stamp, "amount": number + 0.5, "lines": [{"sku": f"s{number}"}]}


@pytest.fixture
def orders() -> Orders:
    return Orders(45)


@pytest.fixture
def api(orders: Orders) -> Iterator[RestApi]:
    with servers.rest_api(orders) as server:
        yield server


@pytest.fixture
def lake(tmp_path: Path) -> Extraction:
    return Extraction(tmp_path / "home")


class Fake:
    """A clock that stands still until somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.seconds += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """No test waits: the extraction's clock is a fake."""
    from orchestration.landing.extract import api

    fake = Fake()
    monkeypatch.setattr(api, "Clock", lambda: Clock(lambda: fake.seconds, fake.sleep))
    return fake


def endpoint(api: RestApi, kind: str = "page", mode: str = "incremental", **reader: Any) -> Source:
    paging = PAGINGS[kind] | reader.pop("paging", {})
    if mode == "incremental":
        reader = {"cursor": "updated_at", "cursor_parameter": "updated_since"} | reader
    settings = {"records": "data.orders", "paging": paging, "requests_per_minute": 60_000} | reader
    return source_of(mode, kind="api", base_url=api.url, **({"endpoint": kind} | settings))


def ids(lake: Extraction) -> list[int]:
    return [int(value) for value in lake.column("id")]


# ---- paging ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PAGINGS)
@pytest.mark.parametrize("chunk_rows", [1, 7, 1000])
def test_every_page_is_read_once_and_only_news_later(
    api: RestApi, orders: Orders, lake: Extraction, kind: str, chunk_rows: int
) -> None:
    source = endpoint(api, kind, chunk_rows=chunk_rows)
    lake.run(source)
    assert ids(lake) == list(range(1, 46))
    assert lake.run(source) == []
    orders.records[0] = order(1, "2024-06-01T00:00:00Z")
    orders.records.append(order(46, "2024-06-01T00:00:00Z"))
    lake.run(source)
    assert ids(lake)[45:] == [1, 46]
    assert lake.run(source) == []


def test_a_record_is_text_with_its_digits(api: RestApi, orders: Orders, lake: Extraction) -> None:
    text = (
        '{"data": {"orders": [{"id": 12345678901234567890, "amount": 1.10, "big": 12345678901234567.89, "ok": true,'
        ' "none": null, "name": "长\\u4e2d", "lines": [{"price": 0.10, "名": "x"}], "of": {"a": [1, null]}}]}}'
    )
    orders.faults = [Answer(text)]
    lake.run(endpoint(api, "page", "full", paging={"kind": "none"}))
    (row,) = lake.table().to_pylist()
    assert row == {
        "id": "12345678901234567890",
        "amount": "1.10",
        "big": "12345678901234567.89",
        "ok": "true",
        "none": None,
        "name": "长中",
        "lines": '[{"price":0.10,"名":"x"}]',
        "of": '{"a":[1,null]}',
    }


@pytest.mark.parametrize("kind", ["page", "offset"])
def test_an_api_may_send_fewer_records_than_asked_for(
    api: RestApi, orders: Orders, lake: Extraction, kind: str
) -> None:
    orders.largest_page = 4
    lake.run(endpoint(api, kind))
    assert ids(lake) == list(range(1, 46))


def test_a_snapshot_is_one_file_and_only_when_something_changed(api: RestApi, orders: Orders, lake: Extraction) -> None:
    source = endpoint(api, "cursor", "compare", chunk_rows=10)
    (first,) = lake.run(source)
    assert pq.read_table(first).num_rows == 45
    assert lake.run(source) == []
    del orders.records[10]
    (second,) = lake.run(source)
    assert "11" not in pq.read_table(second)["id"].to_pylist()
    orders.records.clear()
    (third,) = lake.run(source)
    assert pq.read_table(third).num_rows == 0
    assert not lake.store.parts.exists()


def test_records_without_some_fields_have_nulls(api: RestApi, orders: Orders, lake: Extraction) -> None:
    orders.records = [{"id": 1, "updated_at": "2"}, {"id": 2, "updated_at": "3", "coupon": "c"}]
    lake.run(endpoint(api))
    assert lake.column("coupon") == [None, "c"]


# ---- lists that move while they are read -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["page", "offset"])
def test_a_record_that_moves_while_pages_turn_is_not_lost(
    api: RestApi, orders: Orders, lake: Extraction, kind: str
) -> None:
    """After every page a record of the first page changes and moves to the end: the others all move up one place."""
    moved = iter(range(1, 9))

    def move(request: Request) -> None:
        if len(api.requests) > 1 and (number := next(moved, None)) is not None:
            orders.records[number - 1] = order(number, f"2024-07-01T00:00:{number:02d}Z")

    orders.before_answer = move
    source = endpoint(api, kind, ordered=True)
    lake.run(source)
    lake.run(source)
    latest = {row["id"]: row["updated_at"] for row in lake.table().to_pylist()}
    assert latest == {str(record["id"]): record["updated_at"] for record in orders.records}
    rows = [tuple(row.items()) for row in lake.table().to_pylist()]
    assert len(rows) == len(set(rows))


def test_a_list_that_grows_while_pages_turn_is_read_to_its_end(api: RestApi, orders: Orders, lake: Extraction) -> None:
    def grow(request: Request) -> None:
        if len(orders.records) < 60:
            orders.records.append(order(len(orders.records) + 1))

    orders.before_answer = grow
    source = endpoint(api, "cursor")
    lake.run(source)
    lake.run(source)
    assert sorted(ids(lake)) == list(range(1, len(orders.records) + 1))


def test_a_value_that_fills_more_than_a_page_is_walked_through(api: RestApi, orders: Orders, lake: Extraction) -> None:
    orders.records = [order(number, "2024-05-01T00:00:00Z") for number in range(1, 36)] + [order(99)]
    source = endpoint(api, "page", ordered=True)
    lake.run(source)
    assert sorted(ids(lake)) == [*range(1, 36), 99]
    assert lake.run(source) == []


def test_a_list_that_grows_shorter_is_read_again(api: RestApi, orders: Orders, lake: Extraction) -> None:
    gone = iter([True])

    def remove(request: Request) -> None:
        """A record of page 1 goes when page 2 is asked for: the first one of page 2 is on page 1 now, and missed."""
        if request.query["page"] == "2" and next(gone, False):
            orders.records.pop(0)

    orders.before_answer = remove
    lake.run(endpoint(api, "page", "full", chunk_rows=10, paging={"total": "meta.total"}))
    assert ids(lake) == [record["id"] for record in orders.records], "and nothing of the first reading is left"
    assert any("states 44 records, 45 before: the list is read again" in line for line in lake.said)


def test_a_total_that_is_never_reached_stops_the_run(api: RestApi, orders: Orders, lake: Extraction) -> None:
    orders.before_answer = lambda request: None
    api.answer = lambda request: Answer(
        {"data": {"orders": [order(1)] if request.query["page"] == "1" else []}, "meta": {"total": 7}}
    )
    with pytest.raises(SourceUnavailable, match="states 7 records and sent 1"):
        lake.run(endpoint(api, "page", "full", paging={"total": "meta.total"}))
    assert lake.store.files() == []


@pytest.mark.parametrize("kind", ["page", "offset", "cursor"])
def test_a_page_that_comes_again_for_ever_is_found(api: RestApi, orders: Orders, lake: Extraction, kind: str) -> None:
    api.answer = lambda request: Answer({"data": {"orders": [order(1), order(2)]}, "meta": {"next": "same"}})
    with pytest.raises(LandingError, match=r"sources/shop.yml: GET .*: the API sends the same page again"):
        lake.run(endpoint(api, kind))
    assert len(api.requests) <= 3


def test_empty_pages_for_ever_are_found(api: RestApi, lake: Extraction) -> None:
    api.answer = lambda request: Answer({"data": {"orders": []}, "meta": {"next": len(api.requests)}})
    with pytest.raises(LandingError, match="100 pages without a record"):
        lake.run(endpoint(api, "cursor"))


def test_an_order_that_is_promised_and_not_kept_is_told(api: RestApi, orders: Orders, lake: Extraction) -> None:
    orders.records = [order(2), order(1)]
    api.answer = lambda request: Answer({"data": {"orders": orders.records}, "meta": {}})
    with pytest.raises(LandingError, match=r"reader.ordered: GET page does not answer in the order of updated_at"):
        lake.run(endpoint(api, "page", ordered=True))


# ---- rates, faults, redirects ------------------------------------------------------------------------------------


def test_no_minute_has_more_requests_than_allowed(api: RestApi, orders: Orders, lake: Extraction, clock: Fake) -> None:
    arrived: list[float] = []
    orders.before_answer = lambda request: arrived.append(clock.seconds)
    lake.run(endpoint(api, "page", requests_per_minute=2, paging={"size": 5}))
    assert len(arrived) == 10
    assert all(sum(start <= moment < start + 60 for moment in arrived) <= 2 for start in arrived)
    assert arrived[-1] == 240.0  # and no slower than that: five minutes begin, four have passed


def test_what_the_api_asks_for_is_honoured(api: RestApi, orders: Orders, lake: Extraction, clock: Fake) -> None:
    orders.faults = [
        Answer("slow down", 429, {"Retry-After": "37"}),
        Answer("", 503, {"Retry-After": "120"}),
        Answer("oops", 500),
        Answer("oops", 502),
    ]
    lake.run(endpoint(api))
    assert ids(lake) == list(range(1, 46))
    assert clock.slept == [37.0, 120.0, 4.0, 8.0]


def test_an_api_that_stays_broken_is_given_up_and_gone_on_from(
    api: RestApi, orders: Orders, lake: Extraction, clock: Fake
) -> None:
    source = endpoint(api, "cursor", chunk_rows=10)

    def fail(request: Request) -> Answer:
        return Answer("private words", 500) if request.query.get("after") == "30" else orders(request)

    api.answer = fail
    with pytest.raises(SourceUnavailable, match=f"no answer in {ATTEMPTS} attempts, the last: status 500") as caught:
        lake.run(source)
    assert "private words" not in str(caught.value)
    assert ids(lake) == list(range(1, 21))  # the third page waited for the fourth
    api.answer = orders
    api.requests.clear()
    lake.run(source)
    assert api.queries[0]["after"] == "20"
    assert ids(lake) == list(range(1, 46))


def test_an_api_that_asks_for_too_much_patience_is_left(
    api: RestApi, orders: Orders, lake: Extraction, clock: Fake
) -> None:
    orders.faults = [Answer("", 429, {"Retry-After": "86400"})]
    with pytest.raises(SourceUnavailable, match="asks to wait 86,400 s"):
        lake.run(endpoint(api))
    assert clock.slept == []


def test_a_server_that_is_not_there_is_told(api: RestApi, lake: Extraction) -> None:
    source = endpoint(api)
    assert isinstance(source.reader, ApiReader)
    gone = source.model_copy(
        update={"reader": source.reader.model_copy(update={"base_url": f"http://127.0.0.1:{servers.free_port()}"})}
    )
    with pytest.raises(
        SourceUnavailable, match=r"sources/shop.yml: GET page: no answer in 6 attempts.*ConnectionError"
    ):
        lake.run(gone)


def test_an_expired_cursor_begins_the_list_again(api: RestApi, orders: Orders, lake: Extraction) -> None:
    expired = iter([True])

    def expire(request: Request) -> Answer:
        if request.query.get("after") == "30" and next(expired, False):
            return Answer({"error": "cursor expired"}, 410)
        return orders(request)

    api.answer = expire
    lake.run(endpoint(api, "cursor", chunk_rows=10))
    assert ids(lake) == list(range(1, 46))
    assert any("no longer knows where reading stopped" in line for line in lake.said)


@pytest.mark.parametrize("where", ["redirect", "link"])
def test_no_other_host_is_followed(
    api: RestApi, orders: Orders, lake: Extraction, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv(TOKEN, "t0p-secret")
    with servers.rest_api(orders) as other:
        if where == "redirect":
            api.answer = lambda request: Answer("", 302, {"Location": f"{other.url}/page?page=1"})
            source = endpoint(api, "page", token_secret=TOKEN)
        else:
            api.answer = lambda request: Answer(
                {"data": {"orders": [order(1)]}}, headers={"Link": f'<{other.url}/link?after=10>; rel="next"'}
            )
            source = endpoint(api, "link", token_secret=TOKEN)
        with pytest.raises(LandingError, match=r"away from reader.base_url"):
            lake.run(source)
        assert other.requests == []


def test_a_redirect_on_the_same_host_is_followed(api: RestApi, orders: Orders, lake: Extraction) -> None:
    def moved(request: Request) -> Answer:
        if request.path == "/old":
            query = "&".join(f"{name}={value}" for name, value in request.query.items())
            return Answer("", 301, {"Location": f"/page?{query}"})
        return orders(request)

    api.answer = moved
    lake.run(endpoint(api, endpoint="old"))
    assert ids(lake) == list(range(1, 46))


# ---- kills -------------------------------------------------------------------------------------------------------

_KILLED = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from extraction import Extraction
    from orchestration.brands import Source
    from orchestration.landing.extract import store
    commits, commit = [], store.ExtractWriter.commit
    def counted(self):
        commits.append(commit(self))
        if len(commits) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    store.ExtractWriter.commit = counted
    Extraction(Path({home!r})).run(Source.model_validate_json({source!r}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "mode"), [*((kind, "incremental") for kind in PAGINGS), ("cursor", "full")])
def test_a_killed_extraction_goes_on_with_the_next_page(
    api: RestApi, orders: Orders, lake: Extraction, tmp_path: Path, kind: str, mode: str
) -> None:
    source = endpoint(api, kind, mode, chunk_rows=10)
    code = _KILLED.format(tests=str(Path(__file__).parent), home=str(lake.home), source=source.model_dump_json())
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    asked = len(api.requests)
    assert asked == 4  # the third page was committed when the fourth had come
    lake.run(source)
    (first, *rest) = api.queries[asked:]
    assert first == api.queries[asked - 1], "goes on with the page whose records were not committed"
    assert first | {"after": "30"} == first or first.get("page") == "4" or first.get("offset") == "30"
    whole = Extraction(tmp_path / "whole")
    whole.run(source)
    assert lake.table().to_pylist() == whole.table().to_pylist()
    assert len(rest) == (2 if kind in ("page", "offset") else 1)


def test_half_a_snapshot_is_not_finished_on_another_day(api: RestApi, orders: Orders, lake: Extraction) -> None:
    source = endpoint(api, "cursor", "full", chunk_rows=10)
    api.answer = lambda request: Answer("", 404) if request.query.get("after") == "30" else orders(request)
    with pytest.raises(LandingError, match="status 404"):
        lake.run(source, loaded_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert list(lake.store.parts.glob("*.parquet"))
    assert lake.store.files() == []
    api.answer = orders
    del orders.records[0]
    api.requests.clear()
    lake.run(source, loaded_at=datetime(2026, 1, 3, tzinfo=UTC))
    assert "after" not in api.queries[0]
    assert ids(lake) == list(range(2, 46))


# ---- secrets and answers that are none ---------------------------------------------------------------------------


def test_the_token_is_sent_and_told_to_nobody(
    api: RestApi,
    orders: Orders,
    lake: Extraction,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(TOKEN, "t0p-secret")
    caplog.set_level("DEBUG")

    def answer(request: Request) -> Answer:
        """An API that repeats the token in its links."""
        said = orders(request)
        if (link := said.body["meta"].get("next")) and said.body["data"]["orders"]:
            said.body["meta"]["next"] = f"{link}&access_token=t0p-secret"
        return said if request.query.get("after") != "30" else Answer({"hint": "t0p-secret"}, 403)

    api.answer = answer
    source = endpoint(api, "json_link", chunk_rows=10, token_secret=TOKEN)
    with pytest.raises(LandingError, match=r"status 403.*reader.token_secret") as caught:
        lake.run(source)
    assert {request.headers["Authorization"] for request in api.requests} == {"Bearer t0p-secret"}
    output = capfd.readouterr()
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + output.out + output.err + str(lake.said)
    assert "t0p-secret" not in shown
    files = [path for path in lake.home.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"t0p-secret" in path.read_bytes()]
    api.answer = orders
    asked = len(api.requests)
    lake.run(source)
    assert api.queries[asked]["access_token"] == "t0p-secret", "the saved link is whole again when it is asked for"
    assert ids(lake) == list(range(1, 46))


@pytest.mark.parametrize(
    ("body", "status", "what"),
    [
        ("<html>private words</html>", 200, "the answer is not JSON"),
        ({"rows": ["private words"]}, 200, "reader.records: the answer has no data.orders"),
        ({"data": {"orders": {"a": "private words"}}}, 200, "reader.records: data.orders is no list"),
        ({"data": {"orders": ["private words"]}}, 200, "an entry of the list is no object"),
        ({"data": {"orders": [{"id": "private words"}]}}, 200, "reader.cursor: updated_at is missing from a record"),
        ({"error": "private words"}, 404, "status 404; check reader.endpoint"),
        ({"error": "private words"}, 401, "reader.token_secret"),
    ],
)
def test_an_answer_that_cannot_be_used_is_told_without_its_content(
    api: RestApi, lake: Extraction, body: object, status: int, what: str
) -> None:
    api.answer = lambda request: Answer(body, status)
    with pytest.raises(LandingError, match=r"sources/shop.yml: GET page|sources/shop.yml: reader") as caught:
        lake.run(endpoint(api))
    assert what in str(caught.value)
    assert "private" not in "".join(traceback.format_exception(caught.value))
    assert lake.store.files() == []


def test_state_and_rows_are_in_one_file(api: RestApi, orders: Orders, lake: Extraction) -> None:
    """What says where reading goes on is in the very file whose rows it speaks of."""
    (path,) = lake.run(endpoint(api, "page"))
    state = json.loads((pq.read_metadata(path).metadata or {})[b"tessera.extract"])
    assert state["complete"] is True
    assert state["high"] == max(record["updated_at"] for record in orders.records)
    assert sorted(p.name for p in lake.store.root.rglob("*") if p.is_file()) == [path.name]
