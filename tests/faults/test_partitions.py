"""Key spaces with partitions: order, and never two of a key at once, whoever is killed meanwhile."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from attrs import define, field

from pacer_core.config import load
from pacer_core.transport.connection import connect
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from tests.at_length import Scale
from tests.faults.processes import alive, workers
from tests.faults.test_keys import PLUGIN, lines
from tests.services import RabbitMQ
from tests.support import Running, Site, eventually

MESSAGES, KEYS, PARTITIONS = 10_000, 500, 4
SHORT = 5
"""The part of messages and keys that is enough where nobody asks for the long form: one in so many."""

CONFIG = """
    brokers:
      main: {{host: 127.0.0.1, port: {port}, username: guest, password: guest, vHost: {vhost}, heartbeat: 4s}}
    queues: [{{name: steps}}, {{name: leaps}}]
    consumers:
      - {{type: steps, queues: [steps], concurrency: 8}}
      - {{type: leaps, queues: [leaps], concurrency: 8}}
    keySpaces: [{{name: investigation, partitions: {partitions}}}]
    processes: {{stateFolder: {state}, signingKeys: [the-key-of-both-hosts]}}
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
    messages: int = MESSAGES
    keys: int = KEYS
    count: int = 0
    numbers: Counter[int] = field(factory=Counter)
    chance: random.Random = field(factory=lambda: random.Random(17))

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
        eventually(lambda: running.printed.count("reading ") > self.partitions, 120, lambda: running.printed)
        return running

    def publish(self, messages: int, *, at_a_time: int = 500) -> None:
        """Publish messages of many keys, numbered for each."""
        bodies = []
        for _ in range(messages):
            key = self.chance.randrange(self.keys)
            bodies.append(orjson.dumps({"key": f"k{key}", "number": self.numbers[key]}))
            self.numbers[key] += 1
        self.count += messages
        config = load(self.write(0))
        with closing(connect(config.broker, "test")) as connection:
            declare(connection, config)
        with closing(Publisher(config.broker)) as publisher:
            for first in range(0, messages, at_a_time):
                publisher.publish([Outgoing("", "steps", body) for body in bodies[first : first + at_a_time]])

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
    site: Site,
    rabbitmq: RabbitMQ,
    rabbitmq_vhost: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scale: Scale,
) -> Hosts:
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    site.install("step-pacer", PLUGIN)
    part = scale(SHORT, 1)
    return Hosts(site, rabbitmq, rabbitmq_vhost, tmp_path, messages=MESSAGES // part, keys=KEYS // part)


def check(folder: Path, dead: Callable[[int], bool] = lambda _: False, *, repeats: bool = False) -> int:
    """Check that no key was in two hands at once nor out of order; give how often messages were repeated.

    Where ``repeats`` are excused, since something was killed, a message may come again, and those after it in
    their order; but none is ever ahead of one that has not been worked on.
    """
    inside: dict[str, int] = {}
    last: dict[str, int] = defaultdict(lambda: -1)
    highest: dict[str, int] = defaultdict(lambda: -1)
    again = 0
    for process, what, key, number in lines(folder):
        if what == "begin":
            assert key not in inside or dead(inside[key]), f"two of {key} at once"
            assert number == last[key] + 1 or repeats, f"{key}: {number} after {last[key]}"
            assert number <= highest[key] + 1, f"{key}: {number} overtook {highest[key] + 1}"
            again += number <= highest[key]
            inside[key], last[key] = process, number
        else:
            assert inside.pop(key) == process
            highest[key] = max(highest[key], number)
    return again


def working(folder: Path, since: int = 0) -> set[int]:
    """Give the processes that have worked, from some line on."""
    return {process for process, *_ in lines(folder)[since:]}


def test_hosts_keep_the_order_and_hand_their_partitions_over_when_they_stop(
    hosts: Hosts, tmp_path: Path
) -> None:
    messages = hosts.messages
    first, second = hosts.start(1), hosts.start(2)
    hosts.publish(messages)
    eventually(lambda: hosts.done > messages // 3, 120, lambda: said([first, second]))
    eventually(lambda: len(working(tmp_path)) == PARTITIONS, 60, lambda: said([first, second]))
    assert first.end() == 0
    third = hosts.start(3)
    eventually(lambda: hosts.done > messages * 2 // 3, 120, lambda: said([second, third]))
    assert second.end() == 0
    hosts.publish(messages // 10)
    hosts.all_done(third)
    assert third.end() == 0
    check(tmp_path)


def test_nothing_is_missing_after_kills_of_workers_supervisors_and_the_broker(
    hosts: Hosts, start_rabbitmq: Callable[..., RabbitMQ], tmp_path: Path
) -> None:
    node = hosts.node = start_rabbitmq()
    hosts.vhost = "/"
    messages = hosts.messages
    running = {1: hosts.start(1), 2: hosts.start(2)}

    def further() -> None:
        """Publish a tenth of the messages, and wait until a part of them has been worked on."""
        before = hosts.done
        hosts.publish(messages // 10)
        eventually(lambda: hosts.done > before + messages // 50, 180, lambda: said([*running.values()]))

    def kill_workers(host: int, *numbers: int) -> None:
        pids = [pid for pid in workers(running[host]) if alive(pid)]
        for number in numbers:
            os.kill(pids[number], signal.SIGKILL)

    further()
    kill_workers(1, 0)  # the intake that reads, as the first of its host's processes
    further()
    kill_workers(1, 2, 3)
    further()
    os.killpg(running[1].process.pid, signal.SIGKILL)
    further()
    running[1] = hosts.start(1)
    further()
    node.kill()
    node.start()
    further()
    kill_workers(2, 0, 1)
    further()
    os.kill(running[2].process.pid, signal.SIGKILL)  # the supervisor alone: its workers see it, and end
    further()
    running[2] = hosts.start(2)
    hosts.publish(messages - hosts.count)
    hosts.all_done(*running.values())
    assert [one.end() for one in running.values()] == [0, 0]
    again = check(tmp_path, lambda pid: not alive(pid), repeats=True)
    print(f"{again} of {messages} messages were worked on again")  # noqa: T201 - what the kills cost
