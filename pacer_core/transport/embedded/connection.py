"""A connection: an owner of leases, its channels, and the loop that brings messages to their consumers."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from amqp.exceptions import ConsumerCancelled, RecoverableConnectionError

from pacer_core.transport.embedded import deadletters, owners
from pacer_core.transport.embedded.channel import Channel
from pacer_core.transport.embedded.queueing import Leased, claim
from pacer_core.transport.embedded.store import Place, Session, open_store, release_store
from pacer_core.transport.embedded.subscriptions import Subscription
from pacer_core.transport.embedded.wakeup import Waker

# How often a waiting connection looks for owners that have died, and for what others wrote without being able
# to call (in another network namespace).
_TICK = 0.1
_AT_ONCE = 64  # leased in one step by a consumer without a prefetch limit


class Connection:
    """What kombu calls a connection: shaped like py-amqp's, as far as PACER and kombu use it.

    Several threads may use it, and acknowledge, while one of them waits in `drain_events`.
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
        self._version = -1
        self._next_reap = time.monotonic() + _TICK
        self._waiting = False
        self._settled = 0
        self._interrupted = False

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
            Where nothing came within `timeout` seconds, or `wake` was called.
        amqp.exceptions.ConsumerCancelled
            Where a consumed queue was deleted, and no ``on_cancel`` was given.
        amqp.exceptions.RecoverableConnectionError
            Where the broker's file fails, or the connection is closed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            if not self.connected:
                raise RecoverableConnectionError("the connection to the embedded broker is closed")
            if self._confirm() or self._dispatch():
                return
            settled = self._settled
            due = self._refill()
            if not self._pending and not self._wait(deadline, due, settled):
                raise TimeoutError("no message within the time")

    def wake(self) -> None:
        """End a `drain_events` that waits, or the next that would, by its TimeoutError; from any thread."""
        self._interrupted = True
        self.store.call([self._waker.address])

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

    def _refill(self) -> int | None:
        """Lease what the consumers may have; give when the next message falls due, in ms since 1970."""
        if time.monotonic() >= self._next_reap:
            self._next_reap = time.monotonic() + _TICK
            owners.reap(self.store)
        consumers = [one for channel in list(self.channels.values()) for one in channel.consumers.values()]
        with self.store.transaction() as session:
            deadletters.expire(session)
            if session.topology.generation != self._generation:
                self._generation = session.topology.generation
                cancelled = [one for one in consumers if one.queue not in session.topology.by_id]
            else:
                cancelled = []
            if not cancelled:
                self._lease(session, consumers)
            due = deadletters.next_due(session)
        self._version = self.store.version()
        for consumer in cancelled:
            self._cancel(consumer)
        return due

    def _lease(self, session: Session, consumers: list[Subscription]) -> None:
        self._turn += 1  # another consumer is first each time
        start = self._turn % len(consumers) if consumers else 0
        for consumer in [*consumers[start:], *consumers[:start]]:
            queue = session.topology.by_id[consumer.queue]
            room = consumer.room(_AT_ONCE)
            if room > 0 and queue.may_deliver(consumer.number):
                for leased in claim(session, queue, self.owner, room):
                    consumer.outstanding += 1
                    self._pending.append((consumer, leased))

    @staticmethod
    def _cancel(consumer: Subscription) -> None:
        del consumer.channel.consumers[consumer.tag]
        if consumer.on_cancel is None:
            raise ConsumerCancelled(consumer.tag, (60, 30))
        consumer.on_cancel(consumer.tag)

    def _wait(self, deadline: float | None, due: int | None, settled: int) -> bool:
        """Sleep until something may have happened; tell False when the time is up or somebody said `wake`."""
        self._waiting = True
        try:
            while True:
                if self._settled != settled:  # while we looked for messages: there may be room for more
                    return True
                if self._interrupted:
                    self._interrupted = False
                    return False
                pause = _TICK
                if deadline is not None:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return False
                    pause = min(pause, left)
                if due is not None:
                    pause = min(pause, due / 1000 - time.time())
                if self._waker.wait(pause) and not self._interrupted:
                    return True
                if due is not None and time.time() * 1000 >= due:
                    return True
                if time.monotonic() >= self._next_reap:
                    self._next_reap = time.monotonic() + _TICK
                    if owners.reap(self.store) or self.store.version() != self._version:
                        return True
        finally:
            self._waiting = False

    def room_again(self) -> None:
        """Note that a consumer may have more, and tell a thread that waits."""
        self._settled += 1  # before looking: who begins to wait now sees it
        if self._waiting:
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
                self._waker.close()
                release_store(self.store)
