"""When a brand is built: by hand, daily, and when new source files arrive. What is built belongs in the other folders."""

import hashlib
from datetime import UTC, datetime

import dagster as dg

from orchestration.brands import Brand
from orchestration.landing import land as landing
from orchestration.landing.errors import LakeError, LandingError
from orchestration.partitions import last_complete_date
from orchestration.resources import current_brand, current_settings

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


@dg.definitions
def automation() -> dg.Definitions:
    brand = current_brand()
    build_brand_job = dg.define_asset_job(
        "build_brand_job",
        selection=dg.AssetSelection.all(),
        description="Land what is new, build, check every stage, and publish. For daily sources: the business dates asked for.",
    )

    @dg.schedule(
        name="build_brand_job_daily",
        job=build_brand_job,
        cron_schedule=brand.schedule.cron,
        execution_timezone=brand.zone,
        description="Every night: yesterday's business date, and whatever else has come in for it.",
    )
    def build_brand_job_daily(context: dg.ScheduleEvaluationContext):
        yesterday = last_complete_date(brand, context.scheduled_execution_time)
        if brand.calendar_end is not None and yesterday > brand.calendar_end:
            return dg.SkipReason(f"the calendar of {brand.brand} ended on {brand.calendar_end}")
        return dg.RunRequest(run_key=f"daily-{yesterday}", partition_key=yesterday.isoformat())

    @dg.sensor(
        name="source_files_arrived_build_sensor",
        job=build_brand_job,
        minimum_interval_seconds=30,
        description="Within a minute of their arrival: starts a run over the business dates that new or changed source files are for.",
    )
    def source_files_arrived_build_sensor(context: dg.SensorEvaluationContext):
        try:
            files = landing.pending(current_settings(), brand)
        except (LandingError, LakeError) as error:
            return dg.SkipReason(str(error))
        if not files:
            return dg.SkipReason("no new source file")
        # The same set of files is asked for once; a failed run is retried by a person or by the schedule.
        key = "|".join(sorted(f"{f.entity}:{f.path}:{f.path.stat().st_mtime_ns}" for f in files))
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        return dg.RunRequest(run_key=f"files-{digest}", tags=range_tags(brand, files))

    return dg.Definitions(
        jobs=[build_brand_job], schedules=[build_brand_job_daily], sensors=[source_files_arrived_build_sensor]
    )


def range_tags(brand: Brand, files: list[landing.PendingFile]) -> dict[str, str]:
    """Run tags for the business dates that a run over these files makes.

    Daily files say it by their names. A file for all dates makes the whole calendar of a closed history; a living brand's
    calendar would be years of partitions to tick off one by one. What is left speaks of the last complete business date:
    a job with daily assets always runs for some date, Dagster cannot trace their versions otherwise.
    """
    days = [f.business_date for f in files if f.business_date is not None]
    if len(days) < len(files) and brand.calendar_end is not None:
        days += [brand.calendar_start, brand.calendar_end]
    if not days:
        yesterday = last_complete_date(brand, datetime.now(UTC))
        days = [max(brand.calendar_start, min(yesterday, brand.calendar_end or yesterday))]
    return {RANGE_START: min(days).isoformat(), RANGE_END: max(days).isoformat()}
