"""Brand configuration: what is refused, and that the message says where and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.brands import BrandConfigError, load_brand
from orchestration.settings import PROJECT_ROOT, SettingsError, available_brands, load_settings

BRAND = """\
brand: tiny
label_zh: 小
label_en: Tiny
currency: CNY
calendar_start: 2026-01-01
"""
SOURCE = """\
source_system: till
reader: {kind: csv, path: "sales/{date}.csv"}
timestamps_in: Asia/Shanghai
entities:
  products:
    fields: {product_code: sku, product_kind: "'goods'"}
"""

Write = Callable[..., list[str]]


@pytest.fixture
def problems(tmp_path: Path) -> Write:
    """Load the brand written as (brand.yml, sources/a.yml); gives the problems, empty when there are none."""

    def load(brand: str = BRAND, source: str | None = SOURCE) -> list[str]:
        folder = tmp_path / "tiny"
        (folder / "sources").mkdir(parents=True, exist_ok=True)
        (folder / "brand.yml").write_text(brand, encoding="utf-8")
        if source is not None:
            (folder / "sources" / "a.yml").write_text(source, encoding="utf-8")
        try:
            load_brand(load_settings("tiny", {"TESSERA_BRANDS": str(tmp_path)}))
        except BrandConfigError as error:
            return error.problems
        return []

    return load


def test_defaults_are_filled_in_and_flattened_to_text(problems: Write, tmp_path: Path) -> None:
    assert problems(BRAND + 'day_start: "04:30"\nparameters: {churn_horizon_days: 60}\n', SOURCE) == []
    brand = load_brand(load_settings("tiny", {"TESSERA_BRANDS": str(tmp_path)}))
    flat = brand.flat_parameters()
    assert flat["zone"] == "Asia/Shanghai"
    assert flat["day_start_minutes"] == "270"
    assert flat["currency_code"] == "CNY"
    assert flat["as_of_clock"] == "today"
    assert flat["churn_horizon_days"] == "60"
    assert flat["purchase_horizon_days"] == "30"
    assert all(isinstance(value, str) for value in flat.values())
    (source,) = brand.sources
    assert (source.name, source.is_daily, source.limits.max_share) == ("a", True, 0.01)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("brand: [", ["brand.yml", "line 1", "malformed YAML"]),
        ("- a list", ["brand.yml", "must be a mapping"]),
        (BRAND + "zon: UTC", ["brand.yml: zon: unknown key", "did you mean zone?"]),
        (BRAND + "zone: Asia/Shangai", ["brand.yml: zone", "did you mean Asia/Shanghai?"]),
        (BRAND + "zone: '+08:00'", ["brand.yml: zone", "IANA"]),
        (BRAND + "zone: UTC\nzone: UTC", ["brand.yml", "'zone' is written twice"]),
        (BRAND + "day_start: 4:00", ["brand.yml: day_start", '"HH:MM"']),
        (BRAND + "clock: {as_of: now}", ["clock.as_of", "'now' is not allowed", "'today'", "'latest_fact'"]),
        (
            BRAND + "parameters: {churn_horizon_day: 1}",
            ["parameters.churn_horizon_day", "did you mean churn_horizon_days?"],
        ),
        (
            BRAND + "parameters: {churn_horizon_days: 0}",
            ["parameters.churn_horizon_days", "greater than or equal to 1"],
        ),
        (BRAND + 'parameters: {churn_horizon_days: "30"}', ["parameters.churn_horizon_days", "valid integer", "'30'"]),
        (BRAND + "parameters: {lifecycle_dormant_days: 80}", ["lifecycle_active_days < lifecycle_dormant_days"]),
        (BRAND + "schedule: {cron: daily}", ["schedule.cron", "five fields"]),
        (BRAND + "quarantine: {max_share: 1.5}", ["quarantine.max_share", "less than or equal to 1"]),
        (BRAND.replace("CNY", "yuan"), ["currency", "ISO 4217"]),
        (BRAND.replace("brand: tiny", "brand: other"), ["brand.yml: brand", "'tiny'"]),
        (BRAND.replace("currency: CNY\n", ""), ["brand.yml: currency: missing"]),
        (BRAND.replace("2026-01-01", "first of May"), ["brand.yml: calendar_start"]),
    ],
)
def test_bad_brand_file(problems: Write, text: str, said: list[str]) -> None:
    found = "\n".join(problems(text, SOURCE))
    for part in said:
        assert part in found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: csv", "kind: access", ["sources/a.yml: reader: kind must be one of", "csv"]),
        ("sales/{date}.csv", "/etc/{date}.csv", ["reader.path", "relative"]),
        ("sales/{date}.csv", "../{date}.csv", ["reader.path", "'..'"]),
        ("sales/{date}.csv", "**/{date}.csv", ["reader.path", "** is not allowed"]),
        ("sales/{date}.csv", "{day}.csv", ["reader.path", "{date}"]),
        ("kind: csv", "kind: csv, location: package", ["python_package is needed"]),
        ("kind: csv", "kind: csv, python_package: x", ["python_package is needed"]),
        ("kind: csv", "kind: csv, encoding: utf-9", ["reader.encoding", "not an encoding"]),
        ("kind: csv", "kind: csv, delimiter: ab", ["reader.delimiter", "one character"]),
        ("kind: csv", "kind: parquet, delimiter: a", ["reader.delimiter: unknown key"]),
        ("kind: csv", "kind: csv, header: false", ["columns names the columns"]),
        ("kind: csv", "kind: csv, columns: [a]", ["columns names the columns"]),
        ("kind: csv", "kind: csv, location: object_store", ["url is needed"]),
        ("kind: csv", "kind: csv, location: object_store, url: 's3://me:pw@bucket'", ["no credentials"]),
        ("source_system: till", "source_system: till\nmode: change_log", ["change_log needs entities.products"]),
        ("source_system: till", "source_system: till\nmode: fast", ["mode: 'fast' is not allowed", "compare"]),
        ("source_system: till", "source_system: till\nschema_drift: {new_columns: stop}", ["did you mean new_column?"]),
        ("timestamps_in: Asia/Shanghai", "timestamps_in: CST8", ["timestamps_in", "IANA"]),
        ("fields:", "field:", ["entities.products.field: unknown key", "did you mean fields?"]),
        ("source_system: till", "source_system: The Till", ["source_system", "lower case"]),
    ],
)
def test_bad_source_file(problems: Write, old: str, new: str, said: list[str]) -> None:
    assert old in SOURCE
    found = "\n".join(problems(BRAND, SOURCE.replace(old, new)))
    for part in said:
        assert part in found


@pytest.mark.parametrize(
    ("reader", "said"),
    [
        (
            "kind: database, connection_secret: SHOP, table: t, cursor: c",
            ["reader.connection_secret", "TESSERA_SECRET_"],
        ),
        ("kind: database, connection_secret: TESSERA_SECRET_A, table: 't; drop', cursor: c", ["reader.table"]),
        ("kind: database, connection_secret: TESSERA_SECRET_A, table: t", ["incremental needs reader.cursor"]),
        (
            "kind: api, base_url: 'https://a:b@host', endpoint: x, cursor: c, cursor_parameter: s",
            ["reader.base_url", "no credentials"],
        ),
        ("kind: api, base_url: 'https://host', endpoint: x, cursor: c", ["belong together"]),
    ],
)
def test_bad_database_and_api(problems: Write, reader: str, said: list[str]) -> None:
    found = "\n".join(problems(BRAND, re.sub(r"reader: .*", f"reader: {{{reader}}}", SOURCE)))
    for part in said:
        assert part in found


def test_tracking_plan_is_checked(problems: Write, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir(exist_ok=True)
    (tmp_path / "tiny" / "tracking_plan.yml").write_text(
        "events: {view: {label_en: View, owner: a, source_systems: [till]}}"
    )
    assert "tracking_plan.yml: events.view.label_zh: missing" in "\n".join(problems(BRAND, SOURCE))


def test_cleaning_rules_must_fit(problems: Write) -> None:
    rule = "  - {{code: {}, entity: {}, when: 'true', label_zh: 一, label_en: One}}\n"
    twice = rule.format("one", "products") * 2
    assert "used twice" in "\n".join(problems(BRAND, SOURCE + "cleaning_rules:\n" + twice))
    other = rule.format("one", "product")
    assert "did you mean products?" in "\n".join(problems(BRAND, SOURCE + "cleaning_rules:\n" + other))


def test_every_problem_of_every_file_is_listed_at_once(problems: Write) -> None:
    found = problems(BRAND + "zon: UTC\ncolour: red\n", SOURCE.replace("kind: csv", "kind: access"))
    assert len(found) == 3


def test_brand_without_sources_and_misnamed_source(problems: Write, tmp_path: Path) -> None:
    assert "holds no *.yml" in problems(BRAND, None)[0]
    (tmp_path / "tiny" / "sources" / "b.yaml").write_text(SOURCE)
    assert "rename it to b.yml" in "\n".join(problems(BRAND, SOURCE))


def test_unknown_brand_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"unknown brand 'nobody'.*complete_journey"):
        load_settings("nobody", {})


@pytest.mark.parametrize("name", available_brands(PROJECT_ROOT / "brands"))
def test_brands_of_the_project_load_and_have_training_cuts(name: str) -> None:
    brand = load_brand(load_settings(name, {}))
    if not any("order_lines" in source.entities for source in brand.sources):
        return  # nothing to train on, whatever the cuts
    cuts = [n * brand.parameters.training_cut_step_days for n in range(brand.parameters.training_cut_count)]
    # A cut may train only if its label window ends by the newest cut, which is the test.
    for horizon in (brand.parameters.churn_horizon_days, brand.parameters.purchase_horizon_days):
        assert sum(days >= horizon for days in cuts) >= 2
