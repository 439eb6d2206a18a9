"""Which files a source has: below TESSERA_SOURCES, in a package, made by the simulator, extracted, or in an object store.

Nothing outside its root is ever read. What is in a file belongs in the modules of the kinds.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from orchestration.brands import DATE_PLACEHOLDER, FileReader, Source
from orchestration.landing.errors import LandingError
from orchestration.landing.readers.common import SourceFile
from orchestration.settings import Settings

EXTRACTS = "extracts"
# Not stores: what they name lies on this machine, outside any root, or hides another address.
_LOCAL_SCHEMES = {
    "file",
    "local",
    "arrow_hdfs",
    "simplecache",
    "filecache",
    "blockcache",
    "zip",
    "tar",
    "dir",
    "reference",
}
# What file systems call the time of an object's last change.
_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "created")
_SURVIVES_GLOB = re.compile(r"[^*?\[\]]+")


def source_root(settings: Settings, source: Source) -> Path:
    """Folder that the source's path is relative to. Raises LandingError when it is not there."""
    reader = source.files
    if reader is None:
        return settings.lake / EXTRACTS / source.name
    if reader.location == "package":
        package = str(reader.python_package)
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise LandingError(
                f"{source.file}: reader.python_package: {package} is not installed; "
                "install it (`make setup`), or correct the name"
            )
        return Path(next(iter(spec.submodule_search_locations)))
    if reader.location == "generated":
        if not settings.generated_sources.is_dir():
            raise LandingError(
                f"{source.file}: the simulated sources are not there yet; run `tessera run --brand {settings.brand}`, "
                "which makes them"
            )
        return settings.generated_sources
    if settings.sources_root is None:
        raise LandingError(
            f"{source.file}: TESSERA_SOURCES is not set; set it to the folder that holds {reader.path} "
            "(export TESSERA_SOURCES=/path/to/sources)"
        )
    if not settings.sources_root.is_dir():
        raise LandingError(
            f"{source.file}: TESSERA_SOURCES is {settings.sources_root}, which is not a folder; "
            f"set it to the folder that holds {reader.path}"
        )
    return settings.sources_root


def _path_regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\{date\}|\*|\?)", pattern)
    wild = {DATE_PLACEHOLDER: r"(?P<date>\d{4}-\d{2}-\d{2})", "*": r"[^/]*", "?": r"[^/]"}
    return re.compile("".join(wild.get(part, re.escape(part)) for part in parts))


def _day(match: re.Match[str], below: str) -> date | None:
    if "date" not in match.re.groupindex:
        return None
    try:
        return date.fromisoformat(match["date"])
    except ValueError as error:
        raise LandingError(f"{below}: its name holds no real date (YYYY-MM-DD); rename it") from error


def list_files(settings: Settings, source: Source) -> list[SourceFile]:
    """Files of a source that are there now, by date and name.

    Raises LandingError when the root or the folder is missing, a file lies outside the root, a file that is not dated
    is missing, or a file name holds no real date.
    """
    reader = source.files
    if reader is None:
        return _extracts(settings, source)
    find = _stored if reader.location == "object_store" else _local
    files = find(settings, source, reader)
    if not files and not source.is_dated:
        where = reader.url or source_root(settings, source)
        raise LandingError(f"{source.file}: no file {reader.path} in {where}; put it there, or correct reader.path")
    return sorted(files, key=lambda file: (file.business_date or date.min, file.name))


def _extracts(settings: Settings, source: Source) -> list[SourceFile]:
    """What was extracted of a database or an API, oldest first."""
    root = source_root(settings, source)
    paths = sorted(root.glob("*.parquet")) if root.is_dir() else []
    return [SourceFile(path, f"{EXTRACTS}/{source.name}/{path.name}", None) for path in paths]


def _local(settings: Settings, source: Source, reader: FileReader) -> list[SourceFile]:
    root, pattern = source_root(settings, source), reader.path
    parent = PurePosixPath(pattern).parent.as_posix()
    if not re.search(r"[*?{]", parent) and not (root / parent).is_dir():
        raise LandingError(f"{source.file}: folder {parent} is not in {root}; create it, or correct reader.path")
    regex, resolved_root = _path_regex(pattern), root.resolve()
    prefix = f"{reader.python_package}/" if reader.location == "package" else ""
    files = []
    for path in sorted(root.glob(pattern.replace(DATE_PLACEHOLDER, "????-??-??"))):
        below = path.relative_to(root).as_posix()
        match = regex.fullmatch(below)
        if match is None or path.is_dir():
            continue
        # An installer may link a package's files to its cache; a source folder has no such reason.
        if reader.location != "package" and not path.resolve().is_relative_to(resolved_root):
            raise LandingError(f"{below}: is a link to a place outside TESSERA_SOURCES; copy the file instead")
        if not path.is_file():
            raise LandingError(f"{below}: is no file to read (a pipe, a device, or a link to nothing); remove it")
        if not _SURVIVES_GLOB.fullmatch(str(path)):
            raise LandingError(f"{below}: its path holds one of * ? [ ]; rename it")
        files.append(SourceFile(path=path, name=prefix + below, business_date=_day(match, below)))
    return files


def _stored(settings: Settings, source: Source, reader: FileReader) -> list[SourceFile]:
    """Files of an object store, each fetched once into the lake: kept by what the store says of its content.

    Credentials come from the environment, as the store's own file system reads them (AWS_ACCESS_KEY_ID …).
    """
    import fsspec

    url = str(reader.url).rstrip("/")
    scheme = url.partition("://")[0]
    if "::" in url or scheme in _LOCAL_SCHEMES:
        raise LandingError(
            f"{source.file}: reader.url: {url} is a place of this machine, or a store inside another; "
            "use location: sources for files here"
        )
    try:
        system, root = fsspec.core.url_to_fs(url)
        pattern = f"{root}/{reader.path.replace(DATE_PLACEHOLDER, '????-??-??')}"
        system.invalidate_cache()
        found: dict[str, dict[str, Any]] = system.glob(pattern, detail=True)
    except ImportError as error:
        raise LandingError(
            f"{source.file}: reader.url: {scheme}:// needs a package that is not installed; install fsspec's file system "
            "for it (s3fs for s3://, ossfs for oss://, gcsfs for gs://)"
        ) from error
    except Exception as error:
        # A store's own message may hold a key or a signed address.
        raise LandingError(
            f"{source.file}: reader.url: {url} cannot be listed ({type(error).__name__}); check the address, the network "
            "and the store's credentials in the environment"
        ) from None
    regex, cache = _path_regex(reader.path), settings.lake / "fetched" / source.name
    files = []
    for full, entry in sorted(found.items()):
        below = full.removeprefix(root).lstrip("/")
        match = regex.fullmatch(below)
        if match is None or entry.get("type") == "directory" or ".." in PurePosixPath(below).parts:
            continue
        files.append(SourceFile(_fetch(system, full, entry, cache, below), f"{url}/{below}", _day(match, below)))
    return files


def _fetch(system: Any, full: str, entry: dict[str, Any], cache: Path, below: str) -> Path:
    """The copy of an object in `cache`; one of an earlier state of it is removed."""
    said = "|".join(str(entry.get(key)) for key in ("ETag", "etag", "md5", *_MODIFIED, "size"))
    place, state = (hashlib.sha256(text.encode()).hexdigest()[:16] for text in (full, said))
    # The name keeps its ending: .gz says how the content is packed. It never keeps a folder.
    name = re.sub(r"[^A-Za-z0-9._-]", "_", PurePosixPath(below).name)[-100:]
    target = cache / f"{place}-{state}-{name}"
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    size = entry.get("size")
    if isinstance(size, int) and size > shutil.disk_usage(cache).free // 2:
        raise LandingError(f"{below}: its {size:,} bytes do not fit into half of the free disk; make room for it")
    part = target.with_name(f"{target.name}.part")
    try:
        system.get_file(full, str(part))
    except Exception as error:
        part.unlink(missing_ok=True)
        raise LandingError(
            f"{below}: cannot be fetched from the object store ({type(error).__name__}); run again when it answers"
        ) from None
    if isinstance(size, int) and part.stat().st_size != size:
        part.unlink()
        raise LandingError(f"{below}: changed, or broke off, while it was fetched; run again when it is complete")
    modified = next((moment for key in _MODIFIED if (moment := _instant(entry.get(key))) is not None), None)
    if modified is not None:
        # Of a snapshot without a date in its name, this is the time that it shows.
        os.utime(part, (modified, modified))
    part.replace(target)
    for former in cache.glob(f"{place}-*"):
        if former != target:
            former.unlink()
    return target


def _instant(said: object) -> float | None:
    """Seconds since 1970 of what a store calls a modification time."""
    if isinstance(said, datetime):
        return (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()
    return float(said) if isinstance(said, int | float) else None
