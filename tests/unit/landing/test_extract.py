"""Extraction without a server: the files and their state, the pace of requests, secrets, a run's extractions.

Against real servers: tests/integration/test_databases.py and test_api.py.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.brands import ApiReader, Brand, EntityMapping, Quarantine, Source
from orchestration.landing.errors import LandingError, SourceUnavailable
from orchestration.landing.extract import run, store
from orchestration.landing.extract.polite import Clock, Pace, retry_after
from orchestration.landing.extract.run import extract, extract_once
from orchestration.landing.extract.secrets import masked, secret
from orchestration.landing.extract.store import ExtractWriter, Store, fingerprint, read_extract, unseen
from orchestration.settings import PROJECT_ROOT, Settings

AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
SECRET = "TESSERA_SECRET_SHOP"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(brand="tiny", home=tmp_path / "home", brands_dir=tmp_path / "brands", sources_root=None)


@pytest.fixture
def shop(settings: Settings) -> Store:
    return Store(settings.lake, "shop")


def source(name: str = "shop", mode: str = "full", entities: tuple[str, ...] = ("orders",), **reader: Any) -> Source:
    if "kind" not in reader:
        reader = {"kind": "database", "connection_secret": SECRET, "table": "orders"} | reader
    return Source.model_validate(
        {
            "name": name,
            "limits": Quarantine(),
            "source_system": "shop",
            "mode": mode,
            "timestamps_in": "Asia/Shanghai",
            "entities": {entity: {"fields": {"order_key": "id"}} for entity in entities},
            "reader": reader,
        }
    )


def write(shop: Store, path: Path, rows: list[dict[str, Any]], state: dict[str, Any] | None = None) -> Path:
    table = pa.Table.from_pylist(rows)
    with ExtractWriter(shop, path, table.schema) as writer:
        writer.write(table)
        writer.finish({"identity": {"table": "orders"}} | (state or {}))
        return writer.commit()


# ---- files and their state ---------------------------------------------------------------------------------------


def test_an_extract_is_named_by_its_time_and_holds_its_state(shop: Store) -> None:
    path = write(shop, shop.path(AT, 1), [{"id": 1}], {"high": "价"})
    assert path == shop.lake / "extracts" / "shop" / "20260102T030405.000678Z-00001.parquet"
    extract = read_extract(path)
    assert extract.state == {"identity": {"table": "orders"}, "high": "价"}
    assert extract.taken_at == AT


def test_a_file_that_was_not_committed_does_not_count_and_is_removed(shop: Store) -> None:
    schema = pa.schema([("id", pa.int64())])
    with ExtractWriter(shop, shop.path(AT, 1), schema) as writer:
        writer.write(pa.table({"id": [1]}, schema))
        writer.finish({"identity": {}})
        assert shop.files() == []
    assert list(shop.tmp.iterdir()) == []
    (shop.tmp / "left.parquet").write_bytes(b"half")
    shop.begin()
    assert not shop.tmp.exists()


def test_a_clock_that_was_set_back_makes_no_earlier_file(shop: Store) -> None:
    write(shop, shop.path(AT, 1), [{"id": 1}])
    assert shop.moment(AT - timedelta(days=1)) == AT + timedelta(microseconds=1)
    assert shop.moment(AT + timedelta(days=1)) == AT + timedelta(days=1)


def test_state_of_something_else_is_not_gone_on_from(shop: Store) -> None:
    write(shop, shop.path(AT, 1), [{"id": 1}])
    assert shop.newest({"table": "members"}) is None
    assert shop.newest({"table": "orders"}) is not None


@pytest.mark.parametrize("content", [b"", b"no parquet"])
def test_a_damaged_extract_is_told(shop: Store, content: bytes) -> None:
    path = write(shop, shop.path(AT, 1), [{"id": 1}])
    path.write_bytes(content)
    with pytest.raises(LandingError, match="is no extract of ours, or damaged"):
        read_extract(path)


def test_a_fingerprint_is_of_the_rows_in_any_order(shop: Store) -> None:
    rows = [{"id": 1, "note": "a"}, {"id": 2, "note": None}, {"id": 2, "note": None}]
    prints = [
        fingerprint(write(shop, shop.path(AT, number), content, {"n": number}))
        for number, content in enumerate(
            [rows, rows[::-1], rows[:2], [*rows, rows[1]], [{**row, "id": str(row["id"])} for row in rows]]
        )
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4


def test_rows_are_known_by_their_content_and_number() -> None:
    table = pa.table({"a": [1, 1, 1, 2], "b": ["x", "x", "x", "y"]})
    seen = Counter(store.digests(pa.table({"b": ["x", "x"], "a": [1, 1]})))
    assert unseen(table, seen).to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert unseen(table, Counter()) is table


# ---- secrets -----------------------------------------------------------------------------------------------------


def test_a_missing_secret_is_told_by_its_name(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    with pytest.raises(LandingError, match=rf"sources/shop.yml: reader.connection_secret: .*{SECRET} is not set"):
        extract(settings, source())
    monkeypatch.setenv(SECRET, " ")
    with pytest.raises(LandingError, match="is not set"):
        secret(SECRET, "connection_secret", "sources/shop.yml")


def test_secrets_are_masked_in_every_form() -> None:
    text = "cannot open postgresql://me:p%40ss@db:5432/x (p@ss, p%40ss)\n  hint"
    assert masked(text, ("p@ss",)) == "cannot open postgresql://***@db:5432/x (***, ***) hint"
    assert masked("mysql+pymysql://root:other@db/x", ()) == "mysql+pymysql://***@db/x"


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("hunter2", "holds no SQLAlchemy URL"),
        ("nonsense://me:hunter2@db/x", "no driver is installed"),
        ("postgresql://me:hunter2@db:port/x", "holds no SQLAlchemy URL"),
    ],
)
def test_a_url_that_is_none_is_told_without_its_value(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, value: str, what: str
) -> None:
    monkeypatch.setenv(SECRET, value)
    with pytest.raises(LandingError, match=f"{SECRET} .*{what}|{what}") as caught:
        extract(settings, source())
    assert "hunter2" not in str(caught.value)


# ---- manners -----------------------------------------------------------------------------------------------------


def test_any_sixty_seconds_hold_no_more_requests_than_allowed() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pace = Pace(3, Clock(lambda: now[0], sleep))
    sent = []
    for pause in (0, 0, 50, 0, 0, 0, 5, 5, 30, 0):
        now[0] += pause
        pace.wait()
        sent.append(now[0])
    assert sent == [0, 0, 50, 60, 60, 110, 120, 125, 170, 180]
    assert all(sum(start <= moment < start + 60 for moment in sent) <= 3 for start in sent)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, AT.replace(microsecond=0)) == seconds


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        ("9", "10"),
        ("9007199254740992", "9007199254740993"),
        ("2024-05-01T00:00:00Z", "2024-05-01T00:00:00.5Z"),  # as text it would be the other way round
        ("2024-05-01T08:00:00+08:00", "2024-05-01T00:00:01Z"),
        ("2024-05-01", "2024-05-01 00:00:00.000001"),
    ],
)
def test_cursor_values_have_their_natural_order(smaller: str, larger: str) -> None:
    from orchestration.landing.extract.api import cursor_key

    assert cursor_key(smaller) < cursor_key(larger)
    assert isinstance(cursor_key(smaller), Decimal)


@pytest.mark.parametrize("text", ["", "abc", "NaN", "Infinity"])
def test_a_cursor_value_without_an_order_is_refused(text: str) -> None:
    from orchestration.landing.extract.api import cursor_key

    with pytest.raises(ValueError):
        cursor_key(text)


# ---- a run -------------------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    """Any database that SQLAlchemy has a dialect for: here a file, read through dlt's loader."""
    monkeypatch.setenv(SECRET, f"sqlite:///{tmp_path / 'shop.db'}")
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.execute("create table orders (id integer primary key, note text, amount decimal(10, 2))")
    connection.execute("insert into orders values (1, '价', 1.5)")
    connection.commit()
    return connection


def brand(*sources: Source) -> Brand:
    return Brand.model_validate(
        {
            "brand": "tiny",
            "label_zh": "小",
            "label_en": "Tiny",
            "currency": "CNY",
            "calendar_start": AT.date(),
            "sources": list(sources),
        }
    )


def test_a_source_is_extracted_once_a_run(settings: Settings, database: sqlite3.Connection) -> None:
    files = brand(source(), source("lines", "incremental", ("order_lines",), cursor="id"))
    assert len(extract_once(settings, files, "run 1", entity="orders")) == 1
    database.execute("insert into orders values (2, 'b', 2)")
    database.commit()
    assert len(extract_once(settings, files, "run 1")) == 1, "only the source that run 1 has not extracted yet"
    assert extract_once(settings, files, "run 1") == []
    assert len(extract_once(settings, files, "run 2")) == 1, "the snapshot has changed; nothing is new for the cursor"
    (lines,) = Store(settings.lake, "lines").files()
    assert pq.read_table(lines).to_pylist() == [
        {"id": 1, "note": "价", "amount": Decimal("1.50")},
        {"id": 2, "note": "b", "amount": Decimal("2.00")},
    ]


def test_a_source_that_fails_does_not_stop_the_others(
    settings: Settings, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TESSERA_SECRET_OTHER", raising=False)
    files = brand(source("away", connection_secret="TESSERA_SECRET_OTHER"), source())
    with pytest.raises(LandingError, match="TESSERA_SECRET_OTHER is not set") as caught:
        extract_once(settings, files, "run 1")
    assert not isinstance(caught.value, SourceUnavailable)
    assert len(Store(settings.lake, "shop").files()) == 1
    monkeypatch.setenv("TESSERA_SECRET_OTHER", os.environ[SECRET])
    assert [path.parent.name for path in extract_once(settings, files, "run 1")] == ["away"]


def test_files_are_not_extracted(settings: Settings) -> None:
    reads_files = source(kind="csv", path="orders.csv")
    assert not run.is_extracted(reads_files)
    assert extract_once(settings, brand(reads_files), "run 1") == []
    with pytest.raises(ValueError, match="not extracted"):
        extract(settings, reads_files)
    with pytest.raises(ValueError, match="aware"):
        extract(settings, source(), loaded_at=datetime(2026, 1, 1))


@pytest.mark.slow
def test_nothing_is_written_outside_the_home_and_nobody_is_told(
    settings: Settings, database: sqlite3.Connection, tmp_path: Path
) -> None:
    """dlt keeps a folder in the user's home and counts its users, unless it is told not to."""
    code = f"""
import socket, sys
def refuse(*_): raise AssertionError("the network was asked")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_extract import Settings, brand, extract_once, source
settings = Settings(brand="tiny", home=Path({str(settings.home)!r}), brands_dir=Path("b"), sources_root=None)
assert extract_once(settings, brand(source()), "run")
from orchestration.landing.extract import loaders
loaders.RESTClient("http://127.0.0.1:9", config=loaders.RuntimeConfiguration())
import threading
assert threading.enumerate() == [threading.main_thread()]
"""
    users_home, work = tmp_path / "user", tmp_path / "work"
    users_home.mkdir()
    work.mkdir()
    environment = {**os.environ, "HOME": str(users_home), "PYTHONPATH": str(PROJECT_ROOT)}
    environment.pop("RUNTIME__DLTHUB_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=work, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(users_home.rglob("*")) == []
    assert list(work.rglob("*")) == []


def test_a_check_asks_no_server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.landing.land import pending
    from orchestration.landing.mapping import check_source

    monkeypatch.delenv(SECRET, raising=False)
    unread = source(entities=("members",)).model_copy(
        update={"entities": {"members": EntityMapping(fields={"member_key": "id"})}}
    )
    assert check_source(settings, unread) == []
    assert pending(settings, brand(unread)) == []


@pytest.mark.parametrize(
    ("reader", "what"),
    [
        ({"ordered": True, "paging": {"kind": "page"}}, "ordered needs cursor"),
        ({"ordered": True, "cursor": "at", "cursor_parameter": "since", "paging": {"kind": "link"}}, "ordered needs"),
        ({"paging": {"kind": "offset", "size_parameter": None}}, "needs size_parameter"),
        ({"cursor": "at"}, "belong together"),
        ({"base_url": "https://me:pw@shop.example"}, "no credentials"),
        ({"base_url": "ftp://shop.example"}, "must be an http"),
        ({"token_secret": "s3cret"}, "name of an environment variable"),
    ],
)
def test_a_reader_that_cannot_work_is_refused(reader: dict[str, Any], what: str) -> None:
    settings = {"kind": "api", "base_url": "https://shop.example", "endpoint": "orders", **reader}
    with pytest.raises(ValueError, match=what):
        ApiReader.model_validate(settings)
