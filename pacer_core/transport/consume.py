"""Consuming: one connection, one channel over some queues, and messages handed out as they came."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from kombu import Consumer, Queue

from pacer_core.messages import Envelope
from pacer_core.transport.headers import read_envelope


@frozen(eq=False)
class Received:
    """A message in hand: what it is, and what it takes to acknowledge it."""

    envelope: Envelope
    subscription: Subscription
    tag: Any


class Waker:
    """Lets other threads end the connection thread's wait."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        """Give the descriptor that becomes readable."""
        return self._read

    def wake(self) -> None:
        """End the wait, now or when it begins."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b".")

    def clear(self) -> None:
        """Forget that anybody called."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass

    def close(self) -> None:
        """Close both ends."""
        os.close(self._read)
        os.close(self._write)


class Subscription:
    """One channel that consumes; used by one thread, the connection's.

    Delivery tags count per channel, so an acknowledgement belongs to the subscription that received the
    message: one that is closed takes none.
    """

    def __init__(
        self, connection: Any, queues: Sequence[str], prefetch: int, on_message: Callable[[Received], None]
    ) -> None:
        self._connection = connection
        self._on_message = on_message
        self._channel = connection.channel()
        self._socket: socket.socket | None = getattr(connection.connection, "sock", None)
        self._consumers = [self._consumer(queue) for queue in queues]
        self._consumers[0].qos(prefetch_count=prefetch)
        for consumer in self._consumers:
            consumer.consume()
        self.open = True

    def _consumer(self, queue: str) -> Any:
        def received(message: Any) -> None:
            apart = {"content_type": message.content_type, "content_encoding": message.content_encoding}
            properties = {name: value for name, value in apart.items() if value is not None}
            envelope = read_envelope(
                _bytes(message.body),
                queue,
                message.delivery_info,
                properties | message.properties,
                message.headers,
            )
            self._on_message(Received(envelope, self, message.delivery_tag))

        return Consumer(
            self._channel,
            [Queue(queue, no_declare=True)],
            on_message=received,
            auto_declare=False,
            no_ack=False,
        )

    def poll(self, waker: Waker, timeout: float) -> None:
        """Wait for a message and hand it out; return after that, a call of the waker, or the timeout."""
        if self._socket is None:
            with contextlib.suppress(socket.timeout):
                self._connection.drain_events(timeout=min(timeout, 0.02))
            waker.clear()
            return
        pending = getattr(self._socket, "pending", None)  # TLS may hold bytes that select does not see
        if not (pending and pending()):
            wait_for: list[Any] = [self._socket, waker]
            readable, _, _ = select.select(wait_for, [], [], timeout)
            if waker in readable:
                waker.clear()
            if self._socket not in readable:
                return
        with contextlib.suppress(socket.timeout):
            self._connection.drain_events(timeout=timeout)

    def ack(self, tag: Any) -> None:
        """Acknowledge one message."""
        if self.open:
            self._channel.basic_ack(tag)

    def close(self) -> None:
        """Give back what is not acknowledged, and let the acknowledgements arrive first.

        Never by cancelling: that lets the next process begin while this one still holds messages. Acks still
        in the pipeline when a channel closes are dropped by quorum queues; one synchronous call lets them in.
        """
        self.open = False
        self._on_message = _ignore
        self._consumers[0].qos(prefetch_count=1)
        self._channel.close()

    def abandon(self) -> None:
        """Take no further acknowledgement; the connection is lost, and the broker has its messages back."""
        self.open = False


def _ignore(_: Received) -> None:
    """Messages that come in while the channel closes go back to their queue with it."""


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body or b"")
