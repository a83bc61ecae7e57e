"""Publishing with confirms, on a connection of its own.

Never on the consuming connection: a publish there first reads what has come in, which re-enters the
consumer's callback; with confirms the two wait for each other's answers.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import amqp
from attrs import field, frozen

from pacer_core.config.model import Broker
from pacer_core.errors import BrokerError
from pacer_core.transport.connection import connect, hang_up

CONFIRM_TIMEOUT = 30.0
"""Seconds to wait for the broker's confirms: under its disk or memory alarm they never come."""


@frozen
class Outgoing:
    """One message to publish."""

    exchange: str
    routing_key: str
    body: bytes
    headers: Mapping[str, Any] = field(factory=dict)
    properties: Mapping[str, Any] = field(factory=dict)

    def __str__(self) -> str:
        return f"exchange {self.exchange or '(default)'!r} with routing key {self.routing_key!r}"


class UnroutableError(BrokerError):
    """The broker has no queue for a message, or no such exchange."""


class Publisher:
    """Publishes and waits for the broker's word; safe to use from several threads, one at a time.

    ``confirmed`` is told how many seconds the broker took to confirm what was published together.
    """

    def __init__(self, broker: Broker, confirmed: Callable[[float], None] = lambda _: None) -> None:
        self._broker, self._confirmed = broker, confirmed
        self._lock = threading.Lock()
        self._link: _Link | None = None
        self._closed = False

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """Publish all messages, and return when the broker has confirmed every one.

        A connection that was lost is opened anew once; what it had confirmed is not sent again.

        Raises
        ------
        UnroutableError
            Where no queue takes one of them: the others may have been published.
        BrokerError
            Where the broker does not confirm in time, refuses, or cannot be reached.
        """
        waiting = list(messages)
        with self._lock:
            if self._closed:
                raise BrokerError("the publisher is closed: the message goes back to its queue")
            began = time.monotonic()
            for last in (False, True):
                try:
                    if self._link is None:
                        self._link = _Link(self._broker)
                    self._link.publish(waiting)
                except UnroutableError:
                    raise
                except BrokerError:
                    self._drop()
                    raise
                except amqp.exceptions.ChannelError as error:
                    self._drop()
                    raise UnroutableError(f"the broker refused a message: {error}") from None
                except (amqp.exceptions.AMQPError, OSError, AttributeError) as error:
                    # AttributeError: py-amqp raises it where its connection went away underneath it.
                    self._drop()
                    if last:
                        raise BrokerError(f"lost {self._broker} while publishing: {error}") from None
                else:
                    self._confirmed(time.monotonic() - began)
                    return

    def beat(self) -> None:
        """Keep an idle connection alive."""
        with self._lock:
            if self._link is not None:
                try:
                    self._link.beat()
                except (amqp.exceptions.AMQPError, OSError, AttributeError):
                    self._drop()

    def close(self) -> None:
        """Close the connection; what still wants to publish is refused."""
        with self._lock:
            self._closed = True
            self._drop()

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()


class _Link:
    """One connection and its confirming channel."""

    def __init__(self, broker: Broker) -> None:
        self.connection = connect(broker, "publisher")
        self.heartbeats = not broker.embedded
        self.beats = broker.heartbeat.total_seconds() / 4
        self.channel = self.connection.channel()
        self.sent = 0
        self.unconfirmed: dict[int, Outgoing] = {}
        self.returned: list[tuple[str, str]] = []
        self.refused = 0
        self.channel.confirm_select()
        self.channel.events["basic_ack"].add(self._acked)
        self.channel.events["basic_nack"].add(self._nacked)
        self.channel.events["basic_return"].add(self._returned)

    def publish(self, waiting: list[Outgoing]) -> None:
        """Publish what waits; what gets confirmed leaves the list."""
        self.returned.clear()
        self.refused = 0
        unsent = list(waiting)
        try:
            while unsent:
                self._send(unsent.pop(0))
            self._await_confirms()
        finally:
            waiting[:] = [*self.unconfirmed.values(), *unsent]
        if self.returned:
            exchange, key = self.returned[0]
            raise UnroutableError(
                f"no queue takes messages of exchange {exchange or '(default)'!r} with routing key {key!r}: "
                f"declare one, or correct the routing key"
            )
        if self.refused:
            raise BrokerError(f"the broker refused {self.refused} message(s): a queue is full or unavailable")

    def _send(self, message: Outgoing) -> None:
        # kombu wants these apart from the other properties.
        properties = dict(message.properties)
        apart = {
            name: properties.pop(name, None) for name in ("priority", "content_type", "content_encoding")
        }
        prepared = self.channel.prepare_message(
            message.body, headers=dict(message.headers), properties=properties, **apart
        )
        self.sent += 1
        self.unconfirmed[self.sent] = message
        self.channel.basic_publish(
            prepared,
            exchange=message.exchange,
            routing_key=message.routing_key,
            mandatory=True,
            timeout=CONFIRM_TIMEOUT,
        )

    def _await_confirms(self) -> None:
        deadline = time.monotonic() + CONFIRM_TIMEOUT
        while self.unconfirmed:
            left = deadline - time.monotonic()
            if left <= 0:
                raise BrokerError(
                    f"the broker has not confirmed {len(self.unconfirmed)} message(s) "
                    f"in {CONFIRM_TIMEOUT:g} s: look for its disk or memory alarm"
                )
            with contextlib.suppress(socket.timeout):
                self.connection.drain_events(timeout=min(left, self.beats))
            if (
                self.heartbeats
            ):  # the broker's own show a connection that is half open, long before the deadline
                self.connection.heartbeat_check()

    def _acked(self, tag: int, multiple: bool) -> None:
        self._confirmed(tag, multiple)

    def _nacked(self, tag: int, multiple: bool) -> None:
        self.refused += self._confirmed(tag, multiple)

    def _confirmed(self, tag: int, multiple: bool) -> int:
        tags = [one for one in self.unconfirmed if one <= tag] if multiple else [tag]
        for one in tags:
            self.unconfirmed.pop(one, None)
        return len(tags)

    def _returned(self, _: Exception, exchange: str, routing_key: str, __: Any) -> None:
        self.returned.append((exchange, routing_key))

    def beat(self) -> None:
        if self.heartbeats:
            with contextlib.suppress(socket.timeout):
                self.connection.drain_events(timeout=0.001)
            self.connection.heartbeat_check()

    def close(self) -> None:
        hang_up(self.connection)
