"""`tessera` with one planted defect: `python saboteur.py DEFECT run …`. Each defect breaks one step and nothing else.

Defects that a source file or the configuration can hold need no saboteur: tests write those themselves.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def nothing() -> None:
    """No defect: what the saboteur's machinery does by itself."""


def bad_scores() -> None:
    """Churn scores are all the same number; a propensity feature knows the answer."""
    import pandas as pd

    from ml.common import pipeline

    original = pipeline.train_and_score

    def train_and_score(features, purchase_days, task, known_until):
        if task.name == "propensity":
            days = purchase_days.assign(business_date=pd.to_datetime(purchase_days["business_date"]))
            cuts = pd.to_datetime(features["as_of_date"])
            seen = set(zip(days["member_id"], days["business_date"], strict=True))
            horizon = [pd.Timedelta(days=n) for n in range(task.horizon_days)]
            ahead = [
                sum((member, cut + step) in seen for step in horizon)
                for member, cut in zip(features["member_id"], cuts, strict=True)
            ]
            features = features.assign(orders_ahead=ahead)
        result = original(features, purchase_days, task, known_until)
        if task.name == "churn":
            result = replace(result, scores=result.scores.assign(score=0.5))
        return result

    pipeline.train_and_score = train_and_score


def lost_tags() -> None:
    """A member's tags vanish between dbt and gate_tags."""
    _after_dbt(
        "path:models/tags",
        "delete from tags.member_tags where member_id = (select min(member_id) from tags.member_tags)",
    )


def _after_dbt(selection: str, sql: str) -> None:
    from orchestration import dbt, warehouse

    original = dbt.run_dbt

    def run_dbt(arguments, environment, *more, **named):
        invocation = original(arguments, environment, *more, **named)
        if selection in arguments:
            with warehouse.writer(Path(environment["TESSERA_BUILD_FILE"])) as connection:
                connection.execute(sql)
        return invocation

    dbt.run_dbt = run_dbt


def lossy_copy() -> None:
    """A fifth of the touches get lost while the build file is copied for publication."""
    from orchestration import warehouse

    original = warehouse.copy_schemas

    def copy_schemas(source, target, schemas, **more):
        rows = original(source, target, schemas, **more)
        with warehouse.writer(target) as connection:
            connection.execute("delete from marts.fct_touches where hash(touch_id) % 5 = 0")
        return rows

    warehouse.copy_schemas = copy_schemas


def full_disk() -> None:
    """No file may grow beyond 1 MB while the copy for publication is written: what a full disk does, without one."""
    from orchestration import warehouse

    original = warehouse.copy_schemas

    def copy_schemas(*positional, **named):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
        try:
            return original(*positional, **named)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    warehouse.copy_schemas = copy_schemas


def killed_while_landing() -> None:
    """SIGKILL when a batch's rows are in the lake and its manifest is not."""
    from orchestration.landing import lake

    original = lake._move

    def _move(source, target):
        if target.suffix == ".json":
            os.kill(os.getpid(), signal.SIGKILL)
        original(source, target)

    lake._move = _move


def killed_while_dbt_runs() -> None:
    """SIGKILL of the run, and of the run alone, as soon as dbt has rebuilt the orders."""
    from orchestration import dbt

    original = dbt.run_dbt

    def run_dbt(arguments, environment, target, logs, *more, **named):
        log = Path(logs) / "dbt.log"
        start = log.stat().st_size if log.exists() else 0
        threading.Thread(target=_kill_when, args=(log, start, "marts.fct_orders "), daemon=True).start()
        return original(arguments, environment, target, logs, *more, **named)

    dbt.run_dbt = run_dbt


def _kill_when(log: Path, start: int, text: str) -> None:
    while True:
        if log.exists():
            with log.open(encoding="utf-8") as stream:
                stream.seek(start)
                if any("OK created" in line and text in line for line in stream):
                    os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.02)


DEFECTS: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (
        nothing,
        bad_scores,
        lost_tags,
        lossy_copy,
        full_disk,
        killed_while_landing,
        killed_while_dbt_runs,
    )
}

if __name__ == "__main__":
    DEFECTS[sys.argv.pop(1)]()
    from orchestration.cli import main

    main()
