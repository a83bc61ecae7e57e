"""One connection that publishes, and its confirming channel."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from amqp.exceptions import FrameSyntaxError

from pacer_core.config.model import Broker
from pacer_core.model.errors import BrokerError
from pacer_core.model.wording import counted
from pacer_core.transport.amqp.buffered import Channel, Prepared
from pacer_core.transport.amqp.properties import property_list
from pacer_core.transport.connection import connect, hang_up
from pacer_core.transport.headers import PREFIX
from pacer_core.transport.outgoing import (
    FullError,
    Outgoing,
    UnroutableError,
    UnsendableError,
)

CONFIRM_TIMEOUT = 30.0
"""Seconds to wait for the broker's confirms: under its disk or memory alarm they never come."""
_ID = f"{PREFIX}correlation-id"
_NO_WORD = (FrameSyntaxError, struct.error, ValueError, TypeError, OverflowError, RecursionError)


class Link:
    """One connection and its confirming channel."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.connection = connect(broker, "publisher")
        self.heartbeats = broker.capabilities.heartbeats
        self.beats = broker.beat
        self.channel = self.connection.channel()
        self.sent = 0
        self.unconfirmed: dict[int, int] = {}
        """By delivery tag, which of those that wait."""
        self.waiting: dict[int, Outgoing] = {}
        self.refused: dict[int, BrokerError] = {}
        self.nacked = False
        """Whether the broker has refused a message: a full queue, for instance."""
        self.largest = -1
        """Bytes of the largest body that the broker has taken."""
        self.exchanges: set[str] = set()
        """Where it has taken anything."""
        self.channel.confirm_select()
        self.channel.events["basic_ack"].add(self._acked)
        self.channel.events["basic_nack"].add(self._nacked)
        self.channel.events["basic_return"].add(self._returned)

    def together(self, waiting: Mapping[int, Outgoing], alone: Collection[int]) -> list[int]:
        """Give the first of what waits, as far as none of them is likely to cost others their confirm."""
        group: list[int] = []
        for number, one in waiting.items():
            known = number not in alone and len(one.body) <= self.largest and one.exchange in self.exchanges
            if known or not group:
                group.append(number)
            if not known:
                break
        return group

    def publish(
        self, group: Sequence[int], waiting: dict[int, Outgoing], refused: dict[int, BrokerError]
    ) -> None:
        """Publish some of what waits.

        What is confirmed waits no more; what no queue takes, or is refused, is noted.
        """
        self.waiting, self.refused = waiting, refused
        channel = self.channel
        ready = self._ready(channel, group)  # what is refused gets no number
        taken = [(number, waiting[number]) for number in group if number in waiting]
        for number, _ in taken:
            self.sent += 1
            self.unconfirmed[self.sent] = number
        if isinstance(channel, Channel):
            channel.publish_all(ready, CONFIRM_TIMEOUT)
        else:
            for _, one in taken:
                channel.basic_publish(self._prepared(one), one.exchange, one.routing_key, mandatory=True)
        self._await_confirms()
        for _, one in taken:
            self.largest = max(self.largest, len(one.body))
            self.exchanges.add(one.exchange)

    def _ready(self, channel: Any, group: Sequence[int]) -> list[Prepared]:
        """Put what waits into bytes; what cannot be sent is refused, and waits no more."""
        ready = []
        for number in group:
            one = self.waiting[number]
            try:
                listed = property_list(one.properties, one.headers)
                if isinstance(channel, Channel):
                    ready.append(channel.prepare(one.exchange, one.routing_key, listed, one.body))
            except _NO_WORD as error:
                # Its text may quote a header.
                del self.waiting[number]
                self.refused[number] = UnsendableError(
                    f"a message cannot be published to {one}: its names, properties or headers are longer or "
                    f"deeper than AMQP can carry, or of a type that it does not know ({type(error).__name__})"
                )
        return ready

    def _prepared(self, message: Outgoing) -> Any:
        # kombu wants these apart from the other properties.
        properties = dict(message.properties)
        apart = {
            name: properties.pop(name, None) for name in ("priority", "content_type", "content_encoding")
        }
        return self.channel.prepare_message(
            message.body, headers=dict(message.headers), properties=properties, **apart
        )

    def _await_confirms(self) -> None:
        deadline = time.monotonic() + CONFIRM_TIMEOUT
        while self.unconfirmed:
            left = deadline - time.monotonic()
            if left <= 0:
                raise BrokerError(
                    f"{self.broker} has not confirmed {counted(len(self.unconfirmed), 'message')} "
                    f"in {CONFIRM_TIMEOUT:g} s: look for its disk or memory alarm"
                )
            with contextlib.suppress(socket.timeout):
                self.connection.drain_events(timeout=min(left, self.beats))
            if self.heartbeats:  # without the broker's own the connection is half open
                self.connection.heartbeat_check()

    def _acked(self, tag: int, multiple: bool) -> None:
        for number in self._confirmed(tag, multiple):
            del self.waiting[number]

    def _nacked(self, tag: int, multiple: bool) -> None:
        self.nacked = True
        for number in self._confirmed(tag, multiple):
            message = self.waiting.pop(number)
            where = f"exchange {message.exchange!r} with routing key " if message.exchange else "queue "
            full = FullError(
                f"the broker refused a message to {where}{message.routing_key!r}: a queue there is full or "
                "unavailable; make room in it, raise its limit, or look at the broker's nodes"
            )
            self.refused.setdefault(number, full)

    def _confirmed(self, tag: int, multiple: bool) -> list[int]:
        tags = [one for one in self.unconfirmed if one <= tag] if multiple else [tag]
        return [self.unconfirmed.pop(one) for one in tags if one in self.unconfirmed]

    def _returned(self, _: Exception, exchange: str, routing_key: str, message: Any) -> None:
        # A return does not name its message, but comes before its confirm; of equal ones each is returned.
        unroutable = UnroutableError(
            f"no queue takes messages of exchange {exchange or '(default)'!r} with routing key "
            f"{routing_key!r}: declare one, or correct the routing key"
        )
        for number in self.unconfirmed.values():
            sent = self.waiting[number]
            if (
                number not in self.refused
                and (sent.exchange, sent.routing_key, sent.body) == (exchange, routing_key, message.body)
                and sent.headers.get(_ID) == message.headers.get(_ID)
            ):
                self.refused[number] = unroutable
                return
        self.refused.update(dict.fromkeys(self.unconfirmed.values(), unroutable))

    def beat(self) -> None:
        """Say that we are there, and look whether the broker is."""
        if self.heartbeats:
            with contextlib.suppress(socket.timeout):
                self.connection.drain_events(timeout=0.001)
            self.connection.heartbeat_check()

    def only_while(self, reader: Any) -> None:
        """Publish no more once ``reader``, a connection, has lost what it reads, where the broker tells."""
        bind = getattr(self.connection.connection, "only_while", None)
        if bind is not None:
            bind(reader.connection)

    def cut(self) -> None:
        """End the connection at once, also for a thread that waits for AMQP's confirms."""
        if self.heartbeats:  # elsewhere nobody waits for half a minute, and a socket may be another thing
            with contextlib.suppress(Exception):  # whatever it says, there is none afterwards
                self.connection.connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        hang_up(self.connection)
