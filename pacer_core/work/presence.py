"""Says at the broker which partitions this process has: who looks from elsewhere wants to know."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from pacer_core.config.model import Broker, KeySpace
from pacer_core.model.errors import BrokerError
from pacer_core.transport.publish import Publisher
from pacer_core.transport.roll_call import answer

log = logging.getLogger("pacer.worker")

EVERY = 15.0
"""Seconds before it is said again of a partition from which messages come."""


class Presence:
    """Tells of the partitions from which messages come, in a thread and on a connection of its own.

    A broker that does not confirm this, since the queue for it is without its majority, keeps nothing else
    waiting.

    Parameters
    ----------
    spaces
        The key spaces with partitions.
    broker
        Where it is told.
    seen
        The partitions that messages have come from, which are taken out of it; with each the id of a question
        who reads it, empty where nobody has asked.
    """

    def __init__(self, spaces: Sequence[KeySpace], broker: Broker, seen: dict[str, str]) -> None:
        self._prefixes = {queue: space.prefix for space in spaces for queue in space.queues}
        self._publisher = Publisher(broker)
        self._seen = seen
        self._told: dict[str, float] = {}

    def threads(self, ended: threading.Event) -> list[threading.Thread]:
        """Give the thread that tells what there is to tell until an event; none without partitions."""
        if not self._prefixes:
            return []
        return [threading.Thread(target=self._run, args=(ended,), name="presence", daemon=True)]

    def _run(self, ended: threading.Event) -> None:
        while not ended.wait(1.0):
            self._publisher.beat()
            self._tell()
        self._publisher.close()

    def _tell(self) -> None:
        now = time.monotonic()
        messages = []
        for queue in list(self._seen):
            call = self._seen.pop(queue)
            if queue in self._prefixes and (call or now - self._told.get(queue, -EVERY) >= EVERY):
                self._told[queue] = now
                messages.append(answer(self._prefixes[queue], queue, call))
        if messages:
            try:
                self._publisher.publish(messages)
            except BrokerError as error:  # it is said again
                log.debug("nobody is told who has a partition: %s", error)
