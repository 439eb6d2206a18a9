"""Behaviour, order heads and refunds that come in bit by bit give the marts that one run over everything gives.

A brand of a few rows, written here: late and corrected event files, an order that is cancelled after it was built, one that is
paid later, a pre-sale whose balance comes late, a refund, and an account that turns out to be a test account.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from pipeline import differences, land_and_build

from orchestration import warehouse
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

BRAND = "clicks"
MODELS = (
    "path:models/staging",
    "path:models/reference",
    "path:models/intermediate",
    "path:models/marts",
    "agg_daily_sales",
    "agg_daily_sales_slices",
    "reconciliation",
)
BRAND_YML = {
    "brand": BRAND,
    "label_zh": "点击",
    "label_en": "Clicks",
    "currency": "CNY",
    "clock": {"as_of": "latest_fact"},
    "calendar_start": "2024-01-01",
    "calendar_end": "2024-01-31",
    "parameters": {"bot_events_per_minute": 3, "bot_events_per_day": 50},
}
SOURCES: dict[str, dict[str, object]] = {
    "events": {
        "path": "events/*.csv",
        "fields": {
            "event_key": "id",
            "event_name": "what",
            "occurred_at": "moment",
            "member_key": "who",
            "anonymous_key": "device",
            "product_code": "item",
        },
    },
    "order_lines": {
        "path": "lines/*.csv",
        "fields": {
            "order_key": "order_no",
            "order_line_number": "line",
            "ordered_at": "moment",
            "product_code": "item",
            "line_kind": "'sale'",
            "quantity": "1",
            "line_amount": "amount",
            "currency_code": "'CNY'",
        },
    },
    "orders": {
        "path": "heads/*.csv",
        "fields": {
            "order_key": "order_no",
            "member_key": "who",
            "ordered_at": "moment",
            "order_status": "status",
            "currency_code": "'CNY'",
        },
        "changed_at": "changed",
    },
    "refunds": {
        "path": "refunds/*.csv",
        "fields": {
            "refund_key": "no",
            "order_key": "order_no",
            "order_line_number": "line",
            "refunded_at": "moment",
            "refund_status": "'refunded'",
            "refund_amount": "amount",
            "currency_code": "'CNY'",
        },
    },
    "payments": {
        "path": "payments/*.csv",
        "fields": {
            "payment_key": "no",
            "order_key": "order_no",
            "paid_at": "moment",
            "payment_kind": "kind",
            "payment_amount": "amount",
            "currency_code": "'CNY'",
        },
    },
    "members": {
        "path": "members/*.csv",
        "fields": {"member_key": "who", "account_kind": "kind"},
        "changed_at": "changed",
    },
}
EVENTS = "id,what,moment,who,device,item\n"
HEADS = "order_no,who,moment,status,changed\n"

FIRST = {
    "events/day2.csv": EVENTS
    + "e1,view,2024-01-02 10:00:00,m1,,P1\n"
    + "e2,purchase,2024-01-02 10:05:00,m1,,P1\n"
    + "e3,view,2024-01-02 11:00:00,,d1,P2\n"
    + "wrong,view,2024-01-02 11:00:01,,d1,P2\n"
    + "fast1,view,2024-01-02 12:00:00,m3,,P1\nfast2,view,2024-01-02 12:00:01,m3,,P1\nfast3,view,2024-01-02 12:00:02,m3,,P1\n"
    + "stray,view,1970-01-01 00:00:15,m1,,P1\n",
    "lines/day2.csv": "order_no,line,moment,item,amount\nO1,1,2024-01-02 10:05:00,P1,10.00\nO2,1,2024-01-02 10:06:00,P2,20.00\n"
    + "O3,1,2024-01-02 10:07:00,P2,30.00\n",
    "heads/day2.csv": HEADS
    + "O1,m1,2024-01-02 10:05:00,paid,2024-01-02 10:05:00\nO2,m2,2024-01-02 10:06:00,created,2024-01-02 10:06:00\n"
    + "O3,m2,2024-01-02 10:07:00,created,2024-01-02 10:07:00\n",
    "refunds/day2.csv": "no,order_no,line,moment,amount\nR0,O9,1,2024-01-02 09:00:00,1.00\n",
    "payments/day2.csv": "no,order_no,moment,kind,amount\nP0,O3,2024-01-02 10:08:00,deposit,5.00\n",
    "members/day2.csv": "who,kind,changed\nm1,,2024-01-02\nm2,,2024-01-02\n",
}
THEN = {
    # A corrected file: one event is gone, one moved to the next day; the same number in it stays the same event.
    "events/day2.csv": FIRST["events/day2.csv"]
    .replace("wrong,view,2024-01-02 11:00:01,,d1,P2\n", "")
    .replace("e3,view,2024-01-02 11:00:00", "e3,view,2024-01-03 11:00:00"),
    # A late file: with it m3 is faster than any hand, on a day that was built before; and a repeat of an event.
    "events/late.csv": EVENTS + "fast4,view,2024-01-02 12:00:03,m3,,P1\ne1,view,2024-01-02 10:00:00,m1,,P1\n",
    "events/day4.csv": EVENTS + "e9,cart,2024-01-04 10:00:00,m2,,P3\n",
    "heads/day3.csv": HEADS
    + "O1,m1,2024-01-02 10:05:00,cancelled,2024-01-03 09:00:00\nO2,m2,2024-01-02 10:06:00,paid,2024-01-03 09:00:00\n",
    "refunds/day4.csv": "no,order_no,line,moment,amount\nR1,O1,1,2024-01-04 09:00:00,10.00\nR2,O2,1,2024-01-04 09:00:00,5.00\n",
    # The balance of a pre-sale, across midnight: nothing else of the order is new.
    "payments/day4.csv": "no,order_no,moment,kind,amount\nP1,O3,2024-01-04 00:00:00,balance,25.00\n",
    "members/day3.csv": "who,kind,changed\nm1,test,2024-01-03\n",
}


@dataclass(frozen=True)
class Builds:
    bit_by_bit: Settings
    at_once: Settings


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / "sources" / BRAND / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def new_home(root: Path) -> Settings:
    folder = root / "brands" / BRAND / "sources"
    folder.mkdir(parents=True)
    (folder.parent / "brand.yml").write_text(
        yaml.safe_dump(BRAND_YML, allow_unicode=True)
        .replace("'2024-01-01'", "2024-01-01")
        .replace("'2024-01-31'", "2024-01-31"),
        encoding="utf-8",
    )
    for entity, source in SOURCES.items():
        mapping = {key: value for key, value in source.items() if key != "path"}
        document = {
            "source_system": "shop",
            "reader": {"kind": "csv", "path": f"{BRAND}/{source['path']}"},
            "timestamps_in": "Asia/Shanghai",
            "entities": {entity: mapping},
        }
        (folder / f"{entity}.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return Settings(BRAND, root / "home", root / "brands", root / "sources")


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    root = tmp_path_factory.mktemp("bit_by_bit")
    bit_by_bit = new_home(root)
    write(root, FIRST)
    land_and_build(bit_by_bit, *MODELS)
    write(root, THEN)
    land_and_build(bit_by_bit, *MODELS)
    root = tmp_path_factory.mktemp("at_once")
    at_once = new_home(root)
    write(root, FIRST | THEN)
    land_and_build(at_once, *MODELS)
    return Builds(bit_by_bit, at_once)


def test_bit_by_bit_equals_one_run_over_everything(builds: Builds) -> None:
    found = differences(builds.bit_by_bit.build_file, builds.at_once.build_file, schemas=("marts", "metrics"))
    assert found == {}


@pytest.mark.parametrize("which", ["bit_by_bit", "at_once"])
def test_the_marts_say_what_happened(builds: Builds, which: str) -> None:
    with warehouse.read_only(getattr(builds, which).build_file) as connection:

        def rows(sql: str) -> list[tuple[object, ...]]:
            return connection.execute(sql).fetchall()

        assert rows(
            "select order_id, order_status, is_void, is_valid, is_anonymous from marts.fct_orders order by 1"
        ) == [
            ("shop:O1", "cancelled", True, False, False),
            ("shop:O2", "paid", False, True, False),
            ("shop:O3", "created", False, True, False),
        ]
        assert rows("select refund_id, is_original_matched, is_counted from marts.fct_refunds order by 1") == [
            ("shop:R0", False, True),
            ("shop:R1", True, False),
            ("shop:R2", True, True),
        ]
        assert rows(
            "select event_name, is_behaviour, count(*), count(*) filter (where is_bot), count(*) filter (where is_internal), "
            "count(*) filter (where is_outside_calendar) from marts.fct_events group by all order by all"
        ) == [
            ("cart", True, 1, 0, 0, 0),
            ("order_placed", False, 1, 0, 1, 0),
            ("purchase", False, 2, 0, 0, 0),
            ("purchase_reported", True, 1, 0, 1, 0),
            ("refund", False, 3, 0, 1, 0),
            ("view", True, 7, 4, 2, 1),
        ]
        assert rows(
            "select strftime(business_date, '%m-%d'), order_count, gmv_gross_amount, refund_amount from metrics.agg_daily_sales order by 1"
        ) == [("01-02", 1, 20, 1), ("01-04", 1, 30, 5)]
        assert rows("select strftime(as_of_date, '%Y-%m-%d') from intermediate.int_clocks_resolved") == [
            ("2024-01-05",)
        ]
        assert rows("select check_code from ops.reconciliation where difference <> 0") == []
