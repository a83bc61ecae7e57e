"""A queue that is deleted, and there again before its readers have heard of it: they hear of it, though."""

import time
from contextlib import closing

import pytest
from amqp.exceptions import ConsumerCancelled

from pacer_core.config import load
from pacer_core.transport.connection import connect
from pacer_core.transport.consume import Received, Subscription, Waker
from tests.lab import Lab

QUORUM = {"x-queue-type": "quorum"}
CASES = {
    "quorum": ("name: jobs", QUORUM, False),
    "quorum, one active reader": ("name: jobs", QUORUM | {"x-single-active-consumer": True}, False),
    "classic": ("name: jobs, type: classic", {}, False),
    "classic of somebody else": ("name: jobs, declare: passive", {}, False),
    "quorum of somebody else": ("name: jobs, declare: passive", QUORUM, False),
    "classic, read exclusively": ("name: jobs, declare: passive", {}, True),
    "classic beside quorum": ("name: jobs, type: classic}, {name: others", {}, False),
    "quorum beside classic": ("name: jobs}, {name: others, type: classic", QUORUM, False),
}


def poll(subscription: Subscription, waker: Waker, received: list[Received]) -> None:
    """Read until there is something, or for half a minute."""
    deadline = time.monotonic() + 30
    while not received and time.monotonic() < deadline:
        subscription.poll(waker, 0.1)


@pytest.mark.parametrize("widened", [False, True], ids=["as it began", "widened"])
@pytest.mark.parametrize("case", CASES)
def test_a_queue_that_is_back_before_its_reader_has_heard_of_its_end_is_subscribed_to_again(
    lab: Lab, case: str, widened: bool
) -> None:
    line, arguments, exclusive = CASES[case]
    lab.configure(queue=line)
    config = load(lab.file)
    channel = lab.channel

    def declare() -> None:
        for name in (one.name for one in config.queues):
            kind = arguments if name == "jobs" else ({} if arguments else QUORUM)
            channel.queue_declare(name, durable=True, auto_delete=False, arguments=kind)

    declare()
    received: list[Received] = []
    with closing(connect(config.broker, "test")) as connection, closing(Waker()) as waker:
        subscription = Subscription(connection, config.queues, 10, received.append, exclusive=exclusive)
        if widened and not exclusive:
            subscription.widen()
        with lab.node.held(lab.vhost, "jobs"):
            channel.queue_delete("jobs")
            declare()
            lab.publish("first")
        with pytest.raises(ConsumerCancelled):
            poll(subscription, waker, received)
        subscription.abandon()
        sock = connection.connection.sock
    assert sock.fileno() == -1, "closed, although another consumer's end came before the answer"
    assert received == []
    with closing(connect(config.broker, "test")) as connection, closing(Waker()) as waker:
        subscription = Subscription(connection, config.queues, 10, received.append, exclusive=exclusive)
        poll(subscription, waker, received)
        assert [one.envelope.body for one in received] == [b"first"]
        subscription.ack([received[0].tag])
        subscription.close()
    assert lab.waiting("jobs") == 0
