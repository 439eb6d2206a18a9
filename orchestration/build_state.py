"""What a build was made from, as hashes: when a build may go on incrementally, and when there is nothing to do.

The hashes are compared here; making the build belongs in dbt and Dagster.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo

from orchestration import reference, warehouse
from orchestration.brands import Brand
from orchestration.landing.vocabulary import EVENTS_FILE
from orchestration.model_registry import operator_decisions
from orchestration.settings import Settings

# Their results are in the published tables, so another version of them is another input.
_LIBRARIES = (
    "dagster",
    "dbt-core",
    "dbt-duckdb",
    "duckdb",
    "pandas",
    "numpy",
    "scikit-learn",
    "great-expectations",
    *reference.LIBRARIES,
)


def hash_files(files: Iterable[Path], root: Path) -> str:
    """sha256 over relative names and contents, in sorted order."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _text_files(*folders: Path) -> list[Path]:
    suffixes = {".py", ".sql", ".yml", ".yaml", ".toml", ".csv"}
    return [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix in suffixes
        and "target" not in path.relative_to(folder).parts
        and not path.name.endswith("__unit_tests.yml")  # they judge models, they do not make them
    ]


def _incremental_inputs(settings: Settings) -> str:
    """Hash of what incremental models are computed with: a change makes their old rows wrong."""
    dbt = settings.dbt_project_dir
    folders = [dbt / "models" / name for name in ("staging", "reference", "intermediate", "marts", "metrics")]
    folders += [folder for folder in (dbt / "macros").iterdir() if folder.is_dir() and folder.name != "tags"]
    code = hash_files(_text_files(*folders), settings.project_root)
    vocabulary = EVENTS_FILE.read_text(encoding="utf-8")  # its roles stand in fct_events
    return hashlib.sha256(
        f"{code}{vocabulary}{hash_files(_model_configuration(settings), settings.brands_dir)}".encode()
    ).hexdigest()


def _model_configuration(settings: Settings) -> list[Path]:
    """A brand's files but those of its audiences: no model reads these, and a changed audience rebuilds nothing but itself."""
    own = (settings.brand_dir / "audiences", settings.brand_dir / "destinations.yml")
    return [path for path in _text_files(settings.brand_dir) if path not in own and own[0] not in path.parents]


_HAS_STATE = (
    "select count(*) > 0 from information_schema.columns "
    "where table_schema = 'config' and table_name = 'build_state' and column_name = 'model_group'"
)


def needs_full_refresh(settings: Settings, brand: Brand, group: str) -> bool:
    """True when the models of `group` (one dbt invocation) were made by other SQL or configuration, or by nobody yet."""
    with warehouse.read_only(settings.build_file) as connection:
        if connection.execute(_HAS_STATE).fetchone() != (True,):
            return True
        row = connection.execute(
            "select incremental_inputs from config.build_state where model_group = ?", [group]
        ).fetchone()
    return row is None or row[0] != _incremental_inputs(settings)


def record(settings: Settings, brand: Brand, group: str) -> None:
    """Remember what the models of `group` were just built with. Each group by itself: a run may end between two."""
    values = [brand.brand, group, _incremental_inputs(settings)]
    with warehouse.writer(settings.build_file) as connection:
        if connection.execute(_HAS_STATE).fetchone() != (True,):
            connection.execute(
                "create or replace table config.build_state (brand text, model_group text, incremental_inputs text)"
            )
        connection.execute("delete from config.build_state where model_group = ?", [group])
        connection.execute("insert into config.build_state values (?, ?, ?)", values)


def input_fingerprint(settings: Settings, brand: Brand, *, as_of_date: str = "") -> str:
    """Hash of everything but the source files that a publication depends on.

    Code, configuration, library versions, the cut asked for and, for a brand on today's clock, the business day.
    Whether source files are new is asked of the lake (`landing.land.pending`), which is cheaper and exact.
    """
    root = settings.project_root
    code = hash_files(_text_files(root / "orchestration", root / "ml", root / "dbt_project"), root)
    configuration = hash_files(_text_files(settings.brand_dir), settings.brands_dir)
    # The pack of audiences and the destinations that all brands share.
    shared = hash_files(_text_files(root / "brands" / "_shared"), root)
    versions = ",".join(f"{name}={metadata.version(name)}" for name in _LIBRARIES)
    today = datetime.now(ZoneInfo(brand.zone)).date().isoformat() if brand.clock.as_of == "today" else ""
    parts = [code, configuration, shared, versions, as_of_date, today]
    if brand.identity.probabilistic.enabled and settings.measured_identity.exists():
        parts.append(settings.measured_identity.read_text(encoding="utf-8"))  # which probable pairs may be joined
    if decided := operator_decisions(settings):
        parts.append(decided)  # who scores
    return hashlib.sha256("|".join(parts).encode()).hexdigest()
