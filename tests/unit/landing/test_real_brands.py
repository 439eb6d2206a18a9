"""The project's brands on their real data: counts and money measured on the files themselves."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.brands import load_brand
from orchestration.landing.lake import Batch
from orchestration.landing.land import entities, land, pending
from orchestration.landing.mapping import check_sources
from orchestration.settings import PROJECT_ROOT, load_settings
from orchestration.warehouse import scratch

SHARED = PROJECT_ROOT.parent / "shared" / "data"
LAST_SHARED_DAY = "2011-08-31"


@pytest.mark.slow
def test_online_retail_reconciles_to_the_cent(tmp_path: Path) -> None:
    folder = SHARED / "online_retail"
    if not folder.is_dir():
        pytest.skip("online_retail is not beside the project (../shared/data)")
    (tmp_path / "sources" / "online_retail").mkdir(parents=True)
    for path in folder.glob("*.csv"):
        if path.stem <= LAST_SHARED_DAY:
            (tmp_path / "sources" / "online_retail" / path.name).write_bytes(path.read_bytes())
    environ = {"TESSERA_HOME": str(tmp_path / "home"), "TESSERA_SOURCES": str(tmp_path / "sources")}
    settings = load_settings("online_retail", environ)
    brand = load_brand(settings)
    check_sources(settings, brand)
    batches = land(settings, brand, "order_lines")
    assert pending(settings, brand) == []
    assert sum(b.rows_in for b in batches) == sum(b.rows_landed + b.rows_quarantined for b in batches) == 320_705
    hits: Counter[str] = Counter()
    for batch in batches:
        hits.update(batch.cleaning_rule_hits)
    assert hits == {
        "customer_written_as_decimal": 232_053,
        "customer_missing": 88_652,
        "stock_code_not_upper_case": 1_394,
        "line_repeated": 2_483,
        "price_zero": 1_797,
        "price_negative": 2,
        "description_missing": 1_161,
        "stock_written_off": 925,
        "line_cancelled": 5_847,
        "accounting_adjustment": 3,
        "service_code": 1_918,
    }
    with scratch() as connection:
        (money, decimals) = connection.execute(
            "select sum(line_amount), count(*) filter (where member_key like '%.%') from read_parquet(?)",
            [f"{settings.lake}/raw/order_lines/*.parquet"],
        ).fetchone() or (None, None)
    assert money == Decimal("5761931.3820")
    assert decimals == 0


@pytest.mark.slow
def test_complete_journey_lands_whole(tmp_path: Path) -> None:
    settings = load_settings("complete_journey", {"TESSERA_HOME": str(tmp_path)})
    brand = load_brand(settings)
    check_sources(settings, brand)
    batches = {entity: land(settings, brand, entity)[0] for entity in entities(brand)}
    assert {entity: batch.rows_landed for entity, batch in batches.items()} == {
        "members": 801,
        "products": 92_331,
        "order_lines": 1_469_307,
        "campaigns": 27,
        "touches": 6_589,
        "coupon_products": 116_204,
        "coupon_redemptions": 2_102,
    }
    assert not any(batch.rows_quarantined for batch in batches.values())
    assert batches["order_lines"].cleaning_rule_hits == {
        "coupon_exceeds_sales": 3_507,
        "quantity_zero": 8_869,
        "sales_zero": 11_226,
        "after_year_in_utc": 534,
        "quantity_not_units": 13_494,
    }
    assert batches["coupon_products"].cleaning_rule_hits == {"coupon_product_repeated": 4_872}
    with scratch() as connection:
        matched = connection.execute(
            """select count(*) from read_parquet($lake || '/raw/coupon_redemptions/*.parquet') as redemptions
            where exists (
                from read_parquet($lake || '/raw/order_lines/*.parquet') as lines
                where lines.member_key = redemptions.member_key
                    and cast(lines.ordered_at at time zone 'America/New_York' as date) = redemptions.redeemed_on
            )""",
            {"lake": str(settings.lake)},
        ).fetchone()
    assert matched == (2_102,)


def landed(name: str, home: Path) -> dict[str, list[Batch]]:
    """Batches of every entity of a brand of the shared data, by entity."""
    settings = load_settings(name, {"TESSERA_HOME": str(home), "TESSERA_SOURCES": str(SHARED)})
    brand = load_brand(settings)
    check_sources(settings, brand)
    batches = {entity: land(settings, brand, entity) for entity in entities(brand)}
    assert pending(settings, brand) == []
    for found in batches.values():
        assert all(b.rows_in == b.rows_landed + b.rows_quarantined for b in found)
        assert not any(b.rows_quarantined for b in found)
    return batches


def keys(settings_home: Path, name: str, entity: str, sql: str) -> tuple[object, ...] | None:
    with scratch() as connection:
        return connection.execute(sql, [f"{settings_home}/{name}/lake/raw/{entity}/*.parquet"]).fetchone()


@pytest.mark.slow
def test_taobao_lands_whole_with_its_traps_counted(tmp_path: Path) -> None:
    if not (SHARED / "taobao_user_behavior").is_dir():
        pytest.skip("taobao_user_behavior is not beside the project (../shared/data)")
    (batch,) = landed("taobao", tmp_path)["events"]
    assert batch.rows_landed == 59_514
    # 579 of 1,203 purchases have no earlier view: history is cut off on the left.
    assert batch.cleaning_rule_hits == {
        "before_collection": 27,
        "after_collection": 0,
        "purchase_without_view": 579,
        "event_repeated": 0,
    }
    found = keys(
        tmp_path,
        "taobao",
        "events",
        "select count(distinct member_key), count(*) filter (where event_name = 'purchase'), "
        "cast(min(occurred_at at time zone 'Asia/Shanghai') as date), cast(max(occurred_at at time zone 'Asia/Shanghai') as date) "
        "from read_parquet(?)",
    )
    assert found == (545, 1_203, date(2017, 9, 11), date(2017, 12, 3))


@pytest.mark.slow
def test_jdata_lands_whole_with_its_traps_counted(tmp_path: Path) -> None:
    if not (SHARED / "jdata").is_dir():
        pytest.skip("jdata is not beside the project (../shared/data)")
    batches = landed("jdata", tmp_path)
    events = sorted(batches["events"], key=lambda batch: batch.source_file)
    assert [batch.rows_landed for batch in events] == [29_999] * 3
    assert [batch.cleaning_rule_hits["event_repeated"] for batch in events] == [7_643, 7_541, 8_686]
    assert [batch.cleaning_rule_hits["before_month_of_file"] for batch in events] == [29, 272, 85]
    assert sum(batch.cleaning_rule_hits["module_missing"] for batch in events) == 37_818
    assert [batch.cleaning_rule_hits["user_written_as_decimal"] for batch in events] == [29_999] * 3
    (members,) = batches["members"]
    assert members.rows_landed == 29_999
    assert members.cleaning_rule_hits == {
        "age_unknown": 2_839,
        "sex_undisclosed": 14_785,
        "registered_after_data_end": 9,
    }
    (products,) = batches["products"]
    assert products.rows_landed == 24_187
    band = keys(tmp_path, "jdata", "members", "select count(*) from read_parquet(?) where age_band = '26-35岁'")
    assert band == (14_125,)
    ids = keys(
        tmp_path,
        "jdata",
        "events",
        "select count(*) filter (where member_key like '%.%'), count(distinct event_key) from read_parquet(?)",
    )
    assert ids == (0, 66_127)


@pytest.mark.slow
def test_o2o_coupons_land_whole_with_their_traps_counted(tmp_path: Path) -> None:
    if not (SHARED / "o2o_coupons").is_dir():
        pytest.skip("o2o_coupons is not beside the project (../shared/data)")
    batches = landed("o2o_coupons", tmp_path)
    (receipts,) = batches["coupon_receipts"]
    assert receipts.rows_landed == 113_640
    assert receipts.cleaning_rule_hits == {
        "distance_unknown": 12_064,
        "discount_as_fraction": 2_566,
        "discount_as_threshold": 111_074,
        "receipt_repeated": 837,
    }
    found = keys(
        tmp_path,
        "o2o_coupons",
        "coupon_receipts",
        "select count(distinct receipt_key), count(*) filter (where discount_rate is null and discount_amount is null), "
        "count(*) filter (where distance_band is null), min(discount_rate), max(discount_rate) from read_parquet(?)",
    )
    assert found == (112_803, 0, 12_064, Decimal("0.0500"), Decimal("0.5000"))
