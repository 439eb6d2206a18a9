"""Tiny brands in a temporary folder. What a real brand maps is tested in test_real_brands.py."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration.brands import Brand, load_brand
from orchestration.landing.lake import Batch, Lake
from orchestration.landing.land import land
from orchestration.settings import Settings, load_settings
from orchestration.warehouse import scratch

BRAND_YML = """
brand: tiny
label_zh: 小品牌
label_en: Tiny
zone: Asia/Shanghai
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
      order_line_number: line_no
      ordered_at: ordered_at
      member_key: member
      product_code: sku
      line_kind: coalesce(kind, 'sale')
      quantity: qty
      line_amount: amount
      currency_code: "'CNY'"
cleaning_rules:
  - {code: member_missing, entity: order_lines, when: member is null, label_zh: 无会员, label_en: No member}
"""

HEADER = "order_no,line_no,ordered_at,member,sku,kind,qty,amount"
GOOD = "o1,1,2026-01-01 08:00:00,m1,s1,sale,2,10.50"


@dataclass
class Tiny:
    """A brand that a test writes, lands and reads."""

    root: Path
    settings: Settings

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.root / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def sales(self, *lines: str, day: str = "2026-01-01", header: str = HEADER) -> Path:
        return self.write(f"sales/{day}.csv", "\n".join([header, *lines]) + "\n")

    def configure(self, name: str, text: str) -> None:
        path = self.root / "brands" / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    @property
    def brand(self) -> Brand:
        return load_brand(self.settings)

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake)

    def land(self, entity: str = "order_lines", **more: Any) -> list[Batch]:
        return land(self.settings, self.brand, entity, **more)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL in which {raw} and {quarantine} stand for the lake's files of order_lines."""
        with scratch() as connection:
            names = {area: f"'{self.lake.root}/{area}/order_lines/*.parquet'" for area in ("raw", "quarantine")}
            return connection.execute(sql.format(**names)).fetchall()

    def files(self) -> list[str]:
        """Every file of the lake, as a sorted list of paths below it."""
        return sorted(p.relative_to(self.lake.root).as_posix() for p in self.lake.root.rglob("*") if p.is_file())


@pytest.fixture
def make_tiny() -> Callable[[Path], Tiny]:
    def make(root: Path) -> Tiny:
        (root / "sources" / "sales").mkdir(parents=True)
        (root / "brands" / "tiny" / "sources").mkdir(parents=True)
        (root / "brands" / "tiny" / "brand.yml").write_text(BRAND_YML, encoding="utf-8")
        (root / "brands" / "tiny" / "sources" / "sales.yml").write_text(SALES_YML, encoding="utf-8")
        environ = {
            "TESSERA_HOME": str(root / "home"),
            "TESSERA_SOURCES": str(root / "sources"),
            "TESSERA_BRANDS": str(root / "brands"),
        }
        return Tiny(root, load_settings("tiny", environ))

    return make


@pytest.fixture
def tiny(tmp_path: Path, make_tiny: Callable[[Path], Tiny]) -> Tiny:
    return make_tiny(tmp_path)
