"""The project's two brands on their real data: counts and money measured on the files themselves."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.brands import load_brand
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
