"""The Dagster side: job, schedule, sensor, partitions, and a backfill of a range of business dates."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import small_brand
from pipeline import Home, ask_dagster, differences

from orchestration import warehouse

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def quiet(clean: Home, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The description of a home with nothing new."""
    return ask_dagster(clean.copy(tmp_path_factory.mktemp("quiet") / "root"), "describe")


def test_job_schedule_and_assets_are_there(quiet: dict[str, Any]) -> None:
    assert "build_brand_job" in quiet["jobs"]
    assert quiet["schedule"] == ["30 2 * * *", "Asia/Shanghai"]
    assert {"raw/order_lines", "marts/fct_orders", "ml/churn_scores", "tags/member_tags", "ops/publication"} <= set(
        quiet["assets"]
    )
    assert {"raw/order_lines", "metrics/agg_daily_sales"} <= set(quiet["partitioned"])
    assert "raw/members" not in quiet["partitioned"]


def test_schedule_asks_for_yesterday_in_the_brands_zone(quiet: dict[str, Any]) -> None:
    assert quiet["partition_at"] == {
        "2024-11-19T18:30:00+00:00": "2024-11-19",  # 02:30 on the 20th in Shanghai
        "2024-12-31T16:00:00+00:00": "2024-12-31",  # midnight of New Year's Day in Shanghai
    }


def test_sensor_skips_when_nothing_is_new(quiet: dict[str, Any]) -> None:
    assert quiet["sensor"] == "no new source file"


def test_sensor_asks_for_the_dates_of_new_files(tomorrow: Home) -> None:
    late = small_brand.day_file(tomorrow.sources, small_brand.LAST_DAY - timedelta(days=4))
    late.write_text(late.read_text(encoding="utf-8") + "\n", encoding="utf-8")  # changed as well: the range spans both
    asked = ask_dagster(tomorrow, "describe")["sensor"]
    assert asked["dagster/asset_partition_range_start"] == str(small_brand.LAST_DAY - timedelta(days=4))
    assert asked["dagster/asset_partition_range_end"] == str(small_brand.LAST_DAY + timedelta(days=1))


def test_backfill_of_a_range_rebuilds_it(clean: Home, tmp_path: Path) -> None:
    """Rows of six days are damaged in the build file: a backfill of those days mends them, and publishes the clean tables."""
    home = clean.copy(tmp_path / "root")
    first, last = small_brand.LAST_DAY - timedelta(days=12), small_brand.LAST_DAY - timedelta(days=7)
    days = f"business_date between '{first}' and '{last}'"
    with warehouse.writer(home.settings.build_file) as connection:
        connection.execute(f"update marts.fct_orders set gross_amount = 0.01 where {days}")
        connection.execute(f"update marts.fct_order_lines set line_amount = 0.01 where {days} and line_kind = 'sale'")
        connection.execute(f"update staging.stg_order_lines set line_amount = 0.01 where {days} and line_kind = 'sale'")
        connection.execute(f"update metrics.agg_daily_sales set gmv_gross_amount = 1 where {days}")
        connection.execute(f"delete from marts.fct_events where {days} and event_name = 'purchase'")
    answer = ask_dagster(home, "backfill", str(first), str(last))
    assert answer["success"]
    assert "publication" in answer["made"]
    assert home.manifest["previous_version"] == clean.manifest["version"]
    assert differences(home.published, clean.published) == {}
