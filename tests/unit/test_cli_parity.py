"""`tessera parity`: what it prints, when it fails, what it leaves. Spark itself is tested in tests/integration/test_spark.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from orchestration import cli, dbt
from orchestration.settings import Settings, load_settings
from orchestration.spark import cluster, parity
from orchestration.spark.compare import Comparison

EQUAL = Comparison(3, 3, 0)
GOOD, BAD = parity.Built("success", 1.26), parity.Built("error", 0.5, "PARSE_SYNTAX_ERROR")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The brand `demo` with nothing but the folder of an earlier comparison."""
    for name in ("TESSERA_BRAND", "TESSERA_BRANDS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    found = load_settings("demo")
    parity.work_folder(found).mkdir(parents=True)
    return found


def found(monkeypatch: pytest.MonkeyPatch, *models: parity.ModelParity) -> dict[str, Any]:
    """Let a comparison find these models; gives what it was asked for."""
    asked: dict[str, Any] = {}

    def run_parity(*_: object, **options: object) -> parity.Parity:
        asked.update(options)
        return parity.Parity(models, 2.0, 30.0, 20.0)

    monkeypatch.setattr(parity, "run_parity", run_parity)
    return asked


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["parity", "--brand", "demo", *arguments])


def test_equal_models_exit_0_and_leave_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, parity.ModelParity("marts", "fct_orders", GOOD, GOOD, EQUAL))
    result = run("--format", "json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == [
        {
            "model": "marts.fct_orders", "status": "equal", "duckdb_rows": 3, "spark_rows": 3, "differences": 0,
            "differing_columns": "", "duckdb_seconds": 1.3, "spark_seconds": 1.3,
        }
    ]  # fmt: skip
    assert "1 models, 3 rows compared, 0 rows different, 0 models not equal" in result.stderr
    assert not parity.work_folder(settings).exists()


def test_a_difference_exits_1_names_the_column_and_keeps_both_warehouses(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(
        monkeypatch,
        parity.ModelParity("marts", "dim_offers", GOOD, GOOD, EQUAL),
        parity.ModelParity("marts", "fct_orders", GOOD, GOOD, Comparison(3, 3, 2, {"gross_amount": 1})),
    )
    result = run()
    assert result.exit_code == 1
    assert "gross_amount" in result.stdout and "different" in result.stdout
    assert "1 models not equal" in result.stderr and str(parity.work_folder(settings)) in result.stderr
    assert parity.work_folder(settings).exists()


def test_a_model_that_spark_did_not_build_is_told_by_its_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, parity.ModelParity("marts", "fct_orders", GOOD, BAD, None))
    result = run("--format", "csv")
    assert result.exit_code == 1
    assert "Spark error PARSE_SYNTAX_ERROR" in result.stdout


def test_no_model_at_all_is_no_success(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch)
    assert run().exit_code == 1


def test_a_unit_test_that_fails_on_spark_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    models = (parity.ModelParity("marts", "fct_orders", GOOD, GOOD, EQUAL),)
    units = {"fct_orders__gifts": "pass", "fct_orders__voids": "fail"}
    monkeypatch.setattr(parity, "run_parity", lambda *_, **__: parity.Parity(models, 2.0, 30.0, 20.0, units))
    result = run("--unit-tests")
    assert result.exit_code == 1
    assert "unit test fct_orders__voids: fail on Spark" in result.stderr and "fct_orders__gifts" not in result.stderr
    assert "1 of 2 unit tests pass on Spark" in result.stderr


def test_keep_all_and_the_cut_are_handed_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = found(monkeypatch, parity.ModelParity("marts", "fct_orders", GOOD, GOOD, EQUAL))
    assert run("--keep", "--all", "--unit-tests", "--as-of", "2026-03-01").exit_code == 0
    assert parity.work_folder(settings).exists()
    assert asked["as_of_date"].isoformat() == "2026-03-01"
    assert dbt.ACTIVATION_SELECT in asked["select"] and asked["with_unit_tests"]
    run()
    assert asked["select"] == parity.SELECT


def test_without_spark_it_says_how_to_get_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(parity, "ENVIRONMENT", tmp_path / "none")
    result = run()
    assert result.exit_code == 2 and "make spark-setup" in result.stderr


def test_without_a_lake_it_says_what_to_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cluster, "find_programs", lambda _: cluster.Programs(tmp_path, tmp_path, tmp_path))
    result = run()
    assert result.exit_code == 1 and "tessera run --brand demo" in result.stderr
