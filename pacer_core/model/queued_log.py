"""A handler whose records a thread of its own sends, for places that may be away: nobody waits for them."""

from __future__ import annotations

import logging
import sys
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from itertools import islice


class QueuedHandler(logging.Handler):
    """Keeps records until its thread has sent them; `emit` puts them into a queue and returns.

    While the place is away they wait, up to ``MOST`` and ``MOST_BYTES``. What is dropped then is counted: a
    record of its own says how many there were when the place is back, and standard error when it went away.
    A subclass says what is kept of a record, and sends it.

    Parameters
    ----------
    place
        What the place is called (``Graylog``).
    logger
        What lines on standard error begin with (``pacer.graylog``), and the thread's name.
    """

    MOST, MOST_BYTES = 10_000, 16 * 1024 * 1024
    """Records, and bytes of them, that wait at most; what does not fit in is dropped and counted."""
    TOGETHER = 1
    """Records that are sent at once, at most."""
    PERIOD = 0.0
    """Seconds that the first record waits for others."""
    BACKOFF: Sequence[float] = (1.0, 2.0, 5.0, 10.0, 30.0)
    """Seconds between attempts to reach a place that is away; the last one repeats."""
    GOODBYE = 3.0
    """Seconds that what is left may take to be sent when the process ends."""

    def __init__(self, place: str, logger: str) -> None:
        super().__init__()
        self._place, self._logger = place, logger
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self.dropped = 0
        """How many records were dropped so far."""
        self._told = 0
        self._some = threading.Condition()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    # --- what a subclass says ---------------------------------------------------------------------------

    @abstractmethod
    def keep(self, record: logging.LogRecord) -> bytes:
        """Give what is kept of a record and sent; what it raises drops the record."""

    @abstractmethod
    def keep_number(self, dropped: int, said: str) -> bytes:
        """Give a record of how many were dropped: ``said`` is its text."""

    @abstractmethod
    def send(self, kept: Sequence[bytes]) -> Sequence[str]:
        """Send records; give for each that the place refuses for good the reason, without what is in it.

        Whatever it raises says that the place is away: the same records are sent again.
        """

    @abstractmethod
    def leave(self) -> None:
        """Close what `send` uses."""

    # --- what is the same for all -----------------------------------------------------------------------

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record; never waits."""
        if threading.current_thread() is self._thread:
            return  # what our own requests have to say would never end
        try:
            kept = self.keep(record)
        except Exception:  # a record that cannot be told is one that is missing, and no more
            kept = b""
        with self._some:
            if not kept or len(self._waiting) >= self.MOST or self._bytes + len(kept) > self.MOST_BYTES:
                self.dropped += 1
                return
            self._add(kept)
            self._some.notify()
            if self._thread is None and not self._ending.is_set():
                self._thread = threading.Thread(target=self._run, name=self._logger, daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Send what waits, for a few seconds, and say on standard error what could not be."""
        with self._some:
            self._ending.set()
            self._some.notify()
        if self._thread is not None:
            self._thread.join(self.GOODBYE)
        with self._some:
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._bytes = 0
            lost, self._told = self.dropped - self._told, self.dropped
        if lost:
            self._complain(f"{lost} records of the log were not sent to {self._place}")
        if self._thread is None or not self._thread.is_alive():
            self.leave()
        super().close()

    def _run(self) -> None:
        failures, refusing = 0, False
        while kept := self._next():
            try:
                refused = self.send(kept)
            except Exception as error:  # whatever it is: without this thread there is no log any more
                if not failures:
                    self._complain(f"the log does not reach {self._place}; it tries on: {_why(error)}")
                wait = self.BACKOFF[min(failures, len(self.BACKOFF) - 1)]
                failures += 1
                if self._ending.wait(wait):
                    return
                continue
            self._sent(kept, refused=len(refused))
            if failures:
                self._complain(f"the log reaches {self._place} again")
            if refused and not refusing:
                self._complain(f"{self._place} refuses records of the log: {refused[0]}")
            if not refused and (failures or not self._waiting):
                self._report()
            failures, refusing = 0, bool(refused)

    def _next(self) -> list[bytes]:
        """Wait for records, and leave them where they are; none where there will be none."""
        with self._some:
            self._some.wait_for(lambda: self._waiting or self._ending.is_set())
        if self.PERIOD and 0 < len(self._waiting) < self.TOGETHER:
            self._ending.wait(self.PERIOD)
        with self._some:
            return list(islice(self._waiting, self.TOGETHER))

    def _add(self, kept: bytes) -> None:
        self._waiting.append(kept)
        self._bytes += len(kept)

    def _sent(self, kept: Sequence[bytes], *, refused: int) -> None:
        with self._some:
            if self._waiting and self._waiting[0] is kept[0]:  # else the process ends, and has counted them
                for one in kept:
                    self._waiting.popleft()
                    self._bytes -= len(one)
                self.dropped += refused

    def _report(self) -> None:
        """Say in the log how many records were dropped since that was said last."""
        with self._some:
            since, self._told = self.dropped - self._told, self.dropped
            if since:
                why = f"{self._place} was away, too slow or refused them"
                said = f"{since} records of the log were dropped: {why}"
                self._add(self.keep_number(since, said))

    def _complain(self, text: str) -> None:
        """Say something where the log cannot; after the interpreter's end nobody listens."""
        if sys.stderr is not None:
            try:
                said = text.encode("unicode_escape").decode()  # a server's answer may be in it: one line
                sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {self._logger}: {said}\n")
            except (OSError, ValueError):
                return


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
