"""Extract a brand's databases and APIs into the lake, once per run, before their files are landed.

Pure of Dagster. Call it while holding the brand's run lock. What is extracted belongs in `tables` and `api`, where it
goes in `store`; landing the extracts, in `orchestration.landing.land`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from orchestration.brands import ApiReader, Brand, DatabaseReader, Source
from orchestration.landing.errors import LandingError, SourceUnavailable
from orchestration.landing.extract.store import FOLDER, Store
from orchestration.settings import Settings

_RUNS = ".runs"


def is_extracted(source: Source) -> bool:
    """Whether a source is read into extracts before it can be landed."""
    return isinstance(source.reader, DatabaseReader | ApiReader)


def extract(
    settings: Settings,
    source: Source,
    *,
    loaded_at: datetime | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Read what is new of one source into immutable Parquet files; gives them in order, none when nothing is new.

    `loaded_at` (aware; default now) names the files. Raises SourceUnavailable when the source does not answer, LandingError
    for what will not get better by waiting. What was extracted before an error stays, and is gone on from.
    """
    if loaded_at is not None and loaded_at.tzinfo is None:
        raise ValueError("loaded_at must be an aware timestamp, such as datetime(2026, 1, 1, tzinfo=UTC)")
    store = Store(settings.lake, source.name)
    store.begin()
    taken_at = store.moment(loaded_at or datetime.now(UTC))
    # Imported here: SQLAlchemy's and dlt's second is paid by brands that have such a source.
    if isinstance(source.reader, DatabaseReader):
        from orchestration.landing.extract.tables import extract_table

        return extract_table(store, source, source.reader, taken_at, log)
    if isinstance(source.reader, ApiReader):
        from orchestration.landing.extract.api import extract_endpoint

        return extract_endpoint(store, source, source.reader, taken_at, log)
    raise ValueError(f"{source.file}: reader.kind {source.reader.kind} is read from files, not extracted")


def extract_once(
    settings: Settings,
    brand: Brand,
    run_id: str,
    *,
    entity: str | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Extract every source (of `entity`, if given) that has not been extracted for this run yet; gives the new files.

    A source that fails does not stop the others; the error that is raised then names each of them, and is
    SourceUnavailable when nothing but waiting is needed.
    """
    paths: list[Path] = []
    errors: list[LandingError] = []
    for source in brand.sources:
        if not is_extracted(source) or (entity is not None and entity not in source.entities):
            continue
        marker = settings.lake / FOLDER / _RUNS / source.name
        if marker.is_file() and marker.read_text(encoding="utf-8") == run_id:
            continue
        try:
            paths += extract(settings, source, log=log)
        except LandingError as error:
            errors.append(error)
            log(f"{source.name}: could not be extracted")
            continue
        marker.parent.mkdir(parents=True, exist_ok=True)
        written = marker.with_name(f".{marker.name}")
        written.write_text(run_id, encoding="utf-8")
        written.replace(marker)
    if errors:
        kind = SourceUnavailable if all(isinstance(error, SourceUnavailable) for error in errors) else LandingError
        raise kind("\n".join(str(error) for error in errors))
    return paths
