"""A Spark standalone cluster on loopback: master, two workers and a Thrift server, from the pip package's own programs.

Started for one comparison and stopped at its end, whatever the end is. What runs on it belongs in `orchestration.spark.parity`;
Spark lives in an environment of its own (`requirements-spark.lock`), of which only the programs are used here.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
WORKERS = 2
# Heaps: driver and executors 1 GiB each, the four daemons' 256 MiB; with what a JVM takes besides, under 5 GiB in all.
DRIVER_MEMORY = "1g"
WORKER_MEMORY = "1g"
DAEMON_MEMORY = "256m"
# One core and one heap each: collectors and compilers with threads of their own would only get in each other's way.
_FEW_THREADS = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
_BYTES_PER_PARTITION = 8 << 20
_LARGE_BYTES = 64 << 20
_START_SECONDS = 180.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.2
_LOG_TAIL = 20  # lines of a log that an error quotes
_OLDEST_JAVA = 17


class SparkMissing(RuntimeError):
    """There is no JDK, or no environment with Spark; str() says what to do."""


class ClusterError(RuntimeError):
    """A process of the cluster did not come up, or ended; str() names it and its log."""


@dataclass(frozen=True)
class Programs:
    """Spark's programs and dbt of one environment, and the Java that runs them."""

    spark_home: Path
    dbt: Path
    java_home: Path

    @property
    def spark_class(self) -> Path:
        return self.spark_home / "bin" / "spark-class"


@dataclass(frozen=True)
class Cluster:
    """A running cluster; `warehouse` holds the Parquet files of its tables."""

    port: int
    warehouse: Path
    started_seconds: float


def find_programs(environment: Path) -> Programs:
    """The programs of the environment that `make spark` creates. Raises SparkMissing."""
    homes = sorted(environment.glob("lib/python3*/site-packages/pyspark"))
    dbt = environment / "bin" / "dbt"
    if not homes or not dbt.exists():
        raise SparkMissing(f"{environment} has no Spark; create it with `make spark-setup`")
    return Programs(homes[-1], dbt, find_java())


def find_java() -> Path:
    """Home of a JDK or JRE that Spark runs on: JAVA_HOME, or the one that `java` on PATH belongs to. Raises SparkMissing."""
    named = os.environ.get("JAVA_HOME")
    found = Path(named, "bin", "java") if named else Path(shutil.which("java") or "")
    if not found.is_file():
        raise SparkMissing(
            f"no Java {_OLDEST_JAVA} or newer: set JAVA_HOME, or install one (`apt-get install openjdk-17-jre-headless`)"
        )
    told = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = java_version(told)
    if version < _OLDEST_JAVA:
        raise SparkMissing(f"{found} is Java {version or 'of an unknown version'}; Spark needs {_OLDEST_JAVA} or newer")
    return found.resolve().parent.parent


def java_version(told: str) -> int:
    """Major version in what `java -version` says; 0 where it says none."""
    quoted = told.partition('"')[2].partition('"')[0]
    parts = quoted.split(".")
    first = parts[1] if parts[0] == "1" and len(parts) > 1 else parts[0]
    digits = first.partition("-")[0]
    return int(digits) if digits.isdigit() else 0


def tuning(lake_bytes: int) -> dict[str, str]:
    """Settings by the size of the lake's files. Little data is all overhead: tasks, and compiling each query to byte code."""
    return {
        "spark.sql.shuffle.partitions": str(max(WORKERS, min(64, lake_bytes // _BYTES_PER_PARTITION))),
        "spark.sql.codegen.wholeStage": str(lake_bytes >= _LARGE_BYTES).lower(),
    }


def session_settings(work: Path) -> dict[str, str]:
    """Spark's settings: everything on loopback and below `work`, UTC, timestamps that other engines can read."""
    return {
        "spark.driver.host": HOST,
        "spark.driver.bindAddress": HOST,
        "spark.executor.memory": WORKER_MEMORY,
        "spark.executor.cores": "1",
        "spark.ui.enabled": "false",
        "spark.local.dir": str(work / "local"),
        "spark.sql.warehouse.dir": str(work / "warehouse"),
        "spark.sql.catalogImplementation": "hive",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={work / 'metastore'};create=true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.driver.extraJavaOptions": f"-Duser.timezone=UTC -Dderby.system.home={work} {_FEW_THREADS}",
        "spark.executor.extraJavaOptions": f"-Duser.timezone=UTC {_FEW_THREADS}",
        # Views upon views: the plans are small in data and long in text.
        "spark.sql.maxMetadataStringLength": "100",
        "spark.sql.debug.maxToStringFields": "5",
    }


@contextmanager
def running(programs: Programs, work: Path, tuned: Mapping[str, str]) -> Iterator[Cluster]:
    """A cluster for the length of the block, with the settings of `tuning`. `work` takes its tables, catalogue and logs.

    Ctrl-C, SIGTERM and errors stop it as the end of the block does. Raises ClusterError when it does not come up.
    """
    for folder in ("logs", "local", "warehouse"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    processes: list[tuple[str, subprocess.Popen[bytes]]] = []
    with _ended_by_sigterm():
        try:
            yield _start(programs, work, tuned, processes, started)
        finally:
            stop(process for _, process in reversed(processes))


def _start(
    programs: Programs,
    work: Path,
    tuned: Mapping[str, str],
    processes: list[tuple[str, subprocess.Popen[bytes]]],
    started: float,
) -> Cluster:
    environment = _environment(programs, work)

    def start(name: str, *arguments: str, memory: str = DAEMON_MEMORY) -> None:
        log = _log(work, name)
        with log.open("wb") as output:
            # A session of its own: the terminal's Ctrl-C reaches us alone, and a group can be ended with its executors.
            process = subprocess.Popen(
                [programs.spark_class, *arguments],
                cwd=work,
                env={**environment, "SPARK_DAEMON_MEMORY": memory},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        processes.append((name, process))

    def wait(name: str, is_ready: Callable[[], bool]) -> None:
        until = time.monotonic() + _START_SECONDS
        while not is_ready():
            for known, process in processes:
                if process.poll() is not None:
                    raise ClusterError(f"Spark's {known} ended with {process.returncode}:\n{_tail(_log(work, known))}")
            if time.monotonic() > until:
                raise ClusterError(f"Spark's {name} is not up after {_START_SECONDS:.0f} s:\n{_tail(_log(work, name))}")
            time.sleep(_POLL_SECONDS)

    master_port, thrift_port = free_ports(2)
    master = f"spark://{HOST}:{master_port}"
    start(
        "master", "org.apache.spark.deploy.master.Master", "--host", HOST, "--port", str(master_port), "--webui-port", "0"
    )  # fmt: skip
    wait("master", lambda: _listens(master_port))
    for number in range(1, WORKERS + 1):
        name = f"worker-{number}"
        start(
            name, "org.apache.spark.deploy.worker.Worker", "--host", HOST, "--webui-port", "0", "--cores", "1",
            "--memory", WORKER_MEMORY, "--work-dir", str(work / "local" / name), master,
        )  # fmt: skip
    conf = session_settings(work) | dict(tuned)
    start(
        "thrift",
        "org.apache.spark.deploy.SparkSubmit",
        "--master",
        master,
        "--class",
        "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2",
        *(part for key, value in conf.items() for part in ("--conf", f"{key}={value}")),
        "spark-internal",
        *(
            "--hiveconf",
            f"hive.server2.thrift.bind.host={HOST}",
            "--hiveconf",
            f"hive.server2.thrift.port={thrift_port}",
        ),
        memory=DRIVER_MEMORY,  # the launcher takes the Thrift server for a daemon, and does not ask spark.driver.memory
    )
    for number in range(1, WORKERS + 1):
        wait(f"worker-{number}", lambda number=number: _says(work, f"worker-{number}", "Successfully registered"))
    wait("thrift", lambda: _listens(thrift_port))
    return Cluster(thrift_port, work / "warehouse", time.monotonic() - started)


def _environment(programs: Programs, work: Path) -> dict[str, str]:
    # Not this process's variables: SPARK_CONF_DIR and the like would be somebody else's.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}
    return kept | {
        "JAVA_HOME": str(programs.java_home),
        "SPARK_HOME": str(programs.spark_home),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_LOG_DIR": str(work / "logs"),
        "SPARK_DAEMON_JAVA_OPTS": _FEW_THREADS,
        "TZ": "UTC",
    }


def stop(processes: Iterator[subprocess.Popen[bytes]]) -> None:
    """End the processes with everything they started; those that do not go in time are killed."""
    ended = list(processes)
    for process in ended:
        _signal_group(process, signal.SIGTERM)
    until = time.monotonic() + _STOP_SECONDS
    for process in ended:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, until - time.monotonic()))
        # Executors are children of a worker: they are in its group, and may outlive it.
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block like Ctrl-C does, so that what it started is stopped."""

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def _log(work: Path, name: str) -> Path:
    return work / "logs" / f"{name}.log"


def _says(work: Path, name: str, text: str) -> bool:
    return text in _log(work, name).read_text(encoding="utf-8", errors="replace")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL:])


def dbt_environment(cluster: Cluster, environment: Mapping[str, str]) -> dict[str, str]:
    """A dbt process's environment, with the port that the profile's target `spark` connects to."""
    return {**environment, "TESSERA_SPARK_PORT": str(cluster.port)}
