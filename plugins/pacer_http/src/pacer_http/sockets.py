"""The sockets below httpcore: what a request is made of goes out at once.

httpcore writes head and body of a request one after the other, and sets a time-out before each of them: that
is eight calls of the system for a request and its answer, and at each of them a thread hands the interpreter
over to another one. Here it is four.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpcore

_PACKET = 64 * 1024
"""Bytes that wait for what comes behind them, at most."""


class Sockets(httpcore.NetworkBackend):
    """Connects by TCP."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> Stream:
        """Give a connection.

        Raises
        ------
        httpcore.ConnectError, httpcore.ConnectTimeout
            Where there is none.
        """
        with _named(httpcore.ConnectError, httpcore.ConnectTimeout):
            connected = socket.create_connection((host, port), timeout)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Stream(connected)


class Stream(httpcore.NetworkStream):
    """A connection; what is written goes out when it is enough, or when the answer is waited for."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._limit = connected.gettimeout()
        self._held = bytearray()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Take bytes that are to be sent.

        Raises
        ------
        httpcore.WriteError, httpcore.WriteTimeout
            Where those before them cannot be.
        """
        self._within(timeout)
        if len(self._held) + len(buffer) <= _PACKET:
            self._held += buffer
            return
        self._send()
        with _named(httpcore.WriteError, httpcore.WriteTimeout):
            self._socket.sendall(buffer)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Send what is held, and give what comes.

        Raises
        ------
        httpcore.ReadError, httpcore.ReadTimeout, httpcore.WriteTimeout
            Where nothing does.
        """
        with suppress(httpcore.WriteError):  # a service may answer before it has read everything, and close
            self._send()
        self._within(timeout)
        with _named(httpcore.ReadError, httpcore.ReadTimeout):
            return self._socket.recv(max_bytes)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        """Give the connection with TLS.

        Raises
        ------
        httpcore.ConnectError, httpcore.ConnectTimeout
            Where the other side is not trusted, or speaks something else; the connection is closed then.
        """
        try:
            with _named(httpcore.ConnectError, httpcore.ConnectTimeout):
                self._within(timeout)
                return Stream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname))
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        """Say whether something has come (``is_readable``): on an idle connection, that it is closed."""
        if info != "is_readable":
            return None
        if self._socket.fileno() < 0:
            return True
        look = select.poll()
        look.register(self._socket, select.POLLIN)
        return bool(look.poll(0))

    def _send(self) -> None:
        if self._held:
            held, self._held = self._held, bytearray()
            with _named(httpcore.WriteError, httpcore.WriteTimeout):
                self._socket.sendall(held)

    def _within(self, limit: float | None) -> None:
        if limit != self._limit:
            self._socket.settimeout(limit)
            self._limit = limit


@contextmanager
def _named(trouble: Callable[..., Exception], late: Callable[..., Exception]) -> Iterator[None]:
    """Call what the system says by httpcore's names."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise trouble(str(error)) from error
