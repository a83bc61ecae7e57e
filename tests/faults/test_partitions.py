"""Key spaces with partitions: order, and never two of a key at once, whoever is killed meanwhile."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from attrs import define

from pacer_core.config import load
from pacer_core.transport.connection import connect
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from tests.faults.processes import alive, workers
from tests.faults.test_keys import PLUGIN, lines
from tests.services import RabbitMQ
from tests.support import Running, Site, eventually

MESSAGES, KEYS, PARTITIONS = 10_000, 500, 4

CONFIG = """
    brokers:
      main: {{host: 127.0.0.1, port: {port}, username: guest, password: guest, vHost: {vhost}, heartbeat: 4s}}
    queues: [{{name: steps}}, {{name: leaps}}]
    consumers:
      - {{type: steps, queues: [steps], concurrency: 8}}
      - {{type: leaps, queues: [leaps], concurrency: 8}}
    keySpaces: [{{name: investigation, partitions: {partitions}}}]
    processes: {{stateFolder: {state}}}
    health: {{enabled: false}}
"""


@define(eq=False)
class Hosts:
    """Two hosts, or more, that share a key space: each is a ``pacer run`` with a state folder of its own."""

    site: Site
    node: RabbitMQ
    vhost: str
    folder: Path
    partitions: int = PARTITIONS
    count: int = 0

    def write(self, host: int) -> Path:
        text = CONFIG.format(
            port=self.node.port,
            vhost=self.vhost,
            partitions=self.partitions,
            state=self.folder / f"state-{host}",
        )
        return self.site.write(text, f"host-{host}.yaml")

    def start(self, host: int) -> Running:
        """Start a host, and wait until all of its processes read."""
        running = self.site.start("run", "--config", self.write(host))
        eventually(
            lambda: running.printed.count("reading ") > self.partitions, 120, lambda: running.printed
        )
        return running

    def publish(self, messages: int = MESSAGES, *, at_a_time: int = 500) -> None:
        """Publish messages of many keys, numbered for each."""
        numbers: dict[int, int] = defaultdict(int)
        bodies = []
        chance = random.Random(17)
        for _ in range(messages):
            key = chance.randrange(KEYS)
            bodies.append(orjson.dumps({"key": f"k{key}", "number": numbers[key]}))
            numbers[key] += 1
        self.count += messages
        config = load(self.write(0))
        with closing(connect(config.broker, "test")) as connection:
            declare(connection, config)
        with closing(Publisher(config.broker)) as publisher:
            for first in range(0, messages, at_a_time):
                publisher.publish(
                    [Outgoing("", "steps", body) for body in bodies[first : first + at_a_time]]
                )

    @property
    def done(self) -> int:
        """How many different messages have been worked on."""
        return len({(key, number) for _, what, key, number in lines(self.folder) if what == "end"})

    def all_done(self, *running: Running, seconds: float = 180) -> None:
        """Wait until every message has been worked on."""
        eventually(lambda: self.done == self.count, seconds, lambda: f"{self.done}: {said(running)}")


def said(running: Sequence[Running]) -> str:
    return "\n".join(one.printed[-3000:] for one in running)


@pytest.fixture
def hosts(
    site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Hosts:
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    site.install("step-pacer", PLUGIN)
    return Hosts(site, rabbitmq, rabbitmq_vhost, tmp_path)


def test_two_hosts_share_the_partitions_and_keep_the_order(hosts: Hosts, tmp_path: Path) -> None:
    first, second = hosts.start(1), hosts.start(2)
    hosts.publish()
    hosts.all_done(first, second)
    assert (first.end(), second.end()) == (0, 0)
    print(Counter(p for p, w, *_ in lines(tmp_path)))
