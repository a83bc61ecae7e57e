"""A stand-in for an HTTP service, for the tests of plugins: a real server on loopback that can misbehave.

::

    def answer(request: Request) -> Reply:
        return Reply({"name": request.path}) if request.method == "GET" else Reply(status=405)

    with StandIn(answer) as service:
        service.fail(LOST)                  # carry the next request out, and say nothing
        service.fail(refusal(429, {"Retry-After": "1"}), to="PUT")
        ...
        assert [request.method for request in service.requests] == ["GET"]
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from attrs import field, frozen


@frozen
class Request:
    """What has come in; ``path`` is as it was sent, quoted, and headers are by lower-case name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Give the body as JSON."""
        return json.loads(self.body)


@frozen
class Reply:
    """What goes out: JSON, or bytes as they are."""

    content: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)

    @property
    def body(self) -> bytes:
        """The bytes of the body."""
        return self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()


@frozen
class Fault:
    """One way to misbehave, for one request.

    Attributes
    ----------
    says
        ``"all"`` of the reply, ``"half"`` of it, ``"nothing"``, ``"late"``: nothing, for long, or
        ``"drips"``: all of it, byte by byte.
    carried_out
        Whether the service does what the request asks for.
    reply
        What is said where it does not.
    """

    says: str
    carried_out: bool = True
    reply: Reply | None = None


RESET = Fault("nothing", carried_out=False)
"""Close the connection and do nothing."""
LOST = Fault("nothing")
"""Carry the request out and close the connection: a crash right after it, as the other side sees it."""
CUT = Fault("half")
"""Carry the request out and cut the answer in its middle."""
LATE = Fault("late")
"""Carry the request out and say nothing until the stand-in is closed."""

DRIPS = Fault("drips")
"""Carry the request out and let each byte of the answer wait for the twentieth part of a second."""


def refusal(status: int, headers: Mapping[str, str] | None = None, content: Any = b"out of order") -> Fault:
    """Give the fault of answering with a status instead."""
    return Fault("all", carried_out=False, reply=Reply(content, status, headers or {}))


HTML = refusal(200, {"Content-Type": "text/html"}, b"<html><body>Down for maintenance</body></html>")
"""Answer 200 with a page, as a proxy does in front of a service that is away."""
EXPIRED = refusal(401, {"WWW-Authenticate": "Basic"})
"""Refuse the credentials."""
FAULTS = {
    "reset": RESET,
    "lost": LOST,
    "cut": CUT,
    "late": LATE,
    "html": HTML,
    "expired": EXPIRED,
    "429": refusal(429),
    "500": refusal(500),
    "503": refusal(503),
}
"""What every end has to live with: parametrise a test with these."""


class StandIn:
    """A server on a free port of loopback: ``answer`` says what it does, one request at a time.

    Parameters
    ----------
    answer
        Gives the reply to a request; what it raises becomes a 500 and fails `close`.
    certificate
        The files (PEM) of a certificate and its key, with which it speaks TLS.
    """

    def __init__(
        self, answer: Callable[[Request], Reply], *, certificate: tuple[Path, Path] | None = None
    ) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self._faults: list[tuple[str, Fault]] = []
        self._errors: list[Exception] = []
        self._closing = threading.Event()
        self.requests: list[Request] = []
        """Every request, in order, also those that a fault has kept from being carried out."""
        stand_in = self

        class Handler(_Handler):
            owner = stand_in

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base address."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, *faults: Fault, to: str = "", after: int = 0) -> None:
        """Misbehave once for each fault, in order, at requests whose method is ``to`` (any by default).

        ``after`` lets that many of them pass first.
        """
        with self._lock:
            self._faults += [(to, _PASS)] * after
            self._faults += [(to, fault) for fault in faults]

    def behave(self) -> None:
        """Forget the faults that have not come yet."""
        with self._lock:
            self._faults.clear()

    def __enter__(self) -> StandIn:
        """Give the stand-in."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Cease to listen; raise what went wrong in ``answer``."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self._errors:
            raise self._errors[0]

    def take(self, request: Request) -> tuple[str, Reply | None]:
        """Do what a request asks for; give how the reply goes out, and the reply."""
        with self._lock:
            self.requests.append(request)
            fault = self._next(request.method)
            reply = fault.reply
            if fault.carried_out:
                try:
                    reply = self._answer(request)
                except Exception as error:
                    self._errors.append(error)
                    reply = Reply(b"the stand-in is broken", 500)
        if fault.says == "late":
            self._closing.wait()
            return "nothing", None
        return fault.says, reply

    def _next(self, method: str) -> Fault:
        for index, (to, fault) in enumerate(self._faults):
            if to in ("", method):
                del self._faults[index]
                return fault
        return _PASS


class Starts(Protocol):
    """What the fixture ``http_stand_in`` gives: it starts a `StandIn`, which the end of the test closes."""

    def __call__(
        self, answer: Callable[[Request], Reply], *, certificate: tuple[Path, Path] | None = None
    ) -> StandIn:
        """Start a stand-in."""
        ...


_PASS = Fault("all")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


def _pieces(body: bytes, says: str) -> Iterator[bytes]:
    if says == "drips":
        for byte in body:
            time.sleep(0.05)
            yield bytes([byte])
    else:
        yield body[: len(body) // 2] if says == "half" else body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms
    owner: StandIn

    def _any(self) -> None:
        split = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        request = Request(
            self.command,
            split.path,
            dict(parse_qsl(split.query, keep_blank_values=True)),
            {key.lower(): value for key, value in self.headers.items()},
            self.rfile.read(length),
        )
        says, reply = self.owner.take(request)
        self.close_connection = says != "all"
        if says == "nothing" or reply is None:
            # A reset, not an orderly end: as a process that was killed leaves it.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        body = reply.body
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            with suppress(OSError):
                for piece in _pieces(body, says):
                    self.wfile.write(piece)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""
