"""Reference tables in the build file: what is written, when it is written again, and when it is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from orchestration import reference, reference_tables, warehouse
from orchestration.brands import Brand, load_brand
from orchestration.reference.columns import TABLES
from orchestration.reference.tables import Scope, build
from orchestration.reference_tables import fingerprint, refresh
from orchestration.settings import Settings, load_settings

BRAND_YML = """\
brand: shop
label_zh: 小店
label_en: Shop
currency: {currency}
calendar_start: {start}
calendar_end: 2024-12-31
"""

MakeBrand = Callable[..., tuple[Settings, Brand]]


@pytest.fixture
def make_brand(tmp_path: Path) -> MakeBrand:
    def make(currency: str = "CNY", start: str = "2024-07-01") -> tuple[Settings, Brand]:
        folder = tmp_path / "brands" / "shop"
        (folder / "sources").mkdir(parents=True, exist_ok=True)
        (folder / "brand.yml").write_text(BRAND_YML.format(currency=currency, start=start), encoding="utf-8")
        (folder / "sources" / "members.yml").write_text(
            "source_system: crm\nreader: {kind: csv, path: members.csv}\ntimestamps_in: UTC\n"
            "entities: {members: {fields: {member_key: id}}}\n",
            encoding="utf-8",
        )
        settings = load_settings(
            "shop", {"TESSERA_HOME": str(tmp_path / "home"), "TESSERA_BRANDS": str(tmp_path / "brands")}
        )
        return settings, load_brand(settings)

    return make


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with warehouse.read_only(settings.build_file) as connection:
        return connection.execute(sql).fetchall()


def test_the_tables_have_the_columns_and_types_they_declare(make_brand: MakeBrand) -> None:
    settings, brand = make_brand()
    result = refresh(settings, brand)
    assert result.is_written
    assert all(result.row_counts[name] > 0 for name in TABLES)
    types = {"varchar": "VARCHAR", "timestamptz": "TIMESTAMP WITH TIME ZONE", "decimal(18, 8)": "DECIMAL(18,8)"}
    for name, columns in TABLES.items():
        found = query(settings, f"select column_name, column_type from (describe reference_data.{name})")
        assert found == [(column, types.get(type_, type_.upper())) for column, type_ in columns.items()]


def test_the_calendar_begins_a_year_before_the_brand_and_rates_end_with_it(make_brand: MakeBrand) -> None:
    settings, brand = make_brand()
    refresh(settings, brand)
    assert query(
        settings, "select min(calendar_date), max(calendar_date) >= date '2026-12-31' from reference_data.calendar_days"
    ) == [(date(2023, 7, 1), True)]
    assert query(settings, "select min(rate_date), max(rate_date) from reference_data.exchange_rates") == [
        (date(2023, 7, 1), date(2024, 12, 31))
    ]


def test_rows_say_what_the_functions_say(make_brand: MakeBrand) -> None:
    settings, brand = make_brand()
    refresh(settings, brand)
    assert query(
        settings,
        "select festival_code, festival_codes, festival_day_index, festival_sale_day_number, iso_week_number, is_workday, "
        "campaign_aligned_date from reference_data.calendar_days where calendar_date = date '2024-11-11'",
    ) == [("double_11", ["double_11"], 0, 22, 46, True, date(2023, 11, 11))]
    (starts_at, ends_at, label) = query(
        settings,
        "select starts_at, ends_at, label_zh from reference_data.festivals where festival_id = 'double_11_2024_sale_2'",
    )[0]
    assert starts_at.astimezone(UTC) == datetime(2024, 10, 31, 12, tzinfo=UTC)
    assert ends_at.astimezone(UTC) == datetime(2024, 11, 11, 16, tzinfo=UTC)
    assert label == "双11"
    assert query(
        settings,
        "select exchange_rate, is_carried from reference_data.exchange_rates "
        "where from_currency_code = 'CNY' and rate_date = date '2024-11-10'",
    ) == [(Decimal(1), True)]


def test_a_second_run_writes_nothing(make_brand: MakeBrand, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, brand = make_brand()
    first = refresh(settings, brand)
    monkeypatch.setattr(reference_tables, "_write", lambda *_: pytest.fail("written again"))
    second = refresh(settings, brand)
    assert not second.is_written
    assert second.row_counts == first.row_counts
    assert (second.calendar_until, second.rates_until) == (first.calendar_until, first.rates_until)


@pytest.mark.parametrize("change", [{"currency": "USD"}, {"start": "2024-06-01"}])
def test_another_calendar_or_currency_writes_again(make_brand: MakeBrand, change: dict[str, str]) -> None:
    refresh(*make_brand())
    settings, brand = make_brand(**change)
    assert refresh(settings, brand).is_written
    assert query(settings, "select distinct to_currency_code from reference_data.exchange_rates") == [
        (change.get("currency", "CNY"),)
    ]
    assert not refresh(settings, brand).is_written


@pytest.mark.parametrize("library", reference.LIBRARIES)
def test_another_version_of_a_library_is_another_input(
    make_brand: MakeBrand, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    _, brand = make_brand()
    before = fingerprint(brand)
    installed = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "99" if name == library else installed(name))
    assert fingerprint(brand) != before


def test_a_table_of_other_columns_is_made_anew(make_brand: MakeBrand) -> None:
    settings, brand = make_brand()
    counts = refresh(settings, brand).row_counts
    with warehouse.writer(settings.build_file) as connection:
        connection.execute("alter table reference_data.regions drop column aliases")
    again = refresh(settings, brand)
    assert again.is_written
    assert again.row_counts == counts


def test_a_write_that_fails_leaves_the_rows_of_before(make_brand: MakeBrand, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, brand = make_brand()
    counts = refresh(settings, brand).row_counts
    _, other = make_brand(currency="USD")

    def broken(scope: Scope) -> dict[str, Any]:
        tables = build(scope)
        return tables | {"exchange_rates": tables["exchange_rates"].select(["exchange_rate"])}

    monkeypatch.setattr("orchestration.reference.tables.build", broken)
    with pytest.raises(warehouse.EngineError):
        refresh(settings, other)
    monkeypatch.undo()
    result = refresh(settings, brand)
    assert not result.is_written
    assert result.row_counts == counts


def test_a_currency_without_rates_is_an_empty_table(make_brand: MakeBrand) -> None:
    settings, brand = make_brand(currency="VND")
    result = refresh(settings, brand)
    assert result.row_counts["exchange_rates"] == 0
    assert result.rates_until is None


def test_building_twice_gives_the_same_rows() -> None:
    scope = Scope(date(2024, 1, 1), date(2024, 12, 31), "CNY")
    first, second = build(scope), build(scope)
    assert all(first[name].equals(second[name]) for name in TABLES)
