"""One writer at a time per brand, between real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.locking import RunLocked, brand_lock, holder_file, read_holder
from orchestration.settings import PROJECT_ROOT, Settings

HOLD = """
import sys
from pathlib import Path
from orchestration.locking import brand_lock
from orchestration.settings import Settings
home = Path(sys.argv[1])
with brand_lock(Settings(brand="shop", home=home, brands_dir=home, sources_root=None)):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(brand="shop", home=tmp_path, brands_dir=tmp_path, sources_root=None)


@contextmanager
def another_process(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until a line is sent to it."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(settings.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_a_second_run_is_refused_with_who_since_when_and_what_to_do(settings: Settings) -> None:
    with another_process(settings) as holder:
        started = time.monotonic()
        with pytest.raises(RunLocked) as caught, brand_lock(settings):
            pytest.fail("two writers at once")
        assert time.monotonic() - started < 1
        message = str(caught.value)
        assert f"process {holder.pid}" in message
        assert json.loads(holder_file(settings).read_text())["started_at"] in message
        assert "TESSERA_LOCK_WAIT_SECONDS" in message
        assert caught.value.holder is not None
        assert caught.value.holder.pid == holder.pid


@pytest.mark.slow
def test_waiting_runs_start_when_the_holder_ends(settings: Settings) -> None:
    with another_process(settings) as holder:
        assert holder.stdin is not None
        code = "import sys, time; time.sleep(0.5); print()"
        releaser = subprocess.Popen([sys.executable, "-c", code], stdout=holder.stdin)
        started = time.monotonic()
        with brand_lock(replace(settings, lock_wait_seconds=20.0)) as mine:
            assert mine is not None
            assert mine.pid == os.getpid()
            assert 0.3 < time.monotonic() - started < 15
        releaser.wait()


@pytest.mark.slow
def test_waiting_ends_after_the_time_allowed(settings: Settings) -> None:
    with another_process(settings):
        started = time.monotonic()
        with (
            pytest.raises(RunLocked, match=r"after waiting 0\.4 s"),
            brand_lock(replace(settings, lock_wait_seconds=0.4)),
        ):
            pytest.fail("two writers at once")
        assert 0.4 <= time.monotonic() - started < 3


@pytest.mark.slow
def test_a_killed_holder_blocks_nobody(settings: Settings) -> None:
    with another_process(settings) as holder:
        holder.kill()
        holder.wait()
        assert holder_file(settings).exists()  # it could not clean up
        assert read_holder(settings) is None
        with brand_lock(settings) as mine:
            assert mine is not None
            assert mine.pid == os.getpid()


def test_the_lock_is_given_back_after_an_error(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError), brand_lock(settings):
        raise ZeroDivisionError
    assert not holder_file(settings).exists()
    with brand_lock(settings):
        assert read_holder(settings) is not None


def test_brands_do_not_lock_each_other(settings: Settings) -> None:
    other = replace(settings, brand="other")
    with brand_lock(settings) as mine, brand_lock(other) as theirs:
        assert mine is not None and theirs is not None
        assert settings.lock_file != other.lock_file


def test_a_second_lock_in_one_process_is_refused(settings: Settings) -> None:
    with brand_lock(settings), pytest.raises(RunLocked), brand_lock(settings):
        pytest.fail("two writers at once")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
def test_a_broken_side_file_costs_only_the_name(settings: Settings, content: str) -> None:
    with brand_lock(settings):
        holder_file(settings).write_text(content)
        with pytest.raises(RunLocked, match="locked by another process"), brand_lock(settings):
            pytest.fail("two writers at once")


def test_a_lent_lock_serves_the_run_in_the_same_process_and_is_taken_back(settings):
    with brand_lock(settings, lend=True), brand_lock(settings) as holder:
        assert holder is not None
    with brand_lock(settings), pytest.raises(RunLocked), brand_lock(settings):
        pass
