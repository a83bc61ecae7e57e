"""The order of messages on FIFO queues, where one group is in one hand at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve

from pacer_contract import Broker
from pacer_contract.broker import Inbox, count, declare, eventually, send, wait_for
from pacer_sqs import SQS, SqsOptions


@pytest.fixture
def broker(options: SqsOptions) -> Iterator[Broker]:
    with Broker(SQS, evolve(options, fifo=True)) as broker:
        yield broker


def ended(broker: Broker, number: int) -> list[tuple[str, bool]]:
    """Acknowledge so many messages as they come; give their bodies, and whether they were redelivered."""
    channel = broker.channel(prefetch=20)
    found: list[tuple[str, bool]] = []

    def handle(message: Any) -> None:
        found.append((message.body.decode(), message.delivery_info["redelivered"]))
        channel.basic_ack(message.delivery_tag)

    channel.basic_consume("q", callback=handle)
    wait_for(channel, lambda: len(found) >= number)
    channel.close()
    return found


def test_messages_come_in_the_order_in_which_they_were_sent(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    send(channel, *range(60))

    assert ended(broker, 60) == [(str(number), False) for number in range(60)]


def test_returned_messages_are_in_front_again_and_marked(broker: Broker) -> None:
    channel = broker.channel(prefetch=3)
    declare(channel)
    send(channel, *range(6))
    inbox = Inbox(channel)
    inbox.wait(3)
    channel.basic_cancel(inbox.tag)

    for message in inbox.messages:
        channel.basic_reject(message.delivery_tag, requeue=True)

    assert ended(broker, 6) == [(str(number), number < 3) for number in range(6)]


def test_messages_of_a_closed_channel_are_in_front_again(broker: Broker) -> None:
    channel = broker.channel(prefetch=3)
    declare(channel)
    send(channel, *range(6))
    Inbox(channel).wait(3)

    channel.close()

    assert ended(broker, 6) == [(str(number), number < 3) for number in range(6)]


def test_messages_of_a_killed_process_are_in_front_again(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    send(channel, *range(6))
    child = broker.child("hold", 3)
    assert child.stdout is not None
    assert child.stdout.readline() == "holding\n"

    child.kill()

    assert ended(broker, 6) == [(str(number), number < 3) for number in range(6)]


def test_what_a_killed_publisher_saw_confirmed_is_there_in_order(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    child = broker.child("count")
    assert child.stdout is not None
    for _ in range(100):
        child.stdout.readline()

    child.kill()

    confirmed = 100 + len(child.stdout.read().splitlines())
    found = [body for body, _ in ended(broker, confirmed)]
    assert found[:confirmed] == [str(number) for number in range(confirmed)]
    assert eventually(lambda: count(channel) <= 1)  # one may have been confirmed to nobody


def test_dead_queues_and_delays_stay_standard_queues(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel, "q.dead")
    declare(channel, x_dead_letter_exchange="", x_dead_letter_routing_key="q.dead")
    declare(channel, "later", x_message_ttl=20, x_dead_letter_exchange="", x_dead_letter_routing_key="q")
    send(channel, *range(3), to="later")
    assert eventually(lambda: count(channel) == 3)
    inbox = Inbox(broker.channel(prefetch=3))
    for message in inbox.wait(3):
        inbox.channel.basic_reject(message.delivery_tag, requeue=False)

    dead = Inbox(broker.channel(), "q.dead").wait(3)

    assert sorted(message.body for message in dead) == [b"0", b"1", b"2"]
    deaths = dead[0].properties["application_headers"]["x-death"]
    assert [(one["queue"], one["reason"]) for one in deaths] == [("q", "rejected"), ("later", "expired")]
