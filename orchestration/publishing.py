"""Write, audit, publish: how a build file becomes the file that analysts read.

A publication is staged beside the target, audited by the caller, then promoted by renames, so that a reader sees one
whole version or another and never waits. Callers hold `orchestration.locking.brand_lock`. Judging what was staged
belongs in `orchestration.quality`; copying tables belongs in `orchestration.warehouse`.

    published/current.duckdb                 what analysts open: a hard link to the current version
    published/manifest.json                  a copy of versions/<current version>.json
    published/versions/<version>.duckdb      the last versions kept, read-only
    published/versions/<version>.json        manifest of each
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

from orchestration import warehouse
from orchestration.locking import RunLocked, brand_lock, is_alive
from orchestration.settings import Settings

_log = logging.getLogger(__name__)

DEFAULT_SCHEMAS = ("reference", "marts", "tags", "segments", "ml", "metrics", "ops")
DEFAULT_KEEP_VERSIONS = 5
REQUIRED_EXTRA = ("as_of_date", "known_at", "input_fingerprint")
SUMMARY_KEYS = ("passed", "failed", "warned")

_STAMP = "%Y%m%dT%H%M%SZ"
_VERSION = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}")
# What a process works on before a rename; the number is its pid.
_UNFINISHED = re.compile(r"\.staging-(?P<staging>\d+)\.duckdb.*|\..+\.(?P<replacement>\d+)")
_PUBLICATION = ("ops", "publication")
# Another form of tables that are published: as tables of their own they would be most of the file.
VIEWS = frozenset({("tags", "tag_history"), ("tags", "member_tags_long")})
# Written by this module; manifest_extra may not set them.
_OWN_KEYS = frozenset(
    {"version", "brand", "published_at", "row_counts", "gates", "sha256", "file", "previous_version", "schemas"}
)


class PublishError(RuntimeError):
    """Publishing, rolling back or reading what is published failed; str() names the file and what to do."""


@dataclass(frozen=True)
class StagedPublication:
    """A copy that nobody reads yet: audit `file`, then `promote` or `discard` it.

    The audit may add to `file` (its own results); `manifest` holds the row counts of before.
    """

    settings: Settings
    version: str
    file: Path
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class PublishedVersion:
    """A version that is kept and can become current."""

    version: str
    file: Path
    manifest: Mapping[str, Any]
    is_current: bool
    size_bytes: int


# ---- where things are --------------------------------------------------------------------------------------------


def manifest_file(settings: Settings) -> Path:
    return settings.published_dir / "manifest.json"


def versions_dir(settings: Settings) -> Path:
    return settings.published_dir / "versions"


def _version_file(settings: Settings, version: str) -> Path:
    return versions_dir(settings) / f"{version}.duckdb"


def _version_manifest(settings: Settings, version: str) -> Path:
    return versions_dir(settings) / f"{version}.json"


# ---- stage, promote, discard -------------------------------------------------------------------------------------


def stage_publication(
    settings: Settings, *, schemas: Sequence[str] = DEFAULT_SCHEMAS, manifest_extra: Mapping[str, Any]
) -> StagedPublication:
    """Copy `schemas` of the build file beside the published ones, with one row in ops.publication.

    `manifest_extra` needs as_of_date (date), known_at (UTC datetime) and input_fingerprint (text), may carry
    code_version, and anything else JSON can hold; it goes into the manifest. Views become tables.
    Raises PublishError; what was half written is then gone and the current publication untouched.
    """
    extra = _checked_extra(manifest_extra)
    build = settings.build_file
    if not build.exists():
        raise PublishError(f"no build file {build}; run `tessera run --brand {settings.brand}` to build one")
    folder = versions_dir(settings)
    staging = folder / f".staging-{os.getpid()}.duckdb"
    with _undone_on_error(settings, staging, doing=f"staging a copy of {build}"):
        folder.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(settings)
        published_at = _now()
        version = _next_version(settings, published_at, extra)
        try:
            row_counts = warehouse.copy_schemas(build, staging, schemas, without={_PUBLICATION}, views=VIEWS)
        except warehouse.MissingSchema as error:
            raise PublishError(
                f"{build} has no schema {error}, which is to be published; build the models that fill it "
                "(`dbt build` in dbt_project/, or a full run), or take it off the list of published schemas"
            ) from error
        manifest: dict[str, Any] = {
            "version": version,
            "brand": settings.brand,
            "published_at": published_at,
            "schemas": list(schemas),
            "row_counts": row_counts | {".".join(_PUBLICATION): 1},
        } | extra
        _write_publication_row(staging, manifest)
        _sync(staging)
    return StagedPublication(settings, version, staging, manifest)


def promote(
    staged: StagedPublication,
    gate_results_summary: Mapping[str, int],
    *,
    keep_versions: int = DEFAULT_KEEP_VERSIONS,
) -> dict[str, Any]:
    """Make the audited copy current and return its manifest.

    `gate_results_summary` counts checks: passed, failed, warned. A failed one refuses the promotion.
    The newest `keep_versions` (>= 1) are kept, and the current one whatever its age.
    Raises PublishError; up to the swap of current.duckdb nothing that was published has changed by then.
    """
    settings, version = staged.settings, staged.version
    gates = _checked_summary(gate_results_summary)
    if keep_versions < 1:
        raise ValueError(f"keep_versions must be at least 1, found {keep_versions}")
    if not staged.file.exists():
        raise PublishError(f"no staged file {staged.file}; it was promoted or discarded before: stage it again")
    if gates["failed"]:
        discard(staged)
        raise PublishError(
            f"{gates['failed']} checks failed: {settings.published_file} stays as it is. "
            "Mend what the run's failed checks name and run again"
        )
    published, kept_as = _version_file(settings, version), _version_manifest(settings, version)
    with _undone_on_error(settings, staged.file, published, kept_as, doing=f"publishing version {version}"):
        previous = _current_or_claimed(settings)
        # The audit may have written its own results into the copy: count, sync and digest what readers will get.
        row_counts = warehouse.settle(staged.file)
        _sync(staged.file)
        manifest = _jsonable(dict(staged.manifest)) | {
            "row_counts": row_counts,
            "gates": gates,
            "sha256": _sha256(staged.file),
            "file": f"versions/{version}.duckdb",
            "previous_version": previous,
        }
        _write_json(kept_as, manifest)
        staged.file.chmod(0o444)
        staged.file.replace(published)
        _sync(published.parent)
        _activate(settings, version)
    try:
        _prune(settings, keep_versions, current=version)
    except OSError as error:
        # Published is published: an old file that cannot be removed must not turn the run red.
        _log.warning("old versions in %s could not be removed: %s", versions_dir(settings), error.strerror)
    return manifest


def latencies(manifest: Mapping[str, Any]) -> dict[str, float]:
    """Seconds until publication: of the newest event, and of the file that waited longest of those that are new in it.

    A clock is left out where nothing has it: no events, no new file. A brand's first publication takes in the past, so
    its files may have waited for years.
    """
    published = datetime.fromisoformat(manifest["published_at"])
    since = {"event_to_mart_seconds": "latest_event_at", "arrival_to_mart_seconds": "first_new_arrival_at"}
    return {
        name: (published - datetime.fromisoformat(manifest[clock])).total_seconds()
        for name, clock in since.items()
        if manifest.get(clock)
    }


def discard(staged: StagedPublication) -> None:
    """Remove a staged copy (a closed gate); the published file is untouched. Twice does no harm."""
    _remove_staging(staged.file)


# ---- what is published -------------------------------------------------------------------------------------------


def read_manifest(settings: Settings) -> dict[str, Any] | None:
    """The manifest of the current publication; None when nothing is published. Raises PublishError when unreadable."""
    path = manifest_file(settings)
    if not path.exists() or not settings.published_file.exists():
        return None
    manifest = _read_json(path)
    if manifest is None:
        raise PublishError(
            f"{path} cannot be read as JSON; `tessera status --brand {settings.brand}` writes it anew "
            "from the versions that are kept"
        )
    return manifest


def read_manifest_healed(settings: Settings) -> dict[str, Any] | None:
    """As `read_manifest`, for a process without the brand's lock: heals when that is needed and no run is going on.

    Raises PublishError as `heal` does.
    """
    with _explained(settings, doing="reading what is published"):
        claimed = _read_json(manifest_file(settings))
        if (claimed or {}).get("version") == current_version(settings):
            return claimed
        try:
            with brand_lock(replace(settings, lock_wait_seconds=0.0)):
                return heal(settings)
        except (RunLocked, PermissionError):
            # Between the two renames of a running promotion, or somebody who may only read: tell, do not mend.
            version = current_version(settings)
            return _read_json(_version_manifest(settings, version)) if version else None


def current_version(settings: Settings) -> str | None:
    """The version written inside current.duckdb; None when there is no such file. EngineError when it is damaged."""
    if not settings.published_file.exists():
        return None
    with warehouse.read_only(settings.published_file) as connection:
        row = connection.execute("select version from ops.publication").fetchone()
    return row[0] if row else None


def list_versions(settings: Settings) -> list[PublishedVersion]:
    """Versions that are kept with both their files, newest first."""
    current = _current_or_claimed(settings)
    found = []
    for version in _versions_on_disk(settings):
        file = _version_file(settings, version)
        manifest = _read_json(_version_manifest(settings, version))
        if manifest is not None and file.exists():
            found.append(PublishedVersion(version, file, manifest, version == current, file.stat().st_size))
    return found


def rollback(settings: Settings, version: str | None = None) -> dict[str, Any]:
    """Make an earlier version current (the newest older than the current one, or the one named); returns its manifest.

    Naming a newer one that is still kept rolls forward again. Works on a damaged current.duckdb too: that is when it is
    needed. Raises PublishError when there is none to go to, or its file is not what was published.
    """
    with _explained(settings, doing="rolling back"):
        kept = list_versions(settings)
        names = ", ".join(item.version + (" (current)" if item.is_current else "") for item in kept) or "none"
        if version is None:
            current = _current_or_claimed(settings)
            if current is None:
                raise PublishError(
                    f"nothing is published for {settings.brand} in {settings.published_dir}; "
                    f"run `tessera run --brand {settings.brand}` first"
                )
            chosen = next((item for item in kept if item.version < current), None)
            if chosen is None:
                raise PublishError(f"no version older than the current {current} is kept; kept are: {names}")
        else:
            chosen = next((item for item in kept if item.version == version), None)
            if chosen is None:
                raise PublishError(f"no version {version!r} in {versions_dir(settings)}; kept are: {names}")
        if _sha256(chosen.file) != chosen.manifest.get("sha256"):
            raise PublishError(
                f"{chosen.file} is not the file that was published (its sha256 differs from the manifest's); "
                f"choose another version with --to. Kept are: {names}"
            )
        _activate(settings, chosen.version)
        return dict(chosen.manifest)


def heal(settings: Settings) -> dict[str, Any] | None:
    """Make manifest.json tell the truth about current.duckdb and return it; None when nothing is published.

    A process that dies between the two renames leaves the new file under the old manifest. The version written inside
    the file decides. Changes nothing when both agree. Call it holding the brand's lock, or when no run is going on.
    Raises PublishError when current.duckdb cannot be read or its version's manifest is gone.
    """
    with _explained(settings, doing="reading what is published"):
        claimed = _read_json(manifest_file(settings))
        if not settings.published_file.exists():
            lost = (claimed or {}).get("version")
            if lost is None or not _version_file(settings, lost).exists():
                return None
            _activate(settings, lost)  # someone removed the link; the version itself is kept
            return _read_json(manifest_file(settings))
        version = current_version(settings)
        if claimed is not None and claimed.get("version") == version:
            return claimed
        truth = _read_json(_version_manifest(settings, version)) if version else None
        if truth is None:
            raise PublishError(
                f"{settings.published_file} holds version {version}, whose manifest "
                f"{_version_manifest(settings, version or '?')} is gone; publish anew with `tessera run --brand "
                f"{settings.brand} --force`, or go to a kept one with `tessera rollback --to VERSION`"
            )
        _write_json(manifest_file(settings), truth)
        return truth


def code_version() -> str:
    """The project's version, with the commit where the code is a git checkout: "0.1.0+g1a2b3c4"."""
    base = metadata.version("tessera")
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return base
    return f"{base}+g{described}" if described else base


# ---- steps -------------------------------------------------------------------------------------------------------


def _activate(settings: Settings, version: str) -> None:
    """Swap current.duckdb, then manifest.json, each by one rename; `heal` mends what a death between the two leaves.

    Both are whole on disk before the first rename, so that a full disk cannot come between them.
    """
    manifest = _read_json(_version_manifest(settings, version))
    if manifest is None:
        raise PublishError(f"{_version_manifest(settings, version)} is gone or cannot be read; publish anew")
    with _replacement(settings.published_file) as database, _replacement(manifest_file(settings)) as document:
        _link(_version_file(settings, version), database)
        _dump(manifest, document)
        database.replace(settings.published_file)
        document.replace(manifest_file(settings))
    _sync(settings.published_dir)


def _link(source: Path, target: Path) -> None:
    """A hard link, or a copy on a file system that has none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        target.chmod(0o444)
        _sync(target)


def _prune(settings: Settings, keep_versions: int, *, current: str) -> None:
    """Remove what is beyond the newest `keep_versions` and halves that a death left; never the current version."""
    kept = {item.version for item in list_versions(settings)[:keep_versions]} | {current}
    for version in _versions_on_disk(settings):
        if version not in kept:
            # The database first: a manifest alone is offered to nobody.
            _version_file(settings, version).unlink(missing_ok=True)
            _version_manifest(settings, version).unlink(missing_ok=True)


def _versions_on_disk(settings: Settings) -> list[str]:
    """Names that have a database or a manifest, newest first."""
    stems = {p.stem for p in versions_dir(settings).glob("*") if p.suffix in (".duckdb", ".json")}
    return sorted((s for s in stems if _VERSION.fullmatch(s)), reverse=True)


def _now() -> datetime:
    return datetime.now(UTC)


def _next_version(settings: Settings, published_at: datetime, extra: Mapping[str, Any]) -> str:
    """A name that sorts after every version on disk, even if two fall into one second or the clock went back."""
    moment = published_at.replace(microsecond=0)
    newest = next(iter(_versions_on_disk(settings)), None)
    if newest is not None:
        stamp = datetime.strptime(newest.partition("-")[0], _STAMP).replace(tzinfo=UTC)
        moment = max(moment, stamp + timedelta(seconds=1))
    seed = json.dumps([settings.brand, published_at.isoformat(), os.getpid(), _jsonable(dict(extra))], sort_keys=True)
    return f"{moment.strftime(_STAMP)}-{hashlib.sha256(seed.encode()).hexdigest()[:6]}"


def _current_or_claimed(settings: Settings) -> str | None:
    """As `current_version`; what the manifest claims when current.duckdb is damaged."""
    try:
        return current_version(settings)
    except (OSError, warehouse.EngineError):
        return (_read_json(manifest_file(settings)) or {}).get("version")


def _write_publication_row(file: Path, manifest: Mapping[str, Any]) -> None:
    columns = ("version", "brand", "as_of_date", "known_at", "published_at", "code_version")
    with warehouse.writer(file) as connection:
        connection.execute("create schema if not exists ops")
        connection.execute(
            "create table ops.publication (version text not null, brand text not null, as_of_date date not null, "
            "known_at timestamptz not null, published_at timestamptz not null, code_version text not null)"
        )
        connection.execute("comment on table ops.publication is 'One row: which publication this file is.'")
        connection.execute("insert into ops.publication values (?, ?, ?, ?, ?, ?)", [manifest[c] for c in columns])
        connection.execute("checkpoint")


def _checked_extra(extra: Mapping[str, Any]) -> dict[str, Any]:
    missing = [key for key in REQUIRED_EXTRA if extra.get(key) is None]
    if missing:
        raise ValueError(f"manifest_extra lacks {', '.join(missing)}; it needs {', '.join(REQUIRED_EXTRA)}")
    if taken := sorted(_OWN_KEYS & extra.keys()):
        raise ValueError(f"manifest_extra may not set {', '.join(taken)}; publishing writes these itself")
    if isinstance(extra["as_of_date"], datetime) or not isinstance(extra["as_of_date"], date):
        raise ValueError("manifest_extra as_of_date must be a date")
    known_at = extra["known_at"]
    if not isinstance(known_at, datetime) or known_at.tzinfo is None:
        raise ValueError("manifest_extra known_at must be a datetime with a zone")
    return {"code_version": code_version()} | dict(extra) | {"known_at": known_at.astimezone(UTC)}


def _checked_summary(summary: Mapping[str, int]) -> dict[str, int]:
    if set(summary) != set(SUMMARY_KEYS):
        raise ValueError(
            f"gate_results_summary must hold {', '.join(SUMMARY_KEYS)}; found {', '.join(sorted(summary))}"
        )
    return {key: int(summary[key]) for key in SUMMARY_KEYS}


# ---- errors and clean-up -----------------------------------------------------------------------------------------


@contextmanager
def _explained(settings: Settings, *, doing: str) -> Iterator[None]:
    """Turn what the file system or the engine raises into a PublishError that says what to do."""
    try:
        yield
    except PublishError:
        raise
    except OSError as error:
        path = error.filename2 or error.filename or settings.published_dir
        reason = error.strerror or type(error).__name__
        raise PublishError(f"{doing} failed at {path}: {reason}. {_remedy(settings)}") from error
    except warehouse.EngineError as error:
        raise PublishError(f"{doing} failed: {warehouse.reason_of(error)}. {_remedy(settings)}") from error


def _remedy(settings: Settings) -> str:
    free = ""
    with suppress(OSError):
        free = f" ({shutil.disk_usage(settings.home).free / 1e9:.1f} GB free)"
    state = "what was published before stays current" if settings.published_file.exists() else "nothing is published"
    return f"Check space{free} and permissions under {settings.brand_home}, then run again; {state}"


@contextmanager
def _undone_on_error(settings: Settings, staging: Path, *made: Path, doing: str) -> Iterator[None]:
    """As `_explained`, and on any error or interrupt remove the staged file and, unless it became current, `made`."""
    try:
        with _explained(settings, doing=doing):
            yield
    except BaseException:
        with suppress(OSError):
            _remove_staging(staging)
        if made and not _is_current(settings, made[0]):
            for path in made:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
        raise


def _is_current(settings: Settings, file: Path) -> bool:
    try:
        return current_version(settings) == file.stem
    except (OSError, warehouse.EngineError):
        return settings.published_file.exists()  # unreadable: then remove nothing


def _remove_staging(file: Path) -> None:
    """The staged file and what the engine keeps beside it (.wal, .tmp)."""
    for path in file.parent.glob(f"{file.name}*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _remove_leftovers(settings: Settings) -> None:
    """What processes that died while publishing left; the files of a living one are left alone."""
    for path in [*versions_dir(settings).iterdir(), *settings.published_dir.iterdir()]:
        match = _UNFINISHED.fullmatch(path.name)
        pid = int(match["staging"] or match["replacement"]) if match else None
        if pid is not None and (pid == os.getpid() or not is_alive(pid)):
            _remove_staging(path)


# ---- files -------------------------------------------------------------------------------------------------------


def _sync(path: Path) -> None:
    """Force a file, or a folder's names, to disk: a rename may not reach it before what it names does."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _jsonable(document: dict[str, Any]) -> dict[str, Any]:
    """Dates as ISO text; UTC moments end in Z."""

    def convert(value: Any) -> str:
        if isinstance(value, datetime):
            return value.isoformat().replace("+00:00", "Z")
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Path):
            return str(value)
        raise TypeError(f"a manifest cannot hold a {type(value).__name__}")

    return json.loads(json.dumps(document, default=convert, ensure_ascii=False))


@contextmanager
def _replacement(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to and rename from; gone afterwards, whatever happened."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
    finally:
        # Also after success: renaming a hard link over another of the same file does nothing and leaves both.
        temporary.unlink(missing_ok=True)


def _dump(document: Mapping[str, Any], path: Path) -> None:
    """Write JSON that all may read and nobody write, and force it to disk."""
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    path.chmod(0o444)
    _sync(path)


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Replace `path` in one step."""
    with _replacement(path) as temporary:
        _dump(document, temporary)
        temporary.replace(path)
    _sync(path.parent)


def _read_json(path: Path) -> dict[str, Any] | None:
    """The object in `path`; None when it is not there or not an object."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
