"""HTTP with manners: no more requests per minute than allowed, patience when told to wait, one host only.

Every answer that leaves here is JSON of a request that succeeded; everything else is an error without the token and
without the body. What is asked for belongs in `orchestration.landing.extract.api`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import simplejson

from orchestration.landing.errors import LandingError, SourceUnavailable
from orchestration.landing.extract.secrets import masked

# At DEBUG it writes every address, with whatever secret an API puts into its links.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)

WINDOW_SECONDS = 60.0
ATTEMPTS = 6
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 60.0  # doubles from one to the other
PATIENCE_SECONDS = 900.0  # a server that asks for more patience than this is asked again by the next run
TIMEOUT_SECONDS = (10.0, 60.0)  # to connect; between two bytes of the answer
_WAIT = {429, 503}
_RETRY = _WAIT | {408, 500, 502, 504}


@dataclass(frozen=True)
class Clock:
    """The time in seconds and how to let it pass; tests bring their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Refused(LandingError):
    """The server said no (status 4xx): asking again in the same way would change nothing."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Pace:
    """At most `per_minute` requests in any 60 seconds, wherever the minute is thought to begin."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self.per_minute = per_minute
        self.clock = clock
        self._sent: deque[float] = deque()

    def wait(self) -> None:
        """Return when the next request may be sent, and count it."""
        while True:
            now = self.clock.now()
            while self._sent and now - self._sent[0] >= WINDOW_SECONDS:
                self._sent.popleft()
            if len(self._sent) < self.per_minute:
                self._sent.append(now)
                return
            self.clock.sleep(self._sent[0] + WINDOW_SECONDS - now)


class PoliteSession(requests.Session):
    """A session that paces, waits, tries again, and leaves neither its host nor its scheme."""

    def __init__(self, base_url: str, where: str, pace: Pace, secrets: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._origin = _origin(base_url)
        self._where = where  # `sources/orders.yml: GET orders`, for messages
        self._pace = pace
        self._secrets = secrets

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Send until there is a JSON answer. A redirect comes through here too, so it stays on the host."""
        if _origin(str(request.url)) != self._origin:
            raise LandingError(
                f"{self._where}: the API sends on to {_shown(_origin(str(request.url)))}, away from reader.base_url; "
                "the token goes to no other host. Correct reader.base_url if the API has moved"
            )
        kwargs["timeout"] = TIMEOUT_SECONDS
        said = ""
        for attempt in range(1, ATTEMPTS + 1):
            self._pace.wait()
            asked_to_wait = None
            try:
                response = super().send(request, **kwargs)
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                said = f"{type(error).__name__}"
            except requests.RequestException as error:
                raise SourceUnavailable(f"{self._where}: {masked(type(error).__name__, self._secrets)}") from None
            else:
                if response.status_code not in _RETRY:
                    return self._judged(response)
                said = f"status {response.status_code}"
                asked_to_wait = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
                response.close()
            if asked_to_wait is not None and asked_to_wait > PATIENCE_SECONDS:
                raise SourceUnavailable(
                    f"{self._where}: {said}, and asks to wait {asked_to_wait:,.0f} s; run again later, or lower "
                    "reader.requests_per_minute"
                )
            if attempt < ATTEMPTS:
                backoff = min(FIRST_WAIT_SECONDS * 2 ** (attempt - 1), LONGEST_WAIT_SECONDS)
                self._pace.clock.sleep(max(backoff, asked_to_wait or 0.0))
        raise SourceUnavailable(
            f"{self._where}: no answer in {ATTEMPTS} attempts, the last: {said}; what was read before is kept, the next "
            "run goes on from there"
        )

    def _judged(self, response: requests.Response) -> requests.Response:
        status = response.status_code
        if status in (401, 403):
            raise LandingError(
                f"{self._where}: status {status}: the API does not accept the token; check reader.token_secret and "
                "the token's rights"
            )
        if status >= 400:
            raise Refused(
                f"{self._where}: status {status}; check reader.endpoint, reader.parameters and reader.paging", status
            )
        if response.is_redirect:
            return response  # followed by requests, through `send`
        try:
            # Numbers keep their digits: 0.10 is not a float.
            body = simplejson.loads(response.content, use_decimal=True)
        except (ValueError, RecursionError):
            kind = response.headers.get("Content-Type", "no content type").partition(";")[0]
            raise LandingError(
                f"{self._where}: the answer is not JSON (status {status}, {kind}); check reader.base_url and "
                "reader.endpoint"
            ) from None
        response.json = lambda **_: body  # parsed once, for everybody who asks
        return response


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date. None where it says nothing that is understood."""
    if not header:
        return None
    text = header.strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    ports = {"http": 80, "https": 443}
    return parts.scheme, (parts.hostname or "").lower(), parts.port or ports.get(parts.scheme)


def _shown(origin: tuple[str, str, int | None]) -> str:
    return f"{origin[0]}://{origin[1]}:{origin[2]}"
