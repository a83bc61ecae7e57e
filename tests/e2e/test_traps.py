"""What RabbitMQ, py-amqp and kombu do to a delivery engine; docs/explanation/traps.md has the list."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import closing
from typing import Any

import pytest

from pacer_core.config import load
from pacer_core.config.model import Amqp, Broker
from pacer_core.config.sections import Port
from pacer_core.model.errors import BrokerError
from pacer_core.transport.connection import connect
from pacer_core.transport.consume import Received, Subscription, Waker
from pacer_core.transport.outgoing import Outgoing, UnroutableError, UnsendableError
from pacer_core.transport.publish import Publisher
from tests.lab import Lab
from tests.support import eventually


@pytest.mark.parametrize("kind", ["quorum", "classic"])
def test_a_message_that_comes_back_thirty_times_is_still_there(lab: Lab, kind: str) -> None:
    lab.configure(queue=f"name: jobs, type: {kind}")
    lab.declare()
    lab.publish({"name": "a"})
    for _ in range(30):
        channel = lab.channel
        eventually(lambda channel=channel: channel.basic_get("jobs") is not None)  # type: ignore[misc]  # mypy sees no default
        channel.close()  # as a worker that dies: without a word about the message
    assert lab.once().code == 0
    assert lab.counted["second a 1"] == 1


@pytest.mark.parametrize("kind", ["quorum", "classic"])
def test_what_was_acknowledged_just_before_the_end_does_not_come_back(lab: Lab, kind: str) -> None:
    lab.configure(queue=f"name: jobs, type: {kind}")
    lab.declare()
    config = load(lab.file)
    messages = [Outgoing("", "jobs", b"%d" % number) for number in range(10_000)]
    received: list[Received] = []
    with (
        closing(Publisher(config.broker)) as publisher,
        closing(connect(config.broker, "test")) as connection,
        closing(Waker()) as waker,
    ):
        publisher.publish(messages)
        subscription = Subscription(connection, config.queues, 2000, received.append)
        handled = 1  # while the first one is in hand, the others are acknowledged one by one
        while len(received) < len(messages):
            subscription.poll(waker, 1.0)
            subscription.ack([one.tag for one in received[handled:]])
            handled = max(handled, len(received))
        subscription.ack([received[0].tag])
        subscription.close()
        publisher.publish([Outgoing("", "jobs", b"last")])
    # What comes back comes back in front.
    assert [message.body for message in lab.take("jobs")] == [b"last"]


def test_publishing_while_messages_are_handed_out_nests_and_hangs_nothing(lab: Lab) -> None:
    lab.configure(
        queue="name: jobs}, {name: children",
        consumer="type: jobs, queues: [jobs], concurrency: 1, prefetch: 500",
        more="  - {type: follow-ups, queues: [children]}",
    )
    lab.declare()
    config = load(lab.file)
    body = b'{"name": "a", "first": "emit follow-ups"}'
    with closing(Publisher(config.broker)) as publisher:
        publisher.publish([Outgoing("", "jobs", body)] * 600)
    done = lab.site.pacer("run", "--once", "--inline", "-c", lab.file)
    assert (done.code, done.out) == (0, "1200 done, 0 dead, 0 waiting for a retry\n")


def test_what_no_queue_takes_is_told_from_what_one_takes_when_they_go_together(lab: Lab) -> None:
    lab.declare()
    config = load(lab.file)
    # Equal bodies, and the return of a message names no tag.
    messages = [Outgoing("", "nobody" if number % 7 == 3 else "jobs", b"{}") for number in range(200)]
    with closing(Publisher(config.broker)) as publisher:
        said = publisher.publish_each(messages)
    assert [isinstance(one, UnroutableError) for one in said] == [number % 7 == 3 for number in range(200)]
    assert lab.waiting() == sum(one is None for one in said)


def test_what_amqp_cannot_carry_is_refused_alone_and_costs_others_no_confirm(lab: Lab) -> None:
    lab.declare()
    config = load(lab.file)
    deep: dict[str, Any] = {}
    for _ in range(2000):
        deep = {"a": deep}
    hidden = 131_064 * "x"
    headers: list[dict[str, Any]] = [{hidden[:256]: 1}, {"a": deep}, {"a": hidden}, {"a": {"b": object()}}]
    bad = [Outgoing("", "jobs", b"bad", one) for one in headers] + [Outgoing("", 128 * "é", b"bad")]
    good = Outgoing("", "jobs", b"good")
    with closing(Publisher(config.broker)) as publisher:
        for one in bad:
            said = publisher.publish_each([good, one, good])
            assert [said[0], said[2]] == [None, None]
            assert isinstance(said[1], UnsendableError)
            assert "cannot be published" in str(said[1])
            assert hidden[:200] not in str(said[1])
            assert publisher.publish_each([one])[0] is not None
        assert publisher.publish_each([good] * 10) == [None] * 10
    assert lab.waiting() == 2 * len(bad) + 10


def test_bytes_stay_bytes_whatever_a_publisher_says_of_their_encoding(lab: Lab) -> None:
    lab.declare()
    for encoding in ("utf-8", "iso-8859-1", "gzip", "klingon"):
        text = f'<?xml version="1.0" encoding="iso-8859-1"?><job><name>{encoding}-é</name></job>'
        lab.publish(text.encode("iso-8859-1"), content_encoding=encoding, content_type="application/xml")
    done = lab.once()
    assert (done.code, done.out) == (0, "4 done, 0 dead, 0 waiting for a retry\n")
    assert lab.counted["first klingon-é 1"] == 1


def test_connections_have_heartbeats_although_kombu_leaves_them_out(lab: Lab) -> None:
    with closing(connect(load(lab.file).broker, "test")) as connection:
        assert connection.get_heartbeat_interval() == 30


def test_a_broker_that_does_not_answer_is_asked_once() -> None:
    calls = 0
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            nonlocal calls
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                calls += 1
                client.close()

        listening = threading.Thread(target=hang_up, daemon=True)
        listening.start()
        broker = Broker(options=Amqp(host="127.0.0.1", port=Port(server.getsockname()[1])))
        with pytest.raises(BrokerError, match="cannot connect"):
            connect(broker, "test")
        server.shutdown(socket.SHUT_RDWR)
        listening.join()
    assert calls == 1


def test_every_name_of_kombu_is_there_before_a_thread_asks_for_it() -> None:
    code = "import sys, pacer_core.work.worker; print('kombu.connection' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_a_message_held_for_longer_than_the_broker_allows_is_delivered_again_and_not_dead(lab: Lab) -> None:
    def allow(milliseconds: str, tick: str) -> None:
        lab.node.ctl("eval", f"application:set_env(rabbit, consumer_timeout, {milliseconds}).")
        lab.node.ctl("eval", f"application:set_env(rabbit, channel_tick_interval, {tick}).")

    lab.file.write_text(lab.file.read_text().replace("shutdownGrace: 5s", "shutdownGrace: 0"))
    lab.declare()
    lab.publish({"name": "a", "first": "wait gate"})
    try:
        allow("500", "500")
        running = lab.run()
        running.wait_for("lost amqp://")
        assert "timed out" in running.printed
        eventually(lambda: len(lab.held) > 1, what=lambda: running.printed)
    finally:
        allow("1800000", "60000")
    lab.open_gate()
    eventually(lambda: lab.counted["second a 1"], what=lambda: running.printed)
    assert running.end() == 0
    assert lab.once().code == 0, "where its last channel was closed as well, it has come back"
    assert lab.waiting() == lab.waiting("jobs.dead") == 0
