"""Dagster's event log in SQLite, with its connections kept open and batches of events written in one transaction each.

Dagster's own storage makes an engine, opens the file and commits for every event, 15 ms each; a run of a brand has two thousand of
them. The files are the same: either class reads what the other has written. Named in `dagster.yaml`; read by Dagster only.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

KEPT_ENGINES = 8  # each run has a file of its own; the UI looks at many
BUSY_TIMEOUT_SECONDS = 60  # another process may be writing: the UI's daemon beside a run of the command line


class EventLog(SqliteEventLogStorage):
    """The storage that `dagster.yaml` names. Without `base_dir` it lies where Dagster's own does, under DAGSTER_HOME."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._in_batch: dict[str, Connection] = {}
        self._turn = threading.RLock()  # one thread at a time: an engine has one connection
        self._known_tables: set[str] = set()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> Any:
        return {"base_dir": dg.Field(dg.StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> EventLog:
        base_dir = config_value.get("base_dir") or str(Path(os.environ["DAGSTER_HOME"]) / "history" / "runs")
        return cls(base_dir, inst_data)

    def _engine(self, shard: str) -> Engine:
        if shard in self._engines:
            self._engines.move_to_end(shard)
            return self._engines[shard]
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=StaticPool,
            connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        self._engines[shard] = engine
        if len(self._engines) > KEPT_ENGINES:
            oldest = next(name for name in self._engines if name not in self._in_batch and name != shard)
            self._engines.pop(oldest).dispose()
        return engine

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._turn:
            if shard in self._in_batch:
                yield self._in_batch[shard]
            else:
                with self._engine(shard).begin() as connection:
                    yield connection

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """All of them or none, in one transaction of each file they go to."""
        with self._turn, ExitStack() as transactions:
            try:
                for shard in sorted({INDEX_SHARD_NAME, *(event.run_id for event in events)}):
                    self._in_batch[shard] = transactions.enter_context(self._engine(shard).begin())
                for event in events:
                    self.store_event(event)
            finally:
                self._in_batch.clear()

    def has_table(self, table_name: str) -> bool:
        """Asked for every event; a table that is there stays."""
        if table_name not in self._known_tables and super().has_table(table_name):
            self._known_tables.add(table_name)
        return table_name in self._known_tables

    def dispose(self) -> None:
        super().dispose()
        with self._turn:
            while self._engines:
                self._engines.popitem()[1].dispose()
