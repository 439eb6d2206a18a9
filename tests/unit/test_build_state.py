"""When a build may go on incrementally, and when there is nothing to do: what the hashes notice and what they do not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from importlib import metadata
from pathlib import Path

import pytest

from orchestration import build_file, build_state, warehouse
from orchestration.brands import Brand, load_brand
from orchestration.build_state import hash_files, input_fingerprint, needs_full_refresh, record
from orchestration.settings import Settings

BRAND_YML = """\
brand: shop
label_zh: 小店
label_en: Shop
zone: Asia/Shanghai
currency: CNY
calendar_start: 2026-01-01
"""
SALES_YML = """\
source_system: till
reader: {kind: csv, path: "sales/{date}.csv"}
timestamps_in: Asia/Shanghai
entities:
  members: {fields: {member_key: member_no}}
"""
PROJECT_FILES = (
    "orchestration/land.py",
    "ml/train.py",
    "dbt_project/dbt_project.yml",
    "dbt_project/models/staging/stg_orders.sql",
    "dbt_project/models/intermediate/int_orders.sql",
    "dbt_project/models/marts/fct_orders.sql",
    "dbt_project/models/metrics/agg_daily.sql",
    "dbt_project/models/tags/tags_transaction.sql",
    "dbt_project/macros/brand/parameters.sql",
    "dbt_project/macros/cross_db/business_date.sql",
    "dbt_project/macros/incremental/touched.sql",
    "dbt_project/macros/schema/ids.sql",
    "dbt_project/macros/tags/compile_tags.sql",
)
INCREMENTAL_FILES = (
    "dbt_project/models/staging/stg_orders.sql",
    "dbt_project/models/intermediate/int_orders.sql",
    "dbt_project/models/marts/fct_orders.sql",
    "dbt_project/models/metrics/agg_daily.sql",
    "dbt_project/macros/brand/parameters.sql",
    "dbt_project/macros/cross_db/business_date.sql",
    "dbt_project/macros/incremental/touched.sql",
    "dbt_project/macros/schema/ids.sql",
    "brands/shop/brand.yml",
    "brands/shop/sources/sales.yml",
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project of small files with one brand."""
    root = tmp_path / "project"
    for name in PROJECT_FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"first {name}")
    (root / "brands/shop/sources").mkdir(parents=True)
    (root / "brands/shop/brand.yml").write_text(BRAND_YML, encoding="utf-8")
    (root / "brands/shop/sources/sales.yml").write_text(SALES_YML, encoding="utf-8")
    return Settings("shop", tmp_path / "home", root / "brands", None, project_root=root)


@pytest.fixture
def brand(settings: Settings) -> Brand:
    return load_brand(settings)


@pytest.fixture
def built(settings: Settings, brand: Brand) -> Settings:
    """The same with a build file."""
    with warehouse.writer(settings.build_file) as connection:
        build_file.write_config(connection, brand)
    return settings


def edit(settings: Settings, name: str) -> None:
    path = settings.project_root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((path.read_text(encoding="utf-8") if path.exists() else "") + "\n# edited", encoding="utf-8")


# ---- full refresh ------------------------------------------------------------------------------------------------


def test_a_build_nobody_made_is_full_and_the_next_one_is_not(built: Settings, brand: Brand) -> None:
    assert needs_full_refresh(built, brand, "warehouse")
    record(built, brand, "warehouse")
    assert not needs_full_refresh(built, brand, "warehouse")


@pytest.mark.parametrize("name", INCREMENTAL_FILES)
def test_changed_sql_or_configuration_makes_it_full(built: Settings, brand: Brand, name: str) -> None:
    record(built, brand, "warehouse")
    edit(built, name)
    assert needs_full_refresh(built, brand, "warehouse")
    record(built, brand, "warehouse")
    assert not needs_full_refresh(built, brand, "warehouse")


def test_another_vocabulary_makes_it_full(
    built: Settings, brand: Brand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = tmp_path / "events.yml"
    words.write_text("view: {visit: page}", encoding="utf-8")
    monkeypatch.setattr(build_state, "EVENTS_FILE", words)
    record(built, brand, "warehouse")
    words.write_text("view: {visit: passive}", encoding="utf-8")
    assert needs_full_refresh(built, brand, "warehouse")


@pytest.mark.parametrize(
    "name",
    [
        "dbt_project/models/tags/tags_transaction.sql",  # tables that are rebuilt each time
        "dbt_project/macros/tags/compile_tags.sql",
        "orchestration/land.py",
        "dbt_project/models/marts/readme.md",
        "brands/other/brand.yml",
    ],
)
def test_what_incremental_rows_do_not_depend_on_leaves_them(built: Settings, brand: Brand, name: str) -> None:
    record(built, brand, "warehouse")
    edit(built, name)
    assert not needs_full_refresh(built, brand, "warehouse")


def test_a_new_model_makes_it_full(built: Settings, brand: Brand) -> None:
    record(built, brand, "warehouse")
    edit(built, "dbt_project/models/marts/fct_visits.sql")
    assert needs_full_refresh(built, brand, "warehouse")


def test_each_group_is_recorded_by_itself(built: Settings, brand: Brand) -> None:
    record(built, brand, "warehouse")
    assert needs_full_refresh(built, brand, "activation")
    record(built, brand, "activation")
    edit(built, INCREMENTAL_FILES[0])
    record(built, brand, "activation")
    assert needs_full_refresh(built, brand, "warehouse")
    assert not needs_full_refresh(built, brand, "activation")


def test_a_record_of_an_older_version_counts_as_none(built: Settings, brand: Brand) -> None:
    with warehouse.writer(built.build_file) as connection:
        connection.execute("create table config.build_state (brand text, incremental_inputs text)")
    assert needs_full_refresh(built, brand, "warehouse")
    record(built, brand, "warehouse")
    assert not needs_full_refresh(built, brand, "warehouse")


# ---- fingerprint -------------------------------------------------------------------------------------------------


def test_the_fingerprint_stands_still_when_nothing_changes(settings: Settings, brand: Brand) -> None:
    assert input_fingerprint(settings, brand) == input_fingerprint(settings, brand)


@pytest.mark.parametrize(
    "name", [*PROJECT_FILES, "brands/shop/brand.yml", "brands/shop/sources/sales.yml", "ml/new.py"]
)
def test_the_fingerprint_notices_code_and_configuration(settings: Settings, brand: Brand, name: str) -> None:
    before = input_fingerprint(settings, brand)
    edit(settings, name)
    assert input_fingerprint(settings, brand) != before


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "tests/test_x.py",
        "dbt_project/target/manifest.yml",
        "brands/other/brand.yml",
        "ml/__pycache__/a.pyc",
    ],
)
def test_the_fingerprint_overlooks_what_no_publication_depends_on(settings: Settings, brand: Brand, name: str) -> None:
    before = input_fingerprint(settings, brand)
    edit(settings, name)
    assert input_fingerprint(settings, brand) == before


def test_the_fingerprint_notices_the_cut_asked_for(settings: Settings, brand: Brand) -> None:
    found = {input_fingerprint(settings, brand, as_of_date=day) for day in ("", "2026-03-01", "2026-03-02")}
    assert len(found) == 3


@pytest.mark.parametrize("library", build_state._LIBRARIES)
def test_the_fingerprint_notices_another_library_version(
    settings: Settings, brand: Brand, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    before = input_fingerprint(settings, brand)
    versions = {name: metadata.version(name) for name in build_state._LIBRARIES} | {library: "0.0.1"}
    monkeypatch.setattr(build_state.metadata, "version", versions.__getitem__)
    assert input_fingerprint(settings, brand) != before


def clock_at(instant: datetime) -> type[datetime]:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return instant.astimezone(tz)

    return Clock


@pytest.mark.parametrize(("clock", "is_new"), [("today", True), ("latest_fact", False)])
def test_a_new_business_day_is_new_only_to_a_brand_on_todays_clock(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, clock: str, is_new: bool
) -> None:
    (settings.brand_dir / "brand.yml").write_text(BRAND_YML + f"clock: {{as_of: {clock}}}\n", encoding="utf-8")
    brand = load_brand(settings)
    found = []
    # Shanghai's days: 15:59 UTC is the 1st there, 16:00 the 2nd.
    for minute in (15 * 60 + 58, 15 * 60 + 59, 16 * 60):
        instant = datetime(2026, 3, 1, minute // 60, minute % 60, tzinfo=UTC)
        monkeypatch.setattr(build_state, "datetime", clock_at(instant))
        found.append(input_fingerprint(settings, brand))
    assert found[0] == found[1]
    assert (found[1] != found[2]) is is_new


# ---- hash of files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "a.sql").write_text("select 2"),
        lambda root: (root / "a.sql").rename(root / "c.sql"),
        lambda root: (root / "a.sql").unlink(),
        lambda root: (root / "c.sql").write_text(""),
    ],
    ids=["content", "name", "gone", "new"],
)
def test_hash_files_notices(tmp_path: Path, change: Callable[[Path], object]) -> None:
    for name in ("a.sql", "b.sql"):
        (tmp_path / name).write_text("select 1")
    before = hash_files(tmp_path.glob("*"), tmp_path)
    assert before == hash_files(sorted(tmp_path.glob("*"), reverse=True), tmp_path), (
        "the order of listing does not count"
    )
    change(tmp_path)
    assert hash_files(tmp_path.glob("*"), tmp_path) != before


def test_hash_files_is_the_same_in_another_place(tmp_path: Path) -> None:
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.sql").write_text("select 1")
    hashes = {hash_files((tmp_path / place).glob("*"), tmp_path / place) for place in ("here", "there")}
    assert len(hashes) == 1
