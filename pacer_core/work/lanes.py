"""One writer per key: jobs of the same key run one after another in order, others in parallel."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

log = logging.getLogger("pacer.lanes")

Job = Callable[[], None]


class Lanes:
    """A pool of threads in which no two jobs of one key run at the same time.

    Jobs without a key run as soon as a thread is free. One thread at a time is woken, and wakes the next
    where it leaves something to do: threads that are woken for jobs that are over before they get to run
    cost more than the jobs. Nothing here knows messages or brokers.
    """

    def __init__(self, threads: int, *, on_exit: Job | None = None, name: str = "lane") -> None:
        self._lock = threading.Lock()
        self._more = threading.Condition(self._lock)
        self._ready: deque[tuple[str | None, Job]] = deque()
        self._waiting: dict[str, deque[Job]] = {}
        self._in_hand = self._idle = 0
        self._closed = self._waking = False
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

    @property
    def ready(self) -> bool:
        """Whether a job waits for nothing but a thread."""
        return bool(self._ready)

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
            self._ready.append((key, job))
            self._wake()
        return True

    def close(self, timeout: float) -> bool:
        """Hand out nothing more, drop what has not begun, wait; ``False`` where what runs takes longer."""
        deadline = time.monotonic() + timeout
        with self._lock:
            self._closed = True
            self._in_hand -= len(self._ready) + sum(len(lane) for lane in self._waiting.values())
            self._ready.clear()
            self._waiting.clear()
            self._more.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        with self._lock:
            entry = self._begin()
        while entry is not None:
            key, job = entry
            try:
                job()
            except BaseException:  # a thread that ends here would keep its lane, and all that waits in it
                log.exception("a job failed outside its task")
            del entry, job  # nothing is kept alive while the thread waits
            with self._lock:
                self._end(key)
                entry = self._begin()
        if self._on_exit is not None:
            self._on_exit()

    # --- with the lock held ----------------------------------------------------------------------

    def _begin(self) -> tuple[str | None, Job] | None:
        """Wait for a job that can run; ``None`` where there will be none."""
        while not self._ready:
            if self._closed:
                return None
            self._idle += 1
            try:
                self._more.wait()
            finally:  # a thread that finds no memory here ends, and is not to be waited for
                self._idle -= 1
            self._waking = False
        entry = self._ready.popleft()
        self._wake()
        return entry

    def _end(self, key: str | None) -> None:
        """Let the next job of a key take its turn, after those that have waited for a thread."""
        self._in_hand -= 1
        if key is None or self._closed:
            return
        lane = self._waiting[key]
        if lane:
            self._ready.append((key, lane.popleft()))
        else:
            del self._waiting[key]

    def _wake(self) -> None:
        """Wake a thread where there is something to do and nobody is on the way."""
        if self._ready and self._idle and not self._waking:
            self._waking = True
            self._more.notify()
