"""What Dagster's side offers, asked in a process of its own (definitions belong to one brand a process): JSON out.

Run as `python dagster_side.py describe`, `… backfill FIRST LAST` or `… publish DEFECT`.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def _definitions():
    from orchestration.definitions import defs
    from orchestration.runner import dagster_instance, prepare_environment
    from orchestration.settings import load_settings

    settings = load_settings()
    prepare_environment(settings)
    return defs(), dagster_instance(settings)


def describe() -> dict[str, Any]:
    """Names, what the sensor says now, and the partition that the schedule asks for at three moments."""
    import dagster as dg

    definitions, instance = _definitions()
    sensor = definitions.resolve_sensor_def("source_files_arrived_build_sensor")
    schedule = definitions.resolve_schedule_def("build_brand_job_daily")
    with instance, dg.build_sensor_context(instance=instance) as context:
        asked = sensor(context)
    told = {}
    # 02:30 in Shanghai is 18:30 of the day before in UTC: yesterday in UTC would be one day too early.
    for moment in (datetime(2024, 11, 19, 18, 30, tzinfo=UTC), datetime(2024, 12, 31, 16, 0, tzinfo=UTC)):
        request = schedule(dg.build_schedule_context(instance=instance, scheduled_execution_time=moment))
        told[moment.isoformat()] = getattr(request, "partition_key", None)
    graph = definitions.resolve_asset_graph()
    return {
        "jobs": sorted(job.name for job in definitions.resolve_all_job_defs()),
        "schedule": [schedule.cron_schedule, schedule.execution_timezone],
        "partition_at": told,
        "sensor": asked.skip_message if isinstance(asked, dg.SkipReason) else dict(asked.tags),
        "assets": sorted("/".join(key.path) for key in graph.get_all_asset_keys()),
        "partitioned": sorted("/".join(k.path) for k in graph.get_all_asset_keys() if graph.get(k).is_partitioned),
        "blocking": sorted({key.name for key in graph.asset_check_keys}),
    }


def backfill(first: str, last: str) -> dict[str, Any]:
    """What the UI's backfill of a range of business dates launches: one run with the range in its tags."""
    definitions, instance = _definitions()
    job = definitions.resolve_job_def("build_brand_job")
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    with instance:
        result = job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    made = {event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key}
    return {"success": result.success, "made": sorted(made), "pid": os.getpid()}


def publish(defect: str) -> dict[str, Any]:
    """The last step alone, on what is built, with a defect of the saboteur's."""
    import dagster as dg
    from saboteur import DEFECTS

    definitions, instance = _definitions()
    DEFECTS[defect]()
    job = definitions.resolve_job_def("build_brand_job")
    with instance:
        result = job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(["ops", "publication"])], raise_on_error=False
        )
    failures = [event for event in result.all_events if event.is_step_failure]
    checks = [check for check in result.get_asset_check_evaluations() if not check.passed]
    return {
        "success": result.success,
        "failures": [str(event.step_failure_data.user_failure_data.description) for event in failures],
        "closed": sorted(check.check_name for check in checks),
    }


COMMANDS = {"describe": describe, "backfill": backfill, "publish": publish}

if __name__ == "__main__":
    answer = COMMANDS[sys.argv[1]](*sys.argv[2:])
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
