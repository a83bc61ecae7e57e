"""A small HTTP server that goes on answering, whatever its clients do: slow, silent, long-winded or many.

Each connection has its time and one request of some length, and there are only so many: a further one is let
in, and the oldest has to go. A request is answered in milliseconds, so whoever has been there that long is
no monitoring.
"""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

log = logging.getLogger("pacer.health")

Response = tuple[int, str, bytes]
"""Status, content type, body."""

MOST = 64
"""Connections at a time; each has a thread."""
_PATIENCE = 10.0  # seconds for a whole request and its answer
_LONGEST = 16 * 1024  # bytes of a request with all its headers


class Server(ThreadingHTTPServer):
    """Answers ``GET`` with what ``answer(path, accept)`` gives.

    Raises
    ------
    OSError
        Where the address is taken.
    """

    daemon_threads = True
    request_queue_size = 2 * MOST

    def __init__(self, address: tuple[str, int], answer: Callable[[str, str], Response]) -> None:
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, *_, where = found[0]
        self.answer = answer
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__((str(where[0]), int(where[1])), _Requests)

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if self.address_family == socket.AF_INET6 else str(host)
        return f"http://{name}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Let a connection in, and for it the oldest go where there are too many."""
        with self._lock:
            self._open[request] = time.monotonic()
            surplus = list(self._open)[: max(0, len(self._open) - MOST)]
        self._hang_up(surplus)
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Hang up on those who have had their time; `serve_forever` calls this again and again."""
        with self._lock:
            since = time.monotonic() - _PATIENCE
            late = [one for one, began in self._open.items() if began < since]
        self._hang_up(late)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def _hang_up(self, connections: list[socket.socket]) -> None:
        """Cut connections; the thread of each finds out, and ends it."""
        for one in connections:
            with self._lock:
                self._open.pop(one, None)
            with contextlib.suppress(OSError):  # it has just ended
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note what went wrong with one request; usually its sender has gone away."""
        log.debug("a request could not be answered", exc_info=True)


class _Head(io.RawIOBase):
    """What a client sends, up to some length."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._left = connection, _LONGEST

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has come, or say that it is too much."""
        if self._left <= 0:
            raise LineTooLong("request")
        number = self._connection.recv_into(buffer)
        self._left -= number
        return number


class _Requests(BaseHTTPRequestHandler):
    server: Server
    timeout = 5.0  # for a client that sends nothing, or does not read
    server_version, sys_version = "pacer", ""

    def setup(self) -> None:
        """Limit what is read."""
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Head(self.connection))

    def handle_one_request(self) -> None:
        """Answer the one request of a connection, also where its first line has no end."""
        try:
            super().handle_one_request()
        except LineTooLong:
            self.requestline = self.request_version = self.command = ""
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            self.close_connection = True

    def do_GET(self) -> None:
        """Answer a request."""
        try:
            status, kind, body = self.server.answer(self.path, self.headers.get("Accept", ""))
        except Exception:
            log.exception("%s cannot be answered", self.path)
            status, kind, body = 500, "text/plain", b"see the log\n"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the standard library's name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the standard library
        """Write no line for each scrape."""
        log.debug(format, *args)
