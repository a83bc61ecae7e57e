"""Consuming: one connection, one channel over some queues, and messages handed out as they came."""

from __future__ import annotations

import contextlib
import math
import os
import select
import socket
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from amqp.exceptions import AccessRefused
from attrs import define

from pacer_core.config.model import Queue
from pacer_core.model.messages import Envelope
from pacer_core.transport.amqp.buffered import Channel
from pacer_core.transport.amqp.deliveries import Take
from pacer_core.transport.cancel_notices import CancelNotices
from pacer_core.transport.connection import contents
from pacer_core.transport.envelope_reading import Believe, reader

BATCH = 64
"""Messages that are handed out, and acknowledged, between two looks at anything else."""


@define(eq=False)  # never changed; not frozen, since that costs more than all else here
class Received:
    """A message in hand: what it is, and what it takes to acknowledge it."""

    envelope: Envelope
    subscription: Subscription
    tag: Any


class Waker:
    """Lets other threads end the connection thread's wait."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._pipe = os.fstat(self._read)

    @property
    def damaged(self) -> bool:
        """Whether somebody has closed what is not theirs: nothing that is open can be relied on then."""
        try:
            return not all(os.path.samestat(self._pipe, os.fstat(one)) for one in (self._read, self._write))
        except OSError:
            return self._read >= 0

    def fileno(self) -> int:
        """Give the descriptor that becomes readable."""
        return self._read

    def wake(self) -> None:
        """End the wait, now or when it begins; takes no lock, and does nothing once it is closed."""
        with contextlib.suppress(OSError):  # full, and so awake; or closed
            os.write(self._write, b".")

    def wait(self, seconds: float) -> None:
        """Wait until somebody calls, or time is up."""
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        if poll.poll(math.ceil(max(seconds, 0.0) * 1000)):
            self.clear()

    def clear(self) -> None:
        """Forget that anybody called."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass

    def close(self) -> None:
        """Close both ends."""
        ends, self._read, self._write = (self._read, self._write), -1, -1
        for end in ends:
            os.close(end)


class StandBy(Exception):
    """Another process reads these queues exclusively; this one may take over when it ends."""


class Subscription:
    """One channel that consumes; used by one thread, the connection's.

    Delivery tags count per channel, so an acknowledgement belongs to the subscription that received the
    message: one that is closed takes none.

    ``priorities`` are those of queues that go to whoever reads them with the highest one.

    Raises
    ------
    StandBy
        Where ``exclusive`` is asked for and another process has a queue.
    """

    def __init__(
        self,
        connection: Any,
        queues: Sequence[Queue],
        prefetch: int,
        on_message: Callable[[Received], None],
        *,
        exclusive: bool = False,
        believe: Believe | None = None,
        priorities: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._connection, self._believe, self._priorities = connection, believe, priorities
        self._on_message = on_message
        self._channel = connection.channel()
        self._amqp = connection.connection
        self._socket: socket.socket = self._amqp.sock
        # Not select: it takes no descriptor above 1023, and clients open one for each thread.
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._waker: Waker | None = None
        self._early: set[int] = set()
        self._low = 0
        self.open = True
        self._tags = [f"pacer-{queue.name}" for queue in queues]
        self._pipelines = [
            queue.name
            for queue in queues
            if queue.type == "quorum" and queue.declare == "active" and isinstance(self._channel, Channel)
        ]
        self._queues, self._count, self._widened = queues, prefetch, 0
        self._notices = CancelNotices(connection, queues)
        self._prefetch(prefetch)
        for queue in queues:
            # Keyed queues of ours have a single active consumer; for somebody else's, exclusiveness serves.
            self._subscribe(queue, f"pacer-{queue.name}", exclusive=exclusive and queue.declare == "passive")
        self._notices.secure(self._channel)

    def widen(self) -> None:
        """Take as many messages in hand once more; of no use where one consumer alone may be active.

        A consumer cannot be given a larger prefetch later on, so there is one more for each queue.
        """
        self._widened += 1
        self._prefetch(self._count)
        for queue in self._queues:
            tag = f"pacer-{queue.name}-{self._widened}"
            self._subscribe(queue, tag, exclusive=False)
            self._tags.append(tag)
        self._notices.secure(self._channel)

    def _prefetch(self, count: int) -> None:
        self._channel.basic_qos(0, count, False)

    def _subscribe(self, queue: Queue, tag: str, *, exclusive: bool) -> None:
        def opener(
            delivery_info: Mapping[str, Any], properties: Mapping[str, Any], headers: Mapping[str, Any]
        ) -> Take:
            envelope = reader(queue.name, delivery_info, properties, headers, self._believe)
            return lambda number, body: self._on_message(Received(envelope(body), self, number))

        def take(message: Any) -> None:
            content = contents(message)
            opener(content.delivery_info, content.properties, content.headers)(content.tag, content.body)

        more: dict[str, Any] = {"exclusive": True} if exclusive else {}
        arguments = dict(self._notices.arguments(queue.name))
        if queue.name in self._priorities:
            arguments["x-priority"] = self._priorities[queue.name]
        if arguments:
            more["arguments"] = arguments
        # Known before the first delivery: other channels than the core's own take all through the callback.
        getattr(self._channel, "openers", {})[tag.encode()] = opener
        try:
            self._channel.basic_consume(
                queue=queue.name,
                no_ack=False,
                callback=take,
                consumer_tag=tag,
                **more,
            )
        except AccessRefused as error:
            if not exclusive:
                raise
            raise StandBy(str(error)) from None

    def poll(self, waker: Waker, timeout: float) -> None:
        """Wait for messages and hand out what is there, `BATCH` at most; return after the timeout otherwise.

        A call of the waker ends the wait as well.
        """
        amqp = self._connection.connection
        if not amqp.ready():  # what has been read already makes no socket readable
            if self._waker is not waker:
                self._waker = waker
                self._poll.register(waker, select.POLLIN)
            ready = {number for number, _ in self._poll.poll(math.ceil(timeout * 1000))}
            if waker.fileno() in ready:
                waker.clear()
                ready.remove(waker.fileno())
            if not ready:
                return
        amqp.drain_ready(BATCH)

    def ack(self, tags: Sequence[Any]) -> None:
        """Acknowledge messages, those that have nothing unfinished before them in one go."""
        if not self.open:
            return
        fresh = sorted(tags)
        while self._low + 1 in self._early:  # rejected
            self._low += 1
            self._early.discard(self._low)
        if not self._early and fresh and fresh[0] == self._low + 1 and fresh[-1] == self._low + len(fresh):
            self._low = fresh[-1]  # as they came, which is nearly always
            self._channel.ack_all([(self._low, True)])
            return
        finished = self._early.union(fresh)
        while self._low + 1 in finished:
            self._low += 1
            self._early.discard(self._low)
        # Only up to a tag that is still open: up to any other, RabbitMQ acknowledges all there are, later
        # ones too, before it notices.
        whole = [tag for tag in fresh if tag <= self._low]
        acks = [(whole[-1], True)] if whole else []
        later = fresh[len(whole) :]
        self._early.update(later)
        self._channel.ack_all([*acks, *((tag, False) for tag in later)])

    def reject(self, tag: Any) -> None:
        """Have the broker dead-letter a message, as its queue says; where it says nothing, it is lost."""
        if self.open:
            self._channel.basic_reject(tag, requeue=False)
            self._early.add(tag)  # nothing unfinished before later ones

    def holds(self) -> bool:
        """Say whether what it has handed out is still its own, as far as the broker need not be asked."""
        return self.open and bool(getattr(self._amqp, "holds", _always)())

    def heartbeat(self) -> None:
        """Send a heartbeat where one is due, and notice a broker that sends none."""
        if self._connection.supports_heartbeats:
            self._connection.heartbeat_check()

    def cancel(self) -> None:
        """Take no further message; what is in hand can still be acknowledged. Not for queues with keys."""
        for tag in self._tags:
            self._channel.basic_cancel(tag)
        self._tags = []

    def close(self) -> None:
        """Give back what is not acknowledged, and let the acknowledgements arrive first.

        With keys, never by cancelling: that lets the next process begin while this one still holds messages.
        Quorum queues drop what is in the channel's pipeline when it closes. One more consumer makes the
        channel wait for the queue, and the synchronous call after it has the rest of the pipeline sent.
        """
        self.open = False
        self._on_message = _ignore
        self._prefetch(1)
        for queue in self._pipelines:
            self._channel.basic_consume(queue=queue, callback=_ignore, consumer_tag=f"pacer-{queue}-end")
        self._prefetch(1)
        self._channel.close()

    def abandon(self) -> None:
        """Take no further acknowledgement; the connection is lost, and the broker has its messages back."""
        self.open = False


def _always() -> bool:
    """Hold it: an AMQP broker closes the connection of who is silent for too long."""
    return True


def _ignore(_: object) -> None:
    """Messages that come in while the channel closes go back to their queue with it."""
