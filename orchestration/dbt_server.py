"""The other end of `python -m orchestration.dbt_process --serve`: one dbt server a process, started when first wanted.

An invocation looks like a `subprocess.Popen`: lines to read, an exit code to wait for. What dbt is asked to do belongs in
`orchestration.dbt`.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence

END_OF_ANSWER = "\x1e dbt "  # that of dbt_process, which cannot be imported without importing dbt

_lock = threading.RLock()
_server: subprocess.Popen[str] | None = None


def command() -> list[str]:
    return [sys.executable, "-m", "orchestration.dbt_process", "--serve"]


def start() -> subprocess.Popen[str]:
    """The server of this process; starts it, without waiting until it is ready, where there is none yet."""
    global _server
    with _lock:
        if _server is None or _server.poll() is not None:
            _server = subprocess.Popen(
                command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        return _server


def stop() -> None:
    """End the server, and with it what it is doing."""
    global _server
    with _lock:
        server, _server = _server, None
    if server is not None and server.poll() is None:
        server.terminate()
        server.wait()


atexit.register(stop)


class Invocation:
    """dbt at work on one request. To be read to its end, or terminated: the server answers one request at a time."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        _lock.acquire()
        self._code: int | None = None
        self._server = start()
        request = json.dumps({"arguments": list(arguments), "environment": dict(environment)})
        assert self._server.stdin is not None
        try:
            self._server.stdin.write(request + "\n")
            self._server.stdin.flush()
        except BrokenPipeError:
            self._end(self._server.wait())

    def _end(self, code: int) -> None:
        if self._code is None:
            self._code = code
            _lock.release()

    @property
    def stdout(self) -> Iterator[str]:
        """The lines dbt writes, without the one that ends them."""
        while self._code is None:
            assert self._server.stdout is not None
            line = self._server.stdout.readline()
            if not line:  # the server is gone, and what dbt had to say with it
                self._end(self._server.wait() or 1)
            elif line.startswith(END_OF_ANSWER):
                self._end(int(line.removeprefix(END_OF_ANSWER)))
            else:
                yield line

    def wait(self) -> int:
        for _ in self.stdout:
            pass
        assert self._code is not None
        return self._code

    def poll(self) -> int | None:
        return self._code

    def terminate(self) -> None:
        """Stop dbt and the server with it; the next invocation has a new one."""
        stop()
        self._end(-15)
