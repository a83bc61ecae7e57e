"""The broker's file as one connection uses it: an owner, and each step a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

from amqp.exceptions import ChannelError

from pacer_channel import Exchange, Lease, Leased, Looked, Outgoing, Wish, Written, refusals, rules
from pacer_channel import Queue as Declared
from pacer_embedded import deadletters, declarations, owners, queueing
from pacer_embedded.queueing import Entry, Row
from pacer_embedded.store import Place, Session, open_store, release_store
from pacer_embedded.topology import Queue
from pacer_embedded.wakeup import Waker
from pacer_embedded.watch import listen, unlisten


class OwnedStore:
    """What `pacer_channel` asks of an engine, on SQLite."""

    broker = declarations.BROKER

    def __init__(self, place: Place) -> None:
        self.shared = open_store(place)
        try:
            owners.reap(self.shared)
            self.waker = Waker()
            self._owner = owners.register(self.shared, self.waker.address)
        except BaseException:
            release_store(self.shared)
            raise

    @property
    def properties(self) -> Mapping[str, str]:
        """What it is."""
        return {"product": "embedded broker on SQLite", "version": sqlite3.sqlite_version}

    def check(self) -> None:
        """Nothing to check: the lease lasts as long as the process."""

    # Declaring

    def declare_exchange(self, exchange: Exchange) -> None:
        """Make an exchange, or see that the one that is there is the same."""
        with self.shared.transaction() as session:
            declarations.declare_exchange(session, exchange)

    def expect_exchange(self, name: str) -> None:
        """See that an exchange exists, or raise the 404."""
        with self.shared.transaction() as session:
            rules.expect_exchange(session.topology, name, refusals.EXCHANGE_DECLARE)

    def delete_exchange(self, name: str, *, if_unused: bool) -> None:
        """Remove an exchange with its bindings; one that is not there is no error."""
        with self.shared.transaction() as session:
            declarations.delete_exchange(session, name, if_unused=if_unused)

    def declare_queue(self, queue: Declared) -> Looked:
        """Make a queue, or see that the one that is there is the same."""
        with self.shared.transaction() as session:
            deadletters.expire(session)
            return _looked(session, declarations.declare_queue(session, queue))

    def look(self, queue: str) -> Looked:
        """Look at a queue, or raise the 404."""
        with self.shared.transaction() as session:
            deadletters.expire(session)
            return _looked(session, rules.expect_queue(session.topology, queue, refusals.QUEUE_DECLARE))

    def purge_queue(self, queue: str) -> int:
        """Remove the ready messages of a queue, and give their number; those in somebody's hand stay."""
        with self.shared.transaction() as session:
            return declarations.purge_queue(session, queue)

    def delete_queue(self, queue: str, *, if_unused: bool, if_empty: bool) -> int:
        """Remove a queue, and give the number of ready messages in it; 0 where it is not there."""
        with self.shared.transaction() as session:
            return declarations.delete_queue(session, queue, if_unused=if_unused, if_empty=if_empty)

    def bind(self, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]) -> None:
        """Bind a queue to an exchange, once."""
        with self.shared.transaction() as session:
            declarations.bind(session, queue, exchange, routing_key, arguments)

    def unbind(self, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]) -> None:
        """Remove a binding; one that is not there is no error."""
        with self.shared.transaction() as session:
            declarations.unbind(session, queue, exchange, routing_key, arguments)

    # Publishing

    def publish(self, messages: Sequence[Outgoing]) -> Written:
        """Put messages into the queues that take them, in one transaction."""
        queues: list[int] = []
        with self.shared.transaction() as session:
            for message in messages:
                try:
                    queues.append(queueing.publish(session, message))
                except ChannelError as refusal:
                    return Written(queues, refusal)
        return Written(queues)

    # Consuming

    def subscribe(self, queue: str, *, exclusive: bool) -> int:
        """Add a consumer to a queue; give its number."""
        if exclusive:
            owners.reap(self.shared)  # one that has just died does not count
        with self.shared.transaction() as session:
            number = owners.subscribe(session, queue, self._owner, exclusive=exclusive)
        listen(self.shared, self.waker.address)
        return number

    def lease(self, wishes: Sequence[Wish], pools: Sequence[int]) -> Lease:
        """Lease what consumers may have and is there."""
        left = list(pools)
        found: list[tuple[Hashable, Row]] = []
        ended: list[Hashable] = []
        with self.shared.transaction() as session:
            deadletters.expire(session)
            queues = {one.id: queue for queue in session.topology.queues.values() for one in queue.consumers}
            for wish in wishes:
                number = cast(int, wish.consumer)
                queue = queues.get(number)
                if queue is None:
                    ended.append(number)
                    continue
                room = min(wish.room, left[wish.pool])
                if room <= 0 or not queue.may_deliver(number):
                    continue
                rows = queueing.claim(session, queue, self._owner, room)
                left[wish.pool] -= len(rows)
                found += [(number, row) for row in rows]
            session.due = deadletters.next_due(session)
        return Lease([(consumer, row.leased()) for consumer, row in found], ended)

    def get(self, queue: str) -> tuple[Leased, int] | None:
        """Lease the next message of a queue; give it and how many are left."""
        with self.shared.transaction() as session:
            deadletters.expire(session)
            there = rules.expect_queue(session.topology, queue, refusals.BASIC_GET)
            rows = queueing.claim(session, there, self._owner, 1)
            left = queueing.ready(session, there)
        return (rows[0].leased(), left) if rows else None

    def acknowledge(self, entries: Sequence[Hashable]) -> None:
        """End messages that this owner holds."""
        with self.shared.transaction() as session:
            queueing.acknowledge(session, _entries(entries), self._owner)

    def reject(self, entries: Sequence[Hashable]) -> None:
        """Dead-letter or drop messages that this owner holds."""
        with self.shared.transaction() as session:
            deadletters.reject(session, _entries(entries), self._owner)

    def give_back(
        self, seen: Sequence[Hashable], unseen: Sequence[Hashable], consumers: Sequence[Hashable] = ()
    ) -> None:
        """Put messages back where they were, those seen marked as redelivered, and end consumers."""
        with self.shared.transaction() as session:
            queueing.give_back(session, _entries(unseen), self._owner, seen=False)
            queueing.give_back(session, _entries(seen), self._owner, seen=True)
            owners.unsubscribe(session, cast(Sequence[int], consumers))

    def held(self, queue: str) -> int:
        """Count the messages of a queue that somebody holds."""
        with self.shared.transaction() as session:
            return queueing.held(session, rules.expect_queue(session.topology, queue, refusals.QUEUE_DECLARE))

    def close(self) -> None:
        """Give everything back and end."""
        try:
            owners.retire(self.shared, self._owner)
        finally:
            unlisten(self.shared, self.waker.address)
            self.waker.close()
            release_store(self.shared)


def _looked(session: Session, queue: Queue) -> Looked:
    return Looked(queue.name, queueing.ready(session, queue), len(queue.consumers))


def _entries(entries: Sequence[Hashable]) -> list[Entry]:
    return cast(list[Entry], list(entries))
