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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from attrs import field, frozen

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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one write, as most servers send them
    disable_nagle_algorithm = True
    owner: Take

    def _any(self) -> None:
        split = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        says, reply = type(self).owner(
            Request(
                self.command,
                split.path,
                dict(parse_qsl(split.query, keep_blank_values=True)) if split.query else {},
                {key.lower(): value for key, value in self.headers.items()},
                self.rfile.read(length),
                self.path,
            )
        )
        self.close_connection = says != "all"
        if says == "nothing" or reply is None:
            # A reset, not an orderly end: as a process that was killed leaves it.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        body = reply.body
        self.send_response(reply.status)
        kind = {"Content-Type": "application/json"} if body else {}
        for name, value in {**kind, **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            for piece in _pieces(b"" if self.command == "HEAD" else body, says):
                self.wfile.write(piece)
                self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""
