"""Waking the thread that waits for messages: a socket that becomes readable."""

from __future__ import annotations

import math
import select
import socket
from typing import Protocol


class Waker(Protocol):
    """What a store calls, and a connection waits for."""

    @property
    def socket(self) -> socket.socket:
        """Becomes readable by a call; never read from it."""
        ...

    def wake(self) -> None:
        """Call, from any thread."""
        ...

    def wait(self, seconds: float | None) -> bool:
        """Sleep at most so long; tell whether somebody called."""
        ...

    def clear(self) -> None:
        """Forget the calls so far."""
        ...


class LocalWaker:
    """A waker for calls from within this process."""

    def __init__(self) -> None:
        self.socket, self._voice = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self.socket, select.POLLIN)

    def wake(self) -> None:
        """Call; one that finds the buffer full wakes by those before it, one after `close` nobody."""
        try:
            self._voice.send(b"!")
        except (BlockingIOError, OSError):
            return

    def wait(self, seconds: float | None) -> bool:
        """Sleep at most so long; tell whether somebody called."""
        return bool(self._poll.poll(None if seconds is None else math.ceil(seconds * 1000)))

    def clear(self) -> None:
        """Forget the calls so far."""
        try:
            while True:
                self.socket.recv(1)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Stop listening."""
        self.socket.close()
        self._voice.close()
