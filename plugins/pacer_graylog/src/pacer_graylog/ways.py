"""The ways to Graylog: UDP, TCP and HTTP. Each sends one message, and raises where it could not."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
from typing import Protocol

from pacer_core import PacerError
from pacer_graylog.gelf import cut, datagrams
from pacer_graylog.options import GraylogOptions
from pacer_http import HttpClient


class Way(Protocol):
    """What sends messages; used by one thread."""

    def send(self, payload: bytes) -> None:
        """Send one message.

        Raises
        ------
        OSError, PacerError
            Where it cannot be sent now.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def way_to(options: GraylogOptions) -> Way:
    """Give the way that the options name; nothing is opened yet."""
    if options.scheme == "udp":
        return Udp(options)
    return Tcp(options) if options.scheme in ("tcp", "tls") else Http(options)


class Udp:
    """Datagrams, in chunks where they are large; nobody says whether they arrive."""

    def __init__(self, options: GraylogOptions) -> None:
        self._options = options
        self._socket: socket.socket | None = None

    def send(self, payload: bytes) -> None:
        """Send one message; one that would be too many chunks has its long texts cut."""
        if self._socket is None:
            self._socket = self._open()
        size = self._options.chunk_size
        attempts = (datagrams(self._packed(one), size) for one in (payload, *cut(payload)))
        try:
            for one in next(parts for parts in attempts if parts):
                self._socket.send(one)
        except OSError:
            self.close()  # the host may have another address by now
            raise

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _packed(self, payload: bytes) -> bytes:
        return gzip.compress(payload) if self._options.compress else payload

    def _open(self) -> socket.socket:
        host, port = self._options.address
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        opened = socket.socket(family, kind, protocol)
        try:
            opened.connect(address)
        except OSError:
            opened.close()
            raise
        return opened


class Tcp:
    """One connection, with or without TLS, on which messages end with a zero byte."""

    def __init__(self, options: GraylogOptions) -> None:
        self._options = options
        self._socket: socket.socket | None = None

    def send(self, payload: bytes) -> None:
        """Send one message; where Graylog has closed the connection, on a new one."""
        if self._socket is not None and _is_closed(self._socket):
            self.close()
        if self._socket is None:
            self._socket = self._open()
        try:
            self._socket.sendall(payload.replace(b"\0", b"") + b"\0")
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, when all is sent."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        host, _ = self._options.address
        opened = socket.create_connection(self._options.address, self._options.timeout.total_seconds())
        if self._options.scheme == "tcp":
            return opened
        try:
            trusted = ssl.create_default_context(cafile=self._options.ca_file)
            return trusted.wrap_socket(opened, server_hostname=host)
        except (OSError, ssl.SSLError):
            opened.close()
            raise


def _is_closed(connection: socket.socket) -> bool:
    """Say whether the other side has closed: what is sent then is lost.

    What it may say of itself, such as TLS 1.3's tickets, is read: left unread, it would reset the connection
    when that is closed.
    """
    patience = connection.gettimeout()
    connection.settimeout(0)
    try:
        while connection.recv(4096):
            pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        pass
    finally:
        connection.settimeout(patience)
    return True


class Http:
    """One request a message, which Graylog answers with 202."""

    def __init__(self, options: GraylogOptions) -> None:
        host, port = options.address
        shown = f"[{host}]" if ":" in host else host
        account = None
        if options.username is not None and options.password is not None:
            account = (options.username, options.password)
        self._path = options.path
        self._http = HttpClient(
            "Graylog",
            f"{options.scheme}://{shown}:{port}",
            account=account,
            timeout=options.timeout,
            ca_file=options.ca_file,
            delays=(),  # there is time: the handler tries again
        )

    def send(self, payload: bytes) -> None:
        """Send one message."""
        self._http.request(
            "POST", self._path, body=payload, content_type="application/json", repeatable=False
        )

    def close(self) -> None:
        """Close the connections."""
        with contextlib.suppress(PacerError):
            self._http.close()
