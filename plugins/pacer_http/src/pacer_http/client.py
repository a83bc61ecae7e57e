"""The client: connections that threads share, limits for everything, and a few tries."""

from __future__ import annotations

import random
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from attrs import frozen

from pacer_core import PacerError, Secret, read_number
from pacer_http.answers import Answer
from pacer_http.failures import PASSING, Away, Problem, judge

if TYPE_CHECKING:
    import httpx

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

    Certificates are always verified, redirections never followed and cookies not kept; a proxy is taken from
    ``HTTPS_PROXY`` and its like. A service that names a time with 429 or 503 (``Retry-After``) is left alone
    until then, by all threads: requests meanwhile raise `Away` with what is left of it.

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
        import httpx  # not with the plugin, which every command loads

        self.name = name
        self._base = url.rstrip("/")
        self._seconds = timeout.total_seconds()
        self._delays = tuple(delays)
        self._not_before = 0.0
        agent = f"pacer/{version('pacer-core')}" + (f" (mailto:{contact})" if contact else "")
        ours = {"User-Agent": agent, "Accept": "application/json", **(headers or {})}
        self._headers = {"Accept-Encoding": "gzip, deflate", **ours}
        if account is not None:
            authorization = ("Basic", _basic(*account))
        self._authorization = authorization
        timeouts = httpx.Timeout(self._seconds, connect=min(CONNECT, self._seconds))
        self._extensions = {"timeout": timeouts.as_dict()}
        # A transport and no `httpx.Client`: cookies, redirections and hooks are not wanted, and cost every
        # request a part of its time under the lock that all threads share.
        self._transport = httpx.HTTPTransport(
            verify=_trust(name, ca_file),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=30),
            proxy=_proxy(self._base),
        )

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
        self._transport.close()

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
        import httpx

        of_body = {}
        if content_type is not None or body is not None:
            of_body["Content-Type"] = content_type or "application/octet-stream"
        if isinstance(body, Stream):
            of_body["Content-Length"] = str(body.length)
        ours = _merged(self._headers, self._signed(), headers or {}, of_body)

        def build() -> httpx.Request:
            content = body.begin() if isinstance(body, Stream) else body
            url = f"{self._base}{path}"
            more = self._extensions
            return httpx.Request(
                method, url, params=params, json=json, content=content, headers=ours, extensions=more
            )

        def is_expected(status: int) -> bool:
            return status in expect if expect is not None else 200 <= status < 300

        twice = method.upper() in _REPEATABLE if repeatable is None else repeatable
        what = f"{self.name}: {method} {path}"
        deadline = time.monotonic() + PATIENCE
        for delay in (None,) if into is not None else (*self._delays, None):
            self._wait_for_permission(what)
            try:
                answer = self._send(build(), what, is_expected, into)
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

    def _signed(self) -> Mapping[str, str]:
        if self._authorization is None:
            return {}
        scheme, secret = self._authorization
        return {"Authorization": f"{scheme} {secret.reveal()}"}

    def _send(
        self,
        request: httpx.Request,
        what: str,
        is_expected: Callable[[int], bool],
        into: Callable[[bytes], object] | None,
    ) -> Answer:
        """Send once, and read the answer to its end before the time is up."""
        import httpx

        late = f"{what} was not answered within {self._seconds:g} s"
        try:
            response = self._transport.handle_request(request)
            until = time.monotonic() + self._seconds
            try:
                body = bytearray()
                for chunk in response.iter_bytes():
                    if into is not None and is_expected(response.status_code):
                        into(chunk)
                        continue
                    body += chunk
                    if time.monotonic() > until:
                        raise _Lost(late)
                    if len(body) > LARGEST:
                        raise _Lost(f"{what} was answered with more than {LARGEST} bytes")
            finally:
                response.close()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise _NotSent(f"{what}: nobody answers at {self._base} ({_why(error)})") from error
        except httpx.TimeoutException as error:
            raise _Lost(late) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise _Lost(f"{what}: the answer was cut off ({type(error).__name__})") from error
        headers = {key.lower(): value for key, value in response.headers.items()}
        return Answer(response.status_code, bytes(body), headers, what)

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


def _merged(*several: Mapping[str, str]) -> list[tuple[str, str]]:
    """Give headers, of which a later one takes the place of an earlier one, however it is spelled."""
    found = {name.lower(): (name, value) for headers in several for name, value in headers.items()}
    return list(found.values())


def _basic(name: str, password: Secret) -> Secret:
    return Secret(b64encode(f"{name}:{password.reveal()}".encode()).decode())


def _proxy(base: str) -> str | None:
    """Give the proxy on the way to an address, as ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` name it."""
    address = urlsplit(base)
    named = getproxies()
    proxy = named.get(address.scheme) or named.get("all")
    if not proxy or proxy_bypass(address.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


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


def _why(error: httpx.TransportError) -> str:
    """Say what the network said before anything was sent, and what to do where it is about trust."""
    text = str(error) or type(error).__name__
    hint = "; name its authority's certificate in caFile" if "CERTIFICATE_VERIFY_FAILED" in text else ""
    return f"{text}{hint}"
