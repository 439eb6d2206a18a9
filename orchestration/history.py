"""The past and parts of the present: the warehouse as of a day (`rebuild`), a model or some dates alone (`backfill`).

Both run the job that every run runs, on fewer assets. What is computed belongs in dbt and `ml`, a whole run in
`orchestration.runner`, whether two files hold the same in `orchestration.comparison`.
"""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestration import publishing, report
from orchestration.brands import Brand, load_brand, suggest
from orchestration.dbt import load_manifest
from orchestration.locking import brand_lock
from orchestration.model_registry import copy_registry
from orchestration.runner import RUN_FAILED, execute, parse_problem, range_tags_of
from orchestration.settings import Settings

# Schemas of assets that bring data in: neither command lands anything.
_LANDED = "raw"


class HistoryError(ValueError):
    """What was asked for cannot be built; str() says what can."""


@dataclass(frozen=True)
class Moment:
    """A cut, and what was known at it. `known_at` None: whatever is known now."""

    as_of_date: date
    known_at: datetime | None = None

    @property
    def label(self) -> str:
        """A folder's name: 2026-05-01, or 2026-05-01_20260501T030000.000000Z."""
        known = f"_{self.known_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}Z" if self.known_at else ""
        return f"{self.as_of_date}{known}"


def kept_version(settings: Settings, version: str | None) -> publishing.PublishedVersion:
    """A kept version (default: the current one). Raises HistoryError when there is none."""
    kept = publishing.list_versions(settings)
    found = next((item for item in kept if (item.is_current if version is None else item.version == version)), None)
    if found is None:
        names = [item.version for item in kept]
        raise HistoryError(
            f"{settings.brand} keeps no version {version}; {suggest(version, names)}"
            if version
            else f"nothing of {settings.brand} is published yet"
        )
    return found


def moment_of(version: publishing.PublishedVersion) -> Moment:
    """The clocks of a version."""
    manifest = version.manifest
    return Moment(date.fromisoformat(manifest["as_of_date"]), datetime.fromisoformat(manifest["known_at"]))


def rebuilt(settings: Settings, moment: Moment) -> Settings:
    """Settings of the folder in which a moment is built: `<brand home>/rebuilds/<as of>[_<known at>]`."""
    return replace(settings, home=settings.brand_home / "rebuilds" / moment.label)


def rebuild(settings: Settings, moment: Moment, console: Console) -> tuple[int, Path]:
    """Build the warehouse of a moment from the lake, apart from the brand's own. Returns 0 or 1, and the published file.

    Rows loaded after `known_at` do not exist, and every snapshot is cut at `as_of_date`. Code, configuration and reference
    data are those of today. Gates are asked as in any run; what is published to analysts is untouched.
    """
    brand = load_brand(settings)
    target = rebuilt(settings, moment)
    if not (settings.lake / "batches").is_dir():
        raise HistoryError(
            f"nothing of {settings.brand} has landed yet; run `tessera run --brand {settings.brand}` first"
        )
    if moment.as_of_date <= brand.calendar_start:
        raise HistoryError(f"{moment.as_of_date} is not after calendar_start ({brand.calendar_start}) of brand.yml")
    with brand_lock(settings):
        shutil.rmtree(target.home, ignore_errors=True)
        target.brand_home.mkdir(parents=True)
        # The one lake there is, read only: no raw asset runs. A simulated brand finds its files made.
        for folder in (settings.lake, settings.generated_sources, settings.truth_dir):
            if folder.is_dir():
                (target.brand_home / folder.name).symlink_to(folder.resolve(), target_is_directory=True)
        copy_registry(settings, target)
        options = {
            "as_of_date": moment.as_of_date.isoformat(),
            "known_at": moment.known_at.isoformat() if moment.known_at else "",
            "full_refresh": True,
        }
        console.print(f"[bold]{settings.brand}[/] {moment.label}: building in {target.brand_home}")
        code = _execute(target, brand, console, options, lambda graph: _not_landed(graph.materializable_asset_keys))
    return code, target.published_file


def backfill(settings: Settings, model: str, window: tuple[date, date] | None, console: Console) -> int:
    """Build a model and what is computed from it again, for the business dates of `window` or wholly, and publish.

    Models that do not go by business date are built whole. Returns 0 when everything is published, 1 when a stage or a gate failed.
    Raises HistoryError for a model that is not there or a window outside the calendar.
    """
    brand = load_brand(settings)
    key = _asset_of(model)
    if window is not None:
        _check_window(brand, window)
    if not settings.build_file.exists():
        raise HistoryError(f"{settings.brand} has never been built; run `tessera run --brand {settings.brand}` first")
    with brand_lock(settings, lend=True):
        days = f"{window[0]} to {window[1]}" if window else "all dates"
        console.print(f"[bold]{settings.brand}[/]: building {model} and what depends on it again, {days}")
        options = {"full_refresh": window is None}
        return _execute(settings, brand, console, options, lambda graph: _behind(graph, key), window)


def _check_window(brand: Brand, window: tuple[date, date]) -> None:
    first, last = window
    if first > last:
        raise HistoryError(f"--from {first} lies after --to {last}")
    end = brand.calendar_end
    if first < brand.calendar_start or (end and last > end):
        raise HistoryError(
            f"{first} to {last} is not within the calendar of brand.yml: {brand.calendar_start} to {end or 'today'}"
        )


def _asset_of(model: str) -> tuple[str, str]:
    """(schema, table) of a dbt model."""
    nodes = load_manifest()["nodes"].values()
    models = {node["name"]: node["schema"] for node in nodes if node["resource_type"] == "model"}
    if model not in models:
        raise HistoryError(f"no model {model}; {suggest(model, sorted(models))}")
    return models[model], model


def _not_landed(keys: Any) -> set[Any]:
    return {key for key in keys if key.path[0] != _LANDED}


def _behind(graph: Any, key: tuple[str, str]) -> set[Any]:
    """The asset and all that is computed from it."""
    import dagster as dg

    found = dg.AssetSelection.assets(dg.AssetKey(list(key))).downstream().resolve(graph)
    return _not_landed(found & graph.materializable_asset_keys)


def _execute(
    settings: Settings,
    brand: Brand,
    console: Console,
    options: dict[str, Any],
    select: Any,
    window: tuple[date, date] | None = None,
) -> int:
    broken = parse_problem()
    if broken:
        console.print(broken, markup=False, highlight=False, soft_wrap=True)
        return RUN_FAILED

    def tags() -> dict[str, str]:
        from orchestration.defs.automation.jobs import RANGE_END, RANGE_START

        if window is None:
            return range_tags_of(brand, [])
        return {RANGE_START: window[0].isoformat(), RANGE_END: window[1].isoformat()}

    result, _ = execute(settings, tags=tags, options=options, run_id=str(uuid.uuid4()), select=select)
    manifest = publishing.read_manifest(settings)
    if not result.success:
        report.failure(settings, result, manifest, console)
        return RUN_FAILED
    assert manifest is not None
    console.print(
        f"published version {manifest['version']} (as of {manifest['as_of_date']}): {settings.published_file}"
    )
    return 0
