"""The log in syslog: the system's own, or another machine's."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
from logging.handlers import SysLogHandler
from typing import Any

from pacer_core.observe.logs.writers import complain

_LONGEST = 8192  # bytes of a line: more than receivers keep
_TAG = "pacer: "


class Syslog(logging.Handler):
    """Sends each line of a record as a datagram, which is taken at once or not at all.

    So nobody waits for it. Where records cease to arrive, standard error says so once. Python's own handler
    waits for a socket that is full, and falls back to a stream, where lines have no end.

    Parameters
    ----------
    address
        A socket of this machine's, or ``HOST:PORT``.
    facility
        The name of a facility.
    """

    def __init__(self, address: str, facility: str) -> None:
        super().__init__()
        self._address = address
        self._facility = SysLogHandler.facility_names[facility]
        self._socket: socket.socket | None = None
        self._failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record's lines."""
        try:
            lines = self.format(record).split("\n")
        except Exception:
            complain(record)
            return
        severity = SysLogHandler.priority_names[SysLogHandler.priority_map.get(record.levelname, "warning")]
        before = f"<{self._facility << 3 | severity}>{_TAG}".encode()
        try:
            for line in lines:
                self._send((before + line.encode("utf-8", "backslashreplace"))[:_LONGEST])
        except OSError as error:
            self._fail(error)
        else:
            self._failed = False

    def close(self) -> None:
        """Close the socket."""
        with self.lock or contextlib.nullcontext():
            self._hang_up()
        super().close()

    def _send(self, line: bytes) -> None:
        """Send a line, through a new socket where syslog was started anew."""
        is_new = self._socket is None
        try:
            self._open().send(line)
        except BlockingIOError:  # it is there, and takes no more just now
            raise
        except OSError:
            self._hang_up()
            if is_new:
                raise
            self._open().send(line)

    def _open(self) -> socket.socket:
        if self._socket is None:
            if self._address.startswith("/"):
                opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket = _connected(opened, self._address)
            else:
                host, _, port = self._address.rpartition(":")
                found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
                family, type_, protocol, _, address = found[0]
                self._socket = _connected(socket.socket(family, type_, protocol), address)
        return self._socket

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _fail(self, error: OSError) -> None:
        if not self._failed and sys.stderr is not None:
            why = error.strerror or type(error).__name__
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"the log does not reach syslog at {self._address}: {why}\n")
        self._failed = True


def _connected(opened: socket.socket, to: Any) -> socket.socket:
    """Connect a socket of datagrams that never waits, or close it."""
    try:
        opened.setblocking(False)
        opened.connect(to)
    except OSError:
        opened.close()
        raise
    return opened
