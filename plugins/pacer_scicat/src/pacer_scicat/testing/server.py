"""The stand-in at a port of this machine, for tests and for trying things out."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from pacer_scicat.testing.accounts import Accounts
from pacer_scicat.testing.backend import Backend
from pacer_scicat.testing.misbehaviour import Misbehaviour, Plan
from pacer_scicat.testing.store import Store

CONTROL = "/stand-in/misbehave"
"""Takes wishes by POST (`Misbehaviour.tell`), and says by GET what was asked so far."""
_PAGE = b"<html><body>Down for maintenance</body></html>"


class ScicatStandIn:
    """A stand-in for SciCat's backend on loopback; closed by the ``with`` that opened it.

    Parameters
    ----------
    port
        Where it listens; 0 takes a free port.
    accounts
        Who may log in: those of the recorded answers by default.
    pid_rule
        A regular expression that given pids have to fit.
    certificate
        The files (PEM) of a certificate and its key, with which it speaks TLS.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        accounts: Accounts | None = None,
        pid_rule: str | None = None,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.backend = Backend(accounts, Store(pid_rule=pid_rule))
        self.misbehaviour = Misbehaviour()
        self._errors: list[Exception] = []
        stand_in = self

        class Handler(_Handler):
            owner = stand_in

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
        """The address of the backend."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def store(self) -> Store:
        """What it holds."""
        return self.backend.store

    def __enter__(self) -> ScicatStandIn:
        """Give the stand-in."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Cease to listen; raise what went wrong within the stand-in itself."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self._errors:
            raise self._errors[0]

    def take(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Answer a request, or the wishes of whoever tests with it."""
        if target == CONTROL:
            return self._control(method, body)
        self.backend.is_healthy = self.misbehaviour.away != "database"
        if not self.backend.is_healthy:
            headers = {name: value for name, value in headers.items() if name != "authorization"}  # A8, 4
        try:
            return self.backend.answer(method, target, headers, body)
        except Exception as error:
            self._errors.append(error)
            return 500, b'"the stand-in is broken"'

    def _control(self, method: str, body: bytes) -> tuple[int, bytes]:
        try:
            if method == "POST":
                self.misbehaviour.tell(json.loads(body))
        except ValueError as error:
            return 400, json.dumps(str(error)).encode()
        return 200, json.dumps({"asked": self.misbehaviour.asked}).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that have gone; anything else is the stand-in's own trouble."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms
    owner: ScicatStandIn

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        control = self.path == CONTROL
        plan = Plan() if control else self.owner.misbehaviour.plan(self.command, self.path)
        if plan.away == "proxy":
            return self._say(503, _PAGE, "text/html")
        how = plan.fault.how if plan.fault else "nothing"
        if how == "lost-request":
            return self._cut()
        if plan.fault and how in ("html", "status"):
            return self._say(200 if how == "html" else plan.fault.status, _PAGE, "text/html")
        if plan.fault and how == "late":
            # The client gives up; what it asked for is done all the same (A8, 5).
            time.sleep(plan.fault.seconds)
        status, answer = self.owner.take(self.command, self.path, headers, body)
        if how in ("lost-answer", "late"):
            return self._cut()
        return self._say(status, answer, "application/json; charset=utf-8", cut=how == "cut")

    def _say(self, status: int, body: bytes, kind: str, *, cut: bool = False) -> None:
        self.send_response(status)
        if body:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True

    def _cut(self) -> None:
        """Reset the connection, as a process that was killed leaves it."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""
