"""The broker's queues, asked for when somebody wants to know, and by a connection of their own."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any

from attrs import field, frozen

from pacer_core.config.model import Config
from pacer_core.model.errors import BrokerError
from pacer_core.transport.connection import connect, hang_up
from pacer_core.transport.queue_status import BrokerStatus, read_status

log = logging.getLogger("pacer.health")

FRESH = 3.0
"""Seconds for which an answer is given again."""
PATIENCE = 1.0
"""Seconds to wait for a new answer; then the last one has to do."""
LATELY = 15.0
"""Seconds after which the broker has not answered lately."""
_IDLE = 20.0  # seconds without a question, after which the connection is closed: nobody sends its heartbeats


@frozen
class Answer:
    """What the broker said, and when, on the monotonic clock."""

    status: BrokerStatus
    at: float = field(factory=time.monotonic)

    @property
    def age(self) -> float:
        """Seconds since then."""
        return time.monotonic() - self.at


class BrokerWatch:
    """Asks the broker in a thread of its own: one that does not answer holds nobody up but that thread."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._asked = threading.Event()
        self._answered = threading.Condition()
        self._closed = False
        self._last: Answer | None = None
        self._tries = 0
        threading.Thread(target=self._run, name="broker-watch", daemon=True).start()

    def latest(self) -> Answer | None:
        """Give an answer that is fresh, or the last one where the broker is slow, or ``None``."""
        with self._answered:
            if self._last is None or self._last.age > FRESH:
                tries = self._tries
                self._asked.set()
                self._answered.wait_for(lambda: self._tries > tries, PATIENCE)
            return self._last

    def close(self) -> None:
        """Ask no more."""
        self._closed = True
        self._asked.set()

    def _run(self) -> None:
        connection: Any = None
        while not self._closed:
            if not self._asked.wait(_IDLE):
                _close(connection)
                connection = None
                self._asked.wait()
            self._asked.clear()
            if self._closed:
                break
            answer = None
            try:
                if connection is None:
                    connection = connect(self._config.broker, "health")
                answer = Answer(read_status(connection, self._config))
            except Exception as error:  # whatever a lost connection raises: it is opened anew the next time
                level = logging.DEBUG if isinstance(error, BrokerError | OSError) else logging.INFO
                log.log(level, "the broker's queues cannot be read: %s: %s", type(error).__name__, error)
                _close(connection)
                connection = None
            with self._answered:
                self._last = answer or self._last
                self._tries += 1
                self._answered.notify_all()
        _close(connection)


def _close(connection: Any) -> None:
    if connection is not None:
        with contextlib.suppress(Exception):
            hang_up(connection)
