"""Says at the broker which partitions this process has: who looks from elsewhere wants to know."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from pacer_core.config.model import KeySpace
from pacer_core.model.errors import BrokerError
from pacer_core.transport.publish import Publisher
from pacer_core.transport.roll_call import answer

log = logging.getLogger("pacer.worker")

EVERY = 15.0
"""Seconds before it is said again of a partition from which messages come."""


class Presence:
    """Tells of the partitions from which messages come; used by one thread."""

    def __init__(self, spaces: Sequence[KeySpace], publisher: Publisher) -> None:
        self._prefixes = {queue: space.prefix for space in spaces for queue in space.queues}
        self._publisher = publisher
        self._told: dict[str, float] = {}

    def tell(self, seen: dict[str, str]) -> None:
        """Tell of the partitions that messages have come from since the last time, and forget these.

        With each is the id of a question who reads it; empty where nobody has asked.
        """
        now = time.monotonic()
        messages = []
        for queue in list(seen):
            call = seen.pop(queue)
            if queue in self._prefixes and (call or now - self._told.get(queue, -EVERY) >= EVERY):
                self._told[queue] = now
                messages.append(answer(self._prefixes[queue], queue, call))
        if messages:
            try:
                self._publisher.publish_each(messages)
            except BrokerError as error:  # it is said again
                log.debug("nobody is told who has a partition: %s", error)
