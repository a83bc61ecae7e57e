"""Processes that stand still, and go on when somebody else has what they had."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pacer_core import BrokerError
from pacer_core.config import load
from pacer_core.config.model import Broker
from pacer_core.transport.connection import connect, hang_up
from pacer_core.transport.consume import Received, Subscription, Waker
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.queue_status import depth
from pacer_core.work.intake import cut_off_first
from tests.at_length import long
from tests.faults.processes import workers
from tests.faults.test_partitions import Hosts, check, hosts  # noqa: F401 - a fixture
from tests.services import RabbitMQ
from tests.support import Site, eventually

HEARTBEAT = 3
CONFIG = """
    brokers: {{main: {{host: 127.0.0.1, port: {port}, vHost: "{vhost}", heartbeat: {heartbeat}s}}}}
    queues: [{{name: work}}]
    consumers: [{{type: forward, queues: [work]}}]
"""


@pytest.fixture
def broker(site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str) -> Iterator[Broker]:
    text = CONFIG.format(port=rabbitmq.port, vhost=rabbitmq_vhost, heartbeat=HEARTBEAT)
    broker = load(site.write(text)).broker
    connection = connect(broker, "test")
    single = {"x-queue-type": "quorum", "x-single-active-consumer": True}
    connection.channel().queue_declare("work", durable=True, auto_delete=False, arguments=single)
    connection.channel().queue_declare("partition", durable=True, auto_delete=False)
    yield broker
    hang_up(connection)


def test_the_broker_cuts_off_who_publishes_before_it_gives_the_messages_to_somebody_else(
    broker: Broker, site: Site
) -> None:
    config = load(site.folder / "pacer.yaml")
    frozen = connect(broker, "frozen")
    publisher = Publisher(cut_off_first(broker, frozen), reopen=False)
    publisher.open(frozen)
    mine: list[Received] = []
    theirs: list[Received] = []
    subscription = Subscription(frozen, [config.queue("work")], 1, mine.append)
    with closing(Publisher(broker)) as sender:
        sender.publish([Outgoing("", "work", b"one"), Outgoing("", "work", b"two")])
    waker = Waker()

    def came() -> bool:
        subscription.poll(waker, 0.1)
        return bool(mine)

    eventually(came, 30)
    assert publisher.publish_each([Outgoing("", "partition", b"one")], subscription.holds) == [None]
    assert subscription.holds()

    # Nobody speaks for the frozen one from here on: its threads are this one.
    connection = connect(broker, "next")
    successor = Subscription(connection, [config.queue("work")], 1, theirs.append)

    def taken_over() -> bool:
        successor.poll(waker, 0.05)
        successor.heartbeat()
        return bool(theirs)

    eventually(taken_over, 60)
    said = publisher.publish_each([Outgoing("", "partition", b"one")])
    assert isinstance(said[0], BrokerError)
    assert isinstance(publisher.publish_each([Outgoing("", "partition", b"one")])[0], BrokerError)
    assert not subscription.holds()
    assert depth(connection, "partition") == 1
    publisher.close()
    hang_up(frozen)
    hang_up(connection)
    waker.close()


@long
@pytest.mark.parametrize("which", ["intake", "partition"])
def test_a_process_that_is_frozen_while_another_takes_over_brings_nothing_out_of_order(
    hosts: Hosts,  # noqa: F811 - the fixture
    tmp_path: Path,
    which: str,
) -> None:
    first = hosts.start(1)
    second = hosts.start(2)
    processes = workers(first)
    found: dict[str, Any] = {"intake": processes[:1], "partition": processes[1:]}
    for round_ in range(4):
        hosts.publish(hosts.messages // 5)
        time.sleep(0.3)
        for pid in found[which]:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(7.5 + round_)  # two to three heartbeats of 4 s: before, while and after they are given up
        for pid in found[which]:
            os.kill(pid, signal.SIGCONT)
    hosts.publish(hosts.messages // 5)
    hosts.all_done(first, second, seconds=240)
    assert (first.end(), second.end()) == (0, 0)
    # A task that runs when its process is frozen ends when it goes on: two of one key, and nothing mends it.
    frozen = set(found["partition"]) if which == "partition" else set()
    check(tmp_path, lambda pid: pid in frozen, repeats=True)
