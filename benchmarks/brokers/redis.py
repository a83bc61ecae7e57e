"""Redis: PACER's transport against kombu's, celery and dramatiq on the same server, each write on disk."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import dramatiq
import dramatiq.brokers.redis
import kombu.connection
import kombu.entity
import redis
from amqp import Message
from attrs import evolve, frozen

from benchmarks.brokers.sheet import Row, Suite
from benchmarks.contest import CONTESTANTS, Contestant, Start, install_plugin
from benchmarks.run import handled
from pacer_redis import REDIS, RedisOptions
from tests.services import Redis

_SETTLE = 0.3  # seconds between the last message and the consumer's start
# These have no types.
_Connection: Any = kombu.connection.Connection
_DramatiqBroker: Any = dramatiq.brokers.redis.RedisBroker


@frozen
class Contender:
    """A consumer and how its queue is filled."""

    consumer: Contestant
    fill: Callable[[Redis, str, Contestant], None]


def _pacer_file(server: Redis, start: Start, one: Contestant) -> str:
    return f"""brokers:
  main: {{protocol: redis, host: 127.0.0.1, port: {server.port}}}
queues: [{{name: {start.queue}, declare: passive}}]
consumers:
  - {{type: bench, queues: [{start.queue}], concurrency: {one.threads}, prefetch: {one.prefetch}}}
logging: {{logLevel: WARNING}}
"""


def _pacer(server: Redis) -> Callable[[Start, Contestant], list[str]]:
    def command(start: Start, one: Contestant) -> list[str]:
        install_plugin(start.folder)
        file = start.folder / "pacer.yaml"
        file.write_text(_pacer_file(server, start, one))
        return [str(Path(sys.executable).with_name("pacer")), "run", "--config", str(file)]

    return command


def _fill_pacer(server: Redis, queue: str, one: Contestant) -> None:
    assert REDIS.connect is not None
    with REDIS.connect(RedisOptions(host="127.0.0.1", port=server.port), "redis") as connection:
        channel = connection.channel()
        channel.queue_declare(queue, durable=True, auto_delete=False)
        channel.confirm_select()
        load = one.load(queue)
        for number in range(load.count):
            body = load.bodies[number % len(load.bodies)]
            message = Message(body, content_type=load.content_type, delivery_mode=2)
            channel.basic_publish(message, routing_key=queue)
        connection.connection.drain_ready(1)


def _fill_kombu(server: Redis, queue: str, one: Contestant) -> None:
    load = one.load(queue)
    with _Connection(_url(server)) as connection:
        producer = connection.Producer()
        properties = dict(load.properties)
        headers = properties.pop("application_headers", None)
        properties.pop("content_encoding", None)
        declared = kombu.entity.Queue(queue)(connection.channel())
        declared.declare()
        for number in range(load.count):
            producer.publish(
                load.bodies[number % len(load.bodies)],
                routing_key=queue,
                content_type=load.content_type,
                content_encoding="utf-8",
                headers=headers,
                **properties,
            )


def _fill_dramatiq(server: Redis, queue: str, one: Contestant) -> None:
    broker: Any = _DramatiqBroker(url=_url(server))
    broker.declare_queue(queue)
    load = one.load(queue)
    for number in range(load.count):
        message = json.loads(load.bodies[number % len(load.bodies)])
        broker.enqueue(
            dramatiq.Message(
                queue_name=queue, actor_name="handle", args=tuple(message["args"]), kwargs={}, options={}
            )
        )


def _url(server: Redis) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


def _contenders(server: Redis) -> dict[str, Contender]:
    there = {"BENCH_URL": _url(server)}
    bare = evolve(CONTESTANTS["kombu"], expects=4_000, environment=there)
    celery = evolve(CONTESTANTS["celery"], expects=3_000, environment=there)
    own = {**there, "dramatiq_queue_prefetch": "50"}
    those = evolve(CONTESTANTS["dramatiq"], expects=4_000, environment=own)
    return {
        "pacer": Contender(evolve(CONTESTANTS["pacer"], command=_pacer(server)), _fill_pacer),
        "kombu": Contender(bare, _fill_kombu),
        "celery": Contender(celery, _fill_kombu),
        "dramatiq": Contender(those, _fill_dramatiq),
    }


def _measure(server: Redis, contender: Contender) -> float:
    one = contender.consumer
    folder = Path(tempfile.mkdtemp(prefix="pacer-bench-"))
    start = Start(server.port, "bench", "", folder)
    try:
        contender.fill(server, start.queue, one)
        time.sleep(_SETTLE)
        return handled(start, one).rate
    finally:
        with redis.Redis(port=server.port) as client:
            client.flushall()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def opened(factor: float) -> Iterator[Mapping[str, Callable[[], float]]]:
    """Start a Redis, and give who is measured on it."""
    with Redis() as server:
        yield {
            name: partial(_measure, server, evolve(one, consumer=one.consumer.scaled(factor)))
            for name, one in _contenders(server).items()
        }


SUITE = Suite(
    "redis",
    opened,
    (
        Row("redis/kombu", 1.0, "pacer", "kombu"),
        Row("redis/celery", 4.0, "pacer", "celery"),
        Row("redis/dramatiq", 2.0, "pacer", "dramatiq"),
    ),
    ("pacer-redis", "kombu", "redis", "celery", "dramatiq"),
)
