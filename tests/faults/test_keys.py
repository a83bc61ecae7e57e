"""One writer per key: order, and never two of a key at once, whatever happens to the processes."""

from __future__ import annotations

import os
import random
import signal
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from pacer_core.config import load
from pacer_core.transport.connection import connect
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from tests.services import RabbitMQ
from tests.support import Running, Site, eventually

MESSAGES, KEYS = 10_000, 500
QUEUES = ("steps", "leaps")

PLUGIN = """
    import os, time
    from attrs import frozen
    from pacer_core import ConsumerType, Key, hookimpl, task

    @frozen
    class Step:
        key: str
        number: int

    log = os.open(os.environ["LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    @task
    def record(step, ctx):
        os.write(log, f"{os.getpid()} begin {step.key} {step.number}\\n".encode())
        if step.number % 10 == 0:
            time.sleep(0.002)
        os.write(log, f"{os.getpid()} end {step.key} {step.number}\\n".encode())

    @task
    def leap(step, ctx):
        record.run(step, ctx)

    @hookimpl
    def pacer_consumers():
        key = Key("investigation", of=lambda step, ctx: step.key, ordered=True)
        yield ConsumerType(name="steps", message=Step, tasks=[record], key=key)
        yield ConsumerType(name="leaps", message=Step, tasks=[leap], key=key)
"""

CONFIG = """
    brokers:
      main: {{host: 127.0.0.1, port: {port}, username: guest, password: guest, vHost: {vhost}}}
    queues: [{{name: steps{declare}}}, {{name: leaps}}]
    consumers:
      - {{type: steps, queues: [steps], concurrency: 8}}
      - {{type: leaps, queues: [leaps], concurrency: 8}}
    processes: {{stateFolder: {state}}}
"""


@pytest.fixture
def prepare(
    site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Callable[[], Running]]:
    """Publish all messages; give what starts a host that works on them."""
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    site.install("step-pacer", PLUGIN)

    def prepare(*, passive: bool = False, messages: int = MESSAGES) -> Callable[[], Running]:
        numbers: dict[int, int] = defaultdict(int)
        bodies = []
        chance = random.Random(7)
        for _ in range(messages):
            key = chance.randrange(KEYS)
            bodies.append(orjson.dumps({"key": f"k{key}", "number": numbers[key]}))
            numbers[key] += 1
        hosts = 0

        def write(host: int) -> Path:
            text = CONFIG.format(
                port=rabbitmq.port,
                vhost=rabbitmq_vhost,
                state=tmp_path / f"state-{host}",
                declare=", declare: passive, type: classic" if passive else "",
            )
            return site.write(text, f"host-{host}.yaml")

        config = load(write(0))
        with closing(connect(config.broker, "test")) as connection:
            if passive:
                connection.channel().queue_declare(queue="steps", durable=True, auto_delete=False)
            declare(connection, config)
        with closing(Publisher(config.broker)) as publisher:
            for first in range(0, messages, 500):
                publisher.publish([Outgoing("", "steps", body) for body in bodies[first : first + 500]])

        def start() -> Running:
            nonlocal hosts
            hosts += 1
            return site.start("run", "--config", write(hosts))

        return start

    return prepare


def lines(folder: Path) -> list[tuple[int, str, str, int]]:
    """Read what the tasks have recorded: process, begin or end, key, number."""
    log = folder / "log"
    if not log.exists():
        return []
    whole, _, _ = log.read_text().rpartition("\n")  # a line may be half written
    words = [line.split() for line in whole.splitlines()]
    return [(int(process), what, key, int(number)) for process, what, key, number in words]


def all_done(folder: Path) -> bool:
    """Say whether every message has been worked on."""
    return len({(key, number) for _, what, key, number in lines(folder) if what == "end"}) == MESSAGES


def check(folder: Path, *, killed: frozenset[int] = frozenset(), stops: int = 0) -> int:
    """Check order and exclusiveness of every key; give how many messages were worked on again."""
    inside: dict[str, tuple[int, int]] = {}
    last: dict[str, int] = defaultdict(lambda: -1)
    highest: dict[str, int] = defaultdict(lambda: -1)
    owner: dict[str, int] = {}
    again = 0
    for process, what, key, number in lines(folder):
        if what == "begin":
            if key in inside:
                assert inside[key][0] in killed, f"two of {key} at once"
            if number != last[key] + 1:
                # A repeat: only in another process, and never ahead of what had been done.
                assert owner[key] != process, f"{key}: {number} after {last[key]} in one process"
                assert number <= highest[key] + 1, f"{key}: {number} overtook {highest[key]}"
            again += number <= highest[key]
            inside[key] = (process, number)
            owner[key] = process
            last[key] = number
        else:
            assert inside.pop(key) == (process, number)
            highest[key] = max(highest[key], number)
    assert killed or not again
    return again


def test_order_is_kept_and_never_two_of_a_key_at_once(prepare: Any, tmp_path: Path) -> None:
    host = prepare()()
    eventually(lambda: all_done(tmp_path), 120, lambda: host.printed)
    assert host.end() == 0
    check(tmp_path)


def test_a_graceful_stop_and_a_new_start_keep_the_order(prepare: Any, tmp_path: Path) -> None:
    start = prepare()
    first = start()
    eventually(lambda: len(lines(tmp_path)) > MESSAGES // 2, 60, lambda: first.printed)
    assert first.end() == 0
    second = start()
    eventually(lambda: all_done(tmp_path), 120, lambda: second.printed)
    assert second.end() == 0
    check(tmp_path)


@pytest.mark.parametrize("passive", [False, True], ids=["single active consumer", "exclusive"])
def test_a_stand_by_takes_over_in_order(prepare: Any, tmp_path: Path, passive: bool) -> None:
    start = prepare(passive=passive)
    first = start()
    eventually(lambda: len(lines(tmp_path)) > 10, 60, lambda: first.printed)
    second = start()
    eventually(lambda: len(lines(tmp_path)) > MESSAGES // 2, 60, lambda: first.printed)
    assert first.end() == 0
    eventually(lambda: all_done(tmp_path), 120, lambda: second.printed)
    assert second.end() == 0
    check(tmp_path)
    assert len({process for process, *_ in lines(tmp_path)}) == 2


def test_a_stand_by_takes_over_after_kill_9(prepare: Any, tmp_path: Path) -> None:
    start = prepare()
    first = start()
    eventually(lambda: len(lines(tmp_path)) > 10, 60, lambda: first.printed)
    second = start()
    eventually(lambda: len(lines(tmp_path)) > MESSAGES // 2, 60, lambda: first.printed)
    worker = lines(tmp_path)[0][0]
    os.killpg(first.process.pid, signal.SIGKILL)
    eventually(lambda: all_done(tmp_path), 120, lambda: second.printed)
    assert second.end() == 0
    again = check(tmp_path, killed=frozenset({worker}))
    print(f"{again} messages were worked on again")  # noqa: T201 - the count that the kill cost


def test_all_queues_of_a_key_space_change_hands_together(
    prepare: Any, rabbitmq: RabbitMQ, rabbitmq_vhost: str, tmp_path: Path
) -> None:
    start = prepare(messages=0)
    config = load(tmp_path / "site" / "host-0.yaml")

    def work(numbers: range) -> set[int]:
        """Publish to both queues; give the processes that have handled it."""
        before = len(lines(tmp_path))
        bodies = [(queue, orjson.dumps({"key": queue, "number": n})) for queue in QUEUES for n in numbers]
        with closing(Publisher(config.broker)) as publisher:
            publisher.publish([Outgoing("", queue, body) for queue, body in bodies])
        eventually(lambda: len(lines(tmp_path)) == before + 2 * len(bodies), 60, lambda: first.printed)
        return {process for process, *_ in lines(tmp_path)[before:]}

    first = start()
    before = work(range(50))
    second = start()
    assert work(range(50, 100)) == before
    assert first.end() == 0
    after = work(range(100, 150))
    assert len(before) == len(after) == 1
    assert before != after
    assert second.end() == 0
    check(tmp_path)
