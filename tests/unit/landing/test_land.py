"""Landing good and bad files of a tiny brand: rows, reasons, refusals, batches."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.landing import batches
from orchestration.landing import lake as lakes
from orchestration.landing.contract import load_contract
from orchestration.landing.errors import LakeError, LandingError
from orchestration.landing.land import daily_entities, entities, pending

from .conftest import GOOD, HEADER, SALES_YML, Tiny


def quarantined(tiny: Tiny) -> list[tuple[int, str]]:
    return tiny.rows("select source_row_number, reason from read_parquet({quarantine}) order by 1")


def others(count: int, start: int = 2) -> list[str]:
    return [f"o{n},1,2026-01-01 09:00:00,m1,s1,sale,1,1" for n in range(start, start + count)]


# --- good files ---------------------------------------------------------------------------------------------------


def test_good_file_lands_with_contract_and_technical_columns(tiny: Tiny) -> None:
    tiny.sales(GOOD, "o1,2,2026-01-01 00:30:00,,s2,,1,-3.125")
    (batch,) = tiny.land()
    with_types = tiny.rows("select column_name, column_type from (describe select * from {raw})")
    assert with_types == load_contract()["order_lines"].duckdb_columns()
    rows = tiny.rows(
        "select ordered_at::varchar, member_key, line_kind, line_amount::varchar, currency_code, unit_price, "
        "batch_id, source_system, source_file, source_row_number, extra_fields from {raw}"
    )
    file = "sales/2026-01-01.csv"
    assert rows == [
        ("2026-01-01 00:00:00+00", "m1", "sale", "10.5000", "CNY", None, batch.batch_id, "till", file, 1, None),
        ("2025-12-31 16:30:00+00", None, "sale", "-3.1250", "CNY", None, batch.batch_id, "till", file, 2, None),
    ]
    assert (batch.rows_in, batch.rows_landed, batch.rows_quarantined) == (2, 2, 0)
    assert batch.cleaning_rule_hits == {"member_missing": 1}
    assert batch.source_business_date == date(2026, 1, 1)
    assert entities(tiny.brand) == daily_entities(tiny.brand) == ["order_lines"]


def test_timestamp_with_offset_is_not_shifted_again(tiny: Tiny) -> None:
    tiny.sales("o1,1,2026-01-01T08:00:00Z,m,s,sale,1,1", "o2,1,2026-01-01 08:00:00+02,m,s,sale,1,1")
    tiny.land()
    assert tiny.rows("select ordered_at::varchar from {raw} order by order_key") == [
        ("2026-01-01 08:00:00+00",),
        ("2026-01-01 06:00:00+00",),
    ]


def test_header_only_file_lands_no_rows_and_is_not_pending_again(tiny: Tiny) -> None:
    tiny.sales()
    (batch,) = tiny.land()
    assert (batch.rows_in, batch.rows_landed) == (0, 0)
    assert tiny.rows("select count(*) from {raw}") == [(0,)]
    assert pending(tiny.settings, tiny.brand) == []


def test_extra_column_is_kept_and_reported(tiny: Tiny) -> None:
    tiny.sales(GOOD + ",red,7", header=HEADER + ",colour,size")
    tiny.configure("sources/sales.yml", SALES_YML + "ignored_columns: [size]\n")
    (batch,) = tiny.land()
    assert batch.extra_columns == ["colour"]
    assert tiny.rows("select extra_fields from {raw}") == [('{"colour":"red"}',)]


def test_gbk_file_is_read_as_configured(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", SALES_YML.replace("kind: csv,", "kind: csv, encoding: gbk,"))
    tiny.write("sales/2026-01-01.csv", f"{HEADER}\no1,1,2026-01-01 08:00:00,会员,商品,sale,1,1\n".encode("gbk"))
    tiny.land()
    assert tiny.rows("select member_key, product_code from {raw}") == [("会员", "商品")]


def test_broken_gbk_bytes_go_to_quarantine(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", SALES_YML.replace("kind: csv,", "kind: csv, encoding: gbk,"))
    tiny.write(
        "sales/2026-01-01.csv", f"{HEADER}\n{GOOD}\n".encode() + b"o2,1,2026-01-01 08:00:00,\xff\xff,s,sale,1,1\n"
    )
    (batch,) = tiny.land()
    assert (batch.rows_in, batch.rows_landed) == (2, 1)
    assert quarantined(tiny) == [(2, "malformed_row:invalid_encoding")]


def test_crlf_bom_and_quoted_newline(tiny: Tiny) -> None:
    text = (
        "\ufeff"
        + HEADER
        + '\r\no1,1,2026-01-01 08:00:00,m1,"a\nb, ""c""",sale,1,1\r\no2,1,2026-01-01 08:00:00,m,s,sale,1,1'
    )
    tiny.write("sales/2026-01-01.csv", text)
    tiny.land()
    assert tiny.rows("select source_row_number, product_code from {raw} order by 1") == [(1, 'a\nb, "c"'), (2, "s")]


# --- rows that break the contract ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("o2,1,2026-01-01 08:00:00,m,s,sale,two,1", "quantity:not_a_decimal"),
        ("o2,1.5,2026-01-01 08:00:00,m,s,sale,1,1", "order_line_number:not_a_integer"),
        ("o2,1,2026-02-30 08:00:00,m,s,sale,1,1", "ordered_at:not_a_timestamp"),
        ("o2,1,infinity,m,s,sale,1,1", "ordered_at:not_a_timestamp"),
        ("o2,1,2026-01-01 08:00:00,m,,sale,1,1", "product_code:missing_value"),
        ("o2,1,2026-01-01 08:00:00,m,  ,sale,1,1", "product_code:missing_value"),
        ("o2,1,2026-01-01 08:00:00,m,s,gift,1,1", "line_kind:unknown_value"),
        ("o2,1,yesterday,m,s,sale,1,nan", "ordered_at:not_a_timestamp; line_amount:not_a_decimal"),
        ("o2,1,2026-01-01 08:00:00", "malformed_row:missing_columns"),
        (GOOD.replace("o1", "o2") + ",x", "malformed_row:too_many_columns"),
        (GOOD.replace("m1", "m2"), "order_key:duplicate_key"),
    ],
)
def test_bad_row_is_quarantined_with_its_reason(tiny: Tiny, line: str, reason: str) -> None:
    tiny.sales(GOOD, line, "o3,1,2026-01-01 09:00:00,m1,s1,sale,1,1")
    (batch,) = tiny.land()
    assert (batch.rows_in, batch.rows_landed, batch.rows_quarantined) == (3, 2, 1)
    assert quarantined(tiny) == [(2, reason)]
    assert tiny.rows("select source_row_number, order_key from {raw} order by 1") == [(1, "o1"), (3, "o3")]
    (row,) = tiny.rows("select batch_id, field, source_row from {quarantine}")
    assert row[0] == batch.batch_id
    assert row[1] == reason.split(":")[0]
    source_row = json.loads(row[2])
    assert source_row.get("csv_line", "").strip() == line or source_row["order_no"] == line.split(",")[0]
    assert batch.quarantine_reasons == dict.fromkeys(reason.split("; "), 1)


def test_expression_that_raises_on_a_row_quarantines_that_row_only(tiny: Tiny) -> None:
    mapping = SALES_YML.replace("ordered_at: ordered_at", "ordered_at: strptime(ordered_at, '%d/%m/%Y')")
    tiny.configure("sources/sales.yml", mapping)
    tiny.sales("o1,1,31/01/2026,m,s,sale,1,1", "o2,1,2026-01-31,m,s,sale,1,1")
    tiny.land()
    assert quarantined(tiny) == [(2, "ordered_at:not_a_timestamp")]


def test_where_and_rule_that_raise_on_a_row_lose_nothing(tiny: Tiny) -> None:
    rule = "  - {code: big, entity: order_lines, when: qty::int > 1, label_zh: 大, label_en: Big}\n"
    mapping = SALES_YML.replace("cleaning_rules:", "    where: line_no::int < 9\ncleaning_rules:") + rule
    tiny.configure("sources/sales.yml", mapping)
    tiny.sales(GOOD, "o2,x,2026-01-01 08:00:00,m,s,sale,y,1", "o3,9,2026-01-01 08:00:00,m,s,sale,5,1")
    (batch,) = tiny.land()
    assert (batch.rows_in, batch.rows_landed, batch.rows_not_of_entity) == (2, 1, 1)
    assert [reason for _, reason in quarantined(tiny)] == [
        "order_line_number:not_a_integer; quantity:not_a_decimal; where:cannot_be_evaluated"
    ]
    assert batch.cleaning_rule_hits["big"] == 1


def test_window_that_raises_is_refused_with_a_remedy_and_no_value(tiny: Tiny) -> None:
    number = "row_number() over (partition by order_no order by line_no::int)"
    tiny.configure("sources/sales.yml", SALES_YML.replace("order_line_number: line_no", f"order_line_number: {number}"))
    tiny.sales(GOOD, GOOD.replace("o1,1", "o2,private"))
    refused(tiny, "sources/sales.yml", "try_cast", "order_line_number")
    with pytest.raises(LandingError) as error:
        tiny.land()
    assert "private" not in str(error.value)


def test_exact_duplicate_rows_are_landed_for_staging_to_count(tiny: Tiny) -> None:
    tiny.sales(GOOD, GOOD, GOOD.replace("10.50", "11"), GOOD)
    (batch,) = tiny.land()
    assert (batch.rows_landed, batch.rows_quarantined) == (3, 1)
    assert quarantined(tiny) == [(3, "order_key:duplicate_key")]


def test_rows_of_another_entity_are_counted_and_not_landed(tiny: Tiny) -> None:
    mapping = SALES_YML.replace("cleaning_rules:", "    where: sku <> 'header'\ncleaning_rules:")
    tiny.configure("sources/sales.yml", mapping)
    tiny.sales(GOOD, GOOD.replace("s1", "header").replace("o1", "o2"))
    (batch,) = tiny.land()
    assert (batch.rows_in, batch.rows_landed, batch.rows_not_of_entity) == (1, 1, 1)


# --- files that are refused ---------------------------------------------------------------------------------------


def refused(tiny: Tiny, *said: str) -> None:
    """Landing fails, says all of `said`, and leaves nothing in the lake."""
    with pytest.raises(LandingError) as error:
        tiny.land()
    for text in said:
        assert text in str(error.value)
    lakes.recover(tiny.lake)
    assert tiny.files() == []


def test_file_of_0_bytes_is_refused(tiny: Tiny) -> None:
    tiny.write("sales/2026-01-01.csv", "")
    refused(tiny, "sales/2026-01-01.csv", "empty", "deliver it again")


def test_wrong_delimiter_is_named_and_guessed(tiny: Tiny) -> None:
    tiny.write("sales/2026-01-01.csv", f"{HEADER}\n{GOOD}\n".replace(",", ";"))
    refused(tiny, "sales/2026-01-01.csv", "one column", "';'", "sources/sales.yml")


def test_missing_column_is_named(tiny: Tiny) -> None:
    tiny.sales("o1,1,2026-01-01 08:00:00,m1,s1,sale,2", header=HEADER.removesuffix(",amount"))
    refused(tiny, "sales/2026-01-01.csv", "amount", "sources/sales.yml")


def test_column_written_twice_is_refused(tiny: Tiny) -> None:
    tiny.sales(GOOD + ",x", header=HEADER + ",SKU")
    refused(tiny, "'SKU'", "twice")


def test_file_of_mostly_bad_rows_is_refused_with_counts_and_no_values(tiny: Tiny) -> None:
    bad = [f"secret{n},1,2026-01-01 08:00:00,m,s,sale,private,1" for n in range(11)]
    tiny.sales(*others(500), *bad)
    refused(tiny, "11 of 511 rows", "quantity:not_a_decimal: 11", "max_share")
    with pytest.raises(LandingError) as error:
        tiny.land()
    assert "secret" not in str(error.value)
    assert "private" not in str(error.value)


def test_share_of_bad_rows_can_be_raised_for_a_source(tiny: Tiny) -> None:
    bad = [f"x{n},1,2026-01-01 08:00:00,m,s,sale,x,1" for n in range(11)]
    tiny.sales(*others(500), *bad)
    tiny.configure("sources/sales.yml", SALES_YML + "quarantine: {max_share: 0.05}\n")
    assert tiny.land()[0].rows_quarantined == 11


def test_file_without_one_good_row_is_refused(tiny: Tiny) -> None:
    tiny.sales("o1,1,never,m,s,sale,1,1")
    refused(tiny, "1 of 1 rows")


def test_gbk_file_read_as_utf8_says_what_to_set(tiny: Tiny) -> None:
    tiny.write("sales/2026-01-01.csv", f"{HEADER}\no1,1,2026-01-01 08:00:00,会员,商品,sale,1,1\n".encode("gbk"))
    refused(tiny, "invalid_encoding", "reader.encoding")


def test_missing_file_of_a_source_that_is_not_daily(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", SALES_YML.replace("sales/{date}.csv", "sales/all.csv"))
    refused(tiny, "sales/all.csv", "sources/sales.yml")


def test_missing_sources_root_and_folder(tiny: Tiny) -> None:
    for root, said in ((None, "TESSERA_SOURCES is not set"), (tiny.root / "gone", "not a folder")):
        with pytest.raises(LandingError, match=said):
            pending(replace(tiny.settings, sources_root=root), tiny.brand)
    (tiny.root / "sources" / "sales").rmdir()
    with pytest.raises(LandingError, match="folder sales is not in"):
        pending(tiny.settings, tiny.brand)


def test_link_out_of_the_root_is_refused(tiny: Tiny) -> None:
    outside = tiny.root / "outside.csv"
    outside.write_text(f"{HEADER}\n{GOOD}\n")
    (tiny.root / "sources" / "sales" / "2026-01-01.csv").symlink_to(outside)
    refused(tiny, "outside TESSERA_SOURCES")


def test_file_name_without_a_real_date_and_before_the_calendar(tiny: Tiny) -> None:
    path = tiny.sales(GOOD, day="2026-02-30")
    refused(tiny, "2026-02-30", "no real date")
    path.unlink()
    tiny.sales(GOOD, day="2025-12-31")
    refused(tiny, "calendar_start")


def test_one_bad_file_does_not_stop_the_good_ones(tiny: Tiny) -> None:
    tiny.sales(GOOD)
    tiny.write("sales/2026-01-02.csv", "")
    tiny.sales(*others(1), day="2026-01-03")
    with pytest.raises(LandingError, match="1 of 3 file"):
        tiny.land()
    assert tiny.rows("select count(*) from {raw}") == [(2,)]
    assert [p.file.name for p in pending(tiny.settings, tiny.brand)] == ["sales/2026-01-02.csv"]


# --- batches: skip, change, kill ----------------------------------------------------------------------------------


def test_landed_file_is_skipped_by_content_even_when_its_time_changed(tiny: Tiny) -> None:
    path = tiny.sales(GOOD)
    assert len(tiny.land()) == 1
    before = tiny.files()
    assert tiny.land() == []
    os.utime(path, ns=(1, 1))
    assert pending(tiny.settings, tiny.brand) == []
    assert tiny.land() == []
    assert tiny.files() == before


def test_changed_file_is_a_new_batch_and_a_change_back_is_another(tiny: Tiny) -> None:
    loaded_at = datetime(2026, 1, 2, tzinfo=UTC)
    batches = []
    for amount in ("10.50", "11.50", "10.50"):
        path = tiny.sales(GOOD.replace("10.50", amount))
        os.utime(path, ns=(len(batches), len(batches)))
        batches += tiny.land(loaded_at=loaded_at)
    assert len({batch.batch_id for batch in batches}) == 3
    assert [batch.loaded_at for batch in batches] == sorted({batch.loaded_at for batch in batches})
    assert sorted(b.batch_id for b in batches) == [b.batch_id for b in batches]
    assert batches[0].loaded_at == loaded_at
    assert tiny.rows("select count(*) from {raw}") == [(3,)]


def test_changed_mapping_lands_the_file_again_and_a_new_rule_does_not(tiny: Tiny) -> None:
    tiny.sales(GOOD)
    tiny.land()
    rule = "  - {code: more, entity: order_lines, when: sku is null, label_zh: 无, label_en: None}\n"
    tiny.configure("sources/sales.yml", SALES_YML + rule)
    assert tiny.land() == []
    tiny.configure("sources/sales.yml", SALES_YML.replace("product_code: sku", "product_code: upper(sku)"))
    assert len(tiny.land()) == 1


def test_window_limits_daily_files_and_includes_both_ends(tiny: Tiny) -> None:
    for day in range(1, 6):
        tiny.sales(GOOD, day=f"2026-01-0{day}")
    landed = tiny.land(window=(date(2026, 1, 2), date(2026, 1, 4)))
    assert [b.source_business_date for b in landed] == [date(2026, 1, day) for day in (2, 3, 4)]


@pytest.mark.parametrize("slow", ["sales", "shop"])
def test_the_order_of_batches_does_not_show_which_source_was_faster(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    tiny.configure("sources/shop.yml", SALES_YML.replace("till", "shop").replace("sales/", "shop/"))
    for day in ("2026-01-01", "2026-01-02"):
        written = tiny.sales(GOOD.replace("2026-01-01", day), day=day)
        tiny.write(f"shop/{day}.csv", written.read_bytes())
    other_landed = threading.Event()

    def land_files(load: batches.Load, items: list[batches.PendingFile]) -> Iterator[object]:
        if items[0].source.name == slow:
            assert other_landed.wait(20)
        yield from batches.land_files(load, items)
        other_landed.set()

    monkeypatch.setattr("orchestration.landing.land.land_files", land_files)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    tiny.land()
    found = [batch.source_file for batch in lakes.read_batches(tiny.lake)]
    assert found == [f"{folder}/{day}.csv" for folder in ("sales", "shop") for day in ("2026-01-01", "2026-01-02")]


@pytest.mark.parametrize("moves", [0, 1, 2])
def test_killed_load_leaves_nothing_half_landed(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, moves: int) -> None:
    """Killed before the quarantine file, the data file or the manifest is moved into place."""
    tiny.sales(GOOD, day="2026-01-01")
    (first,) = tiny.land()
    before = tiny.files()
    tiny.sales(*others(5), "o9,1,never,m,s,sale,1,1", day="2026-01-02")
    move, done = lakes._move, []

    def killed(source: Path, target: Path) -> None:
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(target)
        move(source, target)

    monkeypatch.setattr(lakes, "_move", killed)
    with pytest.raises(KeyboardInterrupt):
        tiny.land()
    monkeypatch.undo()
    assert [b.batch_id for b in lakes.read_batches(tiny.lake)] == [first.batch_id]
    assert [p.stem for p in lakes.committed_files(tiny.lake, "order_lines")] == [first.batch_id]
    assert lakes.recover(tiny.lake)
    assert tiny.files() == before
    (again,) = tiny.land()
    assert (again.rows_landed, again.rows_quarantined) == (5, 1)


def test_file_that_changes_while_it_is_read_is_not_landed(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.sales(GOOD)
    read = batches.read

    def growing(*arguments: Any) -> Any:
        relation = read(*arguments)
        with path.open("a") as stream:
            stream.write(GOOD)
        return relation

    monkeypatch.setattr(batches, "read", growing)
    refused(tiny, "changed while it was read")


def test_lost_data_file_and_unreadable_manifest_are_reported(tiny: Tiny) -> None:
    tiny.sales(GOOD)
    (batch,) = tiny.land()
    tiny.lake.raw_file("order_lines", batch.batch_id).unlink()
    with pytest.raises(LakeError, match=batch.batch_id):
        tiny.land()
    tiny.lake.manifest_file(batch.batch_id).write_text("{")
    with pytest.raises(LakeError, match="manifest cannot be read"):
        pending(tiny.settings, tiny.brand)


# --- property -----------------------------------------------------------------------------------------------------

_cell = st.one_of(
    st.sampled_from(
        ["", "1", "2", "2026-01-01", "2026-01-01 10:00:00", "sale", "refund", "1e3", "-0.5", "x", '"', "a,b"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6),
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(_cell, min_size=8, max_size=8), max_size=12))
def test_every_row_is_landed_or_quarantined(make_tiny: Callable[[Path], Tiny], rows: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tiny = make_tiny(Path(folder))
        tiny.configure("sources/sales.yml", SALES_YML + "quarantine: {max_share: 1.0, tolerated_rows: 100}\n")
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(HEADER.split(","))
        writer.writerows(rows)
        writer.writerow(GOOD.replace("o1", "the good row").split(","))
        tiny.write("sales/2026-01-01.csv", text.getvalue())
        (batch,) = tiny.land()
        assert batch.rows_in == len(rows) + 1
        assert tiny.rows("select count(*) from {raw}") == [(batch.rows_landed,)]
        held = quarantined(tiny) if batch.rows_quarantined else []
        assert len(held) == batch.rows_quarantined
        assert batch.rows_in == batch.rows_landed + batch.rows_quarantined
        landed = tiny.rows("select source_row_number from {raw}")
        assert {n for (n,) in landed} | {n for n, _ in held} == set(range(1, len(rows) + 2))
