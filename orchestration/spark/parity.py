"""Build the same models on DuckDB and on Spark from the same lake, and compare them table by table.

The brand's own build file is not touched: both engines build into folders below `<home>/<brand>/spark`. Rules of comparison belong
in `orchestration.spark.compare`, processes in `orchestration.spark.cluster`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

from orchestration import build_file, reference_tables, warehouse
from orchestration.brands import Brand
from orchestration.dbt import (
    ACTIVATION_SELECT,
    FEATURES_SELECT,
    WAREHOUSE_SELECT,
    dbt_environment,
    load_manifest,
    run_dbt,
)
from orchestration.landing.contract import load_contract
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.spark import cluster, sources
from orchestration.spark.compare import Comparison, compare

ENVIRONMENT = PROJECT_ROOT / ".venv-spark"
SELECT = (WAREHOUSE_SELECT, FEATURES_SELECT)
# Behind the features: without the brand's scores, which no model computes.
ALL_SELECT = (*SELECT, ACTIVATION_SELECT)
# Spark's in brackets; DuckDB's as `Binder Error:`.
_ERROR_CLASS = re.compile(r"\[([A-Z][A-Z_.]+)\]|\b([A-Z][a-z]+ Error):")
_STATEMENTS = Path(__file__).with_name("statements.py")


class ParityError(RuntimeError):
    """The comparison could not be made; str() says why and what to do."""


@dataclass(frozen=True)
class Built:
    """What dbt says of a model on one engine. `reason` is the error's class, never its text, which may quote a value."""

    status: str
    seconds: float
    reason: str = ""

    @property
    def is_good(self) -> bool:
        return self.status == "success"


@dataclass(frozen=True)
class ModelParity:
    """One model on both engines. `comparison` is None where an engine did not build it."""

    schema: str
    name: str
    duckdb: Built
    spark: Built
    comparison: Comparison | None

    @property
    def is_equal(self) -> bool:
        return self.comparison is not None and self.comparison.is_equal

    @property
    def status(self) -> str:
        """equal, different, or which engine did not build it and why."""
        if self.comparison is not None:
            return "equal" if self.comparison.is_equal else "different"
        sides = (("DuckDB", self.duckdb), ("Spark", self.spark))
        return "; ".join(f"{side} {built.status} {built.reason}".strip() for side, built in sides if not built.is_good)


@dataclass(frozen=True)
class Parity:
    """All models, and what each engine took for all of them, its start not counted."""

    models: tuple[ModelParity, ...]
    duckdb_seconds: float
    spark_seconds: float
    cluster_seconds: float
    unit_tests: Mapping[str, str] = field(default_factory=dict)  # name → pass, fail or error; those run on Spark

    @property
    def is_equal(self) -> bool:
        models = bool(self.models) and all(model.is_equal for model in self.models)
        return models and all(status == "pass" for status in self.unit_tests.values())


@dataclass(frozen=True)
class _Engine:
    """What one engine built, by unique_id, and the seconds from dbt's start to its end."""

    nodes: dict[str, Built]
    seconds: float


def work_folder(settings: Settings) -> Path:
    """Where a comparison of the brand works: both warehouses, Spark's catalogue and logs."""
    return settings.brand_home / "spark"


def run_parity(
    settings: Settings,
    brand: Brand,
    *,
    select: Sequence[str] = SELECT,
    with_unit_tests: bool = False,
    as_of_date: date | None = None,
    tell: Callable[[str], None] = print,
) -> Parity:
    """Build the selected models on both engines and compare them. Call it while holding the brand's run lock.

    `with_unit_tests` runs the models' unit tests on Spark too: they hold the odd values that a small brand's data lack.

    Raises ParityError, cluster.SparkMissing, cluster.ClusterError.
    """
    programs = cluster.find_programs(ENVIRONMENT)
    if not any((settings.lake / "batches").glob("*.json")):
        raise ParityError(
            f"{settings.brand} has no lake in {settings.lake}; run `tessera run --brand {settings.brand}` first"
        )
    clean(settings)
    work = work_folder(settings)
    mirror = _mirror(settings, work / "duckdb")
    build_file.prepare(mirror, brand)
    reference_tables.refresh(mirror, brand)
    # One moment for both: what is landed meanwhile is known to neither.
    environment = dbt_environment(mirror, as_of_date=as_of_date, known_at=datetime.now(UTC).isoformat(sep=" "))
    manifest = load_manifest()
    tell("DuckDB: building")
    duck = _build(select, environment, work / "dbt-duckdb", "duckdb", None, tell)
    exported = sources.export(mirror.build_file, _exported(manifest), work / "sources")
    readable = sources.statements(load_contract(), settings.lake, exported, work / "empty")
    tell("Spark: starting master, two workers and a Thrift server on loopback")
    with cluster.running(programs, work, cluster.tuning(_lake_bytes(settings.lake))) as running:
        tell(f"Spark: up after {running.started_seconds:.0f} s; building")
        _execute(programs, running, readable)
        on_spark = cluster.dbt_environment(running, environment)
        spark = _build(select, on_spark, work / "dbt-spark", "spark", programs.dbt, tell)
        units = _unit_tests(select, on_spark, work / "dbt-spark", programs.dbt, tell) if with_unit_tests else {}
    tell("comparing")
    models = _compared(manifest, duck, spark, mirror.build_file, running.warehouse)
    return Parity(tuple(models), duck.seconds, spark.seconds, running.started_seconds, units)


def _mirror(settings: Settings, home: Path) -> Settings:
    """The brand with its own lake, and everything else below `home`."""
    mirror = replace(settings, home=home)
    mirror.brand_home.mkdir(parents=True)
    mirror.lake.symlink_to(settings.lake, target_is_directory=True)
    return mirror


def _lake_bytes(lake: Path) -> int:
    return sum(path.stat().st_size for path in (lake / "raw").rglob("*.parquet"))


def _exported(manifest: dict) -> list[tuple[str, str]]:
    """Sources that are no entity of the lake: what Python writes, and what is read out of the manifests."""
    contract = load_contract()
    declared = sources.declared_sources(manifest)
    return [(schema, table) for schema, table in declared if schema != sources.RAW or table not in contract]


def _build(
    select: Sequence[str],
    environment: dict[str, str],
    folder: Path,
    target: str,
    dbt: Path | None,
    tell: Callable[[str], None],
) -> _Engine:
    arguments = ["run", "--target", target, "--select", *" ".join(select).split()]
    started = datetime.now(UTC)
    done = run_dbt(arguments, environment, target=folder, logs=folder / "logs", tell=tell, executable=dbt)
    seconds = (datetime.now(UTC) - started).total_seconds()
    if not done.nodes:
        raise ParityError(f"dbt could not start on {target}: {done.complaint or 'it said nothing'}")
    results = json.loads((folder / "run_results.json").read_text(encoding="utf-8"))["results"]
    nodes = {
        result["unique_id"]: Built(
            result["status"], float(result["execution_time"]), error_class(result.get("message"))
        )
        for result in results
    }
    return _Engine(nodes, seconds)


def _unit_tests(
    select: Sequence[str], environment: dict[str, str], folder: Path, dbt: Path, tell: Callable[[str], None]
) -> dict[str, str]:
    """Run the models' unit tests on Spark; name → status."""
    selected = [f"{selector},test_type:unit" for selector in " ".join(select).split()]
    arguments = ["test", "--target", "spark", "--select", *selected]
    done = run_dbt(arguments, environment, target=folder, logs=folder / "logs", tell=tell, executable=dbt)
    if not done.nodes:
        raise ParityError(f"dbt could not run the unit tests on Spark: {done.complaint or 'it said nothing'}")
    return {node.unique_id.rpartition(".")[2]: node.status for node in done.nodes}


def error_class(message: str | None) -> str:
    """Spark's name of an error, such as CAST_INVALID_INPUT, or that of an exception of DuckDB; "" where there is none."""
    found = _ERROR_CLASS.search(message or "")
    return next((name for name in found.groups() if name), "") if found else ""


def _execute(programs: cluster.Programs, running: cluster.Cluster, statements: Sequence[str]) -> None:
    """Run statements on the Thrift server, with the Python of Spark's environment."""
    done = subprocess.run(
        [programs.dbt.with_name("python"), _STATEMENTS, str(running.port)],
        input=json.dumps(statements),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ParityError(f"Spark refused a source: {done.stderr.strip()[-2000:]}")


def _compared(manifest: dict, duck: _Engine, spark: _Engine, file: Path, tables: Path) -> list[ModelParity]:
    models = []
    with warehouse.read_only(file) as connection:
        for unique_id in sorted(duck.nodes.keys() | spark.nodes.keys(), key=lambda key: manifest["nodes"][key]["fqn"]):
            node = manifest["nodes"][unique_id]
            sides = [engine.nodes.get(unique_id, Built("missing", 0.0)) for engine in (duck, spark)]
            comparison = None
            if all(side.is_good for side in sides):
                left = f"{warehouse.quoted(node['schema'])}.{warehouse.quoted(node['name'])}"
                files = str(tables / f"{node['schema']}.db" / node["name"] / "*.parquet").replace("'", "''")
                comparison = compare(connection, left, f"read_parquet('{files}')")
            models.append(ModelParity(node["schema"], node["name"], sides[0], sides[1], comparison))
    return models


def summary(found: Parity) -> str:
    """One line: models, rows, differences, seconds."""
    compared = [model.comparison for model in found.models if model.comparison is not None]
    unequal = sum(not model.is_equal for model in found.models)
    passed = sum(status == "pass" for status in found.unit_tests.values())
    units = f"; {passed} of {len(found.unit_tests)} unit tests pass on Spark" if found.unit_tests else ""
    return (
        f"{len(found.models)} models, {sum(one.left_rows for one in compared):,} rows compared, "
        f"{sum(one.differences for one in compared):,} rows different, {unequal} models not equal; "
        f"DuckDB {found.duckdb_seconds:.0f} s, Spark {found.spark_seconds:.0f} s and {found.cluster_seconds:.0f} s to start{units}"
    )


def clean(settings: Settings) -> None:
    """Remove what a comparison of the brand built."""
    shutil.rmtree(work_folder(settings), ignore_errors=True)
