"""No more requests than DataCite allows, over all threads of a process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

WINDOW = 300.0
"""Seconds over which DataCite's firewall counts (https://support.datacite.org/docs/rate-limit)."""
PATIENCE = 5.0
"""Seconds that a task waits for its turn; what would take longer waits at the broker."""


class Pace:
    """A bucket of ``requests``, full at first, that fills up again within five minutes.

    Parameters
    ----------
    requests
        How many requests may be sent at once, and in five minutes from then on.
    clock, sleep
        Seconds that only ever grow, and a way to let some of them pass.
    """

    def __init__(
        self,
        requests: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._size = float(requests)
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._left = self._size
        self._at = clock()
        self._not_before = self._at

    def take(self) -> float:
        """Take the right to send one request; wait a moment for it where need be.

        Gives 0.0, or, where the moment would be too long, after how many seconds to ask again.
        """
        with self._lock:
            now = self._clock()
            self._left = min(self._size, self._left + (now - self._at) * self._size / WINDOW)
            self._at = now
            wait = max((1.0 - self._left) * WINDOW / self._size, self._not_before - now, 0.0)
            if wait > PATIENCE:
                return wait
            self._left -= 1.0
        if wait:
            self._sleep(wait)
        return 0.0

    def rest(self, seconds: float) -> None:
        """Send nothing for some seconds: DataCite has had enough."""
        with self._lock:
            self._not_before = max(self._not_before, self._clock() + seconds)
