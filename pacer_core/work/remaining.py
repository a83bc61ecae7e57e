"""What is left to do: ``pacer run --once`` ends when two looks, a second apart, have found nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from typing import Any

from attrs import define

from pacer_core.model.wording import counted
from pacer_core.transport.retry_policy import LADDER
from pacer_core.transport.topology import retry_exchange

log = logging.getLogger("pacer.worker")

_QUIET = 1.0  # seconds between the two looks that find every queue empty
_LATE = 0.2  # seconds after which the broker's answer about a queue may be none


@define(eq=False)
class Remaining:
    """Looks whether anything is left in some queues and, with ``wait``, on the ladder of retry queues."""

    queues: Collection[str]
    wait: bool
    followed: bool = False
    """Whether a follow-up has been sent since the last look: it may be on its way, in no queue."""
    _since: float | None = None
    _awaited: int = 0

    def begin(self) -> None:
        """Begin anew: what was seen before a connection was lost proves nothing."""
        self._since = None

    def nothing(self, connection: Any, in_hand: object) -> bool:
        """Say whether nothing was left at two looks a second apart."""
        # Looking what is left reads what has come meanwhile, and that is in hand then.
        if in_hand or self._something(connection) or in_hand:
            self._since = None
            return False
        now = time.monotonic()
        if self._since is None or self.followed:
            self._since, self.followed = now, False
        return now - self._since >= _QUIET

    def _something(self, connection: Any) -> bool:
        """Say whether there is a message in the queues, or one that is awaited."""
        if _depth(connection, self.queues, read=True) != 0:
            return True
        waiting = _depth(connection, map(retry_exchange, LADDER), read=False) if self.wait else 0
        if waiting is None:
            return True
        if waiting != self._awaited:
            self._awaited = waiting
            verb = "waits" if waiting == 1 else "wait"
            log.info("%s %s for a retry", counted(waiting, "message"), verb)
        return bool(waiting)


def _depth(connection: Any, queues: Iterable[str], *, read: bool) -> int | None:
    """Give how many messages are ready in some queues; ``None`` where the broker does not know just now.

    Of a quorum queue that does not answer it within 250 ms, RabbitMQ says that it has neither messages nor
    consumers (3.10 and 4.0, ``rabbit_quorum_queue:stat``). A queue that is ``read`` here has a consumer; of
    others only the time tells.
    """
    channel = connection.channel()
    try:
        ready = 0
        for name in queues:
            asked = time.monotonic()
            found = channel.queue_declare(queue=name, passive=True)
            late = time.monotonic() - asked > _LATE
            if not found.message_count and (not found.consumer_count if read else late):
                return None
            ready += int(found.message_count)
        return ready
    finally:
        channel.close()
