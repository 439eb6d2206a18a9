"""The dbt project seen from Dagster: manifest, asset keys and groups, and dbt's arguments as pure functions.

What a model computes belongs in dbt_project; when it runs belongs in `orchestration.defs.transform`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from orchestration import dbt_server
from orchestration.settings import PROJECT_ROOT, Settings

PROJECT_DIR = PROJECT_ROOT / "dbt_project"
MANIFEST = PROJECT_DIR / "target" / "manifest.json"
# Stamp of the project text that the manifest was parsed from.
_STAMP = PROJECT_DIR / "target" / "manifest.stamp"

# One dbt invocation per group: as few as the gates between them allow, because each costs seconds of start-up.
SCORES_STAGED = "stg_churn_scores stg_propensity_scores stg_segment_members stg_segment_cards"
WAREHOUSE_SELECT = "path:models/staging path:models/reference path:models/intermediate path:models/marts"
FEATURES_SELECT = "path:models/features"
ACTIVATION_SELECT = f"{SCORES_STAGED} path:models/tags path:models/segments path:models/metrics path:models/ops"

STAGE_OF_FOLDER = {
    "staging": "stage",
    "reference": "model",
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


class ParseError(RuntimeError):
    """dbt cannot parse the project; str() is dbt's own message."""


def ensure_manifest(project_dir: Path = PROJECT_DIR) -> Path:
    """Parse the project if its text has changed since the manifest was made. Raises ParseError with dbt's message."""
    current = project_hash(project_dir)
    if MANIFEST.exists() and _STAMP.exists() and _STAMP.read_text() == current:
        return MANIFEST
    arguments = ["--quiet", "parse", "--project-dir", str(project_dir), "--profiles-dir", str(project_dir)]
    process = _start(arguments, os.environ)
    said = "".join(process.stdout or ())
    if process.wait() != 0:
        raise ParseError(f"dbt cannot parse {project_dir}:\n{said}")
    _STAMP.write_text(current)
    return MANIFEST


def load_manifest() -> dict[str, Any]:
    """The parsed project. Parses it first where that is due."""
    return json.loads(ensure_manifest().read_text(encoding="utf-8"))


def project() -> DbtProject:
    return DbtProject(project_dir=PROJECT_DIR, profiles_dir=PROJECT_DIR)


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


def build_arguments(select: Sequence[str], exclude: Sequence[str] = (), *, full_refresh: bool = False) -> list[str]:
    """Arguments of one scheduled `dbt build` of the selected models and their data tests.

    Unit tests belong to the suite, not to the nightly run. Tests are selected `buildable`: one that compares two tables
    runs in the invocation that builds the later of them.
    """
    arguments = [
        "build",
        "--exclude-resource-type",
        "unit_test",
        "--indirect-selection",
        "buildable",
        "--select",
        *select,
    ]
    if exclude:
        arguments += ["--exclude", *exclude]
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


@dataclass(frozen=True)
class NodeResult:
    """What dbt says of one model or test. `failures` counts failing rows of a test."""

    unique_id: str
    status: str  # success | error | skipped for models; pass | warn | fail | error | skipped for tests
    failures: int
    seconds: float

    @property
    def is_test(self) -> bool:
        return self.unique_id.startswith("test.")

    @property
    def is_good(self) -> bool:
        return self.status in ("success", "pass", "warn")

    @property
    def name(self) -> str:
        return self.unique_id.split(".")[2]


@dataclass(frozen=True)
class Invocation:
    """One finished dbt process: its exit code, its nodes, and what it said where it could not even start on them."""

    return_code: int
    nodes: tuple[NodeResult, ...]
    complaint: str

    @property
    def failed(self) -> str:
        """Names of the nodes that failed, else what dbt complained of; empty when all went well."""
        names = ", ".join(sorted(node.name for node in self.nodes if not node.is_good))
        return names or (self.complaint or "dbt" if self.return_code else "")


def run_dbt(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    target: Path,
    logs: Path,
    tell: Callable[[str], None],
    executable: Path | None = None,
) -> Invocation:
    """Run dbt as a process of its own and give its results; `tell` gets a line of progress every few seconds.

    `executable` is the dbt of another environment than this process's.

    dagster-dbt's own `cli()` does the same, but first loads dbt into this process and asks it for its version, at seven
    seconds an invocation. Only dbt's command line and its run_results.json are used here, both of them public.
    """
    target.mkdir(parents=True, exist_ok=True)
    logs.mkdir(parents=True, exist_ok=True)
    _share_partial_parse(target)
    results_file = target / "run_results.json"
    results_file.unlink(missing_ok=True)
    whole = [
        *("--log-format", "json", "--log-format-file", "text", "--log-level-file", "info"),
        *("--log-path", str(logs), "--no-use-colors"),
        *arguments,
        *("--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR), "--target-path", str(target)),
    ]
    process = _start(whole, {**os.environ, **environment}, executable)
    errors: list[str] = []
    told, reached = time.monotonic(), 0
    try:
        for line in process.stdout or ():
            info, data = _event(line)
            if info.get("level") == "error" and info.get("msg"):
                errors.append(str(info["msg"]))
            reached = max(reached, int(data.get("index") or 0))  # nodes end in another order than they begin
            if data.get("index") and data.get("total") and time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                tell(f"dbt: {reached} of {data['total']}")
        return_code = process.wait()
    finally:
        # An interrupted run must not leave a writer behind that locks the build file.
        if process.poll() is None:
            process.terminate()
            process.wait()
    nodes = _read_nodes(results_file)
    return Invocation(return_code, nodes, "" if nodes else "\n".join(errors[:5]))


_TELL_SECONDS = 5.0


def _start(
    arguments: Sequence[str], environment: Mapping[str, str], executable: Path | None = None
) -> subprocess.Popen[str] | dbt_server.Invocation:
    """dbt at work: this environment's by the server that has imported it already, another's as a process."""
    if executable is None:
        return dbt_server.Invocation(arguments, environment)
    return subprocess.Popen(
        [str(executable), *arguments],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def _event(line: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """info and data of one line of dbt's JSON log; empty for a line that is none."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}, {}
    return event.get("info", {}), event.get("data", {})


def _read_nodes(results_file: Path) -> tuple[NodeResult, ...]:
    if not results_file.exists():
        return ()
    results = json.loads(results_file.read_text(encoding="utf-8"))["results"]
    return tuple(
        NodeResult(r["unique_id"], r["status"], int(r.get("failures") or 0), float(r["execution_time"]))
        for r in results
    )


def _share_partial_parse(target: Path) -> None:
    """Start from the parse that set-up made; without it the first run of a brand would parse everything again."""
    parsed = PROJECT_DIR / "target" / "partial_parse.msgpack"
    if parsed.exists() and not (target / parsed.name).exists():
        shutil.copyfile(parsed, target / parsed.name)
