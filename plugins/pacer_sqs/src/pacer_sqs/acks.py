"""Ending messages: gathered while SQS is being told, ten in one request, by a few threads at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor

from pacer_sqs.client import BATCH, QueueGone
from pacer_sqs.hand import Hand, Held
from pacer_sqs.place import Place

log = logging.getLogger("pacer.transport")

_AT_ONCE = 3


class Acks:
    """What one connection has acknowledged and SQS may not know yet.

    As with RabbitMQ an acknowledgement is on its way when it has been given. One that does not arrive leaves
    its message to be delivered once more.
    """

    def __init__(
        self, place: Place, hand: Hand, executor: Executor, failed: Callable[[Exception], None]
    ) -> None:
        self._place, self._hand, self._executor, self._failed = place, hand, executor, failed
        self._waiting: dict[str, deque[Held]] = {}
        self._running = 0
        self._changed = threading.Condition()

    def add(self, held: Iterable[Held]) -> None:
        """End messages, soon; until then they stay in our hand."""
        with self._changed:
            for one in held:
                one.ending = True
                self._waiting.setdefault(one.queue.url, deque()).append(one)
            wanted = min(_AT_ONCE, sum(-(-len(those) // BATCH) for those in self._waiting.values()))
            while self._running < wanted:
                self._running += 1
                self._executor.submit(self._run)

    def flush(self, seconds: float) -> bool:
        """Wait until SQS knows of all; tell whether it does."""
        deadline = time.monotonic() + seconds
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._running, timeout=max(0.0, deadline - time.monotonic())
            )

    def _run(self) -> None:
        while some := self._next():
            try:
                self._end(some)
            except Exception as error:
                # Not said to SQS: they come back to somebody when their time is over.
                self._hand.release(some)
                self._failed(error)

    def _next(self) -> list[Held]:
        with self._changed:
            for url, those in list(self._waiting.items()):
                some = [those.popleft() for _ in range(min(BATCH, len(those)))]
                if not those:
                    del self._waiting[url]
                if some:
                    return some
            self._running -= 1
            self._changed.notify_all()
            return []

    def _end(self, some: list[Held]) -> None:
        queue = some[0].queue
        late: set[int] = set()
        for _ in range(3):
            try:
                failed = self._place.client.delete(queue.url, [one.handle for one in some])
            except QueueGone:
                failed = {}
            late.update(id(some[number]) for number, (ours, _) in failed.items() if ours)
            again = [some[number] for number, (ours, _) in failed.items() if not ours]
            self._hand.release(one for one in some if one not in again)
            if self._place.bodies is not None:
                ended = [one for one in some if one not in again and id(one) not in late]
                if keys := [one.body_key for one in ended if one.body_key is not None]:
                    self._place.bodies.remove(keys)
            some = again
            if not some:
                break
        self._hand.release(some)
        if late or some:
            log.info(
                "%d acknowledgements of %s came too late: their messages are delivered once more",
                len(late) + len(some),
                queue.name,
            )
