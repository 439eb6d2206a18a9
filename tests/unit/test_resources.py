"""What a run gets and may be asked for: resources, options, partitions, and when runs are started."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from pydantic import ValidationError

from orchestration import build_file, resources, warehouse
from orchestration.brands import Brand, load_brand
from orchestration.defs.automation import jobs
from orchestration.landing import land as landing
from orchestration.landing.errors import LandingError
from orchestration.locking import RunLocked, brand_lock
from orchestration.partitions import business_dates, last_complete_date
from orchestration.resources import BrandRun, window_of
from orchestration.runtime import RunOptions
from orchestration.settings import Settings

BRAND_YML = """\
brand: shop
label_zh: 小店
label_en: Shop
zone: Asia/Shanghai
currency: CNY
calendar_start: 2026-01-01
schedule: {cron: "15 3 * * *"}
"""
SALES_YML = """\
source_system: till
reader: {kind: csv, path: "sales/{date}.csv"}
timestamps_in: Asia/Shanghai
entities:
  members: {fields: {member_key: member_no}}
"""
REGISTER_YML = SALES_YML.replace("till", "crm").replace("sales/{date}.csv", "register.csv")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    found = Settings("shop", tmp_path / "home", tmp_path / "brands", tmp_path / "sources")
    (found.brand_dir / "sources").mkdir(parents=True)
    (found.brand_dir / "brand.yml").write_text(BRAND_YML, encoding="utf-8")
    (found.brand_dir / "sources/sales.yml").write_text(SALES_YML, encoding="utf-8")
    (tmp_path / "sources/sales").mkdir(parents=True)
    for module in (resources, jobs):
        monkeypatch.setattr(module, "current_settings", lambda: found)
        monkeypatch.setattr(module, "current_brand", lambda: load_brand(found))
    return found


def brand(settings: Settings, more: str = "") -> Brand:
    (settings.brand_dir / "brand.yml").write_text(BRAND_YML + more, encoding="utf-8")
    return load_brand(settings)


def sell(settings: Settings, day: str, text: str = "member_no\n1\n") -> Path:
    path = (settings.sources_root or Path()) / f"sales/{day}.csv"
    path.write_text(text)
    return path


# ---- options -----------------------------------------------------------------------------------------------------


def test_options_default_to_those_of_a_scheduled_run() -> None:
    options = RunOptions()
    assert options.as_of_date_or_none() is None and options.known_at_or_none() is None
    assert options.full_refresh is False


def test_options_are_read() -> None:
    options = RunOptions(as_of_date="2026-02-28", known_at="2026-03-01T02:00:00+08:00")
    assert options.as_of_date_or_none() == date(2026, 2, 28)
    assert options.known_at_or_none() == "2026-03-01T02:00:00+08:00"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"as_of_date": "2026-02-30"}, "day"),
        ({"as_of_date": "28.02.2026"}, "isoformat"),
        ({"known_at": "yesterday"}, "isoformat"),
        ({"known_at": "2026-03-01T02:00:00"}, "must name its offset"),
        ({"known_at": "2026-03-01"}, "must name its offset"),
    ],
)
def test_options_that_mean_nothing_are_refused(option: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RunOptions(**option)


# ---- partitions --------------------------------------------------------------------------------------------------


def test_a_living_brands_last_partition_is_today_in_its_own_zone(settings: Settings) -> None:
    dates = business_dates(brand(settings))
    before_midnight = dates.get_partition_keys(datetime(2026, 3, 1, 15, 59, tzinfo=UTC))
    after_midnight = dates.get_partition_keys(datetime(2026, 3, 1, 16, 1, tzinfo=UTC))
    assert before_midnight[0] == "2026-01-01"
    assert (before_midnight[-1], after_midnight[-1]) == ("2026-03-01", "2026-03-02")


def test_a_closed_historys_last_partition_is_its_last_date(settings: Settings) -> None:
    dates = business_dates(brand(settings, "calendar_end: 2026-01-03\n"))
    assert dates.get_partition_keys(datetime(2026, 9, 1, tzinfo=UTC)) == ["2026-01-01", "2026-01-02", "2026-01-03"]


def in_context(tags: dict[str, str]) -> Any:
    """What `window_of` makes of a run with these tags, asked from inside an asset of that run."""
    found = []

    @dg.asset(
        partitions_def=dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-02-01"),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def daily(context: dg.AssetExecutionContext) -> None:
        found.append(window_of(context))

    definitions = dg.Definitions([daily])
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(instance=instance, tags=tags).success
    return found[0]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, None),
        ({"dagster/partition": "2026-01-05"}, (date(2026, 1, 5), date(2026, 1, 5))),
        ({jobs.RANGE_START: "2026-01-05", jobs.RANGE_END: "2026-01-09"}, (date(2026, 1, 5), date(2026, 1, 9))),
    ],
    ids=["no date", "one date", "a range"],
)
def test_the_window_is_that_of_the_runs_partitions(tags: dict[str, str], expected: Any) -> None:
    assert in_context(tags) == expected


# ---- BrandRun ----------------------------------------------------------------------------------------------------


def test_a_run_holds_the_brands_lock_while_it_lasts(settings: Settings) -> None:
    context = dg.build_init_resource_context()
    with BrandRun().yield_for_execution(context) as run:
        assert run.brand.brand == "shop"
        with pytest.raises(RunLocked), brand_lock(settings):
            pass
    with brand_lock(settings):
        pass


def test_the_cut_is_that_of_the_build(settings: Settings) -> None:
    with warehouse.writer(settings.build_file) as connection:
        connection.execute("create schema intermediate")
        connection.execute("create table intermediate.int_clocks_resolved as select date '2026-03-01' as as_of_date")
    assert BrandRun().as_of_date() == date(2026, 3, 1)


@pytest.mark.parametrize("rows", ["where false", ""], ids=["no row", "no date"])
def test_a_build_without_a_cut_says_what_to_do(settings: Settings, rows: str) -> None:
    with warehouse.writer(settings.build_file) as connection:
        connection.execute("create schema intermediate")
        connection.execute(
            f"create table intermediate.int_clocks_resolved as select cast(null as date) as as_of_date {rows}"
        )
    with pytest.raises(LookupError, match=r"nothing that happened within its calendar has landed.*tessera check"):
        BrandRun().as_of_date()


def test_preparing_removes_what_a_killed_load_left(settings: Settings) -> None:
    leftover = settings.lake / "raw/members/20260101T000000000000Z-members-0.parquet"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("half a file")
    BrandRun().prepare_build_file()
    assert not leftover.exists()
    assert BrandRun().query("select count(*) as rows from raw.members")["rows"].tolist() == [0]


def test_a_query_takes_parameters_and_cannot_write(settings: Settings) -> None:
    build_file.prepare(settings, load_brand(settings))
    assert BrandRun().query("select ? as day", [date(2026, 1, 1)])["day"].astype(str).tolist() == ["2026-01-01"]
    with pytest.raises(warehouse.EngineError, match="read-only"):
        BrandRun().query("delete from ops.gate_results")


# ---- range tags --------------------------------------------------------------------------------------------------


def pending_file(day: date | None) -> Any:
    return SimpleNamespace(business_date=day)


FIRST, LAST = date(2026, 1, 1), date(2026, 1, 31)
ZONE = "Asia/Shanghai"
YESTERDAY = "yesterday"


@pytest.mark.parametrize(
    ("days", "end", "expected"),
    [
        ([], None, (YESTERDAY, YESTERDAY)),
        ([], LAST, ("2026-01-31", "2026-01-31")),
        ([date(2026, 1, 7)], None, ("2026-01-07", "2026-01-07")),
        ([date(2026, 1, 9), date(2026, 1, 3), date(2026, 1, 5)], None, ("2026-01-03", "2026-01-09")),
        ([None], None, (YESTERDAY, YESTERDAY)),
        ([None, date(2026, 1, 7)], None, ("2026-01-07", "2026-01-07")),
        ([None], LAST, ("2026-01-01", "2026-01-31")),
        ([None, date(2026, 1, 7)], LAST, ("2026-01-01", "2026-01-31")),
    ],
)  # fmt: skip
def test_range_tags(days: list[date | None], end: date | None, expected: tuple[str, str]) -> None:
    calendar: Any = SimpleNamespace(calendar_start=FIRST, calendar_end=end, zone=ZONE, day_start_minutes=0)
    before = datetime.now(ZoneInfo(ZONE)).date() - timedelta(days=1)
    tags = jobs.range_tags(calendar, [pending_file(day) for day in days])
    after = datetime.now(ZoneInfo(ZONE)).date() - timedelta(days=1)  # the test may run over midnight
    spans = [tuple(str(day) if edge == YESTERDAY else edge for edge in expected) for day in (before, after)]
    assert (tags[jobs.RANGE_START], tags[jobs.RANGE_END]) in spans


@pytest.mark.parametrize(
    ("zone", "day_start_minutes", "instant", "expected"),
    [
        ("Asia/Shanghai", 0, "2026-01-09T15:59:59+00:00", date(2026, 1, 8)),
        ("Asia/Shanghai", 0, "2026-01-09T16:00:00+00:00", date(2026, 1, 9)),
        # The day begins at 04:00: at half past two in the night yesterday is not over yet.
        ("Asia/Shanghai", 240, "2026-01-09T18:30:00+00:00", date(2026, 1, 8)),
        ("Asia/Shanghai", 240, "2026-01-09T20:00:00+00:00", date(2026, 1, 9)),
        ("America/New_York", 0, "2026-03-08T04:59:59+00:00", date(2026, 3, 6)),
        ("America/New_York", 0, "2026-03-09T04:00:00+00:00", date(2026, 3, 8)),  # clocks went forward that day
    ],
)
def test_last_complete_date(zone: str, day_start_minutes: int, instant: str, expected: date) -> None:
    calendar: Any = SimpleNamespace(zone=zone, day_start_minutes=day_start_minutes)
    assert last_complete_date(calendar, datetime.fromisoformat(instant)) == expected


# ---- schedule ----------------------------------------------------------------------------------------------------


def schedule_of(settings: Settings, more: str = "") -> dg.ScheduleDefinition:
    brand(settings, more)
    (schedule,) = jobs.automation().schedules or []
    assert isinstance(schedule, dg.ScheduleDefinition)
    return schedule


def test_the_schedule_is_the_brands(settings: Settings) -> None:
    schedule = schedule_of(settings)
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("15 3 * * *", "Asia/Shanghai")
    assert schedule.job_name == "build_brand_job"


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 3, 1, 19, 15, tzinfo=UTC), "2026-03-01"),  # 03:15 on the 2nd in Shanghai
        (datetime(2026, 3, 1, 15, 0, tzinfo=UTC), "2026-02-28"),  # still the 1st there
    ],
)
def test_a_tick_asks_for_yesterday_as_the_brand_counts_days(settings: Settings, instant: datetime, day: str) -> None:
    request = schedule_of(settings)(dg.build_schedule_context(scheduled_execution_time=instant))
    assert isinstance(request, dg.RunRequest)
    assert (request.partition_key, request.run_key) == (day, f"daily-{day}")
    assert day in business_dates(load_brand(settings)).get_partition_keys(instant)


@pytest.mark.parametrize(
    ("instant", "is_over"), [(datetime(2026, 3, 1, tzinfo=UTC), False), (datetime(2026, 3, 2, tzinfo=UTC), True)]
)
def test_a_closed_history_is_not_built_for_days_it_never_had(
    settings: Settings, instant: datetime, is_over: bool
) -> None:
    schedule = schedule_of(settings, "calendar_end: 2026-02-28\n")
    answer = schedule(dg.build_schedule_context(scheduled_execution_time=instant))
    assert isinstance(answer, dg.SkipReason if is_over else dg.RunRequest)
    if isinstance(answer, dg.SkipReason):
        assert "ended on 2026-02-28" in (answer.skip_message or "")


# ---- sensor ------------------------------------------------------------------------------------------------------


def look(settings: Settings) -> Any:
    (sensor,) = jobs.automation().sensors or []
    assert isinstance(sensor, dg.SensorDefinition)
    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance=instance) as context:
        return sensor(context)


def test_no_file_starts_no_run(settings: Settings) -> None:
    answer = look(settings)
    assert isinstance(answer, dg.SkipReason) and answer.skip_message == "no new source file"


def test_new_files_start_one_run_over_their_dates(settings: Settings) -> None:
    sell(settings, "2026-01-05")
    sell(settings, "2026-01-03")
    request = look(settings)
    assert isinstance(request, dg.RunRequest)
    assert request.tags[jobs.RANGE_START] == "2026-01-03" and request.tags[jobs.RANGE_END] == "2026-01-05"
    again = look(settings)
    assert again.run_key == request.run_key, "the same files are asked for once"


def test_another_file_or_a_changed_one_is_another_request(settings: Settings) -> None:
    path = sell(settings, "2026-01-03")
    keys = [look(settings).run_key]
    sell(settings, "2026-01-04")
    keys.append(look(settings).run_key)
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 10))
    keys.append(look(settings).run_key)
    assert len(set(keys)) == 3


def test_a_landed_file_starts_no_second_run(settings: Settings) -> None:
    sell(settings, "2026-01-03")
    landing.land(settings, load_brand(settings), "members")
    assert isinstance(look(settings), dg.SkipReason)


def test_a_file_without_a_date_names_the_whole_calendar_of_a_closed_history(settings: Settings) -> None:
    (settings.brand_dir / "sources/register.yml").write_text(REGISTER_YML, encoding="utf-8")
    ((settings.sources_root or Path()) / "register.csv").write_text("member_no\n1\n")
    brand(settings)
    assert look(settings).tags[jobs.RANGE_START] > "2026-01-31"  # the last complete day, for a living brand
    brand(settings, "calendar_end: 2026-01-31\n")
    assert look(settings).tags[jobs.RANGE_START] == "2026-01-01"


def test_what_cannot_be_landed_is_said_and_starts_no_run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise LandingError("sales: no such folder")

    monkeypatch.setattr(jobs.landing, "pending", refuse)
    answer = look(settings)
    assert isinstance(answer, dg.SkipReason) and answer.skip_message == "sales: no such folder"
