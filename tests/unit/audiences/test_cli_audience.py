"""`tessera audience`: what a marketer asks of a published brand, and what is said when it cannot be answered."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from audience_world import AS_OF, World
from click.testing import Result
from test_pack import noon
from typer.testing import CliRunner

from orchestration import build_file, cli, publishing, warehouse
from orchestration.audiences import run
from orchestration.brands import load_brand
from orchestration.settings import Settings, load_settings

BRAND_YML = """
brand: shop
label_zh: 小店
label_en: Shop
zone: Asia/Shanghai
currency: CNY
calendar_start: 2026-01-01
"""
# A brand needs a source; nothing of it is landed here.
SALES_YML = """
source_system: till
reader: {kind: csv, path: "sales.csv"}
timestamps_in: Asia/Shanghai
entities:
  order_lines:
    fields: {order_key: a, order_line_number: b, ordered_at: c, product_code: d, quantity: e, line_amount: f, currency_code: "'CNY'"}
"""
BUYERS = """
audience: aud_buyers
label_zh: 三单以上
label_en: Three orders
goal: g
owner: o
allowed_uses: [sms]
priority: 1
where:
  all:
    - {tag: n_orders, at_least: 3}
    - not: {event: view, in_last_days: 7}
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A brand `shop`, nothing built."""
    monkeypatch.delenv("TESSERA_BRAND", raising=False)
    folder = tmp_path / "brands" / "shop" / "audiences"
    folder.mkdir(parents=True)
    (folder.parent / "brand.yml").write_text(BRAND_YML, encoding="utf-8")
    (folder.parent / "sources").mkdir()
    (folder.parent / "sources" / "sales.yml").write_text(SALES_YML, encoding="utf-8")
    (folder / "aud_buyers.yml").write_text(BUYERS, encoding="utf-8")
    monkeypatch.setenv("TESSERA_BRANDS", str(tmp_path / "brands"))
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    return load_settings("shop")


def build(settings: Settings, as_of_date: date = AS_OF) -> None:
    """What a run leaves behind: members with one to five orders, of whom two were just here."""
    world = World(tag_types={"n_orders": "integer"}, as_of_date=as_of_date)
    for n in range(1, 6):
        world.tag(world.member(f"m{n}"), n_orders=n)
    world.event("m4", "view", noon(1))
    world.event("m5", "view", noon(8))
    with warehouse.writer(settings.build_file) as connection:
        world.write(connection)
        build_file.create_python_tables(connection)
        connection.execute("create schema if not exists intermediate; create schema if not exists staging")
        connection.execute(
            "create or replace table intermediate.int_clocks_resolved as select ? as as_of_date, ? as known_at",
            [as_of_date, datetime(2026, 7, 1, 1, tzinfo=UTC)],
        )
        connection.execute(
            "create or replace table intermediate.int_accounts_resolved as "
            "select 'a' || n as account_id, 'm' || n as member_id from range(1, 6) t(n)"
        )
        connection.execute(
            "create or replace table staging.stg_members as select 'a' || n as account_id, '+861390000000' || n as phone, "
            "null::varchar as email, false as is_deleted, now() as loaded_at from range(1, 6) t(n)"
        )
        connection.execute(
            "create or replace table marts.dim_consents_history as select 'm' || n as member_id, 'sms' as channel, 'marketing' as purpose, "
            "n <> 3 as is_granted, true as is_current from range(1, 6) t(n)"
        )
        run.refresh(connection, settings, load_brand(settings), as_of_date)
    extra = {"as_of_date": as_of_date, "known_at": datetime(2026, 7, 1, tzinfo=UTC), "input_fingerprint": "f"}
    staged = publishing.stage_publication(
        settings, schemas=("marts", "tags", "segments", "ml", "ops"), manifest_extra=extra
    )
    publishing.promote(staged, {"passed": 1, "failed": 0, "warned": 0})


def audience(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["audience", *arguments, "--brand", "shop"])


def rows(result: Result) -> list[dict[str, str]]:
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_before_the_first_run_it_says_what_to_run(settings: Settings) -> None:
    for arguments in (["list"], ["size", "aud_buyers"], ["members", "aud_buyers"], ["overlap"]):
        result = audience(*arguments)
        assert result.exit_code == 2 and "tessera run --brand shop" in result.stderr


def test_list_has_sizes_and_what_is_missing(settings: Settings) -> None:
    build(settings)
    listed = {row["audience_id"]: row for row in rows(audience("list", "--format", "csv"))}
    assert len(listed) == 19
    assert (listed["aud_buyers"]["status"], listed["aud_buyers"]["member_count"]) == ("ready", "2")
    assert listed["aud_cart_abandon_24h"]["status"] == "unavailable"
    assert listed["aud_cart_abandon_24h"]["missing"] == "event cart: none has arrived; orders: there are none"


def test_size_counts_a_file_before_it_is_saved(settings: Settings, tmp_path: Path) -> None:
    build(settings)
    draft = tmp_path / "draft.yml"
    draft.write_text(BUYERS.replace("at_least: 3", "at_least: 2").replace("aud_buyers", "aud_draft"), encoding="utf-8")
    (row,) = rows(audience("size", str(draft), "--format", "csv"))
    assert (row["member_count"], row["population_count"], row["member_rate"]) == ("3", "5", "0.6")
    draft.write_text(BUYERS.replace("n_orders", "n_order"), encoding="utf-8")
    refused = audience("size", str(draft))
    assert refused.exit_code == 2 and "no tag 'n_order'; did you mean n_orders" in refused.stderr


def test_members_and_explain_agree(settings: Settings) -> None:
    build(settings)
    assert [row["member_id"] for row in rows(audience("members", "aud_buyers"))] == ["m3", "m5"]
    told = rows(audience("explain", "aud_buyers", "--member", "m4", "--format", "csv"))
    assert [(row["holds"], row["condition"].strip(), row["value"]) for row in told] == [
        ("false", "all of", ""),
        ("true", "tag n_orders at least 3", "4"),
        ("false", "not", ""),
        ("true", "event view, in the last 7 days: count at least 1", ""),
    ]
    assert "rule version" in audience("explain", "aud_buyers").stdout
    assert audience("explain", "aud_buyers", "--member", "nobody").exit_code == 2


def test_a_past_day_is_read_from_the_dated_table(settings: Settings) -> None:
    build(settings)
    earlier = (AS_OF - timedelta(1)).isoformat()
    refused = audience("explain", "aud_buyers", "--member", "m3", "--as-of", earlier)
    assert refused.exit_code == 2 and "backfill" in refused.stderr
    build(settings, AS_OF + timedelta(7))
    assert [row["member_id"] for row in rows(audience("members", "aud_buyers", "--as-of", str(AS_OF)))] == ["m3", "m5"]
    assert "not in aud_buyers" in audience("explain", "aud_buyers", "--member", "m4", "--as-of", str(AS_OF)).stdout


def test_overlap_is_counted_in_pairs(settings: Settings) -> None:
    (settings.brand_dir / "audiences" / "aud_all.yml").write_text(
        BUYERS.replace("aud_buyers", "aud_all").replace("at_least: 3", "at_least: 5"), encoding="utf-8"
    )
    build(settings)
    (row,) = rows(audience("overlap", "aud_all", "--format", "csv"))
    assert (row["other_audience_id"], row["both_member_count"], row["jaccard_rate"]) == ("aud_buyers", "1", "0.5")


def test_export_writes_and_says_where_everybody_went(settings: Settings) -> None:
    build(settings)
    result = audience("export", "aud_buyers", "--destination", "sms")
    assert result.exit_code == 0, result.stderr
    assert "1 of 2 members; 1 without consent (sms, marketing)" in result.stdout
    folder = settings.brand_home / "exports" / "aud_buyers" / str(AS_OF) / "sms"
    assert {path.name for path in folder.iterdir()} == {"members.csv", "adds.csv", "removes.csv", "manifest.json"}
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["counts"]["exported"] == 1
    assert "as before" in audience("export", "aud_buyers", "--destination", "sms").stdout
    for arguments, told in [
        (["export", "aud_buyers", "--destination", "email"], "allowed_uses are sms"),
        (["export", "aud_buyers", "--destination", "../../x"], "no destination '../../x'"),
        (["export", "aud_buyer", "--destination", "sms"], "did you mean aud_buyers"),
        (["export", "../aud_buyers", "--destination", "sms"], "no audience"),
    ]:
        refused = audience(*arguments)
        assert refused.exit_code == 2 and told in refused.stderr


def test_backfill_refuses_days_that_cannot_be(settings: Settings) -> None:
    assert "never been built" in audience("backfill", "--from", "2026-06-01", "--to", "2026-06-02").stderr
    build(settings)
    assert "lies after --to" in audience("backfill", "--from", "2026-06-02", "--to", "2026-06-01").stderr
    assert "lies after the build's own day" in audience("backfill", "--from", "2026-06-02", "--to", "2026-07-02").stderr
    assert "not after calendar_start" in audience("backfill", "--from", "2026-01-01", "--to", "2026-06-02").stderr


def test_check_tells_a_rule_that_cannot_be_read(settings: Settings) -> None:
    (settings.brand_dir / "audiences" / "aud_buyers.yml").write_text(
        BUYERS.replace("at_least", "at_leats"), encoding="utf-8"
    )
    result = CliRunner().invoke(cli.app, ["check", "--brand", "shop"])
    assert result.exit_code == 2
    assert (
        "shop/audiences/aud_buyers.yml: where.all[0].at_leats: is not known here; did you mean at_least?"
        in result.stderr
    )
