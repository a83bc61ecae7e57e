"""The HTTP server: waitress around one WSGI application."""

import logging
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

import orjson
import waitress  # type: ignore[import-untyped]  # it publishes no types
from waitress import wasyncore

from pacer_sandbox.catalogue import Catalogue
from pacer_sandbox.misbehave import AwayError, LostError
from pacer_sandbox.rest import RestEndpoint
from pacer_sandbox.soap.endpoint import SoapEndpoint

SOAP_PATH = "/ICATService/ICAT"
REST_PATH = "/icat"
CONTROL_PATH = "/sandbox/misbehave"
THREADS = 64
_REASONS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    412: "Precondition Failed",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Application:
    """The WSGI application: SOAP, REST, and the path that tells the sandbox to misbehave."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._soap = SoapEndpoint(catalogue)
        self._rest = RestEndpoint(catalogue)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            status, kind, body = self._answer(environ)
        except AwayError:
            status, kind, body = 503, "text/plain", b"The sandbox was told to be away.\n"
        except LostError:
            # More is promised than is sent, so the server cuts the connection.
            start_response("200 OK", [("Content-Type", "text/xml"), ("Content-Length", "1000")])
            return [b""]
        headers = [("Content-Length", str(len(body)))]
        if status != 204:
            headers.append(("Content-Type", kind))
        start_response(f"{status} {_REASONS.get(status, '')}", headers)
        return [body]

    def _answer(self, environ: dict[str, Any]) -> tuple[int, str, bytes]:
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if path == SOAP_PATH:
            return self._answer_soap(environ, method)
        if path == REST_PATH or path.startswith(f"{REST_PATH}/"):
            return self._rest.answer(environ, path.removeprefix(REST_PATH).lstrip("/"))
        if path == CONTROL_PATH:
            return self._control(environ, method)
        return 404, "text/plain", b"Here are /ICATService/ICAT?wsdl and /icat.\n"

    def _answer_soap(self, environ: dict[str, Any], method: str) -> tuple[int, str, bytes]:
        if method == "POST":
            status, body = self._soap.answer(environ["wsgi.input"].read())
            return status, "text/xml; charset=utf-8", body
        if self._catalogue.misbehave.is_away:
            raise AwayError
        endpoint = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}{SOAP_PATH}"
        text = self._soap.describe(endpoint, environ.get("QUERY_STRING", ""))
        return 200, "text/xml; charset=utf-8", text

    def _control(self, environ: dict[str, Any], method: str) -> tuple[int, str, bytes]:
        """Read or change the misbehaviour; this path always behaves."""
        if method == "POST":
            try:
                wishes = orjson.loads(environ["wsgi.input"].read())
                self._catalogue.misbehave.tell(wishes)
                if wishes.get("expireSessions"):
                    self._catalogue.sessions.expire_all()
            except (orjson.JSONDecodeError, TypeError, AttributeError) as exc:
                return 400, "text/plain", f"{exc}\n".encode()
        told = {"calls": dict(self._catalogue.misbehave.calls), "away": self._catalogue.misbehave.is_away}
        return 200, "application/json", orjson.dumps(told)


class Server:
    """A running server in a thread of its own; ``port`` 0 takes a free one."""

    def __init__(self, catalogue: Catalogue, host: str = "127.0.0.1", port: int = 0) -> None:
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._listener = _listen(host, port)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self._map: dict[int, Any] = {}
        self._ending = threading.Event()
        self._server = waitress.create_server(
            Application(catalogue),
            map=self._map,
            sockets=[self._listener],
            threads=THREADS,
            connection_limit=2000,
            asyncore_use_poll=True,
            channel_timeout=3600,
            max_request_body_size=2**31,
            inbuf_overflow=64 * 2**20,
            outbuf_overflow=64 * 2**20,
            outbuf_high_watermark=64 * 2**20,
            ident="pacer-sandbox",
        )
        self._thread = threading.Thread(target=self._run, name="pacer-sandbox", daemon=True)

    @property
    def url(self) -> str:
        """The base address; SOAP and REST are below it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Serve in the background."""
        self._thread.start()

    def wait(self) -> None:
        """Wait until the server ends."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def stop(self) -> None:
        """Stop serving, cut the connections and end the threads."""
        self._ending.set()
        self._server.pull_trigger()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ending.is_set():
            wasyncore.loop(timeout=1, use_poll=True, map=self._map, count=1)
        self._server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
