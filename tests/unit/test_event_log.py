"""The event log beside Dagster's own: each reads what the other wrote, and a batch is written whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from orchestration import event_log
from orchestration.event_log import EventLog

CHECKS = [dg.AssetCheckSpec(f"check_{number}", asset="table") for number in range(3)]


@dg.multi_asset(specs=[dg.AssetSpec("table"), dg.AssetSpec("view")], check_specs=CHECKS)
def assets():
    for name in ("table", "view"):
        yield dg.MaterializeResult(asset_key=name, metadata={"rows": 1})
    for number, check in enumerate(CHECKS):
        yield dg.AssetCheckResult(passed=number != 1, asset_key="table", check_name=check.name)


JOB = dg.Definitions(assets=[assets], jobs=[dg.define_asset_job("all_assets")]).resolve_job_def("all_assets")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copyfile(Path(event_log.__file__).with_name("dagster.yaml"), tmp_path / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    return tmp_path


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as instance:
        yield instance


@pytest.fixture
def own(home: Path, instance: dg.DagsterInstance) -> Iterator[SqliteEventLogStorage]:
    """Dagster's storage over the same files."""
    storage = SqliteEventLogStorage(str(home / "history" / "runs"))
    yield storage
    storage.dispose()


def test_dagsters_own_storage_reads_the_same(instance: dg.DagsterInstance, own: SqliteEventLogStorage) -> None:
    ours = instance.event_log_storage
    assert isinstance(ours, EventLog)
    run_id = JOB.execute_in_process(instance=instance).run_id
    assert ours.get_logs_for_run(run_id) == own.get_logs_for_run(run_id)
    assert len(own.get_logs_for_run(run_id)) > 15
    assert ours.all_asset_keys() == own.all_asset_keys() != []
    for check in CHECKS:
        seen = [
            [(row.status, row.run_id) for row in log.get_asset_check_execution_history(check.key, limit=5)]
            for log in (ours, own)
        ]
        assert seen[0] == seen[1]
        assert len(seen[0]) == 1


def test_what_another_process_writes_is_seen(instance: dg.DagsterInstance, own: SqliteEventLogStorage) -> None:
    run_id = JOB.execute_in_process(instance=instance).run_id
    event = instance.event_log_storage.get_logs_for_run(run_id)[0]
    own.store_event(event)
    assert instance.event_log_storage.get_logs_for_run(run_id)[-1] == event


def test_a_batch_is_written_whole_or_not_at_all(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    log = instance.event_log_storage
    run_id = JOB.execute_in_process(instance=instance).run_id
    events = list(log.get_logs_for_run(run_id))
    log.store_event_batch(events[:3])
    assert len(log.get_logs_for_run(run_id)) == len(events) + 3

    store = log.store_event
    monkeypatch.setattr(log, "store_event", lambda event: store(event) if event != events[2] else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        log.store_event_batch(events[:3])
    assert len(log.get_logs_for_run(run_id)) == len(events) + 3


def test_few_files_are_kept_open(instance: dg.DagsterInstance) -> None:
    log = instance.event_log_storage
    assert isinstance(log, EventLog)
    runs = [JOB.execute_in_process(instance=instance).run_id for _ in range(3)]
    for number in range(event_log.KEPT_ENGINES + 2):
        log.get_logs_for_run(f"no-such-run-{number}")
    assert len(log._engines) == event_log.KEPT_ENGINES
    assert all(log.get_logs_for_run(run_id) for run_id in runs)
