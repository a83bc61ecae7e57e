"""A proxy before a PostgreSQL: it loses every second commit, in turn before the server hears of it and after.

Messages are those of PostgreSQL's protocol 3 (its documentation, 53.2 and 53.7): a type, a length, a body;
the first one of a connection has no type.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

LENGTH = struct.Struct(">I")
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST, as a machine does that knows nothing of us


class PostgresWire:
    """Listens at `port`; passes everything on while `loses` is false."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.loses = False
        self.lost_before = self.lost_after = 0
        """How many commits the server has not heard of, and of how many nobody hears that they worked."""
        self._commits = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="postgres-wire", daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those that there are end with their clients."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            link = _Link(client, socket.create_connection(("127.0.0.1", self._server)))
            threading.Thread(target=link.run, args=(link.answers,), daemon=True).start()
            threading.Thread(target=link.run, args=(self._requests, link), daemon=True).start()

    def _requests(self, link: _Link) -> None:
        link.pass_on(0)
        while True:
            kind, body = link.read(1)
            if kind == b"Q" and body == b"COMMIT\0" and (fate := self._fate()):
                if fate == "after":
                    link.deaf.set()
                    link.server.sendall(kind + LENGTH.pack(len(body) + 4) + body)
                    link.answered.wait(10)
                link.close()
                return
            link.server.sendall(kind + LENGTH.pack(len(body) + 4) + body)

    def _fate(self) -> str:
        with self._lock:
            self._commits += self.loses
            if not self.loses or self._commits % 2:
                return ""
            if self._commits % 4:
                self.lost_before += 1
                return "before"
            self.lost_after += 1
            return "after"


class _Link:
    """One connection of a client, and ours to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.deaf, self.answered = threading.Event(), threading.Event()

    def run(self, pump: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(OSError, EOFError):
            pump(*arguments)
        self.close()

    def answers(self) -> None:
        while data := self.server.recv(1 << 16):
            if self.deaf.is_set():
                self.answered.set()
                return
            self.client.sendall(data)

    def read(self, kind: int) -> tuple[bytes, bytes]:
        """Read one message of the client's, with a type of so many bytes."""
        head = self._exactly(kind + LENGTH.size)
        (size,) = LENGTH.unpack(head[kind:])
        return head[:kind], self._exactly(size - LENGTH.size)

    def pass_on(self, kind: int) -> None:
        name, body = self.read(kind)
        self.server.sendall(name + LENGTH.pack(len(body) + LENGTH.size) + body)

    def close(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                end.close()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.client.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data
