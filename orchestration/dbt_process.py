"""dbt in a process of its own, with four things other than its command line does.

* Where the build file lies does not make it parse the project again: dbt keeps a hash of everything about the connection that
  Jinja may read, the file's path among it, and parses all anew when it changes. No model or macro reads the path.
* It imports itself once for all invocations of a run: `--serve` waits for requests on standard input and forks for each of
  them, so that every invocation still has a process, an adapter and a connection of its own (`orchestration.dbt_server`).
* A build does not write the manifest that it has read: nobody reads it there, and it takes a second, twice.
* What no log is to hold is not put into words: dbt makes a message of each of its forty events per node, and of those of level
  debug only to throw it away.

Run as `python -m orchestration.dbt_process <arguments of dbt>` or `python -m orchestration.dbt_process --serve`.
"""

from __future__ import annotations

import json
import multiprocessing.util
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Any

import dbt.parser.manifest
import dbt.task.build
import dbt.task.runnable
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.cli.main import cli
from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager

# Begins the line that ends the answer to a request; what follows is the exit code. No line of dbt's begins like it.
END_OF_ANSWER = "\x1e dbt "
_ALL_KEYS = DuckDBCredentials._connection_keys
_FIRE_EVENT = EventManager.fire_event


def _keys_but_path(credentials: DuckDBCredentials) -> tuple[str, ...]:
    return tuple(key for key in _ALL_KEYS(credentials) if key != "path")


def _write_nothing(*_: Any, **__: Any) -> None:
    """In place of dbt's writing of manifest.json."""


def _fire_if_heard(
    manager: EventManager, e: BaseEvent, level: EventLevel | None = None, *arguments: Any, **named: Any
) -> None:
    """In place of EventManager.fire_event. (The one callback that dbt itself sets looks for a warning.)"""
    is_debug = (level or e.level_tag()) == EventLevel.DEBUG
    if not is_debug or any(logger.level in (EventLevel.DEBUG, EventLevel.TEST) for logger in manager.loggers):
        _FIRE_EVENT(manager, e, level, *arguments, **named)


def run(arguments: list[str]) -> int:
    """dbt's command line; its exit code."""
    DuckDBCredentials._connection_keys = _keys_but_path  # pyright: ignore[reportAttributeAccessIssue]
    EventManager.fire_event = _fire_if_heard  # pyright: ignore[reportAttributeAccessIssue]
    if "build" in arguments:
        dbt.parser.manifest.write_manifest = _write_nothing
        dbt.task.runnable.write_manifest = _write_nothing  # pyright: ignore[reportPrivateImportUsage]
    try:
        cli.main(args=arguments, prog_name="dbt")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _serve() -> None:
    """Answer requests, one line of JSON each, until standard input ends: what dbt says, then END_OF_ANSWER and the exit code."""
    child = 0

    def end(number: int, _: FrameType | None) -> None:
        if child:
            os.kill(child, number)
            os.waitpid(child, 0)
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    # Ctrl-C reaches the whole group of processes: it is for the child, which cancels its queries and says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _answer(request)
        _, status = os.waitpid(child, 0)
        child = 0
        # One write: what the child has started may still write to the same pipe.
        os.write(1, f"\n{END_OF_ANSWER}{os.waitstatus_to_exitcode(status)}\n".encode())


def _answer(request: dict[str, Any]) -> None:
    """The child. Does not return.

    It leaves without the interpreter's own end: libraries that were imported before the fork would wait there for threads that it does
    not have. So what dbt would do at that end is done here: the build file is closed, with nothing left beside it.
    """
    code = 1
    try:
        os.environ.clear()
        os.environ.update(request["environment"])
        code = run(request["arguments"])
        _close_build_file()
        multiprocessing.util._exit_function()  # pyright: ignore[reportAttributeAccessIssue]  gives back dbt's semaphores
    except BaseException:
        code = code or 1
        traceback.print_exc(file=sys.stdout)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _close_build_file() -> None:
    environment = DuckDBConnectionManager._ENV
    connection = getattr(environment, "conn", None)
    if connection is not None:
        connection.execute("checkpoint")
        connection.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        _serve()
    else:
        sys.exit(run(sys.argv[1:]))
