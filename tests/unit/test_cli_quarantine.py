"""`tessera quarantine`: counts, masked rows, replays and empty states. What is set aside is tested in landing."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from orchestration import cli
from orchestration.brands import load_brand
from orchestration.commands.quarantine import summarise
from orchestration.landing.lake import Lake, read_batches
from orchestration.landing.land import land
from orchestration.locking import brand_lock
from orchestration.settings import Settings, load_settings

BRAND_YML = """
brand: shop
label_zh: 店
label_en: Shop
currency: CNY
calendar_start: 2026-01-01
"""
SALES_YML = """
source_system: till
reader: {kind: csv, path: "sales/{date}.csv"}
timestamps_in: Asia/Shanghai
entities:
  order_lines:
    fields:
      order_key: order_no
      order_line_number: "1"
      ordered_at: ordered_at
      member_key: member
      product_code: sku
      line_kind: kind
      quantity: qty
      line_amount: amount
      currency_code: "'CNY'"
"""
HEADER = "order_no,ordered_at,member,sku,kind,qty,amount\n"
GOOD = "o{n},2026-01-01 08:00:00,李雷{n},s1,sale,1,10.50\n"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A brand with two daily files landed, three rows of them set aside."""
    for name in ("TESSERA_BRAND", "TESSERA_LOCK_WAIT_SECONDS"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "brands" / "shop"
    (folder / "sources").mkdir(parents=True)
    (folder / "brand.yml").write_text(BRAND_YML, encoding="utf-8")
    (folder / "sources" / "sales.yml").write_text(SALES_YML, encoding="utf-8")
    files = tmp_path / "sources" / "sales"
    files.mkdir(parents=True)
    good = "".join(GOOD.format(n=n) for n in range(5))
    bad = "o7,2026-01-01 08:00:00,韩梅梅,s1,swap,1,10.50\no8,2026-01-01 08:00:00,韩梅梅,s1,swap,one,10.50\n"
    (files / "2026-01-01.csv").write_text(HEADER + good + bad, encoding="utf-8")
    (files / "2026-01-02.csv").write_text(
        HEADER + good.replace("o", "p", 1) + bad.splitlines(True)[0].replace("o7", "o9")
    )
    monkeypatch.setenv("TESSERA_BRANDS", str(tmp_path / "brands"))
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TESSERA_SOURCES", str(tmp_path / "sources"))
    settings = load_settings("shop")
    land(settings, load_brand(settings), "order_lines")
    return settings


def quarantine(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["quarantine", *arguments, "--brand", "shop"])


def test_list_counts_by_source_field_and_reason(shop: Settings) -> None:
    result = quarantine("list", "--format", "json")
    assert result.exit_code == 0
    common = {"source": "sales", "entity": "order_lines", "rows_in": 13}
    assert json.loads(result.stdout) == [
        common | {"field": "line_kind", "reason": "unknown_value", "row_count": 3, "share": 0.230769},
        common | {"field": "quantity", "reason": "not_a_decimal", "row_count": 1, "share": 0.076923},
    ]
    (first, _) = csv.DictReader(io.StringIO(quarantine("list", "-f", "csv").stdout))
    assert (first["field"], first["row_count"]) == ("line_kind", "3")
    table = quarantine("list").stdout
    assert "来源" in table and "not_a_decimal" in table


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (("--entity", "order_lines"), 2),
        (("--entity", "orders"), 0),
        (("--source", "sales"), 2),
        (("--source", "2026-01-02.csv"), 1),
        (("--source", "sales/2026-01-02.csv"), 1),
        (("--source", "nosuch"), 0),
    ],
)
def test_list_is_narrowed(shop: Settings, arguments: tuple[str, ...], rows: int) -> None:
    assert len(json.loads(quarantine("list", "-f", "json", *arguments).stdout)) == rows


def test_show_masks_every_value(shop: Settings) -> None:
    result = quarantine("show", "-f", "json")
    assert result.exit_code == 0
    rows = json.loads(result.stdout)
    assert [(row["file"], row["line"]) for row in rows] == [
        ("sales/2026-01-01.csv", 6),
        ("sales/2026-01-01.csv", 7),
        ("sales/2026-01-02.csv", 6),
    ]
    assert rows[1]["values"] == {
        "order_no": "x9",
        "ordered_at": "9999-99-99 99:99:99",
        "member": "〇〇〇",
        "sku": "x9",
        "kind": "xxxx",
        "qty": "xxx",
        "amount": "99.99",
    }
    assert "韩" not in quarantine("show").output + result.output
    assert len(json.loads(quarantine("show", "-f", "json", "--limit", "1").stdout)) == 1
    (only,) = json.loads(quarantine("show", "-f", "json", "--reason", "not_a_decimal").stdout)
    assert only["line"] == 7


def test_replay_after_the_mapping_was_fixed_says_before_and_after(shop: Settings) -> None:
    path = shop.brand_dir / "sources" / "sales.yml"
    path.write_text(SALES_YML.replace("line_kind: kind", "line_kind: \"'sale'\""), encoding="utf-8")
    result = quarantine("replay", "-f", "json")
    assert result.exit_code == 0
    assert [
        (row["file"], row["how"], row["before"], row["landed"], row["after"]) for row in json.loads(result.stdout)
    ] == [
        ("sales/2026-01-01.csv", "file", 2, 1, 1),
        ("sales/2026-01-02.csv", "file", 1, 1, 0),
    ]
    assert "tessera run --brand shop" in result.stderr
    left = summarise(read_batches(Lake(shop.lake)))
    assert [(row[2], row[4], row[5]) for row in left] == [("quantity", 1, 13)]


def test_replay_of_one_source_leaves_the_others(shop: Settings) -> None:
    path = shop.brand_dir / "sources" / "sales.yml"
    path.write_text(SALES_YML.replace("line_kind: kind", "line_kind: \"'sale'\""), encoding="utf-8")
    assert len(json.loads(quarantine("replay", "-f", "json", "--source", "2026-01-02.csv").stdout)) == 1
    assert {row[4] for row in summarise(read_batches(Lake(shop.lake)))} == {2, 1}


def test_what_cannot_be_replayed_exits_1(shop: Settings) -> None:
    path = shop.brand_dir / "sources" / "sales.yml"
    path.rename(path.with_name("other.yml"))
    path.with_name("other.yml").write_text(SALES_YML.replace("till", "shop"), encoding="utf-8")
    result = quarantine("replay")
    assert result.exit_code == 1
    assert "no source of the brand maps it any more" in result.stderr


def test_replay_waits_for_no_other_run(shop: Settings) -> None:
    with brand_lock(shop):
        assert quarantine("replay").exit_code == 3


def test_a_broken_mapping_is_told_before_anything_is_replayed(shop: Settings) -> None:
    path = shop.brand_dir / "sources" / "sales.yml"
    path.write_text(SALES_YML.replace("      quantity: qty\n", ""), encoding="utf-8")
    result = quarantine("replay")
    assert result.exit_code == 2
    assert "quantity: missing" in result.stderr


def test_empty_states(shop: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert quarantine("list", "--entity", "orders").stdout == "shop: nothing is in quarantine for --entity orders\n"
    assert "for --reason nosuch" in quarantine("show", "--reason", "nosuch").stdout
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "empty"))
    for command in ("list", "show", "replay"):
        result = quarantine(command)
        assert (result.exit_code, "nothing has been landed yet" in result.stdout) == (0, True)
    assert json.loads(quarantine("list", "-f", "json").stdout) == []


def test_help_of_the_group() -> None:
    result = CliRunner().invoke(cli.app, ["quarantine", "--help"])
    assert result.exit_code == 0
    for command in ("list", "show", "replay"):
        assert f" {command} " in result.stdout
