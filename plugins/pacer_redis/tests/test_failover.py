"""A master that dies: sentinels and a cluster make another one, and nothing that was confirmed is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from amqp.exceptions import RecoverableConnectionError

from pacer_contract import Broker
from pacer_contract.broker import PATIENCE, Inbox, count, declare, get, send, wait_for
from pacer_core import BrokerError
from pacer_redis import REDIS, RedisOptions, Require, Sentinel
from tests.services import Redis, RedisCluster, RedisSentinels

SHORT = timedelta(seconds=2)
LEASE = timedelta(seconds=5)
REPLICATED = Require(replicas=1, wait=timedelta(seconds=1))
AWAY = (RecoverableConnectionError, BrokerError)


@pytest.fixture
def replicated(redis_sentinels: RedisSentinels) -> Iterator[Broker]:
    """A broker whose messages are confirmed once the replica has them."""
    sentinel = Sentinel(hosts=redis_sentinels.hosts, service="main")
    options = RedisOptions(
        sentinel=sentinel, require=REPLICATED, lease=LEASE, timeout=SHORT, connect_timeout=SHORT
    )
    with Broker(REDIS, options) as broker:
        yield broker


@pytest.fixture
def clustered(redis_cluster: RedisCluster) -> Iterator[Broker]:
    """A broker in a cluster."""
    options = RedisOptions(
        cluster=True, hosts=redis_cluster.hosts, require=REPLICATED, lease=LEASE, timeout=SHORT
    )
    with Broker(REDIS, options) as broker:
        yield broker


def again(attempt: Callable[[], Any]) -> Any:
    """Try until it works: while there is no master, nothing does."""
    deadline = time.monotonic() + 3 * PATIENCE
    while True:
        try:
            return attempt()
        except AWAY:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def keeps_what_it_confirmed(broker: Broker, master: Redis) -> None:
    """Send, hold, kill the master, and look for everything at the next one."""
    channel = broker.channel(prefetch=2)
    declare(channel)
    declare(channel, "later", x_message_ttl=1000, x_dead_letter_exchange="", x_dead_letter_routing_key="q")
    send(channel, *range(20))
    send(channel, "late", to="later")
    Inbox(channel).wait(2)

    master.kill()
    with pytest.raises(AWAY):
        send(channel, *(f"more {number}" for number in range(1000)))
    with pytest.raises(AWAY):
        channel.connection.close()

    other = again(broker.channel)
    inbox = Inbox(other)
    wait_for(other, lambda: {*map(str, range(20)), "late"} <= set(inbox.bodies))
    first = [body for body in inbox.bodies if body.isdigit()]
    assert first[:20] == [str(number) for number in range(20)]
    assert [message.delivery_info["redelivered"] for message in inbox.messages[:3]] == [True, True, False]
    master.start()  # a replica by now, which the new master needs to confirm anything
    again(lambda: send(broker.channel(), "after it"))
    wait_for(other, lambda: "after it" in inbox.bodies)


def test_sentinels_make_another_master_and_nothing_confirmed_is_lost(
    replicated: Broker, redis_sentinels: RedisSentinels
) -> None:
    keeps_what_it_confirmed(replicated, redis_sentinels.master)


def test_a_service_that_sentinels_do_not_know_is_an_error_that_says_so(
    redis_sentinels: RedisSentinels,
) -> None:
    sentinel = Sentinel(hosts=redis_sentinels.hosts, service="other")
    broker = Broker(REDIS, RedisOptions(sentinel=sentinel, connect_timeout=SHORT))

    with pytest.raises(RecoverableConnectionError, match="No master found for 'other'"):
        broker.connect()


def test_a_cluster_is_a_broker(clustered: Broker) -> None:
    channel = clustered.channel()
    channel.exchange_declare("e", "topic", durable=True, auto_delete=False)
    for queue in ("q", "r"):
        declare(channel, queue, x_dead_letter_exchange="", x_dead_letter_routing_key="dead")
        channel.queue_bind(queue, "e", "a.*")
    declare(channel, "dead")

    send(channel, "one", exchange="e", to="a.b")

    channel.basic_reject(get(channel, "q").delivery_tag, requeue=False)
    channel.basic_ack(get(channel, "r").delivery_tag)
    assert [count(channel, queue) for queue in ("q", "r", "dead")] == [0, 0, 1]
    for queue in ("q", "r", "dead"):
        channel.queue_delete(queue)
    channel.exchange_delete("e")


def test_a_node_of_a_cluster_that_dies_is_replaced_and_nothing_confirmed_is_lost(
    clustered: Broker, redis_cluster: RedisCluster
) -> None:
    keeps_what_it_confirmed(clustered, redis_cluster.owner("{pacer}"))
