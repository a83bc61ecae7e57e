"""A connection and its channels over a store that only remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, cast

import pytest
from amqp import Message
from amqp.exceptions import ChannelError, NotFound, PreconditionFailed, RecoverableConnectionError

from pacer_channel import Connection, Lease, Leased, LocalWaker, Looked, Store, Wish, Written, refusals
from pacer_channel import Outgoing as Sent


class Memory:
    """One endless queue; what it is told stands in `said`."""

    broker = "the test's broker"

    def __init__(self) -> None:
        self.waker = LocalWaker()
        self.said: list[tuple[Any, ...]] = []
        self.there = 0
        self.wishes: list[tuple[Sequence[Wish], Sequence[int]]] = []
        self.lost = False
        self.refusal: ChannelError | None = None
        self.during_lease: Callable[[], None] = lambda: None

    @property
    def properties(self) -> Mapping[str, str]:
        return {"product": "memory", "version": "0"}

    def check(self) -> None:
        if self.lost:
            raise RecoverableConnectionError("the lease is over")

    def subscribe(self, queue: str, *, exclusive: bool) -> Hashable:
        return f"{queue}/{len(self.said)}"

    def lease(self, wishes: Sequence[Wish], pools: Sequence[int]) -> Lease:
        self.wishes.append((wishes, pools))
        left = list(pools)
        found: list[tuple[Hashable, Leased]] = []
        for wish in wishes:
            for _ in range(min(wish.room, left[wish.pool], self.there)):
                self.there -= 1
                left[wish.pool] -= 1
                leased = Leased(("entry", self.there), False, "", "q", {}, b"body")
                found.append((wish.consumer, leased))
        self.during_lease()
        return Lease(found)

    def publish(self, messages: Sequence[Sent]) -> Written:
        self.said.append(("publish", [bytes(message.body) for message in messages]))
        return Written([] if self.refusal else [1] * len(messages), self.refusal)

    def acknowledge(self, entries: Sequence[Hashable]) -> None:
        self.said.append(("acknowledge", list(entries)))

    def give_back(
        self, seen: Sequence[Hashable], unseen: Sequence[Hashable], consumers: Sequence[Hashable] = ()
    ) -> None:
        self.said.append(("give back", list(seen), list(unseen), list(consumers)))

    def look(self, queue: str) -> Looked:
        return Looked(queue, self.there, 0)

    def close(self) -> None:
        self.waker.close()


class Client:
    transport_options: Mapping[str, object] = {}


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def connection(memory: Memory) -> Any:
    connection = Connection(Client(), cast(Store, memory))
    yield connection
    connection.close()


def test_consumers_of_a_channel_are_offered_no_more_than_its_prefetch_together(
    connection: Connection, memory: Memory
) -> None:
    channel, free = connection.channel(), connection.channel()
    channel.basic_qos(0, 3, True)
    for queue in ("a", "b"):
        channel.basic_consume(queue, callback=lambda message: None)
    free.basic_consume("c", callback=lambda message: None)
    memory.there = 4

    connection.drain_ready(3)

    wishes, pools = memory.wishes[0]
    assert pools == [3, 192]
    assert [wish.pool for wish in wishes].count(0) == 2
    assert sum(one.outstanding for one in channel.consumers.values()) <= 3


def test_what_arrives_for_a_consumer_that_was_cancelled_meanwhile_goes_back_unseen(
    connection: Connection, memory: Memory
) -> None:
    channel = connection.channel()
    tag = channel.basic_consume("q", callback=lambda message: None)
    memory.there = 1
    memory.during_lease = lambda: channel.basic_cancel(tag)

    assert connection.drain_ready(10) == 0

    assert memory.said[-1] == ("give back", [], [("entry", 0)], [])


def test_nothing_is_handed_out_by_an_owner_that_may_have_lost_its_lease(
    connection: Connection, memory: Memory
) -> None:
    got: list[Message] = []
    connection.channel().basic_consume("q", callback=got.append)
    memory.there, memory.lost = 1, True

    with pytest.raises(RecoverableConnectionError, match="the lease is over"):
        connection.drain_ready(1)

    assert got == []


def test_whose_lease_is_over_does_not_say_that_it_holds_anything(
    connection: Connection, memory: Memory
) -> None:
    assert connection.holds()
    memory.lost = True
    assert not connection.holds()


def test_an_error_of_the_channel_gives_all_back_in_one_step(connection: Connection, memory: Memory) -> None:
    channel = connection.channel()
    channel.basic_qos(0, 2, False)
    channel.basic_consume("q", callback=lambda message: None)
    memory.there = 2
    connection.drain_ready(1)

    with pytest.raises(PreconditionFailed, match="unknown delivery tag 9"):
        channel.basic_ack(9)

    assert memory.said[-1] == ("give back", [("entry", 1)], [("entry", 0)], ["q/0"])


def test_a_window_is_one_step_before_whatever_comes_after_it(connection: Connection, memory: Memory) -> None:
    channel = connection.channel()
    channel.confirm_select()
    confirmed: list[tuple[int, bool]] = []
    channel.events["basic_ack"].add(lambda *call: confirmed.append(call))
    for body in (b"one", b"two"):
        channel.basic_publish(Message(body), routing_key="q")
    assert memory.said == []

    channel.queue_declare("q", passive=True)

    assert memory.said == [("publish", [b"one", b"two"])]
    connection.drain_ready(1)
    assert confirmed == [(2, True)]


def test_large_messages_are_not_all_gathered(connection: Connection, memory: Memory) -> None:
    channel = connection.channel()
    channel.confirm_select()
    for _ in range(5):
        channel.basic_publish(Message(bytes(1 << 23)), routing_key="q")

    assert [len(bodies) for _, bodies in memory.said] == [2, 2]


def test_what_was_acknowledged_before_an_unknown_tag_is_ended(connection: Connection, memory: Memory) -> None:
    channel = connection.channel()
    channel.basic_consume("q", callback=lambda message: None)
    memory.there = 2
    connection.drain_ready(2)

    with pytest.raises(PreconditionFailed, match="unknown delivery tag 9"):
        channel.ack_all([(1, False), (9, False)])

    assert memory.said == [
        ("acknowledge", [("entry", 1)]),
        ("give back", [("entry", 0)], [], ["q/0"]),
    ]


def test_a_channel_that_closes_on_a_refusal_gives_back_what_it_holds(
    connection: Connection, memory: Memory
) -> None:
    channel = connection.channel()
    channel.confirm_select()
    channel.basic_consume("q", callback=lambda message: None)
    memory.there = 1
    connection.drain_ready(1)
    channel.basic_publish(Message(b"one"), routing_key="q")
    memory.refusal = refusals.no_queue("q", refusals.BASIC_PUBLISH)

    with pytest.raises(NotFound):
        channel.close()

    assert memory.said[-1] == ("give back", [("entry", 0)], [], ["q/0"])


def test_a_waker_wakes_once_for_many_calls() -> None:
    waker = LocalWaker()
    for _ in range(10_000):
        waker.wake()

    assert waker.wait(0)
    waker.clear()
    assert not waker.wait(0)
    waker.close()
    waker.wake()
