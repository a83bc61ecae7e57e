"""One writer per key: jobs of the same key run one after another in order, others in parallel."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

log = logging.getLogger("pacer.lanes")

Job = Callable[[], None]


class Lanes:
    """A pool of threads in which no two jobs of one key run at the same time.

    Jobs without a key run as soon as a thread is free. Nothing here knows messages or brokers.
    """

    def __init__(self, threads: int, *, on_exit: Job | None = None, name: str = "lane") -> None:
        self._ready: SimpleQueue[tuple[str | None, Job] | None] = SimpleQueue()
        self._waiting: dict[str, deque[Job]] = {}
        self._lock = threading.Lock()
        self._in_hand = 0
        self._closed = False
        self._on_exit = on_exit
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def in_hand(self) -> int:
        """How many jobs wait or run."""
        with self._lock:
            return self._in_hand

    @property
    def waiting(self) -> dict[str, int]:
        """How many jobs of each key wait for an earlier one."""
        with self._lock:
            return {key: len(lane) for key, lane in self._waiting.items() if lane}

    def submit(self, key: str | None, job: Job) -> bool:
        """Take a job in; ``False`` once the lanes are closed."""
        with self._lock:
            if self._closed:
                return False
            self._in_hand += 1
            if key is not None:
                lane = self._waiting.get(key)
                if lane is not None:
                    lane.append(job)
                    return True
                self._waiting[key] = deque()
        self._ready.put((key, job))
        return True

    def close(self, timeout: float) -> bool:
        """Hand out nothing more, drop what has not begun, wait; ``False`` where what runs takes longer."""
        deadline = time.monotonic() + timeout
        with self._lock:
            self._closed = True
            dropped = sum(len(lane) for lane in self._waiting.values())
            for lane in self._waiting.values():
                lane.clear()
            self._in_hand -= dropped
        with contextlib.suppress(Empty):
            while True:
                self._ready.get_nowait()
                with self._lock:
                    self._in_hand -= 1
        for _ in self._threads:
            self._ready.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (entry := self._ready.get()) is not None:
            key, job = entry
            following: Job | None = job
            while following is not None:
                try:
                    following()
                except BaseException:  # a thread that ends here would keep its lane, and all that waits in it
                    log.exception("a job failed outside its task")
                following = self._finish(key)
        if self._on_exit is not None:
            self._on_exit()

    def _finish(self, key: str | None) -> Job | None:
        """Give the next job of a key, unless others have waited for a thread: then it comes after them."""
        with self._lock:
            self._in_hand -= 1
            if key is None:
                return None
            lane = self._waiting[key]
            if not lane:
                del self._waiting[key]
                return None
            job = lane.popleft()
        if self._closed or not self._ready.empty():
            self._ready.put((key, job))
            return None
        return job
