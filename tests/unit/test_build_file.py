"""The build file before dbt: views over the lake, the brand's configuration, and the tables that Python writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from orchestration import build_file, warehouse
from orchestration.brands import Brand, load_brand
from orchestration.build_file import EVALUATIONS, GATE_RESULTS, MONITORING, PYTHON_TABLES, REGISTRY, SCORES
from orchestration.landing.contract import load_contract
from orchestration.landing.lake import Lake, read_batches
from orchestration.landing.land import land
from orchestration.settings import Settings

BRAND_YML = """\
brand: shop
label_zh: 小店
label_en: It's a shop
zone: Asia/Shanghai
day_start: "04:30"
currency: CNY
calendar_start: 2026-01-01
parameters: {rfm_window_days: 180}
"""
MEMBERS_YML = """\
source_system: crm
reader: {kind: csv, path: "members.csv"}
timestamps_in: Asia/Shanghai
entities:
  members:
    fields: {member_key: member_no, region: region}
cleaning_rules:
  - {code: region_missing, entity: members, when: region is null, label_zh: 无地区, label_en: No region}
  - {code: region_odd, entity: members, when: region = 'nowhere', label_zh: 怪地区, label_en: Odd region}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    # A quote in the path: views take no parameters, so paths are written into SQL.
    root = tmp_path / "it's here"
    (root / "brands/shop/sources").mkdir(parents=True)
    (root / "brands/shop/brand.yml").write_text(BRAND_YML, encoding="utf-8")
    (root / "brands/shop/sources/members.yml").write_text(MEMBERS_YML, encoding="utf-8")
    (root / "sources").mkdir()
    return Settings("shop", root / "home", root / "brands", root / "sources")


@pytest.fixture
def brand(settings: Settings) -> Brand:
    return load_brand(settings)


@pytest.fixture
def prepared(settings: Settings, brand: Brand) -> Settings:
    build_file.prepare(settings, brand)
    return settings


def rows(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with warehouse.read_only(settings.build_file) as connection:
        return connection.execute(sql).fetchall()


def land_members(settings: Settings, brand: Brand, text: str = "member_no,region\n1,north\n2,\n") -> None:
    (settings.sources_root or Path()).joinpath("members.csv").write_text(text)
    land(settings, brand, "members", loaded_at=datetime(2026, 1, 2, tzinfo=UTC))


# ---- raw views ---------------------------------------------------------------------------------------------------


def test_an_empty_lake_gives_every_entity_as_an_empty_view_of_the_contract(prepared: Settings) -> None:
    names = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
    for entity in load_contract().values():
        assert rows(prepared, f"select count(*) from raw.{entity.name}") == [(0,)]
        found = [(name, kind) for name, kind, *_ in rows(prepared, f"describe raw.{entity.name}")]
        expected = [(name, kind.upper()) for name, kind in entity.duckdb_columns()]
        assert found == [(name, names.get(kind, kind)) for name, kind in expected]


def test_an_empty_lake_has_no_batches_and_no_hits(prepared: Settings) -> None:
    assert rows(prepared, "select * from raw.load_batches") == []
    assert rows(prepared, "select * from raw.cleaning_rule_hits") == []


def test_landed_rows_and_batches_are_read_with_the_same_columns(settings: Settings, brand: Brand) -> None:
    build_file.prepare(settings, brand)
    empty = [row[:2] for name in ("members", "load_batches") for row in rows(settings, f"describe raw.{name}")]
    land_members(settings, brand)
    build_file.prepare(settings, brand)
    assert rows(settings, "select member_key, region, source_system from raw.members order by member_key") == [
        ("1", "north", "crm"),
        ("2", None, "crm"),
    ]
    assert rows(settings, "select entity, rows_in, rows_landed, rows_quarantined, loaded_at from raw.load_batches") == [
        ("members", 2, 2, 0, datetime(2026, 1, 2, tzinfo=UTC))
    ]
    assert [row[:2] for name in ("members", "load_batches") for row in rows(settings, f"describe raw.{name}")] == empty


def test_hits_carry_the_labels_of_their_rules(settings: Settings, brand: Brand) -> None:
    land_members(settings, brand)
    build_file.prepare(settings, brand)
    hits = rows(settings, "select rule_code, rows_touched, label_zh, label_en from raw.cleaning_rule_hits order by 1")
    assert hits == [("region_missing", 1, "无地区", "No region"), ("region_odd", 0, "怪地区", "Odd region")]


def test_manifests_and_files_of_the_first_version_are_read_with_defaults(settings: Settings, brand: Brand) -> None:
    land_members(settings, brand)
    (manifest,) = (settings.lake / "batches").glob("*.json")
    first_version = [
        "batch_id", "entity", "source_system", "source_file", "source_business_date", "content_hash", "mapping_hash",
        "file_size", "file_mtime_ns", "loaded_at", "rows_in", "rows_landed", "rows_quarantined",
    ]  # fmt: skip
    body = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps({name: body[name] for name in first_version}), encoding="utf-8")
    (file,) = (settings.lake / "raw/members").glob("*.parquet")
    table = pq.read_table(file)
    pq.write_table(table.drop_columns(["changed_at", "is_deleted", "guide_code"]), file)
    build_file.prepare(settings, brand)
    assert rows(settings, "select member_key, changed_at, is_deleted, guide_code from raw.members order by 1") == [
        ("1", None, False, None),
        ("2", None, False, None),
    ]
    assert rows(
        settings,
        "select mode, source_name, snapshot_at, rows_tombstoned, rows_carried, rows_unchanged, rows_not_of_entity, "
        "columns, extra_columns, drift, quarantine_reasons, max_event_at, replay_of from raw.load_batches",
    ) == [("incremental", "", None, 0, 0, 0, 0, {}, [], "[]", {}, None, None)]
    (arrived,) = rows(settings, "select epoch_us(arrived_at) from raw.load_batches")
    assert arrived == (((settings.sources_root or Path()) / "members.csv").stat().st_mtime_ns // 1000,)
    (batch,) = read_batches(Lake(settings.lake))
    assert (batch.mode, batch.snapshot_at, batch.drift) == ("incremental", None, [])


def test_reasons_and_current_batches_stand_beside_the_batches(settings: Settings, brand: Brand) -> None:
    land_members(settings, brand, "member_no,region\n1,north\n,south\n,east\n")
    land_members(settings, brand, "member_no,region\n1,north\n,south\n")
    build_file.prepare(settings, brand)
    assert rows(
        settings,
        "select entity, field, reason, row_count from raw.quarantine_reasons "
        "where batch_id in (select batch_id from raw.current_batches)",
    ) == [("members", "member_key", "member_key:missing_value", 1)]
    assert rows(settings, "select count(*) from raw.quarantine_reasons") == [(2,)]
    (columns,) = rows(settings, "select columns, drift from raw.load_batches limit 1")
    assert columns == ({"member_no": "VARCHAR", "region": "VARCHAR"}, "[]")


def test_a_view_sees_what_lands_after_it_was_made(settings: Settings, brand: Brand) -> None:
    land_members(settings, brand)
    build_file.prepare(settings, brand)
    land_members(settings, brand, "member_no,region\n7,south\n8,south\n9,south\n")
    assert rows(settings, "select count(*), count(distinct batch_id) from raw.members") == [(5, 2)]


# ---- configuration -----------------------------------------------------------------------------------------------


def test_parameters_are_the_brands(prepared: Settings, brand: Brand) -> None:
    found = dict(rows(prepared, "select parameter_name, parameter_value from config.brand_parameters"))
    assert found == brand.flat_parameters()
    assert found["rfm_window_days"] == "180" and found["day_start_minutes"] == "270"
    assert found["label_en"] == "It's a shop" and found["label_zh"] == "小店"


def test_changed_configuration_replaces_the_old(prepared: Settings) -> None:
    path = prepared.brand_dir / "brand.yml"
    path.write_text(BRAND_YML.replace("rfm_window_days: 180", "rfm_window_days: 90"), encoding="utf-8")
    (prepared.brand_dir / "sources/members.yml").write_text(MEMBERS_YML.split("cleaning_rules")[0], encoding="utf-8")
    build_file.prepare(prepared, load_brand(prepared))
    sql = "select parameter_value from config.brand_parameters where parameter_name = 'rfm_window_days'"
    assert rows(prepared, sql) == [("90",)]
    assert rows(prepared, "select * from config.cleaning_rules") == []


def snapshot(settings: Settings) -> list[tuple[Any, ...]]:
    """Every table and view of the file, with its definition, columns and rows."""
    with warehouse.read_only(settings.build_file) as connection:
        found = connection.execute(
            "select table_schema, table_name, table_type from information_schema.tables order by all"
        ).fetchall()
        content: list[tuple[Any, ...]] = [*found]
        for schema, name, _ in found:
            content += connection.execute(f"describe {schema}.{name}").fetchall()
            content += connection.execute(f"select * from {schema}.{name} order by all").fetchall()
        views = connection.execute("select view_name, sql from duckdb_views() where not internal order by all")
        return content + views.fetchall()


def test_preparing_twice_changes_nothing(settings: Settings, brand: Brand) -> None:
    land_members(settings, brand)
    build_file.prepare(settings, brand)
    with warehouse.writer(settings.build_file) as connection:
        build_file.replace_rows(connection, "ml.churn_scores", scores(("m1", 0.5)), ("as_of_date",))
    before = snapshot(settings)
    build_file.prepare(settings, brand)
    assert snapshot(settings) == before
    assert any("m1" in str(item) for item in before)


# ---- tables that Python writes -----------------------------------------------------------------------------------


def scores(*found: tuple[str, float | None], day: date = date(2026, 3, 1), version: str = "v1") -> pd.DataFrame:
    base = {"model_version": version, "tier": "low", "horizon_days": 30, "percentile": 0.5, "as_of_date": day}
    return pd.DataFrame([{"member_id": member, "score": score} | base for member, score in found])


def replace(settings: Settings, frame: pd.DataFrame, key: tuple[str, ...] = ("as_of_date",)) -> None:
    with warehouse.writer(settings.build_file) as connection:
        build_file.replace_rows(connection, "ml.churn_scores", frame, key)


def kept(settings: Settings) -> list[tuple[Any, ...]]:
    return rows(settings, "select member_id, score, as_of_date from ml.churn_scores order by as_of_date, member_id")


def test_python_tables_are_there_and_empty(prepared: Settings) -> None:
    for table, columns in PYTHON_TABLES.items():
        assert rows(prepared, f"select * from {table}") == []
        assert [name for name, *_ in rows(prepared, f"describe {table}")] == list(columns)


def test_rows_of_an_older_version_are_carried_over(settings: Settings) -> None:
    with warehouse.writer(settings.build_file) as connection:
        connection.execute("create schema ml; create schema config")
        connection.execute("create table ml.churn_scores (score float, member_id text, gone integer)")
        connection.execute("insert into ml.churn_scores values (0.25, 'm1', 9)")
        build_file.create_python_tables(connection)
        build_file.create_python_tables(connection)
    assert [name for name, *_ in rows(settings, "describe ml.churn_scores")] == list(SCORES)
    assert rows(settings, "select member_id, score, model_version from ml.churn_scores") == [("m1", 0.25, None)]
    assert rows(settings, "select typeof(score) from ml.churn_scores") == [("DOUBLE",)]


def test_rows_replace_those_with_their_key_and_no_others(prepared: Settings) -> None:
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    replace(prepared, scores(("m1", 0.1), ("m2", 0.2), day=first))
    replace(prepared, scores(("m1", 0.3), day=second))
    replace(prepared, scores(("m3", 0.4), day=first, version="v2"))
    assert kept(prepared) == [("m3", 0.4, first), ("m1", 0.3, second)]


def test_a_key_of_two_columns_replaces_less(prepared: Settings) -> None:
    replace(prepared, scores(("m1", 0.1), ("m2", 0.2)))
    replace(prepared, scores(("m2", 0.9)), key=("as_of_date", "member_id"))
    assert [row[:2] for row in kept(prepared)] == [("m1", 0.1), ("m2", 0.9)]


def test_an_unknown_key_is_a_key_too(prepared: Settings) -> None:
    unknown = scores(("m1", 0.1)).assign(as_of_date=pd.NaT)
    replace(prepared, unknown)
    replace(prepared, unknown.assign(member_id="m2"))
    assert kept(prepared) == [("m2", 0.1, None)]


def test_no_rows_replace_nothing(prepared: Settings) -> None:
    replace(prepared, scores(("m1", 0.1)))
    replace(prepared, scores(("m1", 0.1)).head(0))
    assert len(kept(prepared)) == 1


def test_columns_are_found_by_name(prepared: Settings) -> None:
    frame = scores(("m1", 0.1)).assign(noise=1)
    replace(prepared, frame.loc[:, sorted(frame.columns, reverse=True)])
    assert kept(prepared) == [("m1", 0.1, date(2026, 3, 1))]


def test_rows_that_do_not_fit_leave_the_old_ones(prepared: Settings) -> None:
    replace(prepared, scores(("m1", 0.1)))
    bad = scores(("m2", 0.2)).assign(horizon_days="thirty")
    with pytest.raises(duckdb.Error):
        replace(prepared, bad)
    assert [row[0] for row in kept(prepared)] == ["m1"]


def test_a_failure_after_the_delete_leaves_the_old_rows(prepared: Settings) -> None:
    with warehouse.writer(prepared.build_file) as connection:
        connection.execute("create or replace table ml.churn_scores as select * from ml.churn_scores")
        connection.execute("alter table ml.churn_scores add column demanded integer")
    # One column more than is written: the insert fails, after the delete.
    with warehouse.writer(prepared.build_file) as connection:
        connection.execute(
            "insert into ml.churn_scores by name select 'm1' as member_id, 0.1 as score, date '2026-03-01' as as_of_date"
        )
        with pytest.raises(duckdb.BinderException):
            build_file.replace_rows(connection, "ml.churn_scores", scores(("m2", 0.2)), ("as_of_date",))
        assert connection.execute("select member_id from ml.churn_scores").fetchall() == [("m1",)]
        connection.execute("begin")  # nothing is left open
        connection.execute("rollback")


def monitored(model: str, value: float, day: date) -> pd.DataFrame:
    row = dict.fromkeys(MONITORING) | {"model_name": model, "value": value, "is_ok": True, "as_of_date": day}
    return pd.DataFrame([row])


def test_a_cut_is_replaced_wholly_also_by_nothing_and_for_one_model_alone(prepared: Settings) -> None:
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    table = "ml.model_monitoring"
    with warehouse.writer(prepared.build_file) as connection:
        for model, value, day in (("churn", 1.0, first), ("propensity", 2.0, first), ("churn", 3.0, second)):
            build_file.replace_cut(connection, table, monitored(model, value, day), day, model)
        build_file.replace_cut(connection, table, monitored("churn", 9.0, first), first, "churn")
        build_file.replace_cut(connection, table, monitored("propensity", 0.0, first).iloc[:0], first, "propensity")
        values = f"select value from {table} order by value"
        assert connection.execute(values).fetchall() == [(3.0,), (9.0,)]
        build_file.replace_cut(connection, table, monitored("churn", 0.0, first).iloc[:0], first)
        assert connection.execute(values).fetchall() == [(3.0,)]


def test_what_only_earlier_runs_knew_is_brought_from_the_published_file(settings: Settings, brand: Brand) -> None:
    """The registry, evaluations, monitoring and scores of earlier cuts survive a deleted build file."""
    settings.published_dir.mkdir(parents=True)
    with warehouse.writer(settings.published_file) as connection:
        build_file.create_python_tables(connection)
        build_file.replace_rows(connection, "ml.churn_scores", scores(("m1", 0.5)), ("as_of_date",))
        connection.execute(
            "insert into ml.model_registry by name select 'churn' as model_name, 'churn-1' as model_version, 'champion' as status"
        )
        connection.execute("insert into ml.segment_members by name select 'm1' as member_id")
    build_file.prepare(settings, brand)
    assert rows(settings, "select model_version, status from ml.model_registry") == [("churn-1", "champion")]
    assert [row[0] for row in kept(settings)] == ["m1"]
    assert rows(settings, "select * from ml.segment_members") == [], "clusters are made anew by every run"


def test_an_undeclared_table_is_refused(prepared: Settings) -> None:
    with (
        warehouse.writer(prepared.build_file) as connection,
        pytest.raises(KeyError, match=r"marts\.dim_members"),
    ):
        build_file.replace_rows(connection, "marts.dim_members", pd.DataFrame(), ("member_id",))


@pytest.mark.parametrize(
    ("columns", "module_columns"),
    [
        (SCORES, lambda: __import__("ml.common.columns", fromlist=["SCORE_COLUMNS"]).SCORE_COLUMNS),
        (EVALUATIONS, lambda: __import__("ml.common.pipeline", fromlist=["x"]).EVALUATION_COLUMNS),
        (MONITORING, lambda: __import__("ml.common.checks", fromlist=["x"]).CHECK_COLUMNS),
        (REGISTRY, lambda: list(__import__("ml.common.registry", fromlist=["x"]).Entry.__dataclass_fields__)),
    ],
    ids=["scores", "evaluations", "monitoring", "registry"],
)
def test_tables_have_the_columns_that_models_give(
    columns: dict[str, str], module_columns: Callable[[], list[str]]
) -> None:
    assert set(columns) == set(module_columns())


def test_gate_results_are_keyed_by_run_and_gate() -> None:
    assert {"run_id", "gate", "check_name", "is_passed", "checked_at"} <= set(GATE_RESULTS)
