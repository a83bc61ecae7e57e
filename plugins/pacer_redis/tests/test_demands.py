"""What a Redis has to be, and what is said where it is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from pacer_core import BrokerError, Secret
from pacer_redis import REDIS, RedisOptions, Require, Sentinel
from tests.services import Redis

Start = Callable[..., Redis]


def opened(server: Redis, options: RedisOptions | None = None) -> Any:
    assert REDIS.connect is not None
    options = evolve(options or RedisOptions(), host="127.0.0.1", port=server.port)
    connection = REDIS.connect(options, "redis")
    connection.connect()
    return connection


def test_a_redis_without_an_append_only_file_is_refused_by_what_to_change(start_redis: Start) -> None:
    server = start_redis(config={"appendonly": "no"})

    expected = (
        "keeps no append-only file.*set 'appendonly yes' and 'appendfsync always' in redis.conf, or accept "
        r"the loss with 'require: \{appendfsync: any\}'"
    )
    with pytest.raises(BrokerError, match=expected):
        opened(server)

    opened(server, RedisOptions(require=Require(appendfsync="any"))).release()


def test_a_redis_that_may_lose_a_second_is_refused_unless_that_is_accepted(start_redis: Start) -> None:
    server = start_redis(config={"appendfsync": "everysec"})

    with pytest.raises(
        BrokerError, match=r"has 'appendfsync everysec'.*'require: \{appendfsync: everysec\}'"
    ):
        opened(server)

    opened(server, RedisOptions(require=Require(appendfsync="everysec"))).release()


def test_a_redis_that_never_syncs_is_refused_where_a_second_may_be_lost(start_redis: Start) -> None:
    server = start_redis(config={"appendfsync": "no"})

    with pytest.raises(
        BrokerError, match=r"has 'appendfsync no'.*set 'appendfsync everysec'.*appendfsync: any"
    ):
        opened(server, RedisOptions(require=Require(appendfsync="everysec")))


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_redis_that_evicts_is_refused(start_redis: Start, policy: str) -> None:
    server = start_redis(config={"maxmemory-policy": policy})

    with pytest.raises(BrokerError, match=f"'maxmemory-policy {policy}'.*set 'maxmemory-policy noeviction'"):
        opened(server)


def test_a_replica_is_refused(start_redis: Start) -> None:
    master = start_redis()
    replica = start_redis(config={"replicaof": f"127.0.0.1 {master.port}"})

    with pytest.raises(BrokerError, match="is a replica, which takes no messages: name the master"):
        opened(replica)


def test_an_account_that_may_not_look_is_told_which_right_it_lacks(start_redis: Start) -> None:
    server = start_redis()
    server.tell("ACL", "SETUSER", "worker", "on", ">secret", "~*", "&*", "+@all", "-config")
    options = RedisOptions(username="worker", password=Secret("secret"))

    with pytest.raises(BrokerError, match=r"allow the account CONFIG GET \(\+config\|get\)"):
        opened(server, options)

    server.tell("ACL", "SETUSER", "worker", "+config|get")
    opened(server, options).release()


def test_the_rights_of_the_how_to_are_enough(start_redis: Start) -> None:
    server = start_redis()
    rights = "+@scripting +@hash +@list +@set +@sortedset +@string +@pubsub +@connection +@transaction"
    more = "+del +exists +time +wait +info +config|get +cluster|slots"
    keys = "~{pacer}* resetchannels &{pacer}*"
    words = (*keys.split(), *rights.split(), *more.split())
    server.tell("ACL", "SETUSER", "worker", "on", ">secret", *words)
    connection = opened(server, RedisOptions(username="worker", password=Secret("secret")))

    channel = connection.channel()
    channel.queue_declare("q", durable=True, auto_delete=False)
    channel.basic_publish(channel.prepare_message(b"body", properties={}), routing_key="q")
    channel.basic_ack(channel.basic_get("q").delivery_tag)

    assert channel.queue_delete("q") == 0
    connection.release()


def test_a_wrong_password_is_told_without_it(start_redis: Start) -> None:
    server = start_redis(config={"requirepass": "right"})

    with pytest.raises(BrokerError, match="refuses the account") as caught:
        opened(server, RedisOptions(password=Secret("wrong-one")))

    assert "wrong-one" not in str(caught.value)


def test_options_that_exclude_each_other_are_refused() -> None:
    sentinel = Sentinel(hosts=("one",), service="main")
    with pytest.raises(ValueError, match="a cluster has no sentinels"):
        RedisOptions(cluster=True, sentinel=sentinel)
    with pytest.raises(ValueError, match="database 0 only"):
        RedisOptions(cluster=True, database=1)
    with pytest.raises(ValueError, match="without braces"):
        RedisOptions(prefix="{a}")


@pytest.mark.parametrize("timeout", [5, 3])
def test_replicas_that_may_take_longer_than_an_answer_are_a_configuration_error(timeout: int) -> None:
    short = timedelta(seconds=timeout)
    RedisOptions(timeout=short)  # nobody waits for replicas
    with pytest.raises(ValueError, match=rf"'require.wait' \(5 s\) .* less than 'timeout' \({timeout} s\)"):
        RedisOptions(require=Require(replicas=1), timeout=short)


@pytest.mark.parametrize(
    ("options", "address"),
    [
        (RedisOptions(), "redis://localhost:6379/0/pacer"),
        (RedisOptions(cluster=True, hosts=("a", "b:7001"), port=7000), "redis://a:7000,b:7001/0/pacer"),
        (
            RedisOptions(sentinel=Sentinel(hosts=("a", "[::1]:7"), service="main"), prefix="x"),
            "redis://a:26379,::1:7/main/x",
        ),
    ],
)
def test_a_broker_is_named_without_secrets(options: RedisOptions, address: str) -> None:
    assert REDIS.address(evolve(options, password=Secret("hush")), "redis") == address
