"""Databases against real servers: values exactly as inserted, no row lost or doubled, secrets told to nobody.

How an API is read is tested in test_api.py; what needs no server, in tests/unit/landing/test_extract.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import servers
from extraction import Extraction, source_of
from sqlalchemy import Engine, create_engine

from orchestration.brands import Source
from orchestration.landing.errors import LandingError, SourceUnavailable
from orchestration.settings import PROJECT_ROOT

pytestmark = pytest.mark.slow

SECRET = "TESSERA_SECRET_SHOP"


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A real server of each kind."""
    try:
        with getattr(servers, request.param)() as address:
            yield address
    except servers.NoServer as error:
        pytest.skip(str(error))


@pytest.fixture
def engine(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The server without the table `orders` of another test; its address stands in the environment."""
    monkeypatch.setenv(SECRET, url)
    engine = create_engine(url)
    run(engine, "drop table if exists orders")
    yield engine
    engine.dispose()


@pytest.fixture
def lake(tmp_path: Path) -> Extraction:
    return Extraction(tmp_path / "home")


def run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def table(mode: str = "incremental", **reader: Any) -> Source:
    if mode in ("incremental", "change_log"):
        reader = {"cursor": "updated_at"} | reader
    return source_of(mode, kind="database", connection_secret=SECRET, **({"table": "orders"} | reader))


def only(engine: Engine, dialect: str) -> None:
    if engine.dialect.name != dialect:
        pytest.skip(f"a matter of {dialect}")


def orders(engine: Engine, rows: list[tuple[int, str]]) -> None:
    """Insert (id, updated_at) into `orders`, which is made if need be."""
    run(engine, "create table if not exists orders (id bigint primary key, updated_at timestamp(6) null, note text)")
    values = ", ".join(f"({number}, '{at}', 'n{number}')" for number, at in rows)
    run(engine, f"insert into orders values {values}")


def at(second: int, minute: int = 0) -> str:
    return f"2024-05-01 00:{minute:02d}:{second:02d}"


# ---- values ------------------------------------------------------------------------------------------------------

HUGE = "1234567890123456789012345678901234567890123456.78"
POSTGRESQL_VALUES: dict[str, tuple[str, str, Any]] = {
    # column: (type, literal, what must be read)
    "small": ("smallint", "-32768", -32768),
    "big": ("bigint", "9223372036854775807", 9223372036854775807),
    "amount": ("numeric(18, 4)", "12345678901234.5678", Decimal("12345678901234.5678")),
    "wide": ("numeric(38, 10)", "-1234567890123456789012345678.0123456789", Decimal("-1234567890123456789012345678.0123456789")),
    "any_number": ("numeric", "1.10", "1.10"),
    "huge_number": ("numeric(60, 2)", HUGE, HUGE),
    "single": ("real", "0.1", 0.1),
    "ratio": ("double precision", "0.1", 0.1),
    "flag": ("boolean", "true", True),
    "local_at": ("timestamp", "'2024-01-02 03:04:05.123456'", datetime(2024, 1, 2, 3, 4, 5, 123456)),
    "instant_at": ("timestamptz", "'2024-01-02 03:04:05.123456+08'", datetime(2024, 1, 1, 19, 4, 5, 123456, tzinfo=UTC)),
    "no_end": ("timestamptz", "'infinity'", None),
    "day": ("date", "'2024-02-29'", date(2024, 2, 29)),
    "clock": ("time", "'12:34:56.789'", "12:34:56.789"),
    "span": ("interval", "'1 day 2 hours'", "1 day 02:00:00"),
    "document": ("json", """'{"a": 1.10}'""", '{"a": 1.10}'),
    "document_b": ("jsonb", """'{"b":[1,2.50]}'""", '{"b": [1, 2.50]}'),
    "numbers": ("int[]", "'{1,2,null}'", "[1,2,null]"),
    "texts": ("text[][]", """'{{a,"b c"}}'""", '[["a","b c"]]'),
    "identity": ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "bytes": ("bytea", r"'\x00ff10'", "00ff10"),
    "mood": ("mood", "'calm'", "calm"),
    "address": ("inet", "'10.0.0.1'", "10.0.0.1/32"),
    "point_of": ("point", "'(1,2)'", "(1,2)"),
    "label": ("varchar(40)", "E'行1\\n\"二\", 逗号'", '行1\n"二", 逗号'),
    "empty": ("text", "''", ""),
    'odd "na%me': ("text", "'100%'", "100%"),
}  # fmt: skip
MARIADB_VALUES: dict[str, tuple[str, str, Any]] = {
    "tiny": ("tinyint(1)", "-3", -3),
    "flag": ("boolean", "true", 1),
    "unsigned_big": ("bigint unsigned", "18446744073709551615", Decimal("18446744073709551615")),
    "unsigned_int": ("int unsigned", "4294967295", 4294967295),
    "amount": ("decimal(18, 4)", "12345678901234.5678", Decimal("12345678901234.5678")),
    "huge_number": ("decimal(65, 30)", "1.100000000000000000000000000001", "1.100000000000000000000000000001"),
    "single": ("float", "16777216", 16777216.0),  # shown as 1.67772e7 where six digits must do
    "ratio": ("double", "0.1", 0.1),
    "local_at": ("datetime(6)", "'2024-01-02 03:04:05.123456'", datetime(2024, 1, 2, 3, 4, 5, 123456)),
    "instant_at": ("timestamp(6) null", "from_unixtime(1704135845.123456)", datetime(2024, 1, 1, 19, 4, 5, 123456, tzinfo=UTC)),
    "no_date": ("date", "'0000-00-00'", None),
    "no_time": ("datetime", "'0000-00-00 00:00:00'", None),
    "day": ("date", "'2024-02-29'", date(2024, 2, 29)),
    "span": ("time(3)", "'-123:45:06.789'", "-123:45:06.789"),
    "year_of": ("year", "2024", 2024),
    "bytes": ("blob", "x'00ff10'", "00ff10"),
    "few_bytes": ("varbinary(8)", "x'6162'", "6162"),
    "bits": ("bit(5)", "b'10101'", "15"),
    "document": ("json", """'{"a": 1.10}'""", '{"a": 1.10}'),
    "chosen": ("set('x','y')", "'x,y'", "x,y"),
    "mood": ("enum('calm','wild')", "'calm'", "calm"),
    "label": ("text", "'长😀'", "长😀"),
    "mainland": ("varchar(50) character set gbk", "'中文字'", "中文字"),
    "place": ("point", "point(1, 2)", "POINT(1 2)"),
    "empty": ("text", "''", ""),
    "odd na%me": ("text", "'100%%'", "100%"),
}  # fmt: skip


def test_values_are_read_exactly(engine: Engine, lake: Extraction) -> None:
    is_postgresql = engine.dialect.name == "postgresql"
    values = POSTGRESQL_VALUES if is_postgresql else MARIADB_VALUES
    if is_postgresql:
        run(engine, "drop type if exists mood", "create type mood as enum ('calm', 'wild')")
    quote = engine.dialect.identifier_preparer.quote_identifier  # doubles the % that the driver halves again
    columns = ", ".join(f"{quote(name)} {kind}" for name, (kind, _, _) in values.items())
    literals = ", ".join(literal for _, literal, _ in values.values())
    if is_postgresql:
        literals = literals.replace("%", "%%")
    with engine.begin() as connection:
        if not is_postgresql:
            connection.exec_driver_sql("set sql_mode = ''")  # else no zero date goes in
            connection.exec_driver_sql("set time_zone = '+08:00'")
        connection.exec_driver_sql(f"create table orders (id int primary key, {columns})")
        connection.exec_driver_sql(f"insert into orders values (1, {literals})")
        connection.exec_driver_sql("insert into orders (id) values (2)")
    lake.run(table("full"))
    full, bare = lake.table().sort_by("id").to_pylist()
    assert {name: full[name] for name in values} == {name: expected for name, (_, _, expected) in values.items()}
    assert {type(full[name]) for name in ("amount",)} == {Decimal}
    assert all(bare[name] is None for name in values)


def test_a_very_long_text_is_read_whole(engine: Engine, lake: Extraction) -> None:
    big = "长" * 3_000_000  # 9 MB in UTF-8
    if engine.dialect.name == "mysql":
        run(engine, "create table orders (id int primary key, note longtext)")
    else:
        run(engine, "create table orders (id int primary key, note text)")
    with engine.begin() as connection:
        connection.exec_driver_sql("insert into orders values (%s, %s)", (1, big))
        connection.exec_driver_sql("insert into orders values (%s, %s)", (2, "short"))
    lake.run(table("full"))
    assert lake.column("note") == [big, "short"]


def test_a_value_without_an_arrow_type_is_told_by_its_column(engine: Engine, lake: Extraction) -> None:
    if engine.dialect.name == "postgresql":
        run(engine, "create table orders (id int, amount numeric(10, 2))", "insert into orders values (1, 'NaN')")
    else:
        with engine.begin() as connection:
            connection.exec_driver_sql("set sql_mode = 'allow_invalid_dates'")
            connection.exec_driver_sql("create table orders (id int, amount date)")
            connection.exec_driver_sql("insert into orders values (1, '2024-02-31')")
    with pytest.raises(LandingError, match=r"sources/shop.yml: reader.table: column amount of orders") as caught:
        lake.run(table("full"))
    assert "02-31" not in str(caught.value)
    assert lake.store.files() == []


# ---- from a cursor value on --------------------------------------------------------------------------------------


def test_only_new_and_changed_rows_come_again(engine: Engine, lake: Extraction) -> None:
    orders(engine, [(1, at(1)), (2, at(2))])
    source = table()
    assert len(lake.run(source)) == 1
    assert lake.run(source) == []
    orders(engine, [(3, at(3))])
    run(engine, f"update orders set note = 'changed', updated_at = '{at(4)}' where id = 1")
    lake.run(source)
    assert lake.column("id") == [1, 2, 3, 1]
    assert lake.column("note")[-1] == "changed"
    assert lake.run(source) == []


def test_rows_that_share_a_cursor_value_are_neither_lost_nor_doubled(engine: Engine, lake: Extraction) -> None:
    source = table(chunk_rows=3, cursor_overlap=0)
    orders(engine, [(number, at(5)) for number in range(1, 8)])
    assert [pq.read_metadata(path).num_rows for path in lake.run(source)] == [3, 3, 1]
    orders(engine, [(8, at(5)), (9, at(5)), (10, at(6))])
    lake.run(source)
    assert lake.column("id") == list(range(1, 11))
    assert lake.run(source) == []


def test_rows_that_are_exactly_alike_are_counted(engine: Engine, lake: Extraction) -> None:
    source = table()
    run(engine, "create table orders (id int, updated_at timestamp(6) null)")
    insert = f"insert into orders values (1, '{at(1)}')"
    run(engine, insert, insert)
    lake.run(source)
    run(engine, insert)
    lake.run(source)
    assert lake.column("id") == [1, 1, 1]
    assert lake.run(source) == []


def test_a_row_that_was_committed_late_is_found(engine: Engine, lake: Extraction) -> None:
    """A slow transaction stamps its row before it commits: the row appears below the last value."""
    orders(engine, [(1, at(1, 10)), (3, at(30, 12))])
    lake.run(table())
    orders(engine, [(2, at(59, 11)), (4, at(0, 13))])
    lake.run(table(cursor_overlap=60))
    assert sorted(lake.column("id")) == [1, 2, 3, 4]
    high = json.loads((pq.read_metadata(lake.store.files()[-1]).metadata or {})[b"tessera.extract"])["high"]
    assert high["value"].startswith("2024-05-01T00:13:00")
    assert lake.run(table(cursor_overlap=600)) == []


def test_a_change_log_is_read_by_its_sequence(engine: Engine, lake: Extraction) -> None:
    run(engine, "create table orders (lsn bigint primary key, id int, op char(1))")
    run(engine, "insert into orders values (10, 1, 'I'), (11, 2, 'I'), (12, 1, 'D')")
    source = table("change_log", cursor="lsn")
    lake.run(source)
    run(engine, "insert into orders values (13, 2, 'U')")
    lake.run(source)
    assert lake.column("lsn") == [10, 11, 12, 13]
    assert lake.column("op") == ["I", "I", "D", "U"]


@pytest.mark.parametrize(
    ("column", "values", "more"),
    [
        ("decimal(20, 3)", "1.001", "1.002"),
        ("date", "'2024-05-01'", "'2024-05-02'"),
        ("bigint", "1", "9007199254740993"),
    ],
)
def test_a_cursor_may_be_of_any_type_that_grows(
    engine: Engine, lake: Extraction, column: str, values: str, more: str
) -> None:
    run(engine, f"create table orders (id int, version {column})", f"insert into orders values (1, {values})")
    source = table(cursor="version", cursor_overlap=0)
    lake.run(source)
    run(engine, f"insert into orders values (2, {more})")
    lake.run(source)
    assert lake.column("id") == [1, 2]
    assert lake.run(source) == []


@pytest.mark.parametrize(
    ("cursor", "what"),
    [
        ("note", "is neither a whole number"),
        ("nothing", "is no column of orders"),
        ("updated_at", "is null in some rows"),
    ],
)
def test_a_cursor_that_would_lose_rows_is_refused(engine: Engine, lake: Extraction, cursor: str, what: str) -> None:
    orders(engine, [(1, at(1))])
    run(engine, "insert into orders values (2, null, 'x')")
    with pytest.raises(LandingError, match=f"reader.cursor: {cursor} {what}"):
        lake.run(table(cursor=cursor))
    assert lake.store.files() == []


_KILLED = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from extraction import Extraction, source_of
    from orchestration.landing.extract import store
    source = source_of("incremental", kind="database", connection_secret={secret!r}, table="orders",
        cursor="updated_at", chunk_rows=40)
    commits, commit, finish = [], store.ExtractWriter.commit, store.ExtractWriter.finish
    def counted(self):
        commits.append(commit(self))
        if len(commits) == {after} and {point!r} == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return commits[-1]
    def closing(self, state):
        finish(self, state)
        if len(commits) == {after} and {point!r} == "before":
            os.kill(os.getpid(), signal.SIGKILL)
    store.ExtractWriter.commit, store.ExtractWriter.finish = counted, closing
    Extraction(Path({home!r})).run(source)
"""


@pytest.mark.parametrize(("killed_after", "point"), [(2, "after"), (1, "before")])
def test_a_killed_extraction_goes_on_where_it_was(
    engine: Engine, lake: Extraction, tmp_path: Path, killed_after: int, point: str
) -> None:
    # Several rows to a second, so that a chunk ends in the middle of a value.
    orders(engine, [(number, at(number // 7)) for number in range(1, 201)])
    code = _KILLED.format(
        tests=str(Path(__file__).parent), secret=SECRET, home=str(lake.home), after=killed_after, point=point
    )
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(lake.store.files()) == killed_after
    assert point == "after" or list(lake.store.tmp.iterdir())
    source = table(chunk_rows=40)
    lake.run(source)
    whole = Extraction(tmp_path / "whole")
    whole.run(source)
    assert lake.table().to_pylist() == whole.table().to_pylist()
    assert not lake.store.tmp.exists() or not list(lake.store.tmp.iterdir())


def test_another_table_is_read_from_its_beginning(engine: Engine, lake: Extraction) -> None:
    orders(engine, [(1, at(1)), (2, at(2))])
    lake.run(table())
    run(engine, "drop table if exists orders_2", "create table orders_2 as select * from orders where id = 1")
    lake.run(table(table="orders_2"))
    assert lake.column("id") == [1, 2, 1]
    assert any("has changed: the whole table is read again" in line for line in lake.said)


# ---- all of it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["full", "compare"])
def test_a_deleted_row_is_missing_from_the_next_snapshot(engine: Engine, lake: Extraction, mode: str) -> None:
    orders(engine, [(1, at(1)), (2, at(2)), (3, at(3))])
    source = table(mode)
    first = lake.run(source)
    assert lake.run(source) == []
    run(engine, "delete from orders where id = 2")
    second = lake.run(source)
    assert [pq.read_table(path)["id"].to_pylist() for path in first + second] == [[1, 2, 3], [1, 3]]
    run(engine, "delete from orders")
    (third,) = lake.run(source)
    assert pq.read_table(third).num_rows == 0
    assert pq.read_schema(third).names == ["id", "updated_at", "note"]


def test_a_table_that_never_had_a_row_gives_nothing(engine: Engine, lake: Extraction) -> None:
    run(engine, "create table orders (id int, updated_at timestamp(6) null)")
    assert lake.run(table("full")) == []
    assert lake.run(table("incremental")) == []


def test_the_order_of_rows_makes_no_new_snapshot(engine: Engine, lake: Extraction) -> None:
    run(engine, "create table orders (id int, note text)", "insert into orders values (1, 'a'), (2, 'b'), (2, 'b')")
    lake.run(table("full"))
    run(engine, "delete from orders", "insert into orders values (2, 'b'), (1, 'a'), (2, 'b')")
    assert lake.run(table("full")) == []
    run(engine, "insert into orders values (2, 'b')")
    assert len(lake.run(table("full"))) == 1


def test_a_snapshot_is_of_one_moment(engine: Engine, lake: Extraction) -> None:
    """Rows are added, changed and removed while the table is read: the answer is that of the first moment."""
    from orchestration.landing.extract import database

    orders(engine, [(number, at(number % 60)) for number in range(1, 3001)])
    reader = table("full").reader
    assert isinstance(reader, database.DatabaseReader)
    rows: list[dict[str, Any]] = []
    with database.open_table(table("full"), reader) as opened:
        for number, part in enumerate(database.tables(opened, database.statement(opened), batch_rows=500)):
            rows += part.to_pylist()
            if number == 0:
                run(
                    engine,
                    "update orders set note = 'later'",
                    "delete from orders where id % 2 = 0".replace("%", "%%"),
                    f"insert into orders values (0, '{at(1)}', 'later'), (99999, '{at(1)}', 'later')",
                )
    assert [row["id"] for row in rows] == list(range(1, 3001))
    assert {row["note"] for row in rows} == {f"n{number}" for number in range(1, 3001)}


def test_rows_written_while_a_cursor_is_read_come_with_the_next_run(engine: Engine, lake: Extraction) -> None:
    """A writer that commits all the time: at the end every row was read once."""
    source = table(chunk_rows=50)
    orders(engine, [(0, at(0))])
    stop = threading.Event()
    written = [0]

    def write() -> None:
        own = create_engine(engine.url)
        while not stop.is_set() and written[0] < 2000:
            written[0] += 1
            run(own, f"insert into orders values ({written[0]}, '{at(written[0] // 100 % 60)}', 'n')")
        own.dispose()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(lake.store.files()) < 4 and writer.is_alive():
            lake.run(source)
    finally:
        stop.set()
        writer.join()
    lake.run(source)
    assert sorted(lake.column("id")) == list(range(written[0] + 1))


# ---- secrets and errors ------------------------------------------------------------------------------------------


def _wrong_password(url: str) -> str:
    return url.replace("s3cret", "hunter2")


def _closed_port(url: str) -> str:
    return url.replace(url.rpartition(":")[2].partition("/")[0], str(servers.free_port()))


def _no_database(url: str) -> str:
    return url.replace(f"/{servers.DATABASE}", "/nowhere")


@pytest.mark.parametrize("broken", [_wrong_password, _closed_port, _no_database])
def test_a_server_that_cannot_be_reached_is_told_without_the_password(
    url: str,
    lake: Extraction,
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[[str], str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    import traceback

    monkeypatch.setenv(SECRET, broken(url))
    caplog.set_level("DEBUG")
    with pytest.raises(SourceUnavailable, match=f"sources/shop.yml: the database at 127.0.0.1.*{SECRET}") as caught:
        lake.run(table())
    output = capfd.readouterr()
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + output.out + output.err + str(lake.said)
    for part in ("s3cret", "hunter2", "p@ss", "p%40ss", "ss/word", "ss%2Fword"):
        assert part not in shown


def test_a_table_that_is_not_there_is_told(engine: Engine, lake: Extraction) -> None:
    with pytest.raises(LandingError, match=r"sources/shop.yml: reader.table: orders is not in 127.0.0.1"):
        lake.run(table())


def test_the_server_is_only_read(engine: Engine, lake: Extraction) -> None:
    from sqlalchemy import text

    from orchestration.landing.extract import database

    orders(engine, [(1, at(1))])
    reader = table("full").reader
    assert isinstance(reader, database.DatabaseReader)
    with (
        database.open_table(table("full"), reader) as opened,
        opened.engine.connect() as connection,
        pytest.raises(Exception, match=r"(?i)read.only"),
    ):
        connection.execute(text("delete from orders"))


# ---- from a table to the lake ------------------------------------------------------------------------------------

SOURCE_YML = """
source_system: shop
mode: compare
reader: {kind: database, connection_secret: TESSERA_SECRET_SHOP, table: orders}
timestamps_in: Asia/Shanghai
entities:
  members:
    fields: {member_key: cast(id as varchar), registered_at: created_at}
    where: "not coalesce(note = 'test', false)"
"""


def test_extracts_are_landed_like_files(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deletes come through, the source's zone applies to naive timestamps, and a new mapping lands the extracts again."""
    from orchestration.brands import load_brand
    from orchestration.landing.extract.run import extract_once
    from orchestration.landing.land import land, pending
    from orchestration.settings import load_settings
    from orchestration.warehouse import scratch

    folder = tmp_path / "brands" / "tiny" / "sources"
    folder.mkdir(parents=True)
    head = "brand: tiny\nlabel_zh: 小\nlabel_en: Tiny\ncurrency: CNY\ncalendar_start: 2024-01-01\n"
    folder.with_name("brand.yml").write_text(head, encoding="utf-8")
    (folder / "shop.yml").write_text(SOURCE_YML, encoding="utf-8")
    settings = load_settings(
        "tiny", {"TESSERA_HOME": str(tmp_path / "home"), "TESSERA_BRANDS": str(tmp_path / "brands")}
    )
    brand = load_brand(settings)
    kind = "timestamp" if engine.dialect.name == "postgresql" else "datetime"
    run(engine, f"create table orders (id int primary key, created_at {kind}, note text)")
    run(engine, "insert into orders values (1, '2024-05-01 07:00:00', 'a'), (2, '2024-05-02 09:00:00', 'b')")
    assert pending(settings, brand) == []
    extract_once(settings, brand, "run 1")
    (first,) = land(settings, brand, "members")
    assert first.source_file.startswith("extracts/shop/")
    run(engine, "delete from orders where id = 1", "insert into orders values (3, '2024-05-03 00:00:00', 'test')")
    extract_once(settings, brand, "run 2")
    (second,) = land(settings, brand, "members")
    assert (second.rows_tombstoned, second.rows_not_of_entity) == (1, 1)
    with scratch() as connection:
        rows = connection.execute(
            "select member_key, registered_at, is_deleted from read_parquet(?) order by batch_id, member_key",
            [str(settings.lake / "raw" / "members" / "*.parquet")],
        ).fetchall()
    assert [(key, at.astimezone(UTC).isoformat()[:16], gone) for key, at, gone in rows] == [
        ("1", "2024-04-30T23:00", False),
        ("2", "2024-05-02T01:00", False),
        ("1", "2024-04-30T23:00", True),
    ]
    assert pending(settings, brand) == []
    (folder / "shop.yml").write_text(SOURCE_YML.replace("'test'", "'none'"), encoding="utf-8")
    again = land(settings, load_brand(settings), "members")
    assert [batch.source_file for batch in again] == [first.source_file, second.source_file]


_DAGSTER = """
import json
from orchestration.definitions import defs
from orchestration.runner import dagster_instance, prepare_environment
from orchestration.settings import load_settings
import dagster as dg
settings = load_settings()
prepare_environment(settings)
job = defs().resolve_job_def("build_brand_job")
raw = [dg.AssetKey(["raw", entity]) for entity in ("members", "products")]
with dagster_instance(settings) as instance:
    for change in (None, "insert into shop values (2)", None):
        if change:
            import sqlite3
            with sqlite3.connect({database!r}) as connection:
                connection.execute(change)
        result = job.execute_in_process(instance=instance, asset_selection=raw, raise_on_error=False)
        made = [event for event in result.get_asset_materialization_events()]
        files = sorted(path.name for path in settings.lake.glob("extracts/shop/*.parquet"))
        print(json.dumps({{"success": result.success, "made": len(made), "files": len(files)}}))
"""


def test_a_run_from_the_ui_extracts_too_and_once(tmp_path: Path) -> None:
    """Two raw assets read one source: each run of the assets, which no `tessera run` began, extracts it once."""
    import sqlite3

    database = tmp_path / "shop.db"
    with sqlite3.connect(database) as connection:
        connection.execute("create table shop (id integer primary key)")
        connection.execute("insert into shop values (1)")
    folder = tmp_path / "brands" / "tiny" / "sources"
    folder.mkdir(parents=True)
    head = "brand: tiny\nlabel_zh: 小\nlabel_en: Tiny\ncurrency: CNY\ncalendar_start: 2024-01-01\n"
    folder.with_name("brand.yml").write_text(head, encoding="utf-8")
    (folder / "shop.yml").write_text(
        "source_system: shop\nreader: {kind: database, connection_secret: TESSERA_SECRET_SHOP, table: shop, cursor: id}\n"
        "timestamps_in: Asia/Shanghai\nentities:\n  members: {fields: {member_key: id::varchar}}\n"
        "  products: {fields: {product_code: id::varchar, product_kind: \"'goods'\"}}\n",
        encoding="utf-8",
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")} | {
        "TESSERA_HOME": str(tmp_path / "home"),
        "TESSERA_BRANDS": str(tmp_path / "brands"),
        "TESSERA_BRAND": "tiny",
        "TESSERA_SECRET_SHOP": f"sqlite:///{database}",
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", _DAGSTER.format(database=str(database))],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert told == [
        {"success": True, "made": 2, "files": 1},
        {"success": True, "made": 2, "files": 2},
        {"success": True, "made": 2, "files": 2},
    ]
