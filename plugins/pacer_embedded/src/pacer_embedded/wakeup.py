"""Waking those who wait for messages, in this process and in others, without polling.

Every connection listens on a Unix datagram socket in Linux's abstract namespace: it has no file to clean up
and vanishes with its process. Its address stands in the broker's file beside the consumers, so that whoever
publishes knows whom to wake. A datagram carries nothing; one that finds the buffer full may be dropped, since
those before it wake as well.
"""

from __future__ import annotations

import math
import os
import select
import socket
from collections.abc import Iterable


class Waker:
    """The ear of one connection: `wait` sleeps until somebody calls, or time is up."""

    def __init__(self) -> None:
        self.address = f"pacer-{os.urandom(12).hex()}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(_abstract(self.address))
        self._poll = select.poll()
        self._poll.register(self.socket, select.POLLIN)

    def wake(self) -> None:
        """Call, from any thread of any process that may."""
        caller = Caller()
        try:
            caller.call([self.address])
        finally:
            caller.close()

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


class Caller:
    """The voice of one process."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def call(self, addresses: Iterable[str]) -> None:
        """Wake the connections at these addresses; those that have gone are left out."""
        for address in addresses:
            try:
                self._socket.sendto(b"!", _abstract(address))
            except (BlockingIOError, ConnectionRefusedError):
                # Its buffer is full: it will wake anyhow. Or it has gone, or lives in another network
                # namespace (a container): that one looks by itself ten times a second.
                continue

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


def _abstract(address: str) -> bytes:
    return b"\0" + address.encode()
