"""The log in Elasticsearch: records are sent in bulk by a thread of its own, and nobody waits for it."""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from attrs import field, frozen

from pacer_core import LogHandlerType, PacerError
from pacer_elastic.bulk import Action, send
from pacer_elastic.options import Server, valid_index
from pacer_http import HttpClient

MOST, MOST_BYTES = 10_000, 16 * 1024 * 1024
"""Records, and bytes of them, that wait at most; what does not fit in is dropped and counted."""
TOGETHER = 500
"""Records in one request."""
PERIOD = 1.0
"""Seconds that the first record waits for others."""
BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between attempts to reach a server that is away; the last one repeats."""
GOODBYE = 3.0
"""Seconds that what is left may take to be sent when the process ends."""


@frozen(kw_only=True)
class LogOptions(Server):
    """Where the log goes, and the account that PACER uses there.

    Attributes
    ----------
    index
        An index or a data stream.
    environment
        ``service.environment`` of every record, such as ``production``.
    """

    index: str = field(default="pacer-logs", validator=valid_index)
    environment: str | None = None
    timeout: timedelta = timedelta(seconds=10)


class ElasticHandler(logging.Handler):
    """Sends records to an index; `emit` puts them into a queue and returns.

    While the server is away they wait, up to `MOST` and `MOST_BYTES`. What is dropped then is counted: a
    record of its own says how many there were when the server is back, and standard error when it went away.
    Every record has an id of its own, so that a lost answer doubles none.
    """

    def __init__(self, options: LogOptions) -> None:
        super().__init__()
        self._options = options
        self._http = HttpClient(
            "Elasticsearch",
            options.url,
            timeout=options.timeout,
            ca_file=options.ca_file,
            delays=(),  # there is time: `BACKOFF`
            **options.credentials,
        )
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._in_hand = 0  # records that are being sent
        self.dropped = 0
        """How many records were dropped so far."""
        self._told = 0
        self._some = threading.Condition()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record; never waits for the server."""
        if threading.current_thread() is self._thread:
            return  # what our own requests have to say would never end
        try:
            line = self.format(record)
        except Exception:
            self._drop(1)
            return
        with self._some:
            if len(self._waiting) >= MOST or self._bytes + len(line) > MOST_BYTES:
                self.dropped += 1
                return
            self._waiting.append(line)
            self._bytes += len(line)
            self._some.notify()
            if self._thread is None and not self._ending.is_set():
                self._thread = threading.Thread(target=self._run, name="elastic-log", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Send what waits, for a few seconds, and say on standard error what could not be."""
        self._ending.set()
        with self._some:
            self._some.notify()
        if self._thread is not None:
            self._thread.join(GOODBYE)
        with self._some:
            self.dropped += len(self._waiting) + self._in_hand
            self._waiting.clear()
            self._bytes = self._in_hand = 0
        if self.dropped > self._told:
            _complain(f"{self.dropped - self._told} records of the log were not sent to Elasticsearch")
            self._told = self.dropped
        if self._thread is None or not self._thread.is_alive():
            self._http.close()
        super().close()

    def _run(self) -> None:
        failures, refusing = 0, False
        batch: list[Action] = []
        while batch or (batch := self._take()):
            try:
                refused = send(self._http, batch)
            except PacerError as error:
                if not failures:
                    _complain(f"the log does not reach Elasticsearch; it tries on: {error}")
                wait = BACKOFF[min(failures, len(BACKOFF) - 1)]
                failures += 1
                if self._ending.wait(wait):
                    return
                continue
            self._in_hand = 0
            if failures:
                _complain("the log reaches Elasticsearch again")
            failures = 0
            if refused:
                self._drop(len(refused))
                if not refusing:
                    _complain(f"Elasticsearch refuses records of the log: {refused[0].reason}")
            refusing = bool(refused)
            batch = [] if refused else self._report()

    def _take(self) -> list[Action]:
        """Wait for records; give some of them, or none where there will be none."""
        with self._some:
            while not self._waiting:
                if self._ending.is_set():
                    return []
                self._some.wait()
        if len(self._waiting) < TOGETHER:
            self._ending.wait(PERIOD)
        with self._some:
            lines = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
            self._bytes -= sum(map(len, lines))
            self._in_hand = len(lines)
        return [self._action(json.loads(line)) for line in lines]

    def _report(self) -> list[Action]:
        """Give a record of how many were dropped since the last one, where any were."""
        with self._some:
            since, self._told = self.dropped - self._told, self.dropped
        if not since:
            return []
        return [
            self._action(
                {
                    "@timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    "log.level": "warning",
                    "message": f"{since} records of the log were dropped: Elasticsearch was away or too slow",
                    "service": {"name": "pacer"},
                    "pacer": {"dropped": since},
                }
            )
        ]

    def _action(self, source: dict[str, Any]) -> Action:
        source["event"] = {"dataset": "pacer"}
        source["host"] = {"name": socket.gethostname()}
        if self._options.environment is not None:
            source["service"] = {**source.get("service", {}), "environment": self._options.environment}
        # "create" is what data streams take as well; with an id, a second time is a conflict, and no twin.
        return Action("create", {"_index": self._options.index, "_id": uuid4().hex}, source)

    def _drop(self, records: int) -> None:
        with self._some:
            self.dropped += records


def _complain(text: str) -> None:
    """Say something where the log cannot; after the interpreter's end nobody listens."""
    if sys.stderr is not None:
        try:
            said = text.encode("unicode_escape").decode()  # a server's answer may be in it: one line
            sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} pacer.elastic: {said}\n")
        except (OSError, ValueError):
            return


LOG_HANDLER = LogHandlerType(name="elastic", options=LogOptions, open=ElasticHandler)
"""``logging: {elastic: {...}}``."""
