"""The past rebuilt equals what was published then; a backfill equals a full refresh, and mends what it covers."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
import small_brand
from pipeline import Home, differences

from orchestration import warehouse
from orchestration.comparison import compare_files

pytestmark = pytest.mark.slow

# The clean home ends a day before the shop does.
NEXT_DAY = small_brand.LAST_DAY + timedelta(days=1)


@pytest.fixture(scope="module")
def lived(clean: Home, shop: small_brand.Shop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str]:
    """A home that has lived on: the version of before, then a new day and a corrected earlier one. Gives home and that version."""
    home = clean.copy(tmp_path_factory.mktemp("lived") / "root")
    before = home.manifest["version"]
    shop.until(NEXT_DAY).write(home.sources)
    earlier = small_brand.day_file(home.sources, small_brand.LAST_DAY - timedelta(days=2))
    lines = earlier.read_text(encoding="utf-8").splitlines(keepends=True)
    earlier.write_text("".join(lines[:-3]), encoding="utf-8")
    assert home.tessera("run").code == 0
    assert home.manifest["version"] != before
    return home, before


def test_what_was_known_then_gives_what_was_published_then(lived: tuple[Home, str]) -> None:
    home, before = lived
    outcome = home.tessera("rebuild", "--version", before, "--compare")
    assert outcome.code == 0, outcome.text
    assert "tables are equal, row by row" in outcome.out
    # It is another past than the present: the same command against the wrong version finds it.
    (file,) = (home.settings.brand_home / "rebuilds").glob(f"*/{small_brand.BRAND}/published/current.duckdb")
    found = {table.table for table in compare_files(home.published, file) if not table.is_equal}
    assert {"marts.fct_orders", "tags.member_tags", "metrics.agg_daily_sales"} <= found


def test_an_earlier_cut_with_todays_knowledge(lived: tuple[Home, str]) -> None:
    home, _ = lived
    cut = date(2024, 10, 1)
    assert home.tessera("rebuild", "--as-of", cut.isoformat()).code == 0
    file = home.settings.brand_home / "rebuilds" / cut.isoformat() / small_brand.BRAND / "published" / "current.duckdb"
    with warehouse.read_only(file) as connection:
        (as_of, spend) = connection.execute(
            "select max(as_of_date), sum(spend_amount_total) from tags.member_tags"
        ).fetchone() or (None, None)
        (expected,) = connection.execute(
            "select sum(gross_amount) from marts.fct_orders where is_valid and member_id is not null and business_date < ?",
            [cut],
        ).fetchone() or (None,)
    assert as_of == cut and spend == expected > 0


def spoil(home: Home, first: date, last: date) -> None:
    """Write wrong amounts into the build file, of some business dates."""
    with warehouse.writer(home.settings.build_file) as connection:
        for table, column in (("fct_orders", "gross_amount"), ("fct_order_lines", "line_amount")):
            connection.execute(
                f"update marts.{table} set {column} = {column} + 1 where business_date between ? and ?", [first, last]
            )


def test_backfill_of_some_dates_mends_them_and_equals_a_full_refresh(lived: tuple[Home, str], tmp_path: Path) -> None:
    home, _ = lived
    home = home.copy(tmp_path / "root")
    first, last = small_brand.FIRST_DAILY + timedelta(days=5), small_brand.FIRST_DAILY + timedelta(days=9)
    published = tmp_path / "before.duckdb"
    published.write_bytes(home.published.read_bytes())
    spoil(home, first, last)
    outcome = home.tessera(
        "backfill", "--model", "fct_order_lines", "--from", first.isoformat(), "--to", last.isoformat()
    )
    assert outcome.code == 0, outcome.text
    built = home.last_run().materialised
    assert ("staging", "stg_order_lines") not in built and not any(key[0] == "raw" for key in built)
    assert differences(published, home.published) == {}


def test_a_model_alone_is_built_wholly(lived: tuple[Home, str], tmp_path: Path) -> None:
    home, _ = lived
    home = home.copy(tmp_path / "root")
    published = tmp_path / "before.duckdb"
    published.write_bytes(home.published.read_bytes())
    with warehouse.writer(home.settings.build_file) as connection:
        connection.execute("update tags.tags_transaction set spend_amount_total = 0")
    outcome = home.tessera("backfill", "--model", "tags_transaction")
    assert outcome.code == 0, outcome.text
    assert home.last_run().schemas() <= {"tags", "segments", "metrics", "ops"}
    assert differences(published, home.published) == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backfill", "--model", "fct_oders"], "did you mean fct_orders?"),
        (["backfill", "--model", "fct_orders", "--from", "2024-10-01"], "come together"),
        (["backfill", "--model", "fct_orders", "--from", "2024-10-02", "--to", "2024-10-01"], "lies after"),
        (["backfill", "--model", "fct_orders", "--from", "2023-10-02", "--to", "2024-10-01"], "calendar"),
        (["rebuild"], "--as-of"),
        (["rebuild", "--version", "20200101T000000Z-000000"], "keeps no version"),
        (["rebuild", "--as-of", "2020-01-01"], "calendar_start"),
        (["rebuild", "--as-of", "2024-10-01", "--known-at", "2024-10-01"], "offset"),
    ],
)
def test_what_cannot_be_built_is_refused_with_a_remedy(clean: Home, arguments: list[str], said: str) -> None:
    outcome = clean.tessera(*arguments)
    assert outcome.code == 2
    assert said in " ".join(outcome.err.split())
