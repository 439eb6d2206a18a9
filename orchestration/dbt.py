"""The dbt project seen from Dagster: manifest, asset keys and groups, and dbt's arguments as pure functions.

What a model computes belongs in dbt_project; when it runs belongs in `orchestration.defs.transform`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, DbtProject

from orchestration.settings import PROJECT_ROOT, Settings

PROJECT_DIR = PROJECT_ROOT / "dbt_project"
MANIFEST = PROJECT_DIR / "target" / "manifest.json"
# Stamp of the project text that the manifest was parsed from.
_STAMP = PROJECT_DIR / "target" / "manifest.stamp"

# One dbt invocation per group: as few as the gates between them allow, because each costs seconds of start-up.
SCORES_STAGED = "stg_churn_scores stg_propensity_scores"
WAREHOUSE_SELECT = "path:models/staging path:models/intermediate path:models/marts"
FEATURES_SELECT = "path:models/features"
ACTIVATION_SELECT = f"{SCORES_STAGED} path:models/tags path:models/segments path:models/metrics path:models/ops"

STAGE_OF_FOLDER = {
    "staging": "stage",
    "intermediate": "identify",
    "marts": "model",
    "features": "describe",
    "tags": "tag",
    "segments": "segment",
    "metrics": "measure",
    "ops": "measure",
}


def dbt_executable() -> str:
    """dbt of the environment that runs this process; PATH may name another one."""
    return str(Path(sys.executable).with_name("dbt"))


def project_files(project_dir: Path = PROJECT_DIR) -> list[Path]:
    """Every file that dbt reads, sorted."""
    folders = ("models", "macros", "tests", "seeds")
    files = [path for folder in folders for path in (project_dir / folder).rglob("*") if path.is_file()]
    return sorted([*files, project_dir / "dbt_project.yml", project_dir / "profiles.yml"])


def project_hash(project_dir: Path = PROJECT_DIR) -> str:
    """sha256 over names and contents of the dbt project's files."""
    digest = hashlib.sha256()
    for path in project_files(project_dir):
        digest.update(str(path.relative_to(project_dir)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def ensure_manifest(project_dir: Path = PROJECT_DIR) -> Path:
    """Parse the project if its text has changed since the manifest was made. Raises RuntimeError with dbt's message."""
    current = project_hash(project_dir)
    if MANIFEST.exists() and _STAMP.exists() and _STAMP.read_text() == current:
        return MANIFEST
    result = subprocess.run(
        [dbt_executable(), "--quiet", "parse", "--project-dir", str(project_dir), "--profiles-dir", str(project_dir)],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError(f"dbt cannot parse {project_dir}:\n{result.stdout}{result.stderr}")
    _STAMP.write_text(current)
    return MANIFEST


def load_manifest() -> dict[str, Any]:
    """The parsed project. Parses it first where that is due."""
    return json.loads(ensure_manifest().read_text(encoding="utf-8"))


def project() -> DbtProject:
    return DbtProject(project_dir=PROJECT_DIR, profiles_dir=PROJECT_DIR)


def cli_resource() -> DbtCliResource:
    return DbtCliResource(project_dir=str(PROJECT_DIR), profiles_dir=str(PROJECT_DIR), dbt_executable=dbt_executable())


def asset_key_of(schema: str, name: str) -> dg.AssetKey:
    """Dagster's key of a table: [schema, table], the same for dbt models, dbt sources and Python's tables."""
    return dg.AssetKey([schema, name])


class Translator(DagsterDbtTranslator):
    """Keys [schema, table]; group = the stage of the model's folder; daily models carry the brand's partitions."""

    def __init__(self, daily_partitions: dg.PartitionsDefinition) -> None:
        super().__init__(
            settings=DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=True)
        )
        self._daily_partitions = daily_partitions

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return asset_key_of(dbt_resource_props["source_name"], dbt_resource_props["name"])
        return asset_key_of(dbt_resource_props["schema"], dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        if dbt_resource_props["name"] in SCORES_STAGED.split():
            return (
                "predict"  # staged after the models have run: in the stage group they would make the picture a circle
            )
        return STAGE_OF_FOLDER.get(dbt_resource_props["fqn"][1])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        return ["team:data-engineering"]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return dbt_resource_props.get("description") or ""

    def get_partitions_def(self, dbt_resource_props: Mapping[str, Any]) -> dg.PartitionsDefinition | None:
        meta = dbt_resource_props.get("config", {}).get("meta", {}).get("dagster", {})
        return self._daily_partitions if meta.get("partitioned_by") == "business_date" else None


def build_arguments(*, full_refresh: bool) -> list[str]:
    """Arguments of one scheduled `dbt build`. Unit tests belong to the suite, not to the nightly run."""
    # buildable: a test that compares two tables runs in the invocation that builds the later one.
    arguments = ["build", "--exclude-resource-type", "unit_test", "--indirect-selection", "buildable"]
    return [*arguments, "--full-refresh"] if full_refresh else arguments


def dbt_environment(
    settings: Settings,
    *,
    as_of_date: date | None = None,
    known_at: str | None = None,
    window: tuple[date, date] | None = None,
) -> dict[str, str]:
    """Environment of a dbt process. Environment variables, unlike --vars, do not make dbt parse everything again."""
    environment = {
        "TESSERA_BRAND": settings.brand,
        "TESSERA_HOME": str(settings.home),
        "TESSERA_BUILD_FILE": str(settings.build_file),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    if as_of_date is not None:
        environment["TESSERA_AS_OF_DATE"] = as_of_date.isoformat()
    if known_at is not None:
        environment["TESSERA_KNOWN_AT"] = known_at
    if window is not None:
        environment["TESSERA_WINDOW_START"] = window[0].isoformat()
        environment["TESSERA_WINDOW_END"] = window[1].isoformat()
    return environment


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the length of a block, and put the old ones back."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
