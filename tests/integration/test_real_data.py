"""The project's two brands on their real data, from the files to the published figures that can be counted by hand."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest
from pipeline import land_and_build

from orchestration import warehouse
from orchestration.settings import PROJECT_ROOT, load_settings

pytestmark = pytest.mark.slow

SHARED = PROJECT_ROOT.parent / "shared" / "data"


def test_online_retail_keeps_every_line_and_every_penny(tmp_path: Path) -> None:
    folder = SHARED / "online_retail"
    if not folder.is_dir():
        pytest.skip("online_retail is not beside the project (../shared/data)")
    settings = load_settings("online_retail", {"TESSERA_HOME": str(tmp_path), "TESSERA_SOURCES": str(SHARED)})
    land_and_build(settings, "+fct_order_lines", "+fct_refunds")
    lines, money = 0, Decimal(0)
    for path in folder.glob("????-??-??.csv"):
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for row in csv.DictReader(stream):
                lines += 1
                money += Decimal(row["Quantity"]) * Decimal(row["UnitPrice"])
    assert lines > 300_000
    with warehouse.read_only(settings.build_file) as connection:
        batches = connection.execute("select sum(rows_in), sum(rows_landed + rows_quarantined) from raw.load_batches")
        assert batches.fetchone() == (lines, lines)
        marts = connection.execute(
            "select (select sum(line_amount) from marts.fct_order_lines) - (select sum(refund_amount) from marts.fct_refunds), "
            "(select count(*) from marts.fct_order_lines) + (select count(*) from marts.fct_refunds)"
        ).fetchone()
    assert marts == (money, lines)


def test_every_complete_journey_redemption_finds_its_basket(tmp_path: Path) -> None:
    settings = load_settings("complete_journey", {"TESSERA_HOME": str(tmp_path)})
    land_and_build(settings, "+fct_coupon_redemptions")
    with warehouse.read_only(settings.build_file) as connection:
        found = connection.execute(
            "select count(*), count(*) filter (where is_order_matched), count(order_id) from marts.fct_coupon_redemptions"
        ).fetchone()
    assert found == (2_102, 2_102, 2_102)
