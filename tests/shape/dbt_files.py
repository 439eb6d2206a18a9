"""The dbt project as the shape tests see it: parsed models, and the files as they are written.

Rules about it are the tests beside this file; what models compute is tested by dbt's unit tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestration.dbt import PROJECT_DIR, load_manifest
from orchestration.settings import PROJECT_ROOT

MODELS_DIR = PROJECT_DIR / "models"
# A model may read its own folder and those before it.
FOLDERS = ("staging", "reference", "intermediate", "marts", "features", "tags", "segments", "metrics", "ops")
DESCRIBED = ("reference", "marts", "features", "segments", "metrics", "ops")

_COMMENTS = re.compile(r"\{#.*?#\}|/\*.*?\*/|--[^\n]*", re.DOTALL)


def without_comments(sql: str) -> str:
    """SQL without dbt's and SQL's comments; texts in quotes that hold two dashes do not occur."""
    return _COMMENTS.sub("", sql)


@dataclass(frozen=True)
class Model:
    name: str
    folder: str
    path: Path
    description: str
    columns: dict[str, str]
    parents: tuple[str, ...]  # names of models
    sources: tuple[str, ...]
    is_contract_enforced: bool
    raw: str

    @property
    def code(self) -> str:
        return without_comments(self.raw)


@dataclass(frozen=True)
class UnitTest:
    name: str
    model: str
    overridden: dict[str, Any]


@dataclass(frozen=True)
class Project:
    models: dict[str, Model]
    unit_tests: tuple[UnitTest, ...]
    macros: frozenset[str]


def read_project() -> Project:
    manifest = load_manifest()
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    return Project(
        models={node["name"]: _model(node) for node in nodes},
        unit_tests=tuple(
            UnitTest(test["name"], test["model"], ((test.get("overrides") or {}).get("macros")) or {})
            for test in manifest["unit_tests"].values()
        ),
        macros=frozenset(macro["name"] for macro in manifest["macros"].values()),
    )


def _model(node: dict[str, Any]) -> Model:
    path = PROJECT_DIR / node["original_file_path"]
    parents = node["depends_on"]["nodes"]
    return Model(
        name=node["name"],
        folder=node["fqn"][1],
        path=path,
        description=node["description"],
        columns={name: column["description"] for name, column in node["columns"].items()},
        parents=tuple(parent.split(".")[-1] for parent in parents if parent.startswith("model.")),
        sources=tuple(parent for parent in parents if parent.startswith("source.")),
        is_contract_enforced=node["contract"]["enforced"],
        raw=path.read_text(encoding="utf-8"),
    )


def sql_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((PROJECT_DIR / folder).rglob("*.sql"))


def yaml_files() -> list[Path]:
    return sorted([*MODELS_DIR.rglob("*.yml"), *MODELS_DIR.rglob("*.yaml")])


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML in which a repeated key is an error: the usual loader keeps the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = {key for key in keys if keys.count(key) > 1}
        if repeated:
            raise yaml.constructor.ConstructorError(None, None, f"repeated keys: {sorted(repeated)}", node.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(text: str) -> Any:
    return yaml.load(text, Loader=UniqueKeyLoader)  # a SafeLoader


def relative(path: Path) -> str:
    return str(path.relative_to(PROJECT_ROOT))
