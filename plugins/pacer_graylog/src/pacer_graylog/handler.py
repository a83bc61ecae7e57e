"""The log in Graylog: records are sent by a thread of their own, and nobody waits for it."""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
import time
from collections import deque

from pacer_core import LogHandlerType, Reject
from pacer_graylog.gelf import message
from pacer_graylog.options import GraylogOptions
from pacer_graylog.ways import way_to

MOST, MOST_BYTES = 10_000, 16 * 1024 * 1024
"""Records, and bytes of them, that wait at most; what does not fit in is dropped and counted."""
BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between attempts to reach a Graylog that is away; the last one repeats."""
GOODBYE = 3.0
"""Seconds that what is left may take to be sent when the process ends."""


class GraylogHandler(logging.Handler):
    """Sends records as GELF; `emit` puts them into a queue and returns.

    While Graylog is away they wait, up to `MOST` and `MOST_BYTES`. What is dropped then is counted: a record
    of its own says how many there were when Graylog is back, and standard error when it went away. Over UDP
    nobody tells whether it is there.
    """

    def __init__(self, options: GraylogOptions) -> None:
        super().__init__()
        self._way = way_to(options)
        self._host = socket.gethostname()
        self._more = {
            "facility": options.facility,
            "service_environment": options.environment,
        }
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self.dropped = 0
        """How many records were dropped so far."""
        self._told = 0
        self._some = threading.Condition()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record; never waits for Graylog."""
        if threading.current_thread() is self._thread:
            return  # what our own requests have to say would never end
        try:
            fields = json.loads(self.format(record))
            payload = message(fields, created=record.created, host=self._host, more=self._more)
        except Exception:  # a record that cannot be told is one that is missing, and no more
            payload = b""
        with self._some:
            if not payload or len(self._waiting) >= MOST or self._bytes + len(payload) > MOST_BYTES:
                self.dropped += 1
                return
            self._waiting.append(payload)
            self._bytes += len(payload)
            self._some.notify()
            if self._thread is None and not self._ending.is_set():
                self._thread = threading.Thread(target=self._run, name="graylog", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Send what waits, for a few seconds, and say on standard error what could not be."""
        with self._some:
            self._ending.set()
            self._some.notify()
        if self._thread is not None:
            self._thread.join(GOODBYE)
        with self._some:
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._bytes = 0
            lost, self._told = self.dropped - self._told, self.dropped
        if lost:
            _complain(f"{lost} records of the log were not sent to Graylog")
        if self._thread is None or not self._thread.is_alive():
            self._way.close()
        super().close()

    def _run(self) -> None:
        failures = 0
        while (payload := self._next()) is not None:
            try:
                self._way.send(payload)
            except Reject as error:  # this record and no other: it must not hold up those behind it
                _complain(f"Graylog does not take a record of the log: {_why(error)}")
                self._sent(payload, dropped=True)
                continue
            except Exception as error:  # whatever it is: without this thread there is no log any more
                if not failures:
                    _complain(f"the log does not reach Graylog; it tries on: {_why(error)}")
                wait = BACKOFF[min(failures, len(BACKOFF) - 1)]
                failures += 1
                if self._ending.wait(wait):
                    return
                continue
            self._sent(payload)
            if failures:
                _complain("the log reaches Graylog again")
            if failures or not self._waiting:
                self._report()
            failures = 0

    def _next(self) -> bytes | None:
        """Wait for a record, and leave it where it is; ``None`` where there will be none."""
        with self._some:
            self._some.wait_for(lambda: self._waiting or self._ending.is_set())
            return self._waiting[0] if self._waiting else None

    def _sent(self, payload: bytes, *, dropped: bool = False) -> None:
        with self._some:
            if self._waiting and self._waiting[0] is payload:  # else the process ends, and has counted it
                self._waiting.popleft()
                self._bytes -= len(payload)
                self.dropped += dropped

    def _report(self) -> None:
        """Say in the log how many records were dropped since that was said last."""
        with self._some:
            since, self._told = self.dropped - self._told, self.dropped
            if since:
                said = f"{since} records of the log were dropped: Graylog was away, too slow or refused them"
                fields = {"message": said, "log.level": "warning", "pacer": {"dropped": since}}
                told = message(fields, created=time.time(), host=self._host, more=self._more)
                self._waiting.append(told)
                self._bytes += len(told)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _complain(text: str) -> None:
    """Say something where the log cannot; after the interpreter's end nobody listens."""
    if sys.stderr is not None:
        try:
            said = text.encode("unicode_escape").decode()  # a server's answer may be in it: one line
            sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} pacer.graylog: {said}\n")
        except (OSError, ValueError):
            return


LOG_HANDLER = LogHandlerType(name="graylog", options=GraylogOptions, open=GraylogHandler)
"""``logging: {graylog: {...}}``."""
