"""A connection: an owner of leases, its channels, and the loop that brings messages to their consumers."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from amqp.exceptions import ConsumerCancelled, RecoverableConnectionError

from pacer_channel.channel import Channel
from pacer_channel.messages import Leased
from pacer_channel.store import Store, Wish
from pacer_channel.subscriptions import Subscription

_AT_ONCE = 64  # leased in one step by a consumer without a prefetch limit


class Connection:
    """What kombu calls a connection: shaped like py-amqp's, as far as PACER and kombu use it.

    Several threads may use it, and acknowledge, while one of them waits in `drain_events`, or in ``select``
    on `sock`: that one becomes readable when there may be something to handle. What is here already makes no
    socket readable: ask `ready` before every ``select``.
    """

    def __init__(self, client: Any, store: Store) -> None:
        self.client = client
        self.store = store
        self.connected = True
        self.channels: dict[int, Channel] = {}
        self._numbers = 0
        self._pending: deque[tuple[Subscription, Leased]] = deque()
        self._handing = threading.Lock()
        self._turn = 0
        self._look = True  # whether there may be messages for which there is room
        self._reader: int | None = None  # the thread that hands messages out

    @property
    def server_properties(self) -> Mapping[str, str]:
        """What the broker is, in the words of AMQP's ``connection.start``."""
        return self.store.properties

    @property
    def sock(self) -> socket.socket:
        """The socket that becomes readable; never read from it."""
        return self.store.waker.socket

    def channel(self) -> Channel:
        """Open a channel."""
        self._check_open()
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
            Where the engine fails, or the connection is closed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._step():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError("no message within the time")
            self.store.waker.wait(left)

    def ready(self) -> bool:
        """Tell whether there may be something to handle that makes no socket readable."""
        return self.connected and bool(self._pending or self._look)

    def drain_ready(self, limit: int) -> int:
        """Handle at most `limit` events that are here already, and say how many; never waits."""
        count = 0
        while count < limit and self._step():
            count += 1
        return count

    def holds(self) -> bool:
        """Tell whether what was handed out is this owner's still, as far as nobody has to be asked."""
        try:
            self.store.check()
        except Exception:  # whatever it is
            return False
        return self.connected

    def only_while(self, reader: Connection) -> None:
        """Publish no more once another connection may have lost what it has read, where the engine can tell.

        The engine looks in the step that publishes: who stood still between its own look and that is refused.
        """
        bind = getattr(self.store, "only_while", None)
        if bind is not None:
            bind(reader.store)

    def _check_open(self) -> None:
        if not self.connected:
            raise RecoverableConnectionError(f"the connection to {self.store.broker} is closed")

    def _step(self) -> bool:
        """Handle one event; tell whether there was one."""
        self._check_open()
        self._reader = threading.get_ident()
        if self._confirm() or self._dispatch():
            return True
        self.store.waker.clear()  # before looking: a call from now on is about something newer
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
            self.store.check()
            subscription, leased = self._pending.popleft()
        subscription.channel.deliver(subscription, leased)
        return True

    def _refill(self) -> None:
        """Lease what the consumers may have."""
        self._look = False
        channels = list(self.channels.values())
        there = [
            (one, pool) for pool, channel in enumerate(channels) for one in list(channel.consumers.values())
        ]
        if not there:
            return
        self._turn += 1  # another consumer is first each time
        start = self._turn % len(there)
        by_consumer = {one.consumer: one for one, _ in there}
        pools = [channel.room(len(there) * _AT_ONCE) for channel in channels]
        wishes = [
            Wish(one.consumer, max(0, one.room(_AT_ONCE)), pool)
            for one, pool in [*there[start:], *there[:start]]
        ]
        lease = self.store.lease(wishes, pools)
        late: list[Leased] = []
        for consumer, leased in lease.messages:
            if not self._take(by_consumer[consumer], leased):
                late.append(leased)
        if late:
            self.store.give_back([], [leased.entry for leased in late])
        served = {consumer for consumer, _ in lease.messages}
        self._look |= any(by_consumer[one].wants() for one in served)  # cut short: there may be more
        for consumer in lease.ended:
            self._cancel(by_consumer[consumer])

    def _take(self, subscription: Subscription, leased: Leased) -> bool:
        """Queue a message for its consumer; False where another thread has cancelled that meanwhile."""
        channel = subscription.channel
        with self._handing, channel.counting:
            if channel.consumers.get(subscription.tag) is not subscription:
                return False
            subscription.outstanding += 1
            self._pending.append((subscription, leased))
            return True

    @staticmethod
    def _cancel(subscription: Subscription) -> None:
        del subscription.channel.consumers[subscription.tag]
        if subscription.on_cancel is None:
            raise ConsumerCancelled(subscription.tag, (60, 30))
        subscription.on_cancel(subscription.tag)

    def room_again(self) -> None:
        """Note that a consumer may have more, and tell the thread that waits where that is another one."""
        self._look = True
        if self._reader not in (None, threading.get_ident()):
            self.store.waker.wake()

    def withdraw(self, subscriptions: Sequence[Subscription]) -> list[Leased]:
        """Take back what was leased for these consumers and not yet handed to them."""
        gone = {id(one) for one in subscriptions}
        with self._handing:
            taken = [leased for one, leased in self._pending if id(one) in gone]
            self._pending = deque(pair for pair in self._pending if id(pair[0]) not in gone)
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
            self.store.close()
