"""The client: connections that threads share, limits for everything, and a few tries."""

from __future__ import annotations

import base64
import json as jsons
import random
import ssl
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import version
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

from attrs import frozen

from pacer_core import PacerError, Secret, read_number
from pacer_http.answers import Answer
from pacer_http.failures import PASSING, Away, Problem, judge
from pacer_http.wire import ENCODINGS, Wire, decoded

DELAYS = (0.3, 1.5)
"""Seconds before the second and the third try, each with up to half as much again."""
PATIENCE = 10.0
"""Seconds after which nothing is tried again within the task: the broker delays better."""
CONNECT = 10.0
"""Seconds that connecting may take at most."""
LONGEST = 3600.0
"""Seconds that a ``Retry-After`` may ask for at most: maintenance pages say a day, and are gone sooner."""
LARGEST = 64 * 1024 * 1024
"""Bytes of an answer that are read at most."""
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_WITH_A_BODY = frozenset({"POST", "PUT", "PATCH"})


@frozen
class Stream:
    """A body that is not held in memory.

    ``begin()`` gives its blocks from the first on, each time that the request is tried; ``length`` is the
    number of their bytes.
    """

    begin: Callable[[], Iterable[bytes]]
    length: int


class HttpClient:
    """Speaks with one service; safe to use from many threads, closed by the ``with`` that opened it.

    Certificates are always verified and redirections never followed. A service that names a time with 429 or
    503 (``Retry-After``) is left alone until then, by all threads: requests meanwhile raise `Away` with what
    is left of it.

    Parameters
    ----------
    name
        What errors call the service.
    url
        Its base address; the paths of requests are put behind it.
    timeout
        How long each wait for the other side may take, and the body of an answer as a whole.
    ca_file
        Certificates (PEM) to trust instead of the system's.
    account
        User name and password, for Basic authentication.
    authorization
        Instead: a scheme and its secret, such as ``("Bearer", token)`` or ``("ApiKey", key)``.
    headers
        What every request carries beside.
    contact
        An address for the service's operators, in ``User-Agent``.
    delays
        Seconds before each further try; ``()`` for none.

    Raises
    ------
    PacerError
        Where ``ca_file`` cannot be read.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        timeout: timedelta,
        ca_file: str | None = None,
        account: tuple[str, Secret] | None = None,
        authorization: tuple[str, Secret] | None = None,
        headers: Mapping[str, str] | None = None,
        contact: str | None = None,
        delays: Sequence[float] = DELAYS,
    ) -> None:
        self.name = name
        self._base = url.rstrip("/")
        self._path = urlsplit(self._base).path
        self._seconds = timeout.total_seconds()
        self._delays = tuple(delays)
        self._not_before = 0.0
        agent = f"pacer/{version('pacer-core')}" + (f" (mailto:{contact})" if contact else "")
        ours = {"User-Agent": agent, "Accept": "application/json", "Accept-Encoding": ENCODINGS}
        if account is not None:
            pair = f"{account[0]}:{account[1].reveal()}".encode()
            ours["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        if authorization is not None:
            scheme, secret = authorization
            ours["Authorization"] = f"{scheme} {secret.reveal()}"
        self._headers = _Hidden(_joined(ours, headers or {}))
        waits = dict.fromkeys(("read", "write", "pool"), self._seconds)
        waits["connect"] = min(CONNECT, self._seconds)
        self._wire = Wire(name, self._base, _trust(name, ca_file), waits)

    def __enter__(self) -> HttpClient:
        """Give the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        body: bytes | Stream | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        expect: Collection[int] | None = None,
        repeatable: bool | None = None,
        into: Callable[[bytes], object] | None = None,
    ) -> Answer:
        """Send a request, and give the answer that was expected.

        Parameters
        ----------
        method, path
            ``path`` is quoted already; see `pacer_http.segment`. Secrets do not belong there.
        params
            What comes behind the question mark; it stays out of errors.
        json
            What to send as JSON; NaN and infinity are a ``ValueError``.
        body, content_type
            What to send instead, as it is; ``content_type`` also names a dialect of JSON. A `Stream` is read
            while it is sent, and what it raises comes out as it is.
        headers
            What this request carries beside: a token that changes, for instance.
        expect
            The statuses to return; by default any 2xx.
        repeatable
            Whether sending it twice is the same as once; by default what the method promises.
        into
            Takes the body of an expected answer block by block, however long it is and takes, as long as no
            single wait is longer than the timeout; the answer's own body is then empty. Without more tries.

        Raises
        ------
        Away, Forbidden, Missing, Conflict, Refused
            For every other status, and where there is no answer.
        """
        ours = _joined(self._headers, headers or {})
        if json is not None:
            body = jsons.dumps(json, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
            content_type = content_type or "application/json"
        if content_type is not None or body is not None:
            ours["Content-Type"] = content_type or "application/octet-stream"
        if body is not None or method in _WITH_A_BODY:
            ours["Content-Length"] = str(body.length if isinstance(body, Stream) else len(body or b""))
        target = f"{self._path}{path}" + (f"?{urlencode(params)}" if params else "")

        def send() -> Answer:
            content = body.begin() if isinstance(body, Stream) else body
            return self._send(method, target, ours, content, what, is_expected, into)

        def is_expected(status: int) -> bool:
            return status in expect if expect is not None else 200 <= status < 300

        twice = method.upper() in _REPEATABLE if repeatable is None else repeatable
        what = f"{self.name}: {method} {path}"
        deadline = time.monotonic() + PATIENCE
        for delay in (None,) if into is not None else (*self._delays, None):
            self._wait_for_permission(what)
            try:
                answer = send()
                if is_expected(answer.status):
                    return answer
                problem: Problem = judge(answer, self._retry_after(answer))
                again = twice and answer.status in PASSING
            except _NotSent as error:
                problem, again = error, True
            except _Lost as error:
                problem, again = error, twice
            pause = None if delay is None else delay * random.uniform(1.0, 1.5)  # noqa: S311 - no secret
            wished = problem.after if isinstance(problem, Away) else None
            if pause is not None and wished is not None:
                pause = max(pause, wished)
            if not again or pause is None or time.monotonic() + pause > deadline:
                break
            time.sleep(pause)
        raise problem

    def _send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        content: bytes | Iterable[bytes] | None,
        what: str,
        is_expected: Callable[[int], bool],
        into: Callable[[bytes], object] | None,
    ) -> Answer:
        """Send once, and read the answer to its end before the time is up."""
        import httpcore

        late = f"{what} was not answered within {self._seconds:g} s"
        try:
            with self._wire.answer(method, target, headers, content) as response:
                until = time.monotonic() + self._seconds
                found = _headers(response.headers)
                body = bytearray()
                for block in decoded(response.iter_stream(), found.get("content-encoding", "")):
                    if into is not None and is_expected(response.status):
                        into(block)
                        continue
                    body += block
                    if time.monotonic() > until:
                        raise _Lost(late)
                    if len(body) > LARGEST:
                        raise _Lost(f"{what} was answered with more than {LARGEST} bytes")
        except (
            httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, httpcore.ProxyError
        ) as error:  # fmt: skip
            raise _NotSent(f"{what}: nobody answers at {self._base} ({_why(error)})") from error
        except httpcore.TimeoutException as error:
            raise _Lost(late) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, zlib.error) as error:
            raise _Lost(f"{what}: the answer was cut off ({type(error).__name__})") from error
        return Answer(response.status, bytes(body), found, what)

    def _retry_after(self, answer: Answer) -> float | None:
        """Read when the service wants to be asked again, and keep everybody from asking before."""
        if answer.status not in (429, 503):
            return None
        seconds = seconds_of(answer.headers.get("retry-after"))
        if seconds is not None:
            self._not_before = max(self._not_before, time.monotonic() + seconds)
        return seconds

    def _wait_for_permission(self, what: str) -> None:
        left = self._not_before - time.monotonic()
        if left > 0:
            raise Away(f"{what} waits: the service asked to be left alone", after=left)


class _Hidden(dict[str, str]):
    """Headers that show nowhere what they hold."""

    def __repr__(self) -> str:
        return f"<headers {', '.join(self)}>"


class _NotSent(Away):
    """Nobody took the request."""


class _Lost(Away):
    """The request may have been carried out; nobody knows."""


def seconds_of(value: str | None) -> float | None:
    """Read a ``Retry-After`` (RFC 9110, 10.2.3): seconds, or a date; ``None`` for what is neither."""
    if value is None:
        return None
    seconds = read_number(value)
    if seconds is None:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
        seconds = (date - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST)


@cache
def _authorities(ca_file: str | None) -> ssl.SSLContext:
    """Read certificates once for all clients of the process: the system's take 20 ms."""
    return ssl.create_default_context(cafile=ca_file)


def _trust(name: str, ca_file: str | None) -> ssl.SSLContext:
    try:
        return _authorities(ca_file)
    except OSError as error:
        raise PacerError(f"{name}: the certificates in {ca_file} cannot be read: {error.strerror}") from None


def _joined(ours: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Give headers with some of them set anew, whatever the case of their names."""
    if not more:
        return dict(ours)
    names = {key.lower() for key in more}
    return {**{key: value for key, value in ours.items() if key.lower() not in names}, **more}


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Give an answer's headers by lower-case name; those that come several times are joined by commas."""
    found: dict[str, str] = {}
    for key, value in raw:
        name, text = key.decode("latin-1").lower(), value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _why(error: Exception) -> str:
    """Say what the network said before anything was sent, and what to do where it is about trust."""
    text = str(error) or type(error).__name__
    hint = "; name its authority's certificate in caFile" if "CERTIFICATE_VERIFY_FAILED" in text else ""
    return f"{text}{hint}"
