"""What Spark is told of the lake, and what is exported for it from the build file."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orchestration import build_file, warehouse
from orchestration.dbt import load_manifest
from orchestration.landing.contract import load_contract
from orchestration.spark import sources
from orchestration.spark.parity import error_class


def test_every_type_of_the_contract_has_one_of_spark() -> None:
    types = {type_ for entity in load_contract().values() for _, type_ in entity.duckdb_columns()}
    assert {sources.spark_type(type_) for type_ in types} >= {"string", "timestamp", "decimal(18,2)"}
    with pytest.raises(ValueError, match="UUID"):
        sources.spark_type("UUID")


def test_every_source_of_the_project_becomes_a_relation(tmp_path: Path) -> None:
    """The contract's entities come from the lake; all others are in a build file as `prepare` makes it."""
    contract = load_contract()
    declared = sources.declared_sources(load_manifest())
    others = [(schema, name) for schema, name in declared if schema != "raw" or name not in contract]
    made = sources.statements(contract, tmp_path, {key: tmp_path / key[1] for key in others}, tmp_path / "empty")
    relations = {
        line.split("`")[0].split()[-1] + line.split("`")[1] for line in made if not line.startswith("create schema")
    }
    assert {f"{schema}.{name}" for schema, name in declared} <= relations
    python_tables = {tuple(name.split(".")) for name in build_file.PYTHON_TABLES}
    assert ("raw", "load_batches") in others and ("ml", "churn_scores") in python_tables & set(others)


def test_an_entity_without_files_is_read_from_an_empty_folder(tmp_path: Path) -> None:
    contract = {name: entity for name, entity in load_contract().items() if name in ("members", "points")}
    landed = tmp_path / "lake" / "raw" / "members"
    landed.mkdir(parents=True)
    (landed / "b1.parquet").touch()
    made = sources.statements(contract, tmp_path / "lake", {}, tmp_path / "empty")
    tables = {line.split("`")[1]: line for line in made if line.startswith("create table lake.")}
    assert tables["members"].endswith(f"location '{landed.as_uri()}'")
    assert tables["points"].endswith(f"location '{(tmp_path / 'empty' / 'points').as_uri()}'")
    assert "create view raw.`members` as select" in made[-3] + made[-1]


def test_a_quote_in_a_path_does_not_end_the_literal(tmp_path: Path) -> None:
    made = sources.statements({}, tmp_path, {("ml", "scores"): tmp_path / "it's"}, tmp_path)
    assert made[-1].endswith("it%27s'") and made[-1].count("'") == 2


def test_export_keeps_rows_and_types_and_prints_maps(tmp_path: Path) -> None:
    file = tmp_path / "build.duckdb"
    with warehouse.writer(file) as connection:
        connection.execute("create schema raw")
        connection.execute(
            "create view raw.load_batches as select 'b1' as batch_id, map {'a': 'VARCHAR', 'b': 'DECIMAL(18,2)'} as columns, "
            "['x'] as extra_columns, timestamptz '2026-05-01 00:00:00+08' as loaded_at"
        )
        connection.execute("create schema ml; create table ml.scores (score double)")
        printed = connection.execute("select cast(columns as varchar) from raw.load_batches").fetchone()
    written = sources.export(file, [("raw", "load_batches"), ("ml", "scores")], tmp_path / "it's")
    with duckdb.connect() as connection:
        folder = str(written["raw", "load_batches"]).replace("'", "''")
        types = dict(row[:2] for row in connection.execute(f"describe from read_parquet('{folder}/*')").fetchall())
        assert types == {
            "batch_id": "VARCHAR", "columns": "VARCHAR", "extra_columns": "VARCHAR[]", "loaded_at": "TIMESTAMP WITH TIME ZONE",
        }  # fmt: skip
        assert connection.execute(f"select columns from read_parquet('{folder}/*')").fetchone() == printed
        folder = str(written["ml", "scores"]).replace("'", "''")
        assert connection.execute(f"select count(*) from read_parquet('{folder}/*')").fetchone() == (0,)


def test_a_source_that_the_build_file_lacks_is_named(tmp_path: Path) -> None:
    file = tmp_path / "build.duckdb"
    with warehouse.writer(file):
        pass
    with pytest.raises(LookupError, match=r"config\.surprise"):
        sources.export(file, [("config", "surprise")], tmp_path / "out")


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("Runtime Error\n  [CAST_INVALID_INPUT] The value '13912340000' of the type", "CAST_INVALID_INPUT"),
        ("[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column", "UNRESOLVED_COLUMN.WITH_SUGGESTION"),
        ("Conversion Error: Could not convert string '139'", "Conversion Error"),
        ("OK", ""),
        (None, ""),
    ],
)
def test_an_error_is_told_by_its_class_alone(message: str | None, name: str) -> None:
    assert error_class(message) == name
