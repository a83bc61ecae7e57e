"""PACER's own commands on Redis: they run, look, wait, replay, and forward to and from a RabbitMQ."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import amqp
import pytest

from pacer_core.config import load
from pacer_core.transport.connection import connect
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from tests.faults.processes import alive, workers
from tests.lab import PLUGIN
from tests.services import RabbitMQ, Redis
from tests.support import Running, Site, eventually

CONFIG = """
    brokers:
      main: {{{main}}}
      {recipients}
    exchanges: [{{name: work, type: topic}}]
    queues: [{{name: jobs, exchange: work, routingKey: "job.#"}}, {{name: children}}]
    consumers:
      - {{type: {kind}, queues: [jobs]}}
      - {{type: follow-ups, queues: [children]}}
    health: {{enabled: false}}
    processes: {{stateFolder: {state}, shutdownGrace: 5s}}
"""
Configure = Callable[..., Path]


def on_redis(server: Redis, name: str = "pacer") -> str:
    return f"protocol: redis, host: 127.0.0.1, port: {server.port}, prefix: {name}, lease: 2s"


@pytest.fixture
def configure(site: Site, tmp_path: Path) -> Configure:
    """Write a configuration for jobs of the lab."""
    site.install("lab-pacer", PLUGIN)

    def configure(main: str, kind: str = "jobs", recipients: str = "") -> Path:
        return site.write(
            CONFIG.format(main=main, kind=kind, recipients=recipients, state=tmp_path / "state")
        )

    return configure


def publish(file: Path, *bodies: dict[str, Any], headers: Any = None) -> None:
    config = load(file)
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
    with closing(Publisher(config.broker)) as publisher:
        publisher.publish(
            [Outgoing("work", "job.new", json.dumps(body).encode(), headers=headers or {}) for body in bodies]
        )


def effects(site: Site) -> list[str]:
    found = site.folder / "effects"
    lines = found.read_text().splitlines() if found.exists() else []
    return [line for line in lines if len(line.split()) > 2]  # the last one may be half written


@pytest.fixture
def running(site: Site) -> Callable[[Path], Running]:
    """Start ``pacer run``, and wait until it reads."""

    def start(file: Path) -> Running:
        started = site.start("run", "-c", file)
        started.wait_for("reading ")
        return started

    return start


def test_every_message_comes_to_its_end(site: Site, configure: Configure, redis_server: Redis) -> None:
    file = configure(on_redis(redis_server, "ends"))
    publish(
        file,
        {"name": "a", "first": "emit follow-ups"},
        {"number": "x"},
        {"name": "b", "second": "reject"},
        {"name": "c", "first": "once retry"},
    )

    done = site.pacer("run", "--once", "--wait", "-c", file)

    assert (done.code, done.out) == (1, "3 done, 2 dead, 0 waiting for a retry\n"), done.err
    assert {"second a 1", "other a 1", "other b 1", "second c 2"} <= set(effects(site))
    assert any(line.startswith("follow a-child ") for line in effects(site))


def test_people_see_what_is_there_what_waits_and_what_is_dead(
    site: Site, configure: Configure, redis_server: Redis
) -> None:
    file = configure(on_redis(redis_server, "people"))
    publish(file, {"name": "a", "second": "reject"}, {"name": "b", "first": "notyet"})
    assert site.pacer("run", "--once", "-c", file).code == 1
    publish(file, {"name": "c"})

    status = site.pacer("status", "-c", file)
    assert status.code == 0, status.both
    assert "redis" in status.out.lower()
    assert "jobs" in status.out
    waiting = json.loads(site.pacer("waiting", "list", "--json", "-c", file).out)
    assert len(waiting["letters"]) == 1
    dead = site.pacer("dead", "list", "--json", "-c", file)
    (letter,) = json.loads(dead.out)["letters"]
    assert "bad" in letter["error"]
    replay = site.pacer("dead", "replay", "--all", "--yes", "-c", file)
    assert replay.code == 0, replay.both
    assert json.loads(site.pacer("dead", "list", "--json", "-c", file).out)["letters"] == []
    doctor = site.pacer("doctor", "-c", file)
    assert doctor.code == 0, doctor.both


def test_what_redis_must_keep_is_an_error_of_the_doctor(
    site: Site, configure: Configure, start_redis: Callable[..., Redis]
) -> None:
    server = start_redis(config={"appendfsync": "everysec"})
    file = configure(on_redis(server))

    doctor = site.pacer("doctor", "-c", file)

    assert doctor.code == 69
    assert "set 'appendfsync always' in redis.conf" in " ".join(doctor.both.split())


def forwarding(name: str, where: str) -> str:
    rule = "{fromExchange: work, withRoutingKey: 'job.#'}"
    return f"recipients: [{{name: {name}, {where}, forwardingRules: [{rule}]}}]"


def test_messages_are_forwarded_from_redis_to_a_rabbitmq(
    site: Site, configure: Configure, redis_server: Redis, rabbitmq: RabbitMQ, rabbitmq_vhost: str
) -> None:
    there = f"host: 127.0.0.1, port: {rabbitmq.port}, vHost: {rabbitmq_vhost}"
    file = configure(on_redis(redis_server, "from"), recipients=forwarding("away", there))
    connection = amqp.Connection(f"127.0.0.1:{rabbitmq.port}", virtual_host=rabbitmq_vhost)
    connection.connect()
    with closing(connection):
        channel = connection.channel()
        channel.exchange_declare("work", "topic", durable=True, auto_delete=False)
        channel.queue_declare("there", durable=True, auto_delete=False)
        channel.queue_bind("there", "work", "#")
        publish(file, {"name": "a"}, {"name": "b"})

        done = site.pacer("run", "--once", "-c", file)

        assert done.code == 0, done.both
        bodies = [json.loads(channel.basic_get("there", no_ack=True).body) for _ in range(2)]
        assert sorted(body["name"] for body in bodies) == ["a", "b"]


def test_messages_are_forwarded_from_a_rabbitmq_to_redis(
    site: Site, configure: Configure, redis_server: Redis, rabbitmq: RabbitMQ, rabbitmq_vhost: str
) -> None:
    main = f"host: 127.0.0.1, port: {rabbitmq.port}, vHost: {rabbitmq_vhost}"
    there = on_redis(redis_server, "to")
    aim = configure(there)
    publish(aim)  # declares the exchange and the queue
    file = configure(main, recipients=forwarding("away", there))
    publish(file, {"name": "a"}, {"name": "b"})

    done = site.pacer("run", "--once", "-c", file)

    assert done.code == 0, done.both
    with closing(connect(load(configure(there)).broker, "test")) as connection:
        channel = connection.channel()
        bodies = [json.loads(channel.basic_get("jobs", no_ack=True).body) for _ in range(2)]
        assert sorted(body["name"] for body in bodies) == ["a", "b"]
        assert channel.basic_get("jobs") is None


def test_one_process_alone_has_a_key_and_the_next_takes_over_in_order(
    site: Site, configure: Configure, redis_server: Redis, running: Callable[[Path], Running]
) -> None:
    file = configure(on_redis(redis_server, "keys"), kind="keyed")
    publish(file)
    first, second = running(file), running(file)
    keys, each = 10, 60
    publish(file, *({"name": f"k{one % keys}", "number": one // keys} for one in range(keys * each)))
    eventually(lambda: len(effects(site)) > keys * each / 2, 60, lambda: first.printed + second.printed)

    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait(30)
    eventually(lambda: not any(map(alive, workers(first))), 60, lambda: first.printed)
    before = len(effects(site))  # the lease is longer than that: nobody else has begun

    def missing() -> set[tuple[str, int]]:
        ended = {tuple(line.split()[1:]) for line in effects(site) if line.startswith("end ")}
        return {(f"k{key}", one) for key in range(keys) for one in range(each)} - {
            (name, int(number)) for name, number in ended
        }

    eventually(lambda: not missing(), 90, lambda: second.printed)
    assert second.end() == 0
    for lines in (effects(site)[:before], effects(site)[before:]):
        judge(lines)


def judge(lines: list[str]) -> None:
    """See that what one process did with each key was one after the other, and in order."""
    open_: dict[str, int] = {}
    latest: dict[str, int] = {}
    for line in lines:
        what, name, number = line.split()
        if what == "begin":
            assert name not in open_
            assert int(number) == latest.get(name, int(number) - 1) + 1
            open_[name] = latest[name] = int(number)
        else:
            assert open_.pop(name) == int(number)
