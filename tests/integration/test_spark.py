"""The same models on a Spark cluster of this test's own: every table equals DuckDB's, row by row, and no process is left.

The rules of comparison are tested without Spark in tests/unit/spark; `make spark-setup` and a Java of 17 or newer are what this needs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration import simulated, warehouse
from orchestration.brands import load_brand
from orchestration.dbt import load_manifest
from orchestration.landing.land import entities, land
from orchestration.settings import PROJECT_ROOT, Settings, load_settings
from orchestration.spark import cluster, parity
from orchestration.spark.compare import compare

pytestmark = [pytest.mark.slow, pytest.mark.spark]

TESSERA = Path(sys.executable).with_name("tessera")
# Small enough for two cores of a shared machine, and every kind of source has rows. The seed gives no file that is refused whole.
MEMBERS, SEED, FIRST_DAY = 600, 11, date(2026, 5, 2)


@dataclass(frozen=True)
class Compared:
    """What `tessera parity` printed and left."""

    settings: Settings
    outcome: subprocess.CompletedProcess[str]

    @property
    def models(self) -> dict[str, dict[str, Any]]:
        return {row["model"]: row for row in json.loads(self.outcome.stdout)}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    try:
        cluster.find_programs(parity.ENVIRONMENT)
    except cluster.SparkMissing as missing:
        pytest.skip(str(missing))
    root = tmp_path_factory.mktemp("spark")
    environ = _environ(root)
    settings = load_settings("demo", environ)
    _land(settings)
    outcome = subprocess.run(
        [TESSERA, "parity", "--format", "json", "--keep"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )
    print(outcome.stdout, outcome.stderr)  # shown by pytest when a test fails
    return Compared(settings, outcome)


def _environ(root: Path) -> Mapping[str, str]:
    """Environment of a small simulated brand below `root`: the demo brand, shorter and with fewer members."""
    source, brand = PROJECT_ROOT / "brands" / "demo", root / "brands" / "demo"
    brand.mkdir(parents=True)
    for path in source.iterdir():
        if path.name != "brand.yml":
            (brand / path.name).symlink_to(path)
    document = yaml.safe_load((source / "brand.yml").read_text(encoding="utf-8"))
    document["simulator"] = {"members": MEMBERS, "seed": SEED}
    document["calendar_start"] = FIRST_DAY
    (brand / "brand.yml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
    return kept | {"TESSERA_HOME": str(root / "home"), "TESSERA_BRANDS": str(root / "brands"), "TESSERA_BRAND": "demo"}


def _land(settings: Settings) -> None:
    brand = load_brand(settings)
    simulated.ensure_sources(settings, brand)
    for entity in entities(brand):
        land(settings, brand, entity)


def test_every_model_from_staging_to_features_equals_duckdbs(compared: Compared) -> None:
    assert compared.outcome.returncode == 0, compared.outcome.stderr[-2000:]
    folders = {"staging", "reference", "intermediate", "marts", "features"}
    expected = {
        f"{node['schema']}.{node['name']}"
        for node in load_manifest()["nodes"].values()
        if node["resource_type"] == "model"
        and node["fqn"][1] in folders
        and node["config"]["materialized"] != "ephemeral"
    }
    assert set(compared.models) == expected and len(expected) >= 69
    assert {row["status"] for row in compared.models.values()} == {"equal"}
    assert sum(row["differences"] for row in compared.models.values()) == 0


def test_the_tables_hold_what_was_simulated(compared: Compared) -> None:
    rows = {name: row["spark_rows"] for name, row in compared.models.items()}
    assert rows == {name: row["duckdb_rows"] for name, row in compared.models.items()}
    assert rows["marts.dim_members"] >= MEMBERS and rows["marts.fct_orders"] > 300 and rows["marts.fct_events"] > 15_000
    assert rows["marts.fct_refunds"] > 20 and rows["features.feat_members_purchases"] > 300


def test_no_process_of_the_cluster_is_left(compared: Compared) -> None:
    work = str(parity.work_folder(compared.settings)).encode()
    left = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if work in (entry / "cmdline").read_bytes():
                left.append(entry.name)
        except OSError:
            continue
    assert left == []


def test_one_cent_on_one_row_is_found(compared: Compared) -> None:
    work = parity.work_folder(compared.settings)
    (build,) = work.glob("duckdb/*/warehouse/build.duckdb")
    orders = str(work / "warehouse" / "marts.db" / "fct_orders" / "*.parquet").replace("'", "''")
    spoilt = (
        "(select * replace (case when row_number() over (order by order_id) = 7 then gross_amount + 0.01 else gross_amount end "
        f"as gross_amount) from read_parquet('{orders}'))"
    )
    with warehouse.read_only(build) as connection:
        assert compare(connection, "marts.fct_orders", f"read_parquet('{orders}')").is_equal
        found = compare(connection, "marts.fct_orders", spoilt)
    assert (found.differences, dict(found.columns)) == (2, {"gross_amount": 1})
