"""Who was in which audience on past days: tags and segments of each day rebuilt on a copy of the build file, then asked.

Tags stand at one day in a build file, events and orders have their dates: rebuilding the tag models at a past cut gives the tags of
that day, as far as is known now. Scores are those that were made then; a day without them has nobody in an audience that asks for
them. How a day is worked out and kept belongs in `orchestration.audiences.membership`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from orchestration import build_file, warehouse
from orchestration.audiences import run as audience_run
from orchestration.audiences.definitions import load_audiences
from orchestration.audiences.membership import days_worked_out, record, work_out
from orchestration.brands import Brand
from orchestration.dbt import dbt_environment, ensure_manifest, run_dbt
from orchestration.locking import brand_lock
from orchestration.settings import Settings

# What stands at a day, is not cut by the query itself and is asked by rules; the past of tags is not.
SELECT = ("int_clocks_resolved", "+member_tags,path:models/tags", "tag_values", "path:models/segments")


class AudienceHistoryError(ValueError):
    """Past days cannot be worked out; str() says why and what to do."""


@dataclass(frozen=True)
class Worked:
    as_of_date: date
    ready_count: int
    member_count: int


def backfill(
    settings: Settings,
    brand: Brand,
    first: date,
    last: date,
    *,
    again: bool = False,
    tell: Callable[[Worked], None] = lambda _: None,
) -> list[Worked]:
    """Work out every as_of_date from `first` to `last` that is not there yet (with `again`, all), in the build file.

    The published file has them after the next run. Raises AudienceHistoryError.
    """
    if first > last:
        raise AudienceHistoryError(f"--from {first} lies after --to {last}")
    if not settings.build_file.exists():
        raise AudienceHistoryError(
            f"{settings.brand} has never been built; run `tessera run --brand {settings.brand}` first"
        )
    audiences = load_audiences(settings)
    folder = settings.brand_home / "audience_backfill"
    with brand_lock(settings):
        with warehouse.writer(settings.build_file) as connection:
            build_file.create_python_tables(connection)
            row = connection.execute("select as_of_date from intermediate.int_clocks_resolved").fetchone()
            newest = row[0] if row else None
            done = set() if again else set(days_worked_out(connection))
        if newest is None or last > newest:
            raise AudienceHistoryError(f"--to {last} lies after the build's own day, {newest}; nothing later is known")
        if first <= brand.calendar_start:
            raise AudienceHistoryError(
                f"--from {first} is not after calendar_start ({brand.calendar_start}) of brand.yml"
            )
        wanted = [first + timedelta(n) for n in range((last - first).days + 1)]
        ensure_manifest()
        try:
            # dbt's views hold the file's own name: the copy keeps it.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            copy = folder / settings.build_file.name
            shutil.copyfile(settings.build_file, copy)
            return [_one_day(settings, brand, audiences, copy, day, tell) for day in wanted if day not in done]
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _one_day(
    settings: Settings, brand: Brand, audiences, copy: Path, day: date, tell: Callable[[Worked], None]
) -> Worked:
    rebuild_tags(settings, copy, day)
    with warehouse.read_only(copy) as connection:
        worked = work_out(connection, audiences, audience_run.clock_of(brand, day))
    with warehouse.writer(settings.build_file) as connection:
        record(connection, worked)
        audience_run.refresh_counts(connection)
    told = Worked(day, sum(state.status == "ready" for state in worked.states.values()), len(worked.members))
    tell(told)
    return told


def rebuild_tags(settings: Settings, copy: Path, day: date) -> None:
    """Tags and segments of a past day, in a copy of the build file. Raises AudienceHistoryError when dbt fails."""
    home = settings.brand_home
    invocation = run_dbt(
        ["run", "--select", *SELECT],
        dbt_environment(settings, as_of_date=day) | {"TESSERA_BUILD_FILE": str(copy)},
        target=home / "dbt",
        logs=home / "logs",
        tell=lambda _: None,
    )
    if invocation.failed:
        raise AudienceHistoryError(f"as of {day}: {invocation.failed} failed; see {home / 'logs' / 'dbt.log'}")
