"""A channel: AMQP's methods as py-amqp offers them, over a `Store`.

It behaves like py-amqp's channel on RabbitMQ: tags are numbers that begin at 1, callbacks get an
`amqp.Message`, and an error of the channel ends its consumers, returns its messages and opens it anew. Three
things differ, each to the safe side: every publish is confirmed (it is stored when `basic_publish` returns)
and raises what is wrong at once; bodies are always bytes, whatever `auto_decode` and the headers say; and
what was leased ahead and never handed to a callback comes back without the redelivered flag, where the store
can tell.

After `confirm_select` publishing is windowed, as on RabbitMQ: messages are gathered and written in one step,
at the latest with the next `drain_events`, which then calls ``events["basic_ack"]`` and, for unroutable
mandatory ones, ``events["basic_return"]``.
"""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from amqp import Message
from amqp.exceptions import ChannelError, RecoverableConnectionError

from pacer_channel import refusals
from pacer_channel.declaring import Arguments, DeclaringChannel
from pacer_channel.message import ReceivedMessage
from pacer_channel.messages import Leased
from pacer_channel.outbox import Events, Outbox, outgoing
from pacer_channel.store import Store
from pacer_channel.subscriptions import Subscription

if TYPE_CHECKING:
    from pacer_channel.connection import Connection

_NO_ROUTE = 312  # a returned message is no error of the channel


class Channel(DeclaringChannel):
    """A channel of a connection to a store."""

    no_ack_consumers: Any  # kombu's class says None, and reads a set

    def __init__(self, connection: Connection, channel_id: int) -> None:
        self.connection: Connection | None = connection
        self.channel_id = channel_id
        self.auto_decode = False
        self.no_ack_consumers = set[str]()
        self.events: Events = defaultdict(set)
        self.consumers: dict[str, Subscription] = {}
        self.prefetch = 0
        self._consumer_prefetch = 0
        self._store = connection.store
        self.counting = threading.Lock()
        """Held where tags and what is outstanding are read or changed: threads settle too."""
        self._begin()

    def _begin(self) -> None:
        self._unacked: dict[int, tuple[Hashable, Subscription | None]] = {}
        self._last_tag = 0
        self._outbox = Outbox(self._store, self.events)

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self.connection is not None and self.connection.connected

    def room(self, most: int) -> int:
        """Tell how many more messages all its consumers together may be sent now."""
        if not self.prefetch:
            return most
        sent = sum(one.outstanding for one in list(self.consumers.values()))
        return max(0, min(self.prefetch - sent, most))

    # Publishing

    def prepare_message(
        self,
        body: Any,
        priority: int | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> Message:
        """Make what `basic_publish` takes."""
        return Message(
            body,
            priority=priority,
            content_type=content_type,
            content_encoding=content_encoding,
            application_headers=headers,
            **properties or {},
        )

    def confirm_select(self, nowait: bool = False) -> None:
        """Gather publishes and confirm them in `drain_events`, unless every publish waits by itself."""
        options = self._connected().client.transport_options or {}
        self._outbox.windowed = not options.get("confirm_publish")

    def basic_publish(
        self,
        msg: Message,
        exchange: str = "",
        routing_key: str = "",
        mandatory: bool = False,
        immediate: bool = False,
        timeout: float | None = None,
        confirm_timeout: float | None = None,
    ) -> None:
        """Publish a message; it is stored when this returns, unless `confirm_select` was called.

        Raises
        ------
        amqp.exceptions.NotFound
            404, where the exchange does not exist.
        amqp.exceptions.ChannelError
            312 NO_ROUTE, where `mandatory` is set, no queue takes it and nobody listens to ``basic_return``.
        """
        with self._refusals():
            self._outbox.add(outgoing(msg, exchange, routing_key), mandatory=mandatory)

    def dispatch_confirms(self) -> bool:
        """Write what was gathered and call the publisher's handlers; tell whether there was news."""
        with self._refusals():
            return self._outbox.dispatch()

    # Consuming

    def basic_qos(self, prefetch_size: int, prefetch_count: int, a_global: bool) -> None:
        """Limit what is unacknowledged: of each consumer made from now on, or of the whole channel."""
        if a_global:
            self.prefetch = prefetch_count
        else:
            self._consumer_prefetch = prefetch_count
        self._connected().room_again()

    def basic_consume(
        self,
        queue: str = "",
        consumer_tag: str = "",
        no_local: bool = False,
        no_ack: bool = False,
        exclusive: bool = False,
        nowait: bool = False,
        callback: Callable[[Message], object] | None = None,
        arguments: Arguments = None,
        on_cancel: Callable[[str], object] | None = None,
    ) -> str:
        """Subscribe to a queue; `drain_events` hands each message to the callback. Gives its tag."""
        tag = consumer_tag or f"amq.ctag-{uuid.uuid4().hex}"
        with self._operation() as store:
            consumer = store.subscribe(queue, exclusive=exclusive)
            self.consumers[tag] = Subscription(
                self,
                tag,
                consumer,
                no_ack,
                0 if no_ack else self._consumer_prefetch,
                callback or _ignore,
                on_cancel,
            )
        if no_ack:
            self.no_ack_consumers.add(tag)
        self._connected().room_again()
        return tag

    def basic_cancel(self, consumer_tag: str, nowait: bool = False) -> None:
        """End a subscription; what it holds unacknowledged stays with it, what it has not seen goes back."""
        subscription = self.consumers.pop(consumer_tag, None)
        self.no_ack_consumers.discard(consumer_tag)
        if subscription is None:
            return
        with self._operation() as store:
            unseen = self._connected().withdraw([subscription])
            store.give_back([], [leased.entry for leased in unseen], [subscription.consumer])

    def basic_get(self, queue: str = "", no_ack: bool = False) -> Message | None:
        """Give the next message of a queue, or None."""
        with self._operation() as store:
            found = store.get(queue)
            if found is None:
                return None
            leased, left = found
            if no_ack:
                store.acknowledge([leased.entry])
        message = self._message(leased, None if no_ack else leased.entry, None)
        message.delivery_info["message_count"] = left
        return message

    def held(self, queue: str) -> int | None:
        """Count the messages of a queue that somebody has unacknowledged; AMQP cannot ask for it."""
        with self._operation() as store:
            return store.held(queue)

    def deliver(self, consumer: Subscription, leased: Leased) -> None:
        """Hand a leased message to its consumer's callback; the connection calls this."""
        if consumer.no_ack:
            with self._operation() as store:
                store.acknowledge([leased.entry])
            with self.counting:
                consumer.outstanding -= 1
        message = self._message(leased, None if consumer.no_ack else leased.entry, consumer)
        message.delivery_info["consumer_tag"] = consumer.tag
        consumer.callback(message)

    def _message(self, leased: Leased, entry: Hashable | None, consumer: Subscription | None) -> Message:
        with self.counting:
            self._last_tag += 1
            tag = self._last_tag
            if entry is not None:
                self._unacked[tag] = (entry, consumer)
        message = Message(leased.body, channel=self, **leased.properties)
        message.delivery_info = {
            "delivery_tag": tag,
            "redelivered": leased.redelivered,
            "exchange": leased.exchange,
            "routing_key": leased.routing_key,
        }
        return message

    def message_to_python(self, raw_message: Message) -> ReceivedMessage:
        """Give the message as kombu's consumers want it."""
        return ReceivedMessage(raw_message, channel=self)

    def basic_ack(self, delivery_tag: int, multiple: bool = False) -> None:
        """End a message, or all up to this one."""
        self.ack_all([(delivery_tag, multiple)])

    def ack_all(self, acks: Iterable[tuple[int, bool]]) -> None:
        """End messages in one step: tags, each with whether it means all before it as well."""
        with self._operation() as store:
            entries: list[Hashable] = []
            try:
                for tag, multiple in acks:
                    entries += self._settle(tag, multiple)
            finally:  # those before one that is unknown as well: nobody else would end them
                store.acknowledge(entries)
        self._connected().room_again()

    def basic_reject(self, delivery_tag: int, requeue: bool) -> None:
        """Put a message back where it was, or dead-letter it."""
        with self._operation() as store:
            entries = self._settle(delivery_tag, multiple=False)
            if requeue:
                store.give_back(entries, [])
            else:
                store.reject(entries)
        self._connected().room_again()

    def basic_recover(self, requeue: bool = True) -> None:
        """Put back everything that is unacknowledged."""
        with self._operation() as store:
            store.give_back(self._settle(0, multiple=True), [])
        self._connected().room_again()

    def _settle(self, tag: int, multiple: bool) -> list[Hashable]:
        with self.counting:
            if multiple:
                tags = [one for one in self._unacked if not tag or one <= tag]
            elif tag in self._unacked:
                tags = [tag]
            else:
                raise refusals.precondition(f"unknown delivery tag {tag}", refusals.BASIC_ACK)
            entries = []
            for one in tags:
                entry, consumer = self._unacked.pop(one)
                entries.append(entry)
                if consumer is not None:
                    consumer.outstanding -= 1
            return entries

    # The channel itself

    def close(self) -> None:
        """End the channel: publishes that were gathered are written, consumers end, messages go back."""
        connection = self.connection
        if connection is None:
            return
        try:
            try:
                self._outbox.flush()
            finally:  # what is refused there is no reason to keep what is leased
                self._give_all_back(connection)
        finally:
            connection.channels.pop(self.channel_id, None)
            self.connection = None

    def _connected(self) -> Connection:
        if self.connection is None:
            raise RecoverableConnectionError(f"the channel to {self._store.broker} is closed")
        return self.connection

    @contextmanager
    def _operation(self) -> Iterator[Store]:
        with self._refusals():
            self._outbox.flush()  # AMQP keeps the order of what happens on a channel
            yield self._connected().store

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """After an error of the channel, go on as py-amqp does: with a new one under the same number."""
        try:
            yield
        except ChannelError as error:
            if error.reply_code != _NO_ROUTE:
                self._give_all_back(self._connected())
            raise

    def _give_all_back(self, connection: Connection) -> None:
        subscriptions, unacked = list(self.consumers.values()), list(self._unacked.values())
        unseen = connection.withdraw(subscriptions)
        self.consumers.clear()
        self.no_ack_consumers.clear()
        self._begin()
        if subscriptions or unacked:
            connection.store.give_back(
                [entry for entry, _ in unacked],
                [leased.entry for leased in unseen],
                [subscription.consumer for subscription in subscriptions],
            )


def _ignore(message: Message) -> None:
    """Do what py-amqp does with the messages of a consumer without a callback."""
