"""Where things are: environment variables to paths, nothing else.

Every TESSERA_* variable is listed here. An unknown one raises, so a misspelt name cannot be ignored silently.
Reading a brand's YAML belongs in `orchestration.brands`; opening DuckDB belongs in `orchestration.warehouse`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DEFAULT_BRAND = "demo"

# name -> what it does; the whole public surface of the environment.
ENVIRONMENT = {
    "TESSERA_HOME": "folder for lake, warehouse, published files and artifacts of every brand (default ./data)",
    "TESSERA_SOURCES": "root folder of source files that brands read (no default; needed by brands with file sources)",
    "TESSERA_BRAND": f"brand that Dagster's code location and plain dbt work on (default {DEFAULT_BRAND})",
    "TESSERA_BRANDS": "folder of brand configurations (default ./brands)",
    "TESSERA_BUILD_FILE": "dbt only: the DuckDB build file (default: derived from TESSERA_HOME and TESSERA_BRAND)",
    "TESSERA_AS_OF_DATE": "first business date that is NOT known to a snapshot (default: the brand's `clock`)",
    "TESSERA_KNOWN_AT": "UTC timestamp; rows loaded after it are ignored (default: now)",
    "TESSERA_WINDOW_START": "first business date to rebuild, whatever has changed (set by a backfill)",
    "TESSERA_WINDOW_END": "last business date to rebuild, whatever has changed (set by a backfill)",
    "TESSERA_DBT_THREADS": "dbt threads (default 2)",
    "TESSERA_SPARK_PORT": "dbt only: port on loopback of Spark's Thrift server (set by `tessera parity`)",
    "TESSERA_LOCK_WAIT_SECONDS": "how long a run waits for another run of the brand to end (default 0)",
}
# Secrets of databases and APIs: `TESSERA_SECRET_<NAME>`, named by a source's YAML, never written anywhere.
SECRET_PREFIX = "TESSERA_SECRET_"  # noqa: S105  the prefix of names, not a secret

_BRAND_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class SettingsError(ValueError):
    """The environment names something that does not exist or cannot be used."""


@dataclass(frozen=True)
class Settings:
    """Paths of one brand on this machine. Nothing is created by looking."""

    brand: str
    home: Path
    brands_dir: Path
    sources_root: Path | None
    lock_wait_seconds: float = 0.0
    project_root: Path = PROJECT_ROOT

    @property
    def brand_dir(self) -> Path:
        return self.brands_dir / self.brand

    @property
    def brand_home(self) -> Path:
        return self.home / self.brand

    @property
    def lake(self) -> Path:
        return self.brand_home / "lake"

    @property
    def generated_sources(self) -> Path:
        """Source files that the simulator made."""
        return self.brand_home / "sources"

    @property
    def truth_dir(self) -> Path:
        """What the simulator knows and no source says; nothing that builds a warehouse reads it."""
        return self.brand_home / "truth"

    @property
    def build_file(self) -> Path:
        return self.brand_home / "warehouse" / "build.duckdb"

    @property
    def measured_identity(self) -> Path:
        """What was measured of probable pairs of members; not there before `tessera identity measure`."""
        return self.brand_home / "identity" / "measured" / "measurement.json"

    @property
    def published_dir(self) -> Path:
        return self.brand_home / "published"

    @property
    def published_file(self) -> Path:
        return self.published_dir / "current.duckdb"

    @property
    def artifacts_dir(self) -> Path:
        return self.brand_home / "artifacts"

    @property
    def dagster_home(self) -> Path:
        return self.brand_home / "dagster"

    @property
    def lock_file(self) -> Path:
        return self.brand_home / "run.lock"

    @property
    def dbt_project_dir(self) -> Path:
        return self.project_root / "dbt_project"


def available_brands(brands_dir: Path) -> list[str]:
    """Names of the brands that have a configuration, sorted."""
    return sorted(p.parent.name for p in brands_dir.glob("*/brand.yml"))


def _is_unknown(name: str) -> bool:
    return name.startswith("TESSERA_") and name not in ENVIRONMENT and not name.startswith(SECRET_PREFIX)


def load_settings(brand: str | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; `brand` wins over TESSERA_BRAND.

    Raises SettingsError on an unknown TESSERA_* name, an unknown brand, or a value that cannot be used.
    """
    env = os.environ if environ is None else environ
    unknown = sorted(name for name in env if _is_unknown(name))
    if unknown:
        raise SettingsError(
            f"unknown environment variable {', '.join(unknown)}; known names are {', '.join(ENVIRONMENT)} "
            f"and {SECRET_PREFIX}<NAME>. "
            "Unset it, correct its spelling, or add it to ENVIRONMENT in orchestration/settings.py."
        )
    brands_dir = Path(env.get("TESSERA_BRANDS") or PROJECT_ROOT / "brands").expanduser().resolve()
    name = brand or env.get("TESSERA_BRAND") or DEFAULT_BRAND
    known = available_brands(brands_dir)
    if not _BRAND_NAME.fullmatch(name) or name not in known:
        raise SettingsError(
            f"unknown brand {name!r}; brands with a brand.yml in {brands_dir} are: {', '.join(known) or 'none'}. "
            f"To add one, see docs/add-a-brand.md."
        )
    try:
        lock_wait = float(env.get("TESSERA_LOCK_WAIT_SECONDS") or 0)
    except ValueError as error:
        raise SettingsError("TESSERA_LOCK_WAIT_SECONDS must be a number of seconds, such as 0 or 600") from error
    sources = env.get("TESSERA_SOURCES")
    return Settings(
        brand=name,
        home=Path(env.get("TESSERA_HOME") or PROJECT_ROOT / "data").expanduser().resolve(),
        brands_dir=brands_dir,
        sources_root=Path(sources).expanduser().resolve() if sources else None,
        lock_wait_seconds=lock_wait,
    )
