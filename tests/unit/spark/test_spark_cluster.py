"""Starting and stopping a cluster, with programs that only pretend to be Spark: nothing may be left running."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestration.spark import cluster

# A "master" that listens, "workers" with a child that register, and a Thrift server that listens or dies.
FAKE = """#!/bin/sh
case "$1" in
  *Master) exec {python} -c 'import socket, sys, time
s = socket.create_server(("127.0.0.1", int(sys.argv[1]))); time.sleep(600)' "$5" ;;
  *Worker) echo "Successfully registered with master"; sleep 600 & wait ;;
  *) {thrift} ;;
esac
"""
LISTEN = """for last in "$@"; do :; done
exec {python} -c 'import socket, sys, time
s = socket.create_server(("127.0.0.1", int(sys.argv[1].rpartition("=")[2]))); time.sleep(600)' "$last" """


def fake_programs(root: Path, thrift: str = LISTEN) -> cluster.Programs:
    spark_class = root / "spark" / "bin" / "spark-class"
    spark_class.parent.mkdir(parents=True)
    body = FAKE.replace("{thrift}", thrift).replace("{python}", sys.executable)
    spark_class.write_text(body)
    spark_class.chmod(0o755)
    return cluster.Programs(root / "spark", root / "dbt", root / "java")


def processes_below(folder: Path) -> list[int]:
    """Living processes whose working directory is `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").readlink() == folder.resolve():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_everything_runs_inside_the_block_and_nothing_after_it(tmp_path: Path) -> None:
    work = tmp_path / "work"
    with cluster.running(fake_programs(tmp_path), work, {}) as running:
        assert running.warehouse == work / "warehouse"
        # Master, two workers with a child each, the Thrift server.
        assert len(processes_below(work)) == 6
    assert processes_below(work) == []


def test_an_error_inside_the_block_stops_it_too(tmp_path: Path) -> None:
    work = tmp_path / "work"
    with pytest.raises(KeyError), cluster.running(fake_programs(tmp_path), work, {}):
        raise KeyError("x")
    assert processes_below(work) == []


def test_a_server_that_does_not_come_up_is_named_with_its_log(tmp_path: Path) -> None:
    work = tmp_path / "work"
    broken = fake_programs(tmp_path, thrift="echo 'no memory left'; exit 3")
    with (
        pytest.raises(cluster.ClusterError, match=r"thrift ended with 3:\n.*no memory left"),
        cluster.running(broken, work, {}),
    ):
        pass
    assert processes_below(work) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_program_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    work = tmp_path / "work"
    fake_programs(tmp_path)
    program = (
        "import signal, sys, time\nfrom pathlib import Path\nfrom orchestration.spark import cluster\n"
        # A shell that starts the suite in the background has it ignore Ctrl-C, and what it starts inherits that.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "root = Path(sys.argv[1])\n"
        "programs = cluster.Programs(root / 'spark', root / 'dbt', root / 'java')\n"
        "with cluster.running(programs, root / 'work', {}):\n    print('up', flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        assert len(processes_below(work)) == 6
        process.send_signal(number)
        process.wait(timeout=30)
    until = time.monotonic() + 5
    while processes_below(work) and time.monotonic() < until:
        time.sleep(0.05)
    assert processes_below(work) == []


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime', 17),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "25-ea" 2025-09-16', 25),
        ('openjdk version "21" 2023-09-19', 21),
        ("command not found", 0),
        ("", 0),
    ],
)
def test_java_says_its_version(told: str, version: int) -> None:
    assert cluster.java_version(told) == version


def test_a_missing_environment_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(cluster.SparkMissing, match="make spark-setup"):
        cluster.find_programs(tmp_path)


def test_a_missing_java_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(cluster.SparkMissing, match="JAVA_HOME"):
        cluster.find_java()


def test_an_old_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'java version \"1.8.0_402\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(cluster.SparkMissing, match="Java 8; Spark needs 17"):
        cluster.find_java()


def test_little_data_gets_few_partitions_and_no_compiling() -> None:
    small, large, huge = cluster.tuning(1 << 20), cluster.tuning(128 << 20), cluster.tuning(1 << 40)
    assert [t["spark.sql.shuffle.partitions"] for t in (small, large, huge)] == ["2", "16", "64"]
    assert [t["spark.sql.codegen.wholeStage"] for t in (small, large, huge)] == ["false", "true", "true"]


def test_all_addresses_are_loopback_and_all_files_below_the_folder(tmp_path: Path) -> None:
    settings = cluster.session_settings(tmp_path)
    assert settings["spark.driver.host"] == settings["spark.driver.bindAddress"] == "127.0.0.1"
    for name in ("spark.local.dir", "spark.sql.warehouse.dir"):
        assert Path(settings[name]).is_relative_to(tmp_path)
    assert settings["spark.sql.session.timeZone"] == "UTC"


def test_free_ports_differ() -> None:
    assert len(set(cluster.free_ports(5))) == 5
