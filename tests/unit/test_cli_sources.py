"""`tessera source add`: what is written where, what is said, and which exit code. Guesses are tested in landing/test_propose.py."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from orchestration import cli

BRAND_YML = """
brand: shop
label_zh: 店
label_en: Shop
currency: CNY
calendar_start: 2026-01-01
"""
LINES = "订单号,会员ID,手机,下单时间,sku,数量,实付金额\n" + "".join(
    f"o{n},m{n % 5},1390000{n:04d},2026-01-02 08:{n % 60:02d}:00,s{n % 7},{n % 3 + 1},{n}.50\n" for n in range(40)
)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a brand `shop` without sources; its files are in tmp_path/sources."""
    for name in ("TESSERA_BRAND", "TESSERA_LOCK_WAIT_SECONDS"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "brands" / "shop"
    folder.mkdir(parents=True)
    (folder / "brand.yml").write_text(BRAND_YML, encoding="utf-8")
    (tmp_path / "sources" / "till").mkdir(parents=True)
    (tmp_path / "sources" / "till" / "sales.csv").write_text(LINES, encoding="utf-8")
    monkeypatch.setenv("TESSERA_BRANDS", str(tmp_path / "brands"))
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TESSERA_SOURCES", str(tmp_path / "sources"))
    return folder


def add(*arguments: str, **kwargs: Any) -> Result:
    return CliRunner().invoke(cli.app, ["source", "add", "--brand", "shop", *arguments], **kwargs)


def test_the_first_source_of_a_brand_is_written_and_in_order(shop: Path) -> None:
    result = add("--file", "till/sales.csv")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "order_lines (订单行), 8 of 8 required fields" in result.stdout
    assert "of 40 rows 40 would land, 0 be quarantined" in result.stdout
    document = yaml.safe_load((shop / "sources" / "sales.yml").read_text(encoding="utf-8"))
    assert document["source_system"] == "till"
    assert document["entities"]["order_lines"]["fields"]["member_key"] == "会员ID"
    assert [path.name for path in (shop / "sources").iterdir()] == ["sales.yml"]
    checked = CliRunner().invoke(cli.app, ["check", "--brand", "shop"])
    assert (checked.exit_code, checked.stdout) == (0, "shop: configuration and sources are in order\n")


def test_no_phone_is_shown_or_written(shop: Path) -> None:
    result = add("--file", "till/sales.csv")
    written = (shop / "sources" / "sales.yml").read_text(encoding="utf-8")
    assert "1390000" not in result.output + written
    assert "ignored_columns:" in written


def test_a_dry_run_prints_the_yaml_alone_and_writes_nothing(shop: Path) -> None:
    result = add("--file", "till/sales.csv", "--dry-run")
    assert result.exit_code == 0
    assert yaml.safe_load(result.stdout)["reader"] == {"kind": "csv", "path": "till/sales.csv"}
    assert "would write" in result.stderr
    assert not (shop / "sources").exists()


def test_an_existing_source_is_kept_unless_forced(shop: Path) -> None:
    path = shop / "sources" / "sales.yml"
    path.parent.mkdir()
    path.write_text("mine: true\n")
    result = add("--file", "till/sales.csv")
    assert result.exit_code == 2
    assert "--name" in result.stderr and "--force" in result.stderr
    assert path.read_text() == "mine: true\n"
    assert add("--file", "till/sales.csv", "--name", "sales_2").exit_code == 0
    assert add("--file", "till/sales.csv", "--force").exit_code == 0
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["source_system"] == "till"


def test_wishes_are_written(shop: Path) -> None:
    (shop.parents[1] / "sources" / "till" / "plain.txt").write_text(
        "".join(f"m{n}|2026010{n % 9 + 1}|s1\n" for n in range(20))
    )
    result = add(
        *("--file", "till/plain.txt", "--columns", "member_id, date,sku", "--entity", "order_lines"),
        *("--mode", "compare", "--name", "plain", "--source-system", "pos"),
    )
    assert result.exit_code == 0
    assert "still missing, required: order_lines.order_key" in result.stdout
    document = yaml.safe_load((shop / "sources" / "plain.yml").read_text(encoding="utf-8"))
    assert (document["mode"], document["source_system"]) == ("compare", "pos")
    assert document["reader"]["columns"] == ["member_id", "date", "sku"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give either --file PATH, or --table"),
        (("--file", "a.csv", "--table", "t"), "give either"),
        (("--table", "t"), "belong together"),
        (("--file", "a.csv", "--secret", "TESSERA_SECRET_X"), "belong together"),
        (("--table", "a; drop", "--secret", "TESSERA_SECRET_X"), "--table"),
        (("--file", "till/sales.csv", "--name", "My Name"), "--name"),
        (("--file", "till/sales.csv", "--source-system", "A"), "--source-system"),
        (("--file", "till/nosuch.csv"), "no such file"),
        (("--file", "/etc/hostname"), "lies outside TESSERA_SOURCES"),
        (("--file", "till/sales.csv", "--entity", "nosuch"), "no contract entity; one of members"),
        (("--table", "t", "--secret", "TESSERA_SECRET_UNSET"), "TESSERA_SECRET_UNSET is not set"),
    ],
)
def test_wrong_usage_exits_2_and_writes_nothing(shop: Path, arguments: tuple[str, ...], message: str) -> None:
    result = add(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert not (shop / "sources").exists()


def test_a_secret_given_by_mistake_is_not_repeated(shop: Path) -> None:
    result = add("--table", "t", "--secret", "postgresql://me:hunter2@db/shop")
    assert result.exit_code == 2
    assert "hunter2" not in result.output


def test_without_a_root_the_remedy_names_it(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shop.parents[1] / "sources" / "till" / "sales.csv"
    monkeypatch.delenv("TESSERA_SOURCES")
    result = add("--file", str(path))
    assert result.exit_code == 2
    assert f"export TESSERA_SOURCES={path.parent}" in result.stderr


@pytest.mark.slow
def test_a_table(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shop.parent / "shop.db"
    with sqlite3.connect(path) as database:
        database.execute(
            "create table stores (store_id text primary key, store_name text, updated_at timestamp not null)"
        )
        database.execute("insert into stores values ('s1', '一店', '2026-01-01 10:00:00')")
    monkeypatch.setenv("TESSERA_SECRET_SHOP_DB", f"sqlite:///{path}")
    result = add("--table", "stores", "--secret", "TESSERA_SECRET_SHOP_DB")
    assert (result.exit_code, result.stderr) == (0, "")
    written = (shop / "sources" / "stores.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(written)["reader"]["cursor"] == "updated_at"
    assert str(path) not in written + result.stdout
    gone = add("--table", "nosuch", "--secret", "TESSERA_SECRET_SHOP_DB", "--name", "gone")
    assert gone.exit_code == 2
    assert "nosuch is not in" in gone.stderr


def test_help() -> None:
    result = CliRunner().invoke(cli.app, ["source", "add", "--help"])
    assert result.exit_code == 0
    for option in ("--file", "--table", "--secret", "--entity", "--mode", "--dry-run", "--force", "--columns"):
        assert option in result.stdout
