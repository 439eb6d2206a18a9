"""The dbt server answers one request after another, each with an environment and an exit code of its own."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration import dbt_process, dbt_server
from orchestration.dbt_server import Invocation

# The protocol without dbt, which takes three seconds to import: `serve` is dbt_process's, `run` is this one.
SCRIPT = """
import os, sys, time, types
for name in ("dbt", "dbt.parser", "dbt.parser.manifest", "dbt.task", "dbt.task.build", "dbt.task.runnable", "dbt.adapters",
             "dbt.adapters.duckdb", "dbt.adapters.duckdb.connections", "dbt.adapters.duckdb.credentials", "dbt.cli", "dbt.cli.main"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["dbt.adapters.duckdb.credentials"].DuckDBCredentials = type("C", (), {"_connection_keys": None})
sys.modules["dbt.adapters.duckdb.connections"].DuckDBConnectionManager = type("M", (), {"_ENV": None})
sys.modules["dbt.cli.main"].cli = None
from orchestration import dbt_process
def run(arguments):
    if arguments == ["sleep"]:
        print("asleep", flush=True)
        time.sleep(60)
    if arguments == ["fail"]:
        raise ValueError("what went wrong")
    print(os.environ.get("SAYS", "nothing"), os.getpid(), end="")
    return int(arguments[0])
dbt_process.run = run
dbt_process._serve()
"""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    dbt_server.stop()
    monkeypatch.setattr(dbt_server, "command", lambda: [sys.executable, "-c", SCRIPT])
    yield
    dbt_server.stop()


def test_the_two_ends_agree() -> None:
    assert dbt_server.END_OF_ANSWER == dbt_process.END_OF_ANSWER


def test_requests_share_a_server_and_nothing_else(served: None) -> None:
    first = Invocation(["0"], {"SAYS": "one"})
    lines = list(first.stdout)
    second = Invocation(["3"], {})
    more = list(second.stdout)
    assert (first.wait(), first.poll(), second.wait()) == (0, 0, 3)
    assert lines[0].startswith("one ") and more[0].startswith("nothing ")
    assert lines[0].split()[1] != more[0].split()[1], "each has a process of its own"


def test_what_dbt_cannot_say_itself_is_said(served: None) -> None:
    invocation = Invocation(["fail"], {})
    assert "what went wrong" in "".join(invocation.stdout)
    assert invocation.wait() == 1
    assert Invocation(["0"], {}).wait() == 0, "the server lives on"


def test_a_terminated_invocation_is_gone_and_the_next_one_works(served: None) -> None:
    invocation = Invocation(["sleep"], {})
    assert next(iter(invocation.stdout)) == "asleep\n"
    started = time.monotonic()
    invocation.terminate()
    assert invocation.poll() is not None and time.monotonic() - started < 10
    assert Invocation(["0"], {}).wait() == 0


def test_a_server_that_is_killed_is_a_failed_invocation(served: None) -> None:
    invocation = Invocation(["sleep"], {})
    next(iter(invocation.stdout))
    os.kill(dbt_server.start().pid, signal.SIGTERM)
    assert invocation.wait() != 0
    assert Invocation(["0"], {}).wait() == 0


def test_dbt_itself(tmp_path: Path) -> None:
    dbt_server.stop()
    invocation = Invocation(["--version"], dict(os.environ))
    assert "duckdb" in "".join(invocation.stdout)
    assert invocation.wait() == 0
    dbt_server.stop()
