"""SQS as one connection uses it: `pacer_channel`'s store."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from amqp.exceptions import ChannelError, RecoverableConnectionError
from attrs import define

from pacer_channel import (
    REJECTED,
    Binding,
    Exchange,
    Lease,
    Leased,
    LocalWaker,
    Looked,
    Outgoing,
    Queue,
    Wish,
    Written,
    refusals,
    rules,
)
from pacer_sqs.acks import Acks
from pacer_sqs.claims import Claims
from pacer_sqs.client import QueueGone
from pacer_sqs.hand import Hand, Held
from pacer_sqs.ladder import bury, end_bodies, ladder_of
from pacer_sqs.place import BROKER, Place, SqsQueue
from pacer_sqs.receiving import Receiver, receive
from pacer_sqs.sending import Parcel, parcel, send

_THREADS = 8
_GOODBYE = 5.0  # seconds for acknowledgements to arrive
_READY = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed")
_HIDDEN = "ApproximateNumberOfMessagesNotVisible"


@define(eq=False)
class Consumer:
    """One that consumes a queue."""

    queue: SqsQueue
    exclusive: bool


class SqsStore:
    """One connection to SQS: what it holds is its own until it is settled, or the connection ends."""

    broker = BROKER

    def __init__(self, place: Place) -> None:
        self._place = place
        self.waker = LocalWaker()
        self._failure: Exception | None = None
        self._closed = False
        self._executor = ThreadPoolExecutor(_THREADS, "pacer SQS")
        self._hand = Hand(place, self._executor, self._fail)
        self._acks = Acks(place, self._hand, self._executor, self._fail)
        self._claims = Claims(place, self._claimed, self._fail)
        self._receivers: dict[str, Receiver] = {}
        self._consumers: dict[Hashable, Consumer] = {}
        self._numbers = itertools.count()
        self._ladder = ladder_of(place)
        self._ladder.join()

    @property
    def properties(self) -> Mapping[str, str]:
        """What it is; SQS tells no version: boto3's is given."""
        return {"product": f"SQS in {self._place.client.region}, by boto3", "version": boto3.__version__}

    def _fail(self, error: Exception) -> None:
        if self._failure is None and not self._closed:
            self._failure = error
            self._hand.abandon()
            self._claims.abandon()
            self.waker.wake()

    def check(self) -> None:
        """Raise where this connection may no longer hand out what it has."""
        self._hand.check()
        self._claims.check()
        failure = self._failure
        if failure is None:
            return
        if isinstance(failure, RecoverableConnectionError):
            raise RecoverableConnectionError(str(failure))
        raise RecoverableConnectionError(f"SQS: {type(failure).__name__}: {failure}")

    def _claimed(self) -> None:
        for receiver in list(self._receivers.values()):
            receiver.resume()

    # Declaring

    def declare_exchange(self, exchange: Exchange) -> None:
        """Note an exchange for this process."""
        self._place.declare_exchange(exchange)

    def expect_exchange(self, name: str) -> None:
        """See that this process knows an exchange."""
        rules.expect_exchange(self._place.topology, name, refusals.EXCHANGE_DECLARE)

    def delete_exchange(self, name: str, *, if_unused: bool) -> None:
        """Forget an exchange with its bindings."""
        self._place.delete_exchange(name, if_unused=if_unused)

    def declare_queue(self, queue: Queue) -> Looked:
        """Make a queue, or see that the one that is there is the same."""
        there = self._place.declare_queue(queue)
        self._ladder.watch(there)
        return self._looked(there)

    def look(self, queue: str) -> Looked:
        """Count what is in a queue; SQS counts with a delay."""
        return self._looked(self._place.expect(queue, refusals.QUEUE_DECLARE))

    def _looked(self, queue: SqsQueue) -> Looked:
        self._acks.flush(_GOODBYE)
        names = (*_READY, _HIDDEN) if queue.ttl is not None else _READY
        return Looked(queue.name, self._count(queue, names), len(self._place.consumers.get(queue.name, ())))

    def _count(self, queue: SqsQueue, names: Sequence[str]) -> int:
        try:
            return sum(int(number) for number in self._place.client.attributes(queue.url, *names).values())
        except QueueGone:
            self._place.forget(queue.name)
            raise refusals.no_queue(queue.name, refusals.QUEUE_DECLARE) from None

    def purge_queue(self, queue: str) -> int:
        """Remove what is ready, a few at a time: SQS's own purge removes what is in hand as well."""
        there = self._place.expect(queue, refusals.QUEUE_PURGE)
        self._acks.flush(_GOODBYE)
        number = 0
        while held := receive(self._place, there, 10, 1):
            self._place.client.delete(there.url, [one.handle for one in held])
            end_bodies(self._place, held)
            number += len(held)
        return number

    def delete_queue(self, queue: str, *, if_unused: bool, if_empty: bool) -> int:
        """Remove a queue, and give the number of ready messages in it; 0 where it is not there."""
        there = self._place.find(queue)
        if there is None:
            return 0
        looked = self._looked(there)
        rules.may_delete_queue(
            queue, if_unused=if_unused, if_empty=if_empty, consumers=looked.consumers, ready=looked.ready
        )
        self._place.delete_queue(there)
        return looked.ready

    def bind(self, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]) -> None:
        """Bind a queue to an exchange, in this process."""
        self._place.bind(exchange, Binding(queue, routing_key, dict(arguments)))

    def unbind(self, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]) -> None:
        """Remove a binding."""
        self._place.unbind(exchange, Binding(queue, routing_key, dict(arguments)))

    # Publishing

    def publish(self, messages: Sequence[Outgoing]) -> Written:
        """Send messages to the queues that take them; SQS has them when this returns."""
        parcels: list[Parcel] = []
        queues: list[int] = []
        refusal: ChannelError | None = None
        for number, message in enumerate(messages):
            try:
                targets = self._place.targets(message)
                parcels.extend([parcel(self._place, number, message, queue) for queue in targets])
            except ChannelError as error:
                refusal = error
                break
            queues.append(len(targets))
        refused = send(self._place, parcels, self._executor)
        if refused:
            first = min(refused)
            return Written(queues[:first], refused[first])
        return Written(queues, refusal)

    # Consuming

    def subscribe(self, queue: str, *, exclusive: bool) -> Hashable:
        """Add a consumer to a queue."""
        there = self._place.expect(queue, refusals.BASIC_CONSUME)
        if there.ttl is not None:
            raise refusals.not_implemented(
                BROKER, f"look at what waits in '{queue}': it tells how many", refusals.BASIC_CONSUME
            )
        with self._place.lock:
            others = self._place.consumers.setdefault(queue, [])
            rules.may_subscribe(queue, exclusive=exclusive, others=len(others), taken=any(others))
            others.append(exclusive)
        # A FIFO queue has its groups, each in one hand at a time.
        claimed = (exclusive or there.single_active) and not there.fifo
        try:
            if claimed and exclusive and not self._claims.take(there):
                raise refusals.refused(
                    f"queue '{queue}' in vhost '/' in exclusive use", refusals.BASIC_CONSUME
                )
            if claimed and not exclusive:
                self._claims.want(there)
        except BaseException:
            self._leave(queue, exclusive=exclusive)
            raise
        if queue not in self._receivers:
            self._place.warn_of_redrive(there)
            self._receivers[queue] = Receiver(
                self._place,
                there,
                self._hand,
                self._executor,
                self.waker.wake,
                self._fail,
                (lambda: self._claims.has(queue)) if claimed else (lambda: True),
            )
        consumer = next(self._numbers)
        self._consumers[consumer] = Consumer(there, exclusive)
        return consumer

    def _leave(self, queue: str, *, exclusive: bool) -> None:
        with self._place.lock:
            self._place.consumers[queue].remove(exclusive)

    def lease(self, wishes: Sequence[Wish], pools: Sequence[int]) -> Lease:
        """Give what receivers have brought, and tell them how much more may come."""
        self.check()
        left = list(pools)
        wanted: dict[str, int] = {}
        leased: list[tuple[Hashable, Leased]] = []
        ended: list[Hashable] = []
        for wish in wishes:
            consumer = self._consumers.get(wish.consumer)
            receiver = None if consumer is None else self._receivers.get(consumer.queue.name)
            if consumer is None or receiver is None:
                continue  # another thread has just cancelled it
            queue = consumer.queue.name
            if receiver.gone or queue not in self._place.topology.queues:
                self._place.forget(queue)
                self._end([wish.consumer])
                ended.append(wish.consumer)
                continue
            found = receiver.fetch(min(wish.room, left[wish.pool]))
            left[wish.pool] -= len(found)
            leased.extend((wish.consumer, _leased(one)) for one in found)
            room = min(wish.room - len(found), left[wish.pool])
            wanted[queue] = wanted.get(queue, 0) + room
        for queue, number in wanted.items():
            if queue in self._receivers:
                self._receivers[queue].want(number)
        return Lease(leased, ended)

    def get(self, queue: str) -> tuple[Leased, int] | None:
        """Take a message of a queue, without waiting: Amazon may miss one, and gives it the next time."""
        there = self._place.expect(queue, refusals.BASIC_GET)
        self._acks.flush(_GOODBYE)
        if there.ttl is not None:
            return None
        try:
            held = receive(self._place, there, 1, 0)
        except QueueGone:
            self._place.forget(queue)
            raise refusals.no_queue(queue, refusals.BASIC_GET) from None
        if not held:
            return None
        self._hand.take(held)
        return _leased(held[0]), self._count(there, _READY)

    def acknowledge(self, entries: Sequence[Hashable]) -> None:
        """End messages, soon."""
        self._acks.add(_those(entries))

    def reject(self, entries: Sequence[Hashable]) -> None:
        """Send messages where their queue's dead letters go, and end them."""
        by_queue: dict[str, list[Held]] = {}
        for one in _those(entries):
            by_queue.setdefault(one.queue.name, []).append(one)
        for those in by_queue.values():
            moved, kept = bury(self._place, those[0].queue, those, REJECTED)
            self._acks.add(moved)
            self._hand.give_back(kept)

    def give_back(
        self, seen: Sequence[Hashable], unseen: Sequence[Hashable], consumers: Sequence[Hashable] = ()
    ) -> None:
        """Show messages to everybody again, and end consumers; SQS counts those unseen as well."""
        self._hand.give_back([*_those(seen), *_those(unseen)])
        self._end(consumers)  # afterwards: who has the claim next finds them there

    def _end(self, consumers: Sequence[Hashable]) -> None:
        for number in consumers:
            consumer = self._consumers.pop(number, None)
            if consumer is None:
                continue
            queue = consumer.queue.name
            self._leave(queue, exclusive=consumer.exclusive)
            if any(one.queue.name == queue for one in self._consumers.values()):
                continue
            self._receivers.pop(queue).close()
            self._claims.give_up(queue)

    def held(self, queue: str) -> int | None:
        """Count the messages of a queue that somebody has in hand."""
        there = self._place.expect(queue, refusals.QUEUE_DECLARE)
        return None if there.ttl is not None else self._count(there, (_HIDDEN,))

    def close(self) -> None:
        """Give back all that is held and end."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._failure is None:
                self._acks.flush(_GOODBYE)
            self._hand.close()
            self._end(list(self._consumers))
            self._claims.close()
        finally:
            self._ladder.leave()
            self._executor.shutdown(wait=False)
            self.waker.close()


def _those(entries: Sequence[Hashable]) -> list[Held]:
    return [one for one in entries if isinstance(one, Held)]


def _leased(held: Held) -> Leased:
    read = held.message
    return Leased(held, held.redelivered, read.exchange, read.routing_key, read.properties, read.body)
