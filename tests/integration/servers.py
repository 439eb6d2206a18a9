"""Real servers on loopback for tests and benchmarks: PostgreSQL, MariaDB and a small REST API, each in its own folder.

MariaDB is the server of the MySQL protocol that Debian ships; Oracle's own MySQL is not tried here. A server is stopped,
and its folder removed, when its block ends. What is asserted about them belongs in the tests beside this file.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

USER, PASSWORD, DATABASE = "tessera", "s3cret-p@ss/word", "shop"
_URL_PASSWORD = "s3cret-p%40ss%2Fword"
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_TRIES = 3  # another process may take the free port between asking for it and using it


class NoServer(RuntimeError):
    """The server's programs are not on this machine; tests skip with this text."""


def find_program(name: str, *folders: str) -> Path:
    """A program on PATH or in the folders (globs) where Debian keeps it. Raises NoServer when it is nowhere."""
    found = shutil.which(name)
    candidates = [Path(found)] if found else []
    # Debian keeps PostgreSQL's programs off PATH, one folder per major version: the newest wins.
    for folder in folders:
        candidates += sorted(Path("/").glob(f"{folder.lstrip('/')}/{name}"), reverse=True)
    for path in candidates:
        if os.access(path, os.X_OK):
            return path
    raise NoServer(f"{name} is not installed; `.ci/run` installs it")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _account(preferred: str) -> str | None:
    """Who runs the server: nobody else than we, unless we are root, as whom neither server starts."""
    if os.geteuid() != 0:
        return None
    for name in (preferred, "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise NoServer(f"there is no user {preferred} to run the server as; `.ci/run` makes it")


@contextmanager
def _folder(account: str | None) -> Iterator[Path]:
    # Not below pytest's tmp_path, whose parents only its own user may enter.
    root = Path(tempfile.mkdtemp(prefix="tessera-server-"))
    if account:
        shutil.chown(root, account, pwd.getpwnam(account).pw_gid)
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _identity(account: str | None) -> dict[str, object]:
    if account is None:
        return {}
    entry = pwd.getpwnam(account)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _environment(root: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(root), "LC_ALL": "C", "TZ": "UTC"}


def _run(command: list[object], root: Path, account: str | None) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=root,
        env=_environment(root),
        capture_output=True,
        text=True,
        check=False,
        **_identity(account),  # pyright: ignore[reportArgumentType, reportCallIssue]
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:] or done.stdout[-2000:]}")


@contextmanager
def _serving(
    command: Callable[[int], list[object]],
    root: Path,
    account: str | None,
    stop_signal: signal.Signals,
    ready: Callable[[int], None],
) -> Iterator[int]:
    """Start the server, wait until `ready` no longer raises, give its port; stop it whatever happens."""
    log = root / "server.log"
    for attempt in range(1, _TRIES + 1):
        port = free_port()
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(part) for part in command(port)],
                cwd=root,
                env=_environment(root),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **_identity(account),  # pyright: ignore[reportArgumentType, reportCallIssue]
            )
        try:
            if not _wait(process, lambda port=port: ready(port)):
                if attempt < _TRIES:
                    continue
                raise RuntimeError(f"{command(port)[0]} did not start:\n{log.read_text(errors='replace')[-3000:]}")
            yield port
            return
        finally:
            _stop(process, stop_signal)


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], None]) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            ready()
        except Exception:
            time.sleep(0.05)
        else:
            return True
    return False


def _stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(stop_signal)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def postgresql() -> Iterator[str]:
    """An empty PostgreSQL database; gives its SQLAlchemy URL. Raises NoServer where it is not installed."""
    import psycopg

    folders = ("/usr/lib/postgresql/*/bin",)
    initdb, postgres = find_program("initdb", *folders), find_program("postgres", *folders)
    account = _account("postgres")
    with _folder(account) as root:
        password_file = root / "password"
        password_file.write_text(PASSWORD)
        password_file.chmod(0o644)
        data = root / "data"
        scram = "--auth=scram-sha-256"
        _run(
            [initdb, "-D", data, "-U", USER, "--pwfile", password_file, scram, "-E", "UTF8", "--locale=C", "--no-sync"],
            root,
            account,
        )

        def connect(port: int, database: str) -> psycopg.Connection:
            return psycopg.connect(
                host="127.0.0.1", port=port, user=USER, password=PASSWORD, dbname=database, autocommit=True
            )

        def command(port: int) -> list[object]:
            fast = ["-c", "fsync=off", "-c", "max_wal_size=4GB"]
            return [postgres, "-D", data, "-h", "127.0.0.1", "-p", port, "-k", root, *fast]

        with _serving(command, root, account, signal.SIGINT, lambda port: connect(port, "postgres").close()) as port:
            with connect(port, "postgres") as connection:
                connection.execute(f"create database {DATABASE}")
            yield f"postgresql+psycopg://{USER}:{_URL_PASSWORD}@127.0.0.1:{port}/{DATABASE}"


@contextmanager
def mariadb() -> Iterator[str]:
    """An empty MariaDB database; gives its SQLAlchemy URL. Raises NoServer where it is not installed."""
    import pymysql

    folders = ("/usr/sbin", "/usr/bin", "/usr/local/bin")
    install, server = find_program("mariadb-install-db", *folders), find_program("mariadbd", *folders)
    account = _account("mysql")
    with _folder(account) as root:
        data, local = root / "data", root / "local.sock"
        common = ["--no-defaults", f"--datadir={data}"]
        _run(
            [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            root,
            account,
        )

        def root_connection() -> pymysql.Connection:
            return pymysql.connect(unix_socket=str(local), user="root", autocommit=True)

        def command(port: int) -> list[object]:
            fast = ["--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"]
            address = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={local}", f"--pid-file={root / 'pid'}"]
            return [server, *common, *address, *fast, "--skip-name-resolve"]

        with _serving(command, root, account, signal.SIGTERM, lambda _: root_connection().close()) as port:
            with root_connection() as connection, connection.cursor() as cursor:
                cursor.execute(f"create database {DATABASE} character set utf8mb4")
                cursor.execute(f"create user '{USER}'@'127.0.0.1' identified by '{PASSWORD}'")
                cursor.execute(f"grant all on {DATABASE}.* to '{USER}'@'127.0.0.1'")
            yield f"mysql+pymysql://{USER}:{_URL_PASSWORD}@127.0.0.1:{port}/{DATABASE}"


# ---- a REST API --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What a test's API says: an object to be sent as JSON, or text as it is."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class RestApi:
    """An HTTP server on loopback: `answer` says what to each GET, `requests` holds what was asked, in order."""

    url: str
    answer: Callable[[Request], Answer]
    requests: list[Request] = field(default_factory=list)

    @property
    def queries(self) -> list[dict[str, str]]:
        return [request.query for request in self.requests]


@contextmanager
def rest_api(answer: Callable[[Request], Answer]) -> Iterator[RestApi]:
    """Serve until the block ends. One request at a time is answered, so `answer` may change what it answers from."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet, or each answer waits 40 ms for the first one's receipt

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            request = Request(parts.path, dict(parse_qsl(parts.query)), dict(self.headers.items()))
            with lock:
                api.requests.append(request)
                said = api.answer(request)
            body = said.body if isinstance(said.body, str) else json.dumps(said.body, ensure_ascii=False)
            data = body.encode()
            self.send_response(said.status)
            for name, value in {"Content-Type": "application/json", **said.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests read `requests` instead."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api = RestApi(f"http://127.0.0.1:{server.server_address[1]}", answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
