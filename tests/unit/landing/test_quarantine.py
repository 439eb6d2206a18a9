"""Looking into the quarantine without showing a value, and landing what is in it once more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.landing import quarantine
from orchestration.landing.lake import read_batches
from orchestration.landing.quarantine import counts, list_quarantine, mask, masked_samples, replay
from orchestration.warehouse import scratch

from .conftest import GOOD, HEADER, SALES_YML, Tiny
from .test_modes import products_yml, row, snapshot, truth

BAD = "o2,1,2026-01-01 08:00:00,王小明,s1,sale,two,1.00"
MALFORMED = "o3,1,2026-01-01 08:00:00;m9"


@pytest.fixture
def spoilt(tiny: Tiny) -> tuple[Tiny, Path]:
    """A file with a good row, one whose quantity is a word, one that cannot be split, and one of no kind."""
    path = tiny.sales(GOOD, BAD, MALFORMED, GOOD.replace("o1", "o4").replace("sale", "gift"))
    tiny.land()
    return tiny, path


def in_lake(tiny: Tiny) -> list[str]:
    return [key for (key,) in tiny.rows("select order_key from {raw} order by 1")]


def accounts(tiny: Tiny) -> None:
    for batch in read_batches(tiny.lake):
        assert batch.rows_in == batch.rows_landed + batch.rows_quarantined
        (held,) = tiny.rows(f"select count(*) from {{raw}} where batch_id = '{batch.batch_id}'")
        assert held == (batch.rows_landed,)


# --- looking ------------------------------------------------------------------------------------------------------


def test_rows_are_listed_and_counted_by_file_line_and_reason(spoilt: tuple[Tiny, Path]) -> None:
    tiny, _ = spoilt
    listed = [(r.source_file, r.source_row_number, r.field, r.reason) for r in list_quarantine(tiny.settings)]
    file = "sales/2026-01-01.csv"
    assert listed == [
        (file, 2, "quantity", "quantity:not_a_decimal"),
        (file, 3, "malformed_row", "malformed_row:missing_columns"),
        (file, 4, "line_kind", "line_kind:unknown_value"),
    ]
    assert [(c.entity, c.reason, c.row_count) for c in counts(tiny.settings)] == [
        ("order_lines", "line_kind:unknown_value", 1),
        ("order_lines", "malformed_row:missing_columns", 1),
        ("order_lines", "quantity:not_a_decimal", 1),
    ]
    assert [r.source_row_number for r in list_quarantine(tiny.settings, reason="quantity:")] == [2]
    assert list_quarantine(tiny.settings, entity="members") == counts(tiny.settings, source_file="other.csv") == []
    assert len(list_quarantine(tiny.settings, source_file=file, limit=2)) == 2


def test_quarantine_of_an_empty_lake_is_empty(tiny: Tiny) -> None:
    assert list_quarantine(tiny.settings) == counts(tiny.settings) == masked_samples(tiny.settings) == []
    assert replay(tiny.settings, tiny.brand) == []


def test_samples_show_the_shape_of_a_value_only(spoilt: tuple[Tiny, Path]) -> None:
    tiny, _ = spoilt
    bad, malformed, gift = masked_samples(tiny.settings)
    assert bad.values == {
        "order_no": "x9",
        "line_no": "9",
        "ordered_at": "9999-99-99 99:99:99",
        "member": "〇〇〇",
        "sku": "x9",
        "kind": "xxxx",
        "qty": "xxx",
        "amount": "9.99",
    }
    assert malformed.values == {"csv_line": "x9,9,9999-99-99 99:99:99;x9"}
    assert (gift.source_row_number, gift.reason) == (4, "line_kind:unknown_value")
    assert "王" not in repr((bad, malformed, gift))


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("王小明 138-0013-8000", "〇〇〇 999-9999-9999"),
        ("Jane.Doe+1@mail.cn", "xxxx.xxx+9@xxxx.xx"),
        ("Ωμέγα é", "xxxxx x"),
        ("１２３ ⅷ ②", "999 9 9"),
        ("カナ 한글", "〇〇 〇〇"),
        ("❤😀", "xx"),
        ("a\tb\u200bc", "x x x"),
        ("", ""),
    ],
)
def test_mask_keeps_nothing_that_names_somebody(text: str, shape: str) -> None:
    assert mask(text) == shape


# --- replaying ----------------------------------------------------------------------------------------------------

MENDED = SALES_YML.replace("quantity: qty", "quantity: case qty when 'two' then '2' else qty end")


def test_file_that_is_there_is_landed_whole_with_the_present_mapping(spoilt: tuple[Tiny, Path]) -> None:
    tiny, _ = spoilt
    tiny.configure("sources/sales.yml", MENDED)
    said: list[str] = []
    (result,) = replay(tiny.settings, tiny.brand, log=said.append)
    assert (result.how, result.rows_replayed, result.rows_landed, result.rows_quarantined) == ("file", 3, 1, 2)
    assert result.batch is not None and result.batch.source_file == "sales/2026-01-01.csv"
    assert "of 3 quarantined rows 1 landed, 2 stay in quarantine" in said[-1]
    assert [r.source_row_number for r in list_quarantine(tiny.settings)] == [3, 4]
    accounts(tiny)
    assert tiny.land() == [], "it is not landed a third time"


def test_rows_of_a_file_that_is_gone_are_landed_beside_those_that_were(spoilt: tuple[Tiny, Path]) -> None:
    tiny, path = spoilt
    path.unlink()
    tiny.configure("sources/sales.yml", MENDED)
    (result,) = replay(tiny.settings, tiny.brand)
    assert (result.how, result.rows_replayed, result.rows_landed, result.rows_quarantined) == ("rows", 3, 1, 2)
    first, again = read_batches(tiny.lake)
    assert (again.source_file, again.replay_of) == ("sales/2026-01-01.csv#replay-1", first.batch_id)
    assert (again.rows_in, again.rows_landed, again.rows_quarantined) == (3, 1, 2)
    assert again.source_business_date == first.source_business_date
    assert in_lake(tiny) == ["o1", "o2"]
    assert tiny.rows("select source_row_number, quantity::int, source_file from {raw} where order_key = 'o2'") == [
        (2, 2, "sales/2026-01-01.csv#replay-1")
    ]
    assert [r.source_row_number for r in list_quarantine(tiny.settings)] == [3, 4]
    assert sum(c.row_count for c in counts(tiny.settings)) == 2
    accounts(tiny)

    # Nothing more can be landed: nothing is written. Then the delimiter of the broken line is understood as well.
    before = tiny.files()
    (still,) = replay(tiny.settings, tiny.brand)
    assert (still.how, still.rows_landed, still.rows_quarantined, still.batch) == ("rows", 0, 2, None)
    assert tiny.files() == before
    tiny.configure("sources/sales.yml", MENDED.replace("coalesce(kind, 'sale')", "replace(kind, 'gift', 'sale')"))
    (third,) = replay(tiny.settings, tiny.brand)
    assert third.batch is not None and third.batch.source_file == "sales/2026-01-01.csv#replay-2"
    assert in_lake(tiny) == ["o1", "o2", "o4"]
    assert [r.source_row_number for r in list_quarantine(tiny.settings)] == [3]
    accounts(tiny)


def test_file_that_comes_back_takes_the_place_of_what_was_replayed(spoilt: tuple[Tiny, Path]) -> None:
    tiny, path = spoilt
    text = path.read_text()
    path.unlink()
    tiny.configure("sources/sales.yml", MENDED)
    replay(tiny.settings, tiny.brand)
    path.write_text(text.replace("two", "7"))
    tiny.land()
    assert [r.source_row_number for r in list_quarantine(tiny.settings)] == [3, 4]
    with scratch() as connection:
        from orchestration.build_file import create_raw_views

        connection.execute(
            "create schema config; create table config.cleaning_rules (rule_code text, entity text, label_zh text, label_en text)"
        )
        create_raw_views(connection, tiny.settings.lake)
        current = connection.execute(
            "select order_key, quantity::int from raw.order_lines where batch_id in (select batch_id from raw.current_batches) order by 1"
        ).fetchall()
    assert current == [("o1", 2), ("o2", 7)]


def test_line_is_split_again_with_the_reader_of_today(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", SALES_YML.replace("kind: csv,", "kind: csv, null_values: ['', '-'],"))
    path = tiny.sales(GOOD, GOOD.replace("o1", "o2") + ",x")
    tiny.land()
    path.unlink()
    (result,) = replay(tiny.settings, tiny.brand)
    assert (result.rows_landed, result.rows_quarantined) == (0, 1)
    file = tiny.lake.quarantine_file("order_lines", read_batches(tiny.lake)[0].batch_id)
    line = GOOD.replace("o1", "o2").replace("m1", "-")
    with scratch() as connection:
        connection.execute(f"create table kept as from '{file}'")
        connection.execute("update kept set source_row = to_json({'csv_line': ?})", [line])
        connection.execute(f"copy kept to '{file}' (format parquet)")
    (result,) = replay(tiny.settings, tiny.brand)
    assert (result.rows_landed, result.rows_quarantined) == (1, 0)
    assert tiny.rows("select member_key from {raw} where order_key = 'o2'") == [(None,)]


def test_rows_that_the_mapping_leaves_out_now_are_set_aside_no_more(spoilt: tuple[Tiny, Path]) -> None:
    tiny, path = spoilt
    path.unlink()
    mapping = MENDED.replace("cleaning_rules:", "    where: coalesce(kind, '') <> 'gift'\ncleaning_rules:")
    tiny.configure("sources/sales.yml", mapping)
    (result,) = replay(tiny.settings, tiny.brand)
    assert (result.rows_landed, result.rows_quarantined) == (2, 1)
    assert result.batch is not None and result.batch.rows_not_of_entity == 1
    accounts(tiny)


def test_clock_in_the_future_is_set_aside_and_replayed_when_its_time_has_come(tiny: Tiny) -> None:
    loaded_at = datetime(2026, 1, 1, tzinfo=UTC)
    tiny.sales(
        GOOD,
        "o2,1,2026-01-02T00:00:00Z,m,s,sale,1,1",
        "o3,1,2026-01-02T00:00:01Z,m,s,sale,1,1",
    )
    (batch,) = tiny.land(loaded_at=loaded_at)
    assert batch.quarantine_reasons == {"ordered_at:in_the_future": 1}
    assert batch.max_event_at == loaded_at + timedelta(hours=24)
    assert in_lake(tiny) == ["o1", "o2"]
    (result,) = replay(tiny.settings, tiny.brand, loaded_at=loaded_at + timedelta(days=1))
    assert (result.how, result.rows_landed) == ("file", 1)
    assert list_quarantine(tiny.settings) == []


@pytest.mark.parametrize("mode", ["full", "compare"])
def test_replayed_row_of_a_snapshot_joins_the_snapshot(tiny: Tiny, mode: str) -> None:
    tiny.configure("sources/sales.yml", products_yml(mode))
    snapshot(tiny, 0, row("a", 1), row("b", 1))
    path = snapshot(
        tiny, 1, row("a", 1), ("b", "name 2", "$2", "", "", ""), ("c", "name 1", "$1", "", "", ""), row("d", 1)
    )
    tiny.land("products")
    path.unlink()
    mapping = products_yml(mode).replace("list_price: price", "list_price: \"replace(price, '$', '')\"")
    tiny.configure("sources/sales.yml", mapping)
    (result,) = replay(tiny.settings, tiny.brand, entity="products")
    assert (result.how, result.rows_landed, result.rows_quarantined) == ("rows", 2, 0), result.problem
    assert truth(tiny) == {k: (f"name {v}", False) for k, v in {"a": 1, "b": 2, "c": 1, "d": 1}.items()}
    snapshot(tiny, 2, row("a", 1), row("b", 2), row("d", 1))
    tiny.land("products")
    assert truth(tiny)["c"] == ("name 1", True)
    assert {key for key, (_, deleted) in truth(tiny).items() if not deleted} == {"a", "b", "d"}


def test_what_cannot_be_replayed_says_why(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", products_yml("full"))
    first = snapshot(tiny, 0, row("a", 1), row("a", 2), row("b", 1))
    snapshot(tiny, 1, row("a", 1))
    tiny.land("products")
    first.unlink()
    (result,) = replay(tiny.settings, tiny.brand)
    assert (result.how, result.rows_quarantined) == ("skipped", 1)
    assert "a later snapshot, products/2026-01-02.csv, has taken its place" in str(result.problem)
    tiny.configure("sources/sales.yml", products_yml("incremental"))
    (result,) = replay(tiny.settings, tiny.brand)
    assert "it was landed in mode full" in str(result.problem)
    tiny.configure("sources/sales.yml", SALES_YML)
    (result,) = replay(tiny.settings, tiny.brand)
    assert result.problem == "no source of the brand maps it any more"


def test_rows_of_a_file_without_a_column_are_replayed_once_it_has_a_default(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", SALES_YML + "schema_drift: {missing_column: quarantine}\n")
    path = tiny.sales("o1,1,2026-01-01 08:00:00,s1,sale,2,10.50", header=HEADER.replace(",member", ""))
    tiny.land()
    path.unlink()
    (still,) = replay(tiny.settings, tiny.brand)
    assert (still.rows_landed, still.rows_quarantined) == (0, 1)
    tiny.configure("sources/sales.yml", SALES_YML + "schema_drift: {missing_column: default}\n")
    (result,) = replay(tiny.settings, tiny.brand)
    assert (result.rows_landed, result.rows_quarantined) == (1, 0)
    assert in_lake(tiny) == ["o1"]


def test_typed_rows_are_read_back_with_their_types(tiny: Tiny) -> None:
    from .test_drift import PRODUCTS_YML, landed, parquet

    tiny.configure("sources/sales.yml", PRODUCTS_YML.format(policy="", where=""))
    parquet(tiny, 1, ("a", "A", 1, "x"), (None, "B", 2, "x"))
    tiny.land("products")
    (tiny.root / "sources/products/2026-01-01.parquet").unlink()
    mapping = PRODUCTS_YML.format(policy="", where="").replace("code: code", "code: \"coalesce(code, 'b')\"")
    tiny.configure("sources/sales.yml", mapping.replace("list_price: price", "list_price: price + 1"))
    (result,) = quarantine.replay(tiny.settings, tiny.brand)
    assert (result.rows_landed, result.problem) == (1, None)
    assert landed(tiny, "product_code, list_price::int") == [("a", 1), ("b", 3)]
