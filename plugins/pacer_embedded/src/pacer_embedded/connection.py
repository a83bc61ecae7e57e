"""A connection: an owner of leases, its channels, and the loop that brings messages to their consumers."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections import deque
from typing import Any

from amqp.exceptions import ConsumerCancelled, RecoverableConnectionError

from pacer_embedded import deadletters, owners
from pacer_embedded.channel import Channel
from pacer_embedded.queueing import Leased, claim
from pacer_embedded.store import Place, Session, open_store, release_store
from pacer_embedded.subscriptions import Subscription
from pacer_embedded.wakeup import Waker
from pacer_embedded.watch import listen, unlisten

_AT_ONCE = 64  # leased in one step by a consumer without a prefetch limit


class Connection:
    """What kombu calls a connection: shaped like py-amqp's, as far as PACER and kombu use it.

    Several threads may use it, and acknowledge, while one of them waits in `drain_events`, or in ``select``
    on `sock`: that one becomes readable when there may be something to handle. What is here already makes no
    socket readable: ask `ready` before every ``select``.
    """

    def __init__(self, client: Any, place: Place) -> None:
        self.client = client
        self.store = open_store(place)
        try:
            owners.reap(self.store)
            self._waker = Waker()
            self.owner = owners.register(self.store, self._waker.address)
        except BaseException:
            release_store(self.store)
            raise
        self.connected = True
        self.channels: dict[int, Channel] = {}
        self._numbers = 0
        self._pending: deque[tuple[Subscription, Leased]] = deque()
        self._handing = threading.Lock()
        self._turn = 0
        self._generation = -1
        self._look = True  # whether there may be messages for which there is room
        self._reader: int | None = None  # the thread that hands messages out

    @property
    def server_properties(self) -> dict[str, str]:
        """What the broker is, in the words of AMQP's ``connection.start``."""
        return {"product": "embedded broker on SQLite", "version": sqlite3.sqlite_version}

    @property
    def sock(self) -> socket.socket:
        """The socket that becomes readable; never read from it."""
        return self._waker.socket

    def channel(self) -> Channel:
        """Open a channel."""
        if not self.connected:
            raise RecoverableConnectionError("the connection to the embedded broker is closed")
        self._numbers += 1
        channel = Channel(self, self._numbers)
        self.channels[self._numbers] = channel
        return channel

    def drain_events(self, timeout: float | None = None) -> None:
        """Wait for one event and handle it: a message goes to its consumer's callback, a confirm to its own.

        Raises
        ------
        TimeoutError
            Where nothing came within `timeout` seconds.
        amqp.exceptions.ConsumerCancelled
            Where a consumed queue was deleted, and no ``on_cancel`` was given.
        amqp.exceptions.RecoverableConnectionError
            Where the broker's file fails, or the connection is closed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._step():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError("no message within the time")
            self._waker.wait(left)

    def ready(self) -> bool:
        """Tell whether there may be something to handle that makes no socket readable."""
        return self.connected and bool(self._pending or self._look)

    def drain_ready(self, limit: int) -> int:
        """Handle at most `limit` events that are here already, and say how many; never waits."""
        count = 0
        while count < limit and self._step():
            count += 1
        return count

    def _step(self) -> bool:
        """Handle one event; tell whether there was one."""
        if not self.connected:
            raise RecoverableConnectionError("the connection to the embedded broker is closed")
        self._reader = threading.get_ident()
        if self._confirm() or self._dispatch():
            return True
        self._waker.clear()  # before looking: a call from now on is about something newer
        self._refill()
        return self._dispatch()

    def _confirm(self) -> bool:
        said = False
        for channel in list(self.channels.values()):
            said |= channel.dispatch_confirms()
        return said

    def _dispatch(self) -> bool:
        with self._handing:
            if not self._pending:
                return False
            consumer, leased = self._pending.popleft()
        consumer.channel.deliver(consumer, leased)
        return True

    def _refill(self) -> None:
        """Lease what the consumers may have."""
        self._look = False
        consumers = [one for channel in list(self.channels.values()) for one in channel.consumers.values()]
        if not consumers:
            return
        cancelled: list[Subscription] = []
        with self.store.transaction() as session:
            deadletters.expire(session)
            if session.topology.generation != self._generation:
                cancelled = [one for one in consumers if one.queue not in session.topology.by_id]
                if not cancelled:
                    self._generation = session.topology.generation
            if not cancelled:
                self._lease(session, consumers)
            session.due = deadletters.next_due(session)
        for consumer in cancelled:
            self._cancel(consumer)

    def _lease(self, session: Session, consumers: list[Subscription]) -> None:
        self._turn += 1  # another consumer is first each time
        start = self._turn % len(consumers) if consumers else 0
        for consumer in [*consumers[start:], *consumers[:start]]:
            queue = session.topology.by_id[consumer.queue]
            room = consumer.room(_AT_ONCE)
            if room > 0 and queue.may_deliver(consumer.number):
                found = claim(session, queue, self.owner, room)
                consumer.outstanding += len(found)
                self._pending.extend((consumer, leased) for leased in found)
                if found and consumer.room(1) > 0:
                    self._look = True  # cut short: there may be more

    @staticmethod
    def _cancel(consumer: Subscription) -> None:
        del consumer.channel.consumers[consumer.tag]
        if consumer.on_cancel is None:
            raise ConsumerCancelled(consumer.tag, (60, 30))
        consumer.on_cancel(consumer.tag)

    def subscribed(self) -> None:
        """Note that there is a consumer; the connection is called from now on."""
        listen(self.store, self._waker.address)
        self.room_again()

    def room_again(self) -> None:
        """Note that a consumer may have more, and tell the thread that waits where that is another one."""
        self._look = True
        if self._reader not in (None, threading.get_ident()):
            self.store.call([self._waker.address])

    def withdraw(self, consumers: set[int]) -> list[Leased]:
        """Take back what was leased for these consumers and not yet handed to them."""
        with self._handing:
            taken = [leased for consumer, leased in self._pending if consumer.number in consumers]
            self._pending = deque(pair for pair in self._pending if pair[0].number not in consumers)
            return taken

    def close(self) -> None:
        """Give everything back and end; a second call does nothing."""
        if not self.connected:
            return
        self.connected = False
        try:
            for channel in list(self.channels.values()):
                channel.close()
        finally:
            try:
                owners.retire(self.store, self.owner)
            finally:
                unlisten(self.store, self._waker.address)
                self._waker.close()
                release_store(self.store)
