"""What a worker has in hand: nothing is handled for a connection that is given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest

from pacer_core.config.model import Broker, Consumer, ConsumerPlan
from pacer_core.model.consumers import ConsumerType, Task
from pacer_core.model.errors import BrokerError
from pacer_core.model.messages import Delivery, Envelope, Outcome
from pacer_core.pipeline.processing import Pipeline
from pacer_core.transport.consume import Received, Waker
from pacer_core.work.in_flight import InHand
from pacer_core.work.job import Job
from tests.support import eventually

GRACE = 10.0


class Subscription:
    """Notes what is acknowledged."""

    def __init__(self) -> None:
        self.open = True
        self.acked: list[int] = []

    def ack(self, tags: Sequence[int]) -> None:
        """Acknowledge."""
        self.acked += tags


class Handler:
    """Has each message done by a function of its tag."""

    def __init__(self, plan: ConsumerPlan, do: Callable[[int], None]) -> None:
        self.plan, self.do = plan, do
        self.begun: list[int] = []

    nobody_noted = True

    def is_suspect(self, received: Received) -> bool:
        """Know of no crash."""
        return False

    def take(self, received: Received, arrived: float) -> Job:
        """Parse nothing."""
        return Job(received, self.plan, arrived=arrived)

    def begin(self, jobs: Sequence[Job]) -> None:
        """Do nothing for all at once."""

    def finish(self, job: Job) -> Delivery:
        """Do it."""
        job.began = time.monotonic()
        self.begun.append(job.received.tag)
        self.do(job.received.tag)
        return Delivery(job.received.envelope, job.plan.name, Outcome.ACKED)


def nothing(*_: Any) -> None:
    """Do nothing."""


def plan(*tasks: Task) -> ConsumerPlan:
    type_ = ConsumerType(name="jobs", message=None, tasks=list(tasks))
    return ConsumerPlan(Consumer("jobs", ("q",)), Pipeline("jobs", type_, nothing, tasks), {})


WITH_TASKS, FORWARDED = plan(Task("work", nothing)), plan()


@pytest.fixture
def waker() -> Iterator[Waker]:
    with closing(Waker()) as waker:
        yield waker


def arrive(in_hand: InHand, subscription: Any, *tags: int, body: bytes = b"") -> None:
    for tag in tags:
        in_hand.arrive(Received(Envelope(body, queue="q", correlation_id=str(tag)), subscription, tag))


def lose(tag: int) -> None:
    """Fail as a broker that confirms nothing."""
    raise BrokerError(f"message {tag} is not confirmed")


@pytest.mark.parametrize("plan", [WITH_TASKS, FORWARDED], ids=["tasks", "forwarded"])
def test_after_one_that_could_not_be_settled_no_other_is_begun(plan: ConsumerPlan, waker: Waker) -> None:
    handler, subscription = Handler(plan, lose), Subscription()
    in_hand = InHand(handler, 1, nothing, waker, nothing, nothing, Broker())  # type: ignore[arg-type]  # a stand-in
    in_hand.begin()
    arrive(in_hand, subscription, 1, 2, 3)
    in_hand.work()
    assert isinstance(in_hand.failure, Exception)
    assert (handler.begun, subscription.acked) == ([1], [])


@pytest.mark.parametrize("threads", [1, 2])
def test_of_those_that_are_handled_together_the_one_that_has_been_in_crashes_goes_last(
    waker: Waker, threads: int
) -> None:
    class Suspecting(Handler):
        def take(self, received: Received, arrived: float) -> Job:
            return Job(received, self.plan, alone=received.tag == 1, arrived=arrived)

        def was_alone(self, job: Job) -> None:
            """Let others begin."""

    handler, subscription = Suspecting(FORWARDED, nothing), Subscription()
    in_hand = InHand(handler, threads, nothing, waker, nothing, nothing, Broker())  # type: ignore[arg-type]  # a stand-in
    in_hand.begin()
    arrive(in_hand, subscription, 1, 2, 3)
    in_hand.work()
    eventually(lambda: handler.begun == [2, 3, 1], GRACE)
    in_hand.end(GRACE)


def test_nothing_is_overdue_while_there_is_no_connection(waker: Waker) -> None:
    handler = Handler(WITH_TASKS, lose)
    in_hand = InHand(handler, 1, nothing, waker, nothing, nothing, Broker())  # type: ignore[arg-type]  # a stand-in
    in_hand.begin()
    arrive(in_hand, Subscription(), 1, 2)
    in_hand.work()
    late = time.monotonic() + WITH_TASKS.config.task_timeout.total_seconds() + 1
    assert [job.received.tag for job in in_hand.overdue(late)] == [1]
    in_hand.end(GRACE)
    assert in_hand.overdue(late) == []
    assert (len(in_hand), in_hand.pressing) == (0, False)


def test_a_task_that_outlives_its_connection_does_not_cost_the_next_one(waker: Waker) -> None:
    gate, handled = threading.Event(), threading.Event()

    def do(tag: int) -> None:
        if tag == 1:
            gate.wait()
            lose(tag)
        handled.set()

    handler, first, second = Handler(FORWARDED, do), Subscription(), Subscription()
    in_hand = InHand(handler, 2, nothing, waker, nothing, nothing, Broker())  # type: ignore[arg-type]  # a stand-in
    in_hand.begin()
    arrive(in_hand, first, 1, 2)
    in_hand.work()
    eventually(lambda: handler.begun == [1])
    first.open = False
    in_hand.end(0)
    in_hand.begin()
    before = threading.active_count()
    gate.set()
    eventually(lambda: threading.active_count() < before)  # the task has ended, and the old threads with it
    assert in_hand.failure is None
    arrive(in_hand, second, 3)
    in_hand.work()
    assert handled.wait(10)
    in_hand.end(GRACE)
    in_hand.acknowledge()
    assert second.acked == [3]
    assert (handler.begun, first.acked) == ([1, 3], [])


@pytest.mark.parametrize("threads", [1, 4])
def test_each_message_is_acknowledged_once_while_threads_call_and_look(waker: Waker, threads: int) -> None:
    count, subscription = 300, Subscription()
    handler = Handler(WITH_TASKS, lambda tag: time.sleep(tag % 7 / 10_000))
    in_hand = InHand(handler, threads, nothing, waker, nothing, nothing, Broker())  # type: ignore[arg-type]  # a stand-in
    in_hand.begin()
    for first in range(0, count, 10):
        arrive(in_hand, subscription, *range(first, first + 10))
        while in_hand:
            in_hand.work()
            if in_hand and not in_hand.pressing:
                waker.wait(0.05)
    in_hand.end(GRACE)
    assert sorted(subscription.acked) == list(range(count))
    assert in_hand.outcomes[Outcome.ACKED] == count


@pytest.mark.parametrize("threads", [1, 2])
def test_a_message_that_cannot_be_counted_is_acknowledged_all_the_same(
    waker: Waker, threads: int, caplog: pytest.LogCaptureFixture
) -> None:
    def count(settled: Delivery) -> None:
        raise TypeError("unsupported operand type(s) for +=: 'float' and 'decimal.Decimal'")

    subscription = Subscription()
    in_hand = InHand(Handler(WITH_TASKS, nothing), threads, nothing, waker, count, nothing, Broker())  # type: ignore[arg-type]  # a stand-in
    in_hand.begin()
    arrive(in_hand, subscription, 1, 2)
    while in_hand:  # a busy machine does not do both within a moment
        in_hand.work()
    in_hand.end(GRACE)
    in_hand.acknowledge()
    assert sorted(subscription.acked) == [1, 2]
    assert "could not be counted" in caplog.text


def test_of_large_bodies_no_more_are_parsed_and_read_than_there_is_room_for(waker: Waker) -> None:
    gate, subscription = threading.Event(), Subscription()
    handler = Handler(WITH_TASKS, lambda _: nothing(gate.wait(GRACE)))
    in_hand = InHand(handler, 4, nothing, waker, nothing, nothing, Broker())  # type: ignore[arg-type]  # a stand-in
    in_hand.begin()
    for tag in range(1, 6):
        arrive(in_hand, subscription, tag, body=bytes(100 * 1024 * 1024))
        assert in_hand.heavy == (tag > 2)
    in_hand.work()
    eventually(lambda: sorted(handler.begun) == [1, 2])
    in_hand.work()
    assert (sorted(handler.begun), in_hand.pressing) == ([1, 2], False)
    gate.set()

    def work() -> bool:
        in_hand.work()
        return sorted(subscription.acked) == [1, 2, 3, 4, 5]

    eventually(work)
    assert not in_hand.heavy
    in_hand.end(GRACE)


def test_one_body_that_is_larger_than_there_is_room_for_is_read_by_itself(waker: Waker) -> None:
    handler, subscription = Handler(WITH_TASKS, nothing), Subscription()
    in_hand = InHand(handler, 1, nothing, waker, nothing, nothing, Broker())  # type: ignore[arg-type]  # a stand-in
    in_hand.begin()
    arrive(in_hand, subscription, 1, body=bytes(300 * 1024 * 1024))
    in_hand.work()
    assert subscription.acked == [1]
