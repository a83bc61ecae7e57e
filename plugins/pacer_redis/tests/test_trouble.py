"""What happens to a Redis while it is in use, and to those who use it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from amqp.exceptions import RecoverableConnectionError
from attrs import evolve

from pacer_contract import Broker
from pacer_contract.broker import Inbox, count, declare, drain, eventually, get, send
from pacer_redis import REDIS, RedisOptions, Require
from tests.services import Redis

Start = Callable[..., Redis]
LEASE = timedelta(seconds=2)


def options(server: Redis, **more: Any) -> RedisOptions:
    return RedisOptions(host="127.0.0.1", port=server.port, lease=LEASE, timeout=LEASE, **more)


@pytest.fixture
def server(start_redis: Start) -> Redis:
    return start_redis()


@pytest.fixture
def broker(server: Redis) -> Iterator[Broker]:
    with Broker(REDIS, options(server)) as broker:
        yield broker


def test_scripts_that_redis_has_forgotten_are_sent_again(broker: Broker, server: Redis) -> None:
    channel = broker.channel()
    declare(channel)
    inbox = Inbox(channel)

    for number in range(3):
        server.tell("SCRIPT", "FLUSH")
        send(channel, number)
        inbox.wait(number + 1)
        server.tell("SCRIPT", "FLUSH")
        channel.basic_ack(inbox.messages[-1].delivery_tag)

    assert channel.connection.store.held("q") == 0


def test_what_was_confirmed_is_there_after_a_kill_and_what_was_held_is_marked(
    broker: Broker, server: Redis
) -> None:
    channel = broker.channel(prefetch=2)
    declare(channel)
    send(channel, *range(5))
    Inbox(channel).wait(2)

    server.kill()
    with pytest.raises(RecoverableConnectionError):
        send(channel, "lost")
    with pytest.raises(RecoverableConnectionError):
        channel.connection.close()
    server.start()

    other = broker.channel()
    again = [get(other) for _ in range(5)]
    assert [message.body for message in again] == [b"0", b"1", b"2", b"3", b"4"]
    assert [message.delivery_info["redelivered"] for message in again] == [True, True, False, False, False]


def test_who_waits_is_told_that_redis_is_gone(broker: Broker, server: Redis) -> None:
    channel = broker.channel()
    declare(channel)
    Inbox(channel)
    drain(channel, 0.1)

    server.kill()

    with pytest.raises(RecoverableConnectionError):
        channel.connection.drain_events(timeout=20)
    server.start()


def test_a_frozen_redis_is_a_lost_connection_and_holds_nobody_for_ever(broker: Broker, server: Redis) -> None:
    channel = broker.channel()
    declare(channel)
    send(channel, "one")
    Inbox(channel).wait(1)

    server.signal(signal.SIGSTOP)
    try:
        with pytest.raises(RecoverableConnectionError):
            send(channel, "two")
        with pytest.raises(RecoverableConnectionError):
            channel.connection.close()
    finally:
        server.signal(signal.SIGCONT)

    inbox = Inbox(broker.channel())
    inbox.wait(1)
    assert inbox.bodies[0] == "one"


def test_a_full_redis_takes_no_message_and_gives_all_it_has(start_redis: Start) -> None:
    server = start_redis(config={"maxmemory": "8mb", "maxmemory-policy": "noeviction"})
    with Broker(REDIS, options(server)) as broker:
        channel = broker.channel()
        declare(channel, "q.dead")
        declare(channel, x_dead_letter_exchange="", x_dead_letter_routing_key="q.dead")
        with pytest.raises(RecoverableConnectionError, match=r"it is full \(maxmemory\)"):
            send(channel, *(b"%06d" % number + b"x" * 100_000 for number in range(1000)))
        sent = count(channel)
        assert sent > 10

        reader = broker.channel(prefetch=4)  # a new owner, on the full server
        inbox = Inbox(reader)
        seen: list[int] = []
        while len(seen) < sent:
            inbox.wait(len(seen) + 1)
            message = inbox.messages[len(seen)]
            seen.append(int(message.body[:6]))
            if len(seen) == 1:
                reader.basic_reject(message.delivery_tag, requeue=False)
            else:
                reader.basic_ack(message.delivery_tag)

        assert seen == list(range(sent))
        assert count(reader, "q.dead") == 1
        send(channel, b"there is room again")


def test_a_silent_process_loses_what_it_holds_and_its_word_counts_no_more(
    broker: Broker,
) -> None:
    channel = broker.channel()
    declare(channel, x_single_active_consumer=True)
    send(channel, *range(3))
    child = broker.child("hold", 2)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "holding"
    inbox = Inbox(channel)
    assert inbox.stays_at(0)

    child.send_signal(signal.SIGSTOP)

    inbox.wait(3)
    child.send_signal(signal.SIGCONT)
    assert inbox.bodies == ["0", "1", "2"]
    assert [message.delivery_info["redelivered"] for message in inbox.messages] == [True, True, False]
    assert channel.queue_declare("q", passive=True).consumer_count == 1


def test_an_owner_whose_lease_is_over_hands_out_and_settles_nothing(broker: Broker) -> None:
    channel = broker.channel(prefetch=2)
    declare(channel)
    send(channel, "one", "two")
    got: list[Any] = []
    channel.basic_consume("q", callback=got.append)
    channel.connection.drain_events(timeout=5)
    store = channel.connection.store
    store._keeper.stop()  # as if its thread had no turn for longer than the lease
    inbox = Inbox(broker.channel())
    inbox.wait(2)

    with pytest.raises(RecoverableConnectionError, match="silent for longer than its lease"):
        channel.basic_ack(got[0].delivery_tag)
    with pytest.raises(RecoverableConnectionError, match="silent for longer than its lease"):
        channel.connection.drain_events(timeout=5)

    assert len(got) == 1
    assert store.held("q") == 2  # by the other one


def test_nothing_is_published_for_who_has_lost_its_lease_since_it_looked(broker: Broker) -> None:
    reader, sender = broker.channel(), broker.channel()
    declare(reader)
    declare(reader, "partition")
    sender.connection.only_while(reader.connection)
    send(reader, "one")
    Inbox(reader).wait(1)
    send(sender, "before", to="partition")
    reader.connection.store._keeper.stop()  # as if it stood still
    Inbox(broker.channel()).wait(1)

    with pytest.raises(RecoverableConnectionError, match="silent for longer than its lease"):
        send(sender, "behind it", to="partition")

    assert count(broker.channel(), "partition") == 1


@pytest.mark.parametrize("watched", [True, False], ids=["by those who read", "by the next one"])
def test_a_clock_that_is_set_back_leaves_nothing_to_the_dead_for_longer_than_a_lease(
    broker: Broker, server: Redis, watched: bool
) -> None:
    first = broker.channel()
    declare(first, x_single_active_consumer=True)
    declare(first, "later", x_message_ttl=500, x_dead_letter_exchange="", x_dead_letter_routing_key="q")
    send(first, "one", "two")
    child = broker.child("hold", 2)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "holding"
    other = Inbox(broker.channel()) if watched else None
    child.kill()
    child.wait()
    hour = 3_600_000
    # What is kept of times, as it is when the server's clock has gone back by an hour.
    members = server.tell("ZRANGE", "{pacer}:owners", "0", "-1").split()
    for member in members:
        server.tell("ZINCRBY", "{pacer}:owners", str(hour), member)
    server.tell("HINCRBY", "{pacer}:clock", "seen", str(hour))

    inbox = other or Inbox(broker.channel())
    inbox.wait(2)
    assert inbox.bodies == ["one", "two"]
    send(inbox.channel, "late", to="later")
    for message in inbox.messages:
        inbox.channel.basic_ack(message.delivery_tag)
    inbox.wait(3)
    assert inbox.bodies[2] == "late"


def test_a_write_that_too_few_replicas_have_is_not_confirmed(server: Redis, start_redis: Start) -> None:
    require = Require(replicas=1, wait=timedelta(milliseconds=200))
    with Broker(REDIS, options(server)) as broker:
        declare(broker.channel())
    with Broker(REDIS, options(server, require=require)) as broker:
        channel = broker.channel()
        with pytest.raises(RecoverableConnectionError, match="0 of 1 replicas have confirmed"):
            send(channel, "one")

        start_redis(config={"replicaof": f"127.0.0.1 {server.port}"})
        assert eventually(lambda: "state=online" in server.tell("INFO", "replication"))
    patient = Require(replicas=1, wait=timedelta(milliseconds=1900))
    with Broker(REDIS, options(server, require=patient)) as broker:
        channel = broker.channel()
        server.tell("SCRIPT", "FLUSH")
        send(channel, "two")

        assert count(channel) == 2  # the first one is there, and nobody could know it


def test_a_lost_call_costs_a_renewal_and_no_message(broker: Broker, server: Redis) -> None:
    channel = broker.channel()
    declare(channel)
    inbox = Inbox(channel)
    drain(channel, 0.2)
    for key in server.tell("KEYS", "*:idle").split():
        server.tell("DEL", key)  # nobody knows that it waits

    send(broker.channel(), "one")

    inbox.wait(1)


def test_an_idle_consumer_asks_nothing_but_to_stay(broker: Broker, server: Redis) -> None:
    channel = broker.channel()
    declare(channel)
    inbox = Inbox(channel)
    drain(channel, 0.5)
    before = _calls(server, "evalsha")
    begun = time.monotonic()

    drain(channel, 3)

    a_third = LEASE.total_seconds() / 3
    assert _calls(server, "evalsha") - before <= 2 * ((time.monotonic() - begun) / a_third + 2)
    assert inbox.messages == []


def _calls(server: Redis, command: str) -> int:
    for line in server.tell("INFO", "commandstats").splitlines():
        if line.startswith(f"cmdstat_{command}:calls="):
            return int(line.partition("=")[2].partition(",")[0])
    return 0


def test_delays_go_on_when_the_one_who_sweeps_has_left(broker: Broker) -> None:
    first, second = broker.channel(), broker.channel()
    declare(first)
    declare(first, "later", x_message_ttl=300, x_dead_letter_exchange="", x_dead_letter_routing_key="q")
    Inbox(first)
    inbox = Inbox(second)
    send(second, "one", to="later")

    first.connection.close()

    inbox.wait(1)


def test_no_thread_stays_behind(broker: Broker) -> None:
    before = threading.active_count()
    channels = [broker.channel() for _ in range(2)]
    declare(channels[0])
    for channel in channels:
        Inbox(channel)
    assert threading.active_count() == before + 2

    for channel in channels:
        channel.connection.close()

    assert threading.active_count() == before


def test_two_names_in_one_redis_are_two_brokers(server: Redis) -> None:
    with Broker(REDIS, options(server)) as one, Broker(REDIS, evolve(options(server), prefix="b")) as two:
        for broker in (one, two):
            declare(broker.channel())
        send(one.channel(), "one")

        assert [count(broker.channel()) for broker in (one, two)] == [1, 0]


def test_deleting_a_queue_leaves_nothing_of_it(broker: Broker, server: Redis) -> None:
    channel = broker.channel()
    declare(channel, x_message_ttl=60_000)
    declare(channel, "other", x_max_priority=3)
    channel.queue_bind("other", "amq.topic", "a")
    send(channel, *range(5))
    send(channel, *range(5), to="other", priority=2)
    held = get(channel, "other")
    channel.basic_reject(held.delivery_tag, requeue=True)
    get(channel, "other")

    assert [channel.queue_delete(queue) for queue in ("q", "other")] == [5, 4]
    channel.connection.close()

    left = set(server.tell("KEYS", "*").split())
    assert left == {"{pacer}:generation", "{pacer}:ids", "{pacer}:clock"}
