"""A browser of a queue: it holds every letter in it, and removes those alone that it is told to.

A look takes every letter and acknowledges none; when it ends, in whatever way, the broker has them all back.
Letters are consumed, and not fetched one by one: a quorum queue gives 700 a second to ``basic.get`` and
20,000 to a consumer (RabbitMQ 3.10). They go back by closing the channel, never by rejecting them: that
scrambles the order in a quorum queue, and 20,000 rejects keep a classic queue busy for minutes.

What is on the ladder of retry queues keeps its time meanwhile, and falls due when it should, or when the look
ends. Quorum queues count each look as a return; those that PACER declares allow a million
(`topology.declare`).
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from amqp.exceptions import AccessRefused, NotFound

from pacer_core.model.errors import BrokerError
from pacer_core.model.queue_names import RETRY
from pacer_core.model.wording import counted
from pacer_core.transport.amqp.deliveries import Contents
from pacer_core.transport.connection import LOST, contents
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.queue_status import counts, depth, losses

log = logging.getLogger("pacer.dead")

# The broker reads as many letters into its memory at once as a consumer may have: with 65,535 it was silent
# for three seconds.
_FIRST_PREFETCH, _PREFETCH, _MOST_PREFETCH = 100, 5000, 0xFFFF
_PREFETCH_BYTES = 64 << 20
_CONSUMERS = 24
SILENCE = 1.0
"""Seconds without a letter before the queue is asked whether it has any left."""
_GLANCE = 0.2  # seconds of it on the ladder: what is held for longer falls due late
_PATIENCE = 20.0  # seconds without a letter, when it has none, before the missing ones count as somebody's
_RETURN = 1.0  # seconds in which what it held is ready again on the ladder, but for what fell due
_BEAT = 5.0

Stop = Callable[[], bool]
"""Says whether to end early."""
Read = Callable[[Contents, str], DeadLetter]
"""Makes a letter of a message in a queue of that name."""


def moves(queue: str) -> bool:
    """Say whether messages leave a queue by themselves."""
    return queue.startswith(RETRY)


class QueueBrowser:
    """All letters of one dead queue in one hand: one channel, whose end gives back what is not removed."""

    def __init__(self, connection: Any, queue: str, patience: float, read: Read) -> None:
        self._connection, self._queue, self._patience, self._read = connection, queue, patience, read
        self._locks: Any = None
        self._channel: Any = None
        self._arrived: deque[tuple[Any, DeadLetter]] | None = None
        self.there = self._received = self._removed = self._bytes = self._asked = self._consumers = 0
        self._beat = time.monotonic() + _BEAT

    def __enter__(self) -> Self:
        try:
            with losses():
                self._be_alone()
                self._channel = self._connection.channel()
        except BaseException:
            self._give_back()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def letters(self, stop: Stop) -> Iterator[tuple[Any, DeadLetter]]:
        """Give what lay there when the look began, in the queue's order; what comes meanwhile is left out."""
        self.there = depth(self._connection, self._queue) or 0
        arrived: deque[tuple[Any, DeadLetter]] = deque()
        self._arrived = arrived
        with losses():
            try:
                for _ in range(self.there):
                    if stop() or not (arrived or self._receive(arrived)):
                        return
                    yield arrived.popleft()
            finally:
                self._arrived = None

    def remove(self, tags: Sequence[Any]) -> None:
        """Remove letters. No answer is awaited: it would come behind all letters that are under way."""
        with losses():
            for tag in tags:
                self._channel.basic_ack(tag)
            self._removed += len(tags)  # and as many come in their place, without another consumer

    def _be_alone(self) -> None:
        """Wait until no other PACER looks: each would see what the other does not hold, and call it all.

        The lock is a queue of its own that one at a time may consume; the end of the connection opens it,
        whatever its reason. The dead queue itself cannot serve: quorum queues do not know exclusive consumers
        (RabbitMQ 3.10).
        """
        name = f"{self._queue}.looking"
        deadline = time.monotonic() + self._patience
        told = False
        while not self._lock(name):
            if time.monotonic() >= deadline:
                raise BrokerError(
                    f"somebody else is looking at {self._queue}, and has not finished in "
                    f"{self._patience:g} s: try again later"
                )
            if not told:
                log.warning("somebody else is looking at %s; waiting", self._queue)
                told = True
            time.sleep(0.2)

    def _lock(self, name: str) -> bool:
        self._locks = channel = self._connection.channel()
        try:
            channel.queue_declare(
                queue=name, durable=True, auto_delete=True, arguments={"x-queue-type": "classic"}
            )
        except AccessRefused:
            log.warning("no right to declare %s: while somebody else looks as well, each sees a part", name)
            return True
        try:
            channel.basic_consume(queue=name, exclusive=True, no_ack=True, callback=_ignore)
        except (AccessRefused, NotFound):  # not found: it went with the one who had it
            channel.close()
            return False
        return True

    def _consume(self) -> None:
        """Ask for more letters: one consumer more, since none can be given a larger prefetch later on.

        When the channel closes a quorum queue takes its letters back consumer by consumer, in the order of
        their tags as long as there are no more than 32 of them.
        """
        share = -(-self.there // _CONSUMERS)
        fits = _PREFETCH_BYTES * self._received // (self._bytes or 1) if self._received else _FIRST_PREFETCH
        prefetch = min(max(share, min(fits, _PREFETCH), 1), _MOST_PREFETCH)
        self._asked += prefetch
        self._consumers += 1
        self._channel.basic_qos(0, prefetch, False)
        self._channel.basic_consume(
            queue=self._queue,
            no_ack=False,
            callback=self._note,
            consumer_tag=_tag(self._consumers),
        )

    def _note(self, message: Any) -> None:
        content = contents(message)
        self._received += 1
        self._bytes += len(content.body)
        if self._arrived is not None:
            self._arrived.append((content.tag, self._read(content, self._queue)))

    def _receive(self, arrived: deque[tuple[Any, DeadLetter]]) -> bool:
        """Wait for a letter; tell whether there was any."""
        since = time.monotonic()
        while not arrived:
            if self._received - self._removed >= self._asked:
                self._consume()
            if time.monotonic() >= self._beat:
                self._connection.heartbeat_check()
                self._beat = time.monotonic() + _BEAT
            try:
                self._connection.drain_events(timeout=_GLANCE if moves(self._queue) else SILENCE)
            except TimeoutError:
                quiet = time.monotonic() - since
                if moves(self._queue) and self._empty() and not arrived:
                    return False  # what is missing fell due between the count and the look
                if quiet >= _PATIENCE and self._empty() and not arrived:
                    log.warning(
                        "%s of %s cannot be seen: somebody else holds or has removed what is missing",
                        counted(self.there - self._received, "letter"),
                        self._queue,
                    )
                    return False
        return True

    def _empty(self) -> bool:
        """Say whether nothing is ready, and nothing under way: that comes before the next answer."""
        found = counts(self._connection, self._queue)
        if found is not None and (found[0] or not found[1]):
            return False  # a queue that we consume and that has no consumer has not said anything
        self._channel.basic_qos(0, 1, False)
        return True

    def _give_back(self) -> None:
        """Close the channel, which gives back what is not removed.

        A quorum queue drops acknowledgements that are under way when the channel closes; one synchronous call
        lets them in.
        """
        self._arrived = None
        with contextlib.suppress(*LOST, BrokerError):  # lost: then the broker has them back already
            if self._channel is not None:
                for number in range(1, self._consumers + 1):
                    self._channel.basic_cancel(_tag(number))
                self._channel.basic_qos(0, 1, False)
                self._channel.close()
                self._await_return()
            if self._locks is not None:
                self._locks.close()

    def _await_return(self) -> None:
        """Wait until what was given back is ready again, or has fallen due meanwhile.

        The broker answers the close of a channel before a quorum queue has its letters back: who looked next
        would miss them.
        """
        deadline = time.monotonic() + (_RETURN if moves(self._queue) else _PATIENCE)
        while (ready := depth(self._connection, self._queue)) is not None:
            if ready >= self._received - self._removed or time.monotonic() >= deadline:
                return
            time.sleep(0.02)


def _ignore(_: Any) -> None:
    """Nobody publishes to a lock."""


def _tag(number: int) -> str:
    return f"pacer-dead-{number:04}"
