"""The harness's own hand on the broker: queues, messages with windowed confirms, depths."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import amqp
from attrs import field, frozen

WINDOW = 500
EXCHANGE = "bench"
"""Every queue is bound to it by its name, at both ends of a forwarding."""
QueueKind = Literal["quorum", "dramatiq"]


@frozen
class Load:
    """Messages to put into a queue: ``count`` of them, the bodies in turn."""

    bodies: Sequence[bytes]
    count: int
    content_type: str = "application/json"
    properties: dict[str, Any] = field(factory=dict)


class Harness:
    """One connection for filling and counting."""

    def __init__(self, port: int, vhost: str = "/") -> None:
        self._connection = amqp.Connection(f"127.0.0.1:{port}", "guest", "guest", virtual_host=vhost)
        self._connection.connect()
        self._channel = self._connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._acked)
        self._channel.events["basic_nack"].add(_refused)
        self._sent = 0
        self._open: dict[int, None] = {}  # tags in order, not yet confirmed

    @contextlib.contextmanager
    def queue(self, name: str, kind: QueueKind, partitions: int = 0) -> Iterator[str]:
        """Declare a durable queue, and delete it afterwards with all that was declared beside it."""
        beside = [f"{name}.DQ", f"{name}.XQ"] if kind == "dramatiq" else [f"{name}.dead"]
        if partitions:
            beside += [f"{name}.keys", f"{name}.keys.hosts"]
            queues = [f"{name}.keys.{number + 1}" for number in range(partitions)]
            beside += [one for queue in queues for one in (queue, f"{queue}.dead")]
        arguments: dict[str, Any] = {"x-queue-type": "quorum"}
        if kind == "dramatiq":  # as its RabbitmqBroker declares it: classic, it knows no other
            arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{name}.XQ"}
        self._channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
        self._channel.exchange_declare(EXCHANGE, "direct", durable=True, auto_delete=False)
        self._channel.queue_bind(name, EXCHANGE, name)
        try:
            yield name
        finally:
            for one in (name, *beside):
                self._channel.queue_delete(one)

    def fill(self, queue: str, load: Load) -> None:
        """Publish persistent messages, at most `WINDOW` unconfirmed, and wait for all confirms."""
        messages = [
            amqp.Message(body, content_type=load.content_type, delivery_mode=2, **load.properties)
            for body in load.bodies
        ]
        for number in range(load.count):
            self._channel.basic_publish(messages[number % len(messages)], EXCHANGE, queue)
            self._sent += 1
            self._open[self._sent] = None
            if len(self._open) >= WINDOW:
                self._wait(WINDOW // 2)
        self._wait(0)

    def depth(self, queue: str, *, missing: bool = False) -> int:
        """Give how many messages are ready in a queue; where it may be ``missing``, none."""
        if not missing:
            return int(self._channel.queue_declare(queue, passive=True).message_count)
        channel = self._connection.channel()
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except amqp.exceptions.NotFound:
            return 0
        finally:
            channel.close()

    def version(self) -> str:
        """Give the broker's version."""
        return str(self._connection.server_properties["version"])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _wait(self, left: int) -> None:
        while len(self._open) > left:
            self._connection.drain_events(timeout=60)

    def _acked(self, tag: int, multiple: bool) -> None:
        for one in [one for one in self._open if one <= tag] if multiple else [tag]:
            self._open.pop(one, None)


def _refused(tag: int, multiple: bool) -> None:
    raise RuntimeError(f"the broker refused message {tag}{' and those before it' if multiple else ''}")
