"""First mappings: what is sniffed, what is guessed, that the YAML loads and says nothing of a person."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestration.brands import BrandConfigError, SourceConfig, load_brand, load_brand_config
from orchestration.landing.contract import load_contract
from orchestration.landing.errors import LandingError
from orchestration.landing.mapping import check_source
from orchestration.landing.propose.names import SYNONYMS_FILE, file_score, folded, is_name, load_synonyms, name_score
from orchestration.landing.propose.proposal import Proposal, Wishes, first_records, propose_file, propose_table
from orchestration.landing.propose.render import scalar
from orchestration.landing.propose.sniff import find_encoding, has_header, sniff
from orchestration.landing.readers import excel
from orchestration.warehouse import scratch

from .conftest import Tiny

ORDERS = "订单编号,买家会员名,收货人姓名,联系手机,订单状态,买家实付金额(元),订单创建时间"


def propose(tiny: Tiny, path: str, **wishes: Any) -> Proposal:
    return propose_file(tiny.settings, load_brand_config(tiny.settings), Path(path), Wishes(**wishes))


def mapping(proposal: Proposal) -> dict[str, str]:
    document = yaml.safe_load(proposal.text)
    (entity,) = document["entities"].values()
    return entity["fields"]


def orders(count: int = 60) -> str:
    states = ("买家已付款", "交易成功", "交易关闭", "等待买家付款")
    lines = [
        f'{10**15 + n},买家{n % 9},王小明{n},13{n:09d},{states[n % 4]},"￥{1 + n % 8},{n:03d}.50",2026/01/{1 + n % 28:02d} 9:{n % 60:02d}'
        for n in range(count)
    ]
    return "\n".join([ORDERS, *lines]) + "\n"


# ---- how a file is written ---------------------------------------------------------------------------------------


def _reader(tmp_path: Path, name: str, content: bytes, columns: tuple[str, ...] = ()) -> dict[str, Any]:
    path = tmp_path / name
    path.write_bytes(content)
    return sniff(path, name, is_name, columns).reader


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("order_id,qty\n1,2\n3,4\n", {}),
        ("order_id;qty\n1;2,5\n3;4,5\n", {"delimiter": ";"}),
        ("order_id\tqty\n1\t2\n3\t4\n", {"delimiter": "\t"}),
        ("order_id|qty\n1|2\n3|4\n", {"delimiter": "|"}),
        (" order_id  qty\n 00001  2\n 00003 4\n", {"delimiter": "whitespace"}),
        ("1,2\n3,4\n", {"header": False, "columns": ["column_1", "column_2"]}),
        ("销售报表\n\norder_id,qty\n1,2\n3,4\n5,6\n", {"skip_lines": 2}),
        ("order_id,qty\n1,null\n3,4\n", {"null_values": ["", "null"]}),
        ('order_id,note\n1,5" pipe\n2,x\n3,y\n', {}),
        ("order_id\n1\n2\n", {}),
    ],
)
def test_delimited_text_is_recognised(tmp_path: Path, text: str, expected: dict[str, Any]) -> None:
    found = _reader(tmp_path, "a.csv", text.encode())
    assert found == {"kind": "csv", "path": "a.csv"} | expected


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("orders_2026-01-31.csv", "orders_{date}.csv"),
        ("orders_20260131.csv", "orders_????????.csv"),
        ("orders_202601.csv", "orders_??????.csv"),
        ("orders_2026-99-99.csv", "orders_2026-99-99.csv"),
        ("orders_13800001111.csv", "orders_13800001111.csv"),
    ],
)
def test_what_changes_in_a_files_name_is_left_open(tmp_path: Path, name: str, path: str) -> None:
    assert _reader(tmp_path, name, b"order_id,qty\n1,2\n")["path"] == path


def test_encodings_are_told_apart() -> None:
    assert find_encoding("订单编号,会员\n".encode())[0] == "utf-8"
    assert find_encoding("\ufeff订单编号\n".encode())[0] == "utf-8"
    assert find_encoding("订单编号,会员姓名\n张三,上海\n".encode("gb18030"))[0] == "gb18030"
    assert find_encoding("café,señor,naïve\nà,é,ü\n".encode("latin-1"))[0] == "latin-1"
    assert find_encoding("订单\n".encode("utf-16"))[0] == "utf-16"
    cut = "会员".encode()[:4]
    assert find_encoding(b"a\n" + cut)[0] == "utf-8"


def test_a_record_is_no_header() -> None:
    assert has_header([["order_id", "qty"], ["1", "2"]], is_name)
    assert has_header([["V1", "V2"], ["1", "2.5"]], is_name)
    assert not has_header([["韩梅梅", "13800001111"], ["李雷", "13800002222"]], is_name)
    assert not has_header([["韩梅梅", "a@b.com"], ["李雷", "c@d.com"]], is_name)
    assert not has_header([["韩梅梅", "上海"], ["李雷", "北京"]], is_name)
    assert not has_header([["a", "a"], ["1", "2"]], is_name)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.xls", b"\xd0\xcf\x11\xe0rest", "save it as .xlsx"),
        ("a.csv", gzip.compress(b"a,b\n1,2\n", mtime=0), "ends in .gz"),
        ("a.csv.gz", b"\x1f\x8bnot packed at all", "cannot be unpacked"),
        ("a.json", b"[\n{}\n]", "JSON lines"),
        ("a.parquet", b"a,b\n1,2\n", "its content does not"),
        ("a.bin", b"a\x00\x01\x02", "neither text"),
        ("a[1].csv", b"a,b\n1,2\n", "rename it"),
    ],
)
def test_what_no_reader_can_read_is_refused_with_a_remedy(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(LandingError, match=message):
        _reader(tmp_path, name, content)


def test_a_sample_ends_at_the_end_of_a_record() -> None:
    text = b'a,b\n1,"x\ny"\n2,z\n'
    assert first_records(text, '"') == (text, True)
    assert first_records(text, '"', limit=2) == (b'a,b\n1,"x\ny"\n', False)
    assert first_records(text, "", limit=2) == (b'a,b\n1,"x\n', False)
    wide = "a\n订\n单\n".encode("utf-16")
    assert first_records(wide, '"', "utf-16", limit=2)[0].decode("utf-16") == "a\n订\n"


# ---- names -------------------------------------------------------------------------------------------------------


def test_synonyms_name_what_the_contract_has() -> None:
    document = yaml.safe_load(SYNONYMS_FILE.read_text(encoding="utf-8"))
    contract = load_contract()
    fields = {f.name: f for e in contract.values() for f in e.fields}
    assert set(document["fields"]) <= set(fields)
    assert set(document["files"]) == set(contract)
    for entity, names in document["entities"].items():
        assert set(names) <= {f.name for f in contract[entity].fields}
    for name, values in document["values"].items():
        assert set(values) <= {v for e in contract.values() for f in e.fields if f.name == name for v in f.allowed}
    texts = [word for words in document["fields"].values() for word in words]
    assert all(isinstance(word, str) and folded(word) for word in texts)


@pytest.mark.parametrize(
    ("entity", "field", "column"),
    [
        ("members", "phone", "手机号"),
        ("members", "phone", "联系电话"),
        ("members", "phone", "Mobile"),
        ("members", "phone", "tel"),
        ("members", "member_key", "会员ID"),
        ("orders", "member_key", "uid"),
        ("orders", "member_key", "buyer_nick"),
        ("orders", "ordered_at", "下单时间"),
        ("orders", "ordered_at", "created_at"),
        ("orders", "ordered_at", "orderTime"),
        ("orders", "payable_amount", "实付金额(元)"),
        ("orders", "payable_amount", "payment"),
    ],
)
def test_what_shops_call_things(entity: str, field: str, column: str) -> None:
    found = load_contract()[entity]
    assert name_score(found, found.field(field), column) >= 0.95


def test_a_name_inside_another_and_a_misspelt_one_count_less() -> None:
    orders_ = load_contract()["orders"]
    field = orders_.field("order_key")
    assert 0.5 < name_score(orders_, field, "new_order_number") < 0.95
    assert 0.5 < name_score(orders_, field, "ordernumbr") < 0.95
    assert name_score(orders_, field, "colour") < 0.5
    assert file_score("orders", "shop/订单.csv") > file_score("members", "shop/订单.csv") == 0


# ---- proposals ---------------------------------------------------------------------------------------------------


def test_an_export_of_orders_is_mapped_whole(tiny: Tiny) -> None:
    tiny.write("shop/订单_2026-01-31.csv", orders().encode("gb18030"))
    found = propose(tiny, "shop/订单_2026-01-31.csv")
    assert (found.name, found.missing, found.problems) == ("orders", [], [])
    assert found.draft.reader == {"kind": "csv", "path": "shop/订单_{date}.csv", "encoding": "gb18030"}
    fields = mapping(found)
    assert fields["order_key"] == "订单编号"
    assert fields["ordered_at"] == "订单创建时间"
    assert fields["currency_code"] == "'CNY'"
    assert fields["payable_amount"].startswith('translate("买家实付金额(元)"')
    assert "when '交易成功' then 'completed'" in fields["order_status"]
    assert [shape.name for shape in found.guess.ignored] == ["收货人姓名", "联系手机"]
    assert (found.trial.rows, found.trial.landed, found.trial.quarantined) == (60, 60, 0)


def test_the_written_source_lands_what_the_trial_said(tiny: Tiny) -> None:
    text = orders().replace("交易关闭", "稍等一下", 2).replace("￥1,000.50", "面议", 1)
    tiny.write("shop/orders_2026-01-31.csv", text)
    found = propose(tiny, "shop/orders_2026-01-31.csv")
    assert found.trial.reasons == {"order_status:unknown_value": 2, "payable_amount:not_a_amount": 1}
    assert {s.reason: s.values for s in found.trial.samples} == {
        "order_status:unknown_value": {"订单状态": "〇〇〇〇"},
        "payable_amount:not_a_amount": {"买家实付金额(元)": "〇〇"},
    }
    tiny.configure("sources/orders.yml", found.text)
    source = next(s for s in load_brand(tiny.settings).sources if s.name == "orders")
    assert check_source(tiny.settings, source) == []
    (batch,) = tiny.land("orders")
    assert batch.quarantine_reasons == found.trial.reasons
    assert batch.rows_landed == found.trial.landed == 57
    with scratch() as connection:
        rows = connection.execute(
            "select payable_amount, ordered_at from read_parquet(?) where order_key = '1000000000000001'",
            [str(tiny.lake.raw_file("orders", batch.batch_id))],
        ).fetchone()
    assert rows is not None
    assert str(rows[0]) == "2001.50"
    assert rows[1].isoformat() == "2026-01-02T01:01:00+00:00"  # 9:01 in Shanghai


def test_members_from_packed_json_lines(tiny: Tiny) -> None:
    lines = [
        {
            "会员ID": f"M{n:05d}",
            "mobile": f"139{n:08d}",
            "注册时间": 1_700_000_000 + n,
            "tags": ["a"],
            "身份证": f"11010119900101{n:04d}",
        }
        for n in range(40)
    ]
    packed = gzip.compress("\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode())
    tiny.write("crm/members.jsonl.gz", packed)
    found = propose(tiny, "crm/members.jsonl.gz")
    assert mapping(found) == {
        "member_key": "会员ID",
        "registered_at": "to_timestamp(cast(注册时间 as bigint))",
        "phone": "mobile",
    }
    assert [shape.name for shape in found.guess.ignored] == ["身份证"]
    assert (found.draft.source_system, found.trial.landed) == ("crm", 40)


def test_parquet_keeps_its_types(tiny: Tiny) -> None:
    target = tiny.write("shop/events.parquet", b"")
    with scratch() as connection:
        connection.execute(
            f"""copy (select 'e' || n as event_id, 'view' as event_type, 266079.0 + n as user_id,
                timestamp '2026-01-02 03:04:05' as event_time, {{'a': n}} as properties from range(30) r(n))
            to '{target}' (format parquet)"""
        )
    found = propose(tiny, "shop/events.parquet")
    fields = mapping(found)
    assert found.guess.entity.name == "events"
    assert (fields["occurred_at"], fields["event_key"]) == ("event_time", "event_id")
    assert fields["properties"] == "cast(to_json(properties) as varchar)"
    assert found.trial.landed == 30


@pytest.mark.parametrize("titles", [0, 2])
def test_a_sheet_with_lines_above_its_header(tiny: Tiny, titles: int) -> None:
    target = tiny.write("shop/goods.xlsx", b"")
    target.unlink()
    with scratch() as connection:
        excel.load_extension(connection)
        lines = ["('商品报表', null, null)", "('2026 年 1 月', null, null)"][:titles]
        rows = [*lines, "('款号', '标价', '手机')", "('S1', '9.5', '13800001111')", "('S2', '8', '13800002222')"]
        connection.execute(f"copy (select * from (values {', '.join(rows)})) to '{target}' (format xlsx, header false)")
    found = propose(tiny, "shop/goods.xlsx", entity="products")
    assert found.draft.reader.get("skip_lines", 0) == titles
    assert mapping(found)["list_price"] == "标价"
    assert "13800" not in found.text


def test_a_log_of_changes_is_recognised(tiny: Tiny) -> None:
    lines = ["op,lsn,member_id,level", *(f"{'IUD'[n % 3]},{n},m{n % 7},gold" for n in range(30))]
    tiny.write("crm/log.csv", "\n".join(lines))
    found = propose(tiny, "crm/log.csv", entity="members")
    document = yaml.safe_load(found.text)
    assert document["mode"] == "change_log"
    assert document["entities"]["members"]["change_sequence"] == "lsn"
    assert document["entities"]["members"]["is_deleted"].startswith("op in ('D'")
    assert found.problems == []


def test_numbers_dates_and_truths_as_people_write_them(tiny: Tiny) -> None:
    lines = [
        "product_code;标价;上市日期;replenishment_days",
        *(f"s{n};1.{n:03d},50;{1 + n % 28:02d}.02.2026;30" for n in range(40)),
    ]
    tiny.write("shop/goods.csv", "\n".join(lines))
    found = propose(tiny, "shop/goods.csv")
    assert found.guess.entity.name == "products"
    fields = mapping(found)
    assert fields["list_price"] == "replace(replace(标价, '.', ''), ',', '.')"
    assert fields["launched_on"] == "strptime(上市日期, '%d.%m.%Y')"
    assert found.trial.landed == 40


def test_what_is_missing_is_said_and_stands_as_a_comment(tiny: Tiny) -> None:
    tiny.write("shop/lines.csv", "订单号,数量\no1,2\no2,3\no3,4\n")
    found = propose(tiny, "shop/lines.csv", entity="order_lines")
    assert found.missing == ["order_lines.ordered_at", "order_lines.product_code", "order_lines.line_amount"]
    for name in ("ordered_at", "product_code", "line_amount"):
        assert f"      # {name}: REQUIRED" in found.text
    assert (found.trial.landed, found.trial.quarantined) == (3, 0)
    tiny.configure("sources/lines.yml", found.text)
    source = next(s for s in load_brand(tiny.settings).sources if s.name == "lines")
    assert [problem.split(": ")[1] for problem in check_source(tiny.settings, source)] == [
        f"entities.order_lines.fields.{name.partition('.')[2]}" for name in found.missing
    ]


def test_columns_given_for_a_file_without_header(tiny: Tiny) -> None:
    tiny.write("shop/sales.txt", "".join(f" o{n} 2026010{1 + n % 9}  {n} 9.50\n" for n in range(30)))
    assert "order_lines.order_key" in propose(tiny, "shop/sales.txt", entity="order_lines").missing
    named = propose(tiny, "shop/sales.txt", columns=("order_no", "date", "qty", "payment"), entity="order_lines")
    assert named.missing == ["order_lines.product_code"]
    assert mapping(named)["ordered_at"] == "strptime(date, '%Y%m%d')"


def test_a_wish_that_cannot_be_met_is_refused(tiny: Tiny) -> None:
    tiny.write("shop/a.csv", "order_id,qty\n1,2\n")
    with pytest.raises(BrandConfigError, match="no contract entity; one of members"):
        propose(tiny, "shop/a.csv", entity="nosuch")
    log = propose(tiny, "shop/a.csv", entity="orders", mode="change_log")
    assert any("change_log needs" in problem for problem in log.problems)


def test_a_file_outside_the_calendar_is_told(tiny: Tiny) -> None:
    tiny.sales("o1,1,2019-01-01 08:00:00,m1,s1,sale,2,10.50", day="2019-01-01")
    assert any("outside the brand's calendar" in p for p in propose(tiny, "sales/2019-01-01.csv").problems)


def test_paths_outside_the_root_are_refused(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere.csv"
    elsewhere.write_text("order_id,qty\n1,2\n")
    with pytest.raises(LandingError, match=r"lies outside TESSERA_SOURCES .*copy it there"):
        propose(tiny, str(elsewhere))
    with pytest.raises(LandingError, match="no such file"):
        propose(tiny, "nosuch.csv")
    inside = tiny.write("shop/a.csv", "order_id,qty\n1,2\n")
    assert propose(tiny, str(inside)).draft.reader["path"] == "shop/a.csv"
    monkeypatch.chdir(inside.parent)
    assert propose(tiny, "a.csv").draft.reader["path"] == "shop/a.csv"


def test_a_table_of_a_database(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.root / "shop.db"
    with sqlite3.connect(path) as database:
        database.execute(
            "create table refunds (refund_no text primary key, order_no text, amount numeric(10, 2), status text, "
            "created_at timestamp, updated_at timestamp not null)"
        )
        rows = [
            (f"R{n}", f"O{n}", 12.5, "退款成功", "2026-01-01 10:00:00", f"2026-01-02 10:{n:02d}:00") for n in range(20)
        ]
        database.executemany("insert into refunds values (?, ?, ?, ?, ?, ?)", rows)
    monkeypatch.setenv("TESSERA_SECRET_SHOP_DB", f"sqlite:///{path}")
    config = load_brand_config(tiny.settings)
    found = propose_table(tiny.settings, config, "refunds", "TESSERA_SECRET_SHOP_DB", Wishes())
    assert found.draft.reader == {
        "kind": "database",
        "connection_secret": "TESSERA_SECRET_SHOP_DB",
        "table": "refunds",
        "cursor": "updated_at",
    }
    assert (found.name, found.draft.source_system, found.missing, found.problems) == ("refunds", "shop_db", [], [])
    assert found.trial.landed == 20
    assert str(path) not in found.text
    SourceConfig.model_validate(yaml.safe_load(found.text))
    whole = propose_table(tiny.settings, config, "refunds", "TESSERA_SECRET_SHOP_DB", Wishes(mode="compare"))
    assert "cursor" not in whole.draft.reader


# ---- nothing of a person -----------------------------------------------------------------------------------------

PEOPLE = {
    "姓名": lambda n: f"欧阳{chr(0x4E00 + 37 * n)}",
    "手机": lambda n: f"136{n:03d}45{n:03d}",
    "邮箱": lambda n: f"person{n}@private.example.org",
    "收货地址": lambda n: f"某某市解放路{n}号",
    "证件": lambda n: f"31010119850{n % 10}15{n:04d}",
}


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("entity", ["members", "orders", None])
def test_no_value_of_a_person_is_shown(tiny: Tiny, header: bool, entity: str | None) -> None:
    rows = [[make(n) for make in PEOPLE.values()] + ["待定"] for n in range(3)]
    lines = [",".join(row) for row in rows]
    tiny.write("crm/people.csv", "\n".join([",".join([*PEOPLE, "订单状态"])] * header + lines) + "\n")
    found = propose(tiny, "crm/people.csv", entity=entity)
    shown = found.text + "".join(str(sample) for sample in found.trial.samples) + str(found.trial.problem)
    values = {value for row in rows for value in row[:-1]}
    assert [value for value in values if value in shown] == []


# ---- whatever the file -------------------------------------------------------------------------------------------

_NAMES = st.one_of(
    st.sampled_from(
        [
            "订单编号",
            "会员ID",
            "手机号",
            "order",
            "select",
            "time",
            "实付金额(元)",
            "a b",
            'q"q',
            "x'y",
            "#",
            "- a",
            "下单时间",
            "state",
            "{k: v}",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8),
)
_VALUES = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.decimals(-1000, 1000, places=2).map(str),
    st.dates().map(str),
    st.dates().map(lambda d: f"{d:%d/%m/%Y}"),
    st.sampled_from(["", "是", "否", "true", "￥1,234.50", "12%", "null", "13800001111", "a@b.cn", "1.234,5"]),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12),
)


@st.composite
def _files(draw: st.DrawFn) -> tuple[str, bytes]:
    width = draw(st.integers(1, 6))
    names = draw(st.lists(_NAMES, min_size=width, max_size=width))
    rows = draw(st.lists(st.lists(_VALUES, min_size=width, max_size=width), min_size=0, max_size=12))
    out = io.StringIO()
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(
        out, delimiter=draw(st.sampled_from([",", ";", "\t", "|"])), quoting=quoting, lineterminator="\n"
    )
    writer.writerows([names, *rows] if draw(st.booleans()) else (rows or [names]))
    name = draw(st.sampled_from(["a.csv", "订单.txt", "orders_2026-01-31.csv", "20260131.csv"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]))
    return name, out.getvalue().encode(encoding)


@pytest.mark.slow
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(written=_files(), entity=st.sampled_from([None, "orders", "order_lines", "events"]))
@example(written=("a.csv", b"\n\n"), entity=None)
@example(written=("a.csv", b'"a'), entity=None)
@example(written=("a.csv", b"a,a\n1,2\n"), entity=None)
def test_whatever_the_file_the_yaml_loads_and_checks(
    tmp_path_factory: pytest.TempPathFactory,
    make_tiny: Callable[[Path], Tiny],
    written: tuple[str, bytes],
    entity: str | None,
) -> None:
    tiny = make_tiny(tmp_path_factory.mktemp("any"))
    name, content = written
    tiny.write(f"any/{name}", content)
    try:
        found = propose(tiny, f"any/{name}", name="any", entity=entity)
    except LandingError as error:
        assert str(error).startswith("any/"), "names the file"
        return
    document = yaml.safe_load(found.text)
    SourceConfig.model_validate(document)
    tiny.configure("sources/any.yml", found.text)
    source = next(s for s in load_brand(tiny.settings).sources if s.name == "any")
    problems = check_source(tiny.settings, source)
    said = [f"entities.{e}.fields.{f}" for e, _, f in (name.partition(".") for name in found.missing)]
    assert [p for p in problems if not any(f": {key}: missing" in p for key in said)] == found.problems
    assert found.trial.rows == found.trial.landed + found.trial.quarantined


@given(
    st.one_of(
        st.text(), st.sampled_from(["yes", "null", "1", "a: b", "a #b", "'x'", '"x"', "- a", "{a", "*a", "%a", " a "])
    )
)
def test_any_text_is_written_so_that_it_is_read_back(text: str) -> None:
    assert yaml.safe_load(f"key: {scalar(text)} # comment") == {"key": text}
    assert yaml.safe_load(f"key: {scalar([text, 'x'])}") == {"key": [text, "x"]}


def test_the_synonyms_are_loaded_once_and_whole() -> None:
    synonyms = load_synonyms()
    assert synonyms.values["order_status"][folded("TRADE_FINISHED")] == "completed"
    assert folded("Updated At") in synonyms.versions["changed_at"]
