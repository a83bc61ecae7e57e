"""Connections to one service that threads share: who needs one takes the one that was used last."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpcore

MOST, IDLE, EXPIRY = 64, 16, 30.0
"""Connections at once, connections that wait for the next request, and seconds that they do."""


class Connections:
    """Connections that ``make()`` makes.

    httpcore's own pool asks all of its connections, twice a request and with its lock held, whether they are
    alive still, and threads wait for that: here the one is asked that is taken.
    """

    def __init__(self, make: Callable[[], httpcore.ConnectionInterface]) -> None:
        self._make = make
        self._room = threading.BoundedSemaphore(MOST)
        self._lock = threading.Lock()
        self._idle: deque[tuple[httpcore.ConnectionInterface, float]] = deque()
        """Those that were used last are last, each with the time until which it is kept."""
        self._closed = False

    @contextmanager
    def answer(self, request: httpcore.Request) -> Iterator[httpcore.Response]:
        """Send a request; give the answer, whose body is still to be read.

        Raises
        ------
        httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError
            Where there is none.
        """
        if not self._room.acquire(timeout=request.extensions["timeout"]["pool"]):
            raise httpcore.PoolTimeout(f"{MOST} connections are in use")
        try:
            connection = self._taken()
            try:
                response = connection.handle_request(request)
                try:
                    yield response
                finally:
                    response.close()
            finally:
                self._give_back(connection)
        finally:
            self._room.release()

    def close(self) -> None:
        """Close those that are idle now, and others as soon as they are."""
        self._closed = True
        self._drop(time.monotonic() + EXPIRY)

    def _taken(self) -> httpcore.ConnectionInterface:
        """Give a connection that nobody uses, or else a new one."""
        while True:
            with self._lock:
                if not self._idle:
                    return self._make()
                connection, until = self._idle.pop()
            if until > time.monotonic() and not connection.has_expired():
                return connection
            connection.close()

    def _give_back(self, connection: httpcore.ConnectionInterface) -> None:
        if not connection.is_idle() or self._closed:
            connection.close()
            return
        now = time.monotonic()
        with self._lock:
            self._idle.append((connection, now + EXPIRY))
        self._drop(now)

    def _drop(self, now: float) -> None:
        """Close what nobody has used for long, and what is too many."""
        while True:
            with self._lock:
                if not self._idle or (len(self._idle) <= IDLE and self._idle[0][1] > now):
                    return
                connection, _ = self._idle.popleft()
            connection.close()
