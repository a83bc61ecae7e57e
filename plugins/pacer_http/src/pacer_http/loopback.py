"""A server on loopback, for whatever stands in for a service: what it says, and in which way it says that."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from attrs import field, frozen

_PHRASES = {status.value: status.phrase for status in HTTPStatus}

Says = Literal["all", "half", "nothing", "drips"]
"""All of a reply, half of it, nothing and a reset, or all of it byte by byte."""


@frozen
class Request:
    """What has come in; ``path`` is as it was sent, quoted, and headers are by lower-case name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    target: str = ""
    """Path and query as they were sent."""

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


Take = Callable[[Request], tuple[Says, Reply | None]]
"""Does what a request asks for; gives the way in which the reply goes out, and the reply."""


class Loopback:
    """Listens on loopback and has ``take`` called for each request, by as many threads as there are clients.

    Parameters
    ----------
    port
        0 takes a free one.
    certificate
        The files (PEM) of a certificate and its key, with which it speaks TLS.
    """

    def __init__(self, take: Take, *, port: int = 0, certificate: tuple[Path, Path] | None = None) -> None:
        class Handler(_Handler):
            owner = staticmethod(take)

        self._server = _Server(("127.0.0.1", port), Handler)
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

    def close(self) -> None:
        """Cease to listen."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that have gone; anything else is the stand-in's own trouble."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _pieces(body: bytes, says: Says) -> Iterator[bytes]:
    if says == "drips":
        for byte in body:
            time.sleep(0.05)
            yield bytes([byte])
    else:
        yield body[: len(body) // 2] if says == "half" else body


class _Handler(StreamRequestHandler):
    """HTTP/1.1 by hand: a stand-in must not cost those who are measured or tested beside it.

    Requests say how long they are; one that does not has no body.
    """

    wbufsize = -1  # head and body in one write, as most servers send them
    disable_nagle_algorithm = True
    owner: Take

    def handle(self) -> None:
        """Answer requests until the client has no more, or an answer is not to be whole."""
        while (request := self._read()) is not None and self._answer(request):
            pass

    def _read(self) -> Request | None:
        """Read a request; ``None`` where there is none."""
        try:
            method, target, _ = self.rfile.readline().decode("latin-1").split()
        except ValueError:
            return None
        headers: dict[str, str] = {}
        while line := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        split = urlsplit(target)
        return Request(
            method,
            split.path,
            dict(parse_qsl(split.query, keep_blank_values=True)) if split.query else {},
            headers,
            self.rfile.read(int(headers.get("content-length") or 0)),
            target,
        )

    def _answer(self, request: Request) -> bool:
        """Answer a request; say whether the connection is still good."""
        says, reply = type(self).owner(request)
        if says == "nothing" or reply is None:
            # A reset, not an orderly end: as a process that was killed leaves it.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        body = reply.body
        with suppress(OSError):
            self.wfile.write(_head(reply, len(body)))
            for piece in _pieces(b"" if request.method == "HEAD" else body, says):
                self.wfile.write(piece)
                self.wfile.flush()
        return says == "all" and request.headers.get("connection", "").lower() != "close"


def _head(reply: Reply, length: int) -> bytes:
    headers = {
        "Server": "stand-in",
        "Date": formatdate(usegmt=True),
        **({"Content-Type": "application/json"} if length else {}),
        **reply.headers,
        "Content-Length": str(length),
    }
    first = f"HTTP/1.1 {reply.status} {_PHRASES.get(reply.status, '')}"
    lines = [first, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")
