"""Publishing with confirms, on a connection of its own.

Never on the consuming connection: a publish there first reads what has come in, which re-enters the
consumer's callback; with confirms the two wait for each other's answers.

A broker that refuses a message closes the channel: which message it was is not said, and of those before it
the confirms are lost. So what is the first of its kind on a connection (for an exchange, or larger than all
before) goes alone, and after a refusal all that had gone together does.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import amqp
from amqp.exceptions import FrameSyntaxError
from attrs import define, field, frozen

from pacer_core.config.model import Broker
from pacer_core.model.errors import BrokerError, NotTakenError, RefusedError
from pacer_core.model.wording import counted
from pacer_core.transport.amqp.buffered import Channel, Prepared
from pacer_core.transport.amqp.properties import property_list
from pacer_core.transport.connection import connect, hang_up
from pacer_core.transport.headers import PREFIX

CONFIRM_TIMEOUT = 30.0
"""Seconds to wait for the broker's confirms: under its disk or memory alarm they never come."""

_ID = f"{PREFIX}correlation-id"
_DOUBTFUL = frozenset({501, 502, 503, 505, 506, 540, 541})
# With these RabbitMQ closes a whole connection for what one message is, or because it fell over it.
_FORBIDDEN, _NOT_FOUND = 403, 404
_NO_WORD = (FrameSyntaxError, struct.error, ValueError, TypeError, OverflowError, RecursionError)


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


class UnroutableError(NotTakenError):
    """The broker has no queue for a message, no such exchange, or none that we may publish to."""


class ForbiddenError(UnroutableError):
    """Our account may not publish there."""


class FullError(NotTakenError):
    """A queue that a message would go to is full, or unavailable."""


class UnsendableError(RefusedError):
    """AMQP cannot carry a message; no other broker could take it either."""


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

        Raises
        ------
        NotTakenError
            Where the broker does not take one of them: the others have been published.
        BrokerError
            Where the broker does not confirm in time, or cannot be reached.
        """
        for error in self.publish_each(messages):
            if error is not None:
                raise error

    def publish_each(self, messages: Sequence[Outgoing]) -> list[BrokerError | None]:
        """Publish messages, and say of each why it is not confirmed; ``None`` where it is.

        One that is not taken (a `NotTakenError`) keeps no other from being published. A connection that was
        lost is opened anew once; what it had confirmed is not sent again.
        """
        waiting = dict(enumerate(messages))
        refused: dict[int, BrokerError] = {}
        with self._lock:
            began = time.monotonic()
            lost = self._publish(waiting, refused)
            if lost is None:
                self._confirmed(time.monotonic() - began)
        return [refused.get(number, lost if number in waiting else None) for number in range(len(messages))]

    def _publish(self, waiting: dict[int, Outgoing], refused: dict[int, BrokerError]) -> BrokerError | None:
        """Publish what waits, and say what keeps the rest of it from being confirmed."""
        if self._closed:
            return BrokerError("the publisher is closed: the message goes back to its queue")
        apart = _Apart(refused)
        lost: BrokerError | None = None
        while waiting:
            group: Sequence[int] = ()
            try:
                if self._link is None:
                    self._link = _Link(self._broker)
                group = self._link.together(waiting, apart.numbers)
                self._link.publish(group, waiting, refused)
            except BrokerError as error:
                self._drop()
                return error
            except (amqp.exceptions.AMQPError, OSError, AttributeError) as error:
                # AttributeError: py-amqp raises it where its connection went away underneath it.
                self._drop()
                if not apart.looks([number for number in group if number in waiting], waiting, error):
                    again, lost = (
                        lost is not None,
                        BrokerError(f"lost {self._broker} while publishing: {error}"),
                    )
                    if again:
                        return lost
            except BaseException:
                self._drop()  # or what was numbered already would take the confirms of what comes next
                raise
            else:
                lost = None
                if self._link.nacked:
                    # A channel that RabbitMQ has refused a message of a quorum queue on goes on refusing,
                    # also when the queue's limit is gone; a new one does not.
                    self._drop()
        return None

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


@define
class _Apart:
    """Finds out which of some messages it was that the broker refused."""

    refused: dict[int, BrokerError]
    numbers: set[int] = field(factory=set)
    """Those that go alone from now on."""
    _doubtful: set[int] = field(factory=set)

    def looks(self, group: Sequence[int], waiting: dict[int, Outgoing], error: Any) -> bool:
        """Tell whether an error is the broker's word about one of these, none of which is confirmed.

        Where there is but one it waits no more, and is refused.
        """
        by_channel = isinstance(error, amqp.exceptions.ChannelError)
        if not group or not (by_channel or getattr(error, "reply_code", None) in _DOUBTFUL):
            return False
        if len(group) > 1:
            self.numbers.update(group)
            return True
        (number,) = group
        if by_channel or number in self._doubtful:
            self.refused[number] = _refusal(waiting.pop(number), error)
        self._doubtful.add(number)  # a broker may fall over for another reason: once more
        return True


def _refusal(message: Outgoing, error: Any) -> BrokerError:
    kinds = {
        _FORBIDDEN: ForbiddenError,
        _NOT_FOUND: UnroutableError,
    }  # said of the exchange, not of the message
    if error.reply_code in kinds:
        return kinds[error.reply_code](f"the broker refused a message to {message}: {error}")
    return RefusedError(f"the broker refused a message of {len(message.body):,} bytes to {message}: {error}")


class _Link:
    """One connection and its confirming channel."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.connection = connect(broker, "publisher")
        self.heartbeats = not broker.embedded
        self.beats = broker.heartbeat.total_seconds() / 4
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
        if self.heartbeats:
            with contextlib.suppress(socket.timeout):
                self.connection.drain_events(timeout=0.001)
            self.connection.heartbeat_check()

    def close(self) -> None:
        hang_up(self.connection)
