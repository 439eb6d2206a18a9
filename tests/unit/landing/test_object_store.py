"""Files of an object store: listed and fetched once through fsspec, landed like any other, never outside the lake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from orchestration.landing.errors import LandingError

STORE_YML = """
source_system: cloud
reader: {kind: csv, location: object_store, url: "memory://bucket/exports", path: "tasks/*.csv"}
timestamps_in: Asia/Shanghai
entities:
  tasks:
    fields: {task_key: id, member_key: member, task_code: code, occurred_at: done_at}
"""


@pytest.fixture
def store() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def write(store: Any, name: str, *rows: str) -> None:
    with store.open(f"/bucket/exports/tasks/{name}", "w") as stream:
        stream.write("\n".join(["id,member,code,done_at", *rows]) + "\n")


def test_new_and_changed_objects_are_landed_once(tiny: Any, store: Any) -> None:
    tiny.configure("sources/tasks.yml", STORE_YML)
    write(store, "1.csv", "t1,m1,sign_in,2026-01-01 08:00:00")
    (first,) = tiny.land("tasks")
    assert (first.source_file, first.rows_landed) == ("memory://bucket/exports/tasks/1.csv", 1)
    assert tiny.land("tasks") == []
    write(store, "2.csv", "t2,m1,share,2026-01-02 08:00:00", "t3,m2,share,2026-01-02 09:00:00")
    (second,) = tiny.land("tasks")
    assert (second.source_file, second.rows_landed) == ("memory://bucket/exports/tasks/2.csv", 2)


def test_objects_never_leave_the_lake(tiny: Any, store: Any, tmp_path: Path) -> None:
    tiny.configure("sources/tasks.yml", STORE_YML.replace("tasks/*.csv", "*/*.csv"))
    write(store, "..csv", "t1,m1,sign_in,2026-01-01 08:00:00")
    (batch,) = tiny.land("tasks")
    assert batch.rows_landed == 1
    fetched = [path for path in tmp_path.rglob("*csv") if path.is_file()]
    assert fetched and all(path.is_relative_to(tiny.lake.root) for path in fetched)


def test_missing_objects_and_unknown_stores_are_told_with_a_remedy(tiny: Any, store: Any) -> None:
    tiny.configure("sources/tasks.yml", STORE_YML)
    with pytest.raises(LandingError, match=r"no file tasks/\*\.csv in memory://bucket/exports"):
        tiny.land("tasks")
    tiny.configure("sources/tasks.yml", STORE_YML.replace("memory://", "nosuchstore://"))
    with pytest.raises(LandingError, match="cannot be listed"):
        tiny.land("tasks")
