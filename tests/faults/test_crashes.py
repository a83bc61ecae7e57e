"""Messages that kill or hang the process that works on them, among innocent ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from pacer_core.config import Config, load
from pacer_core.transport.connection import connect
from pacer_core.transport.dead import look
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.publish import Outgoing, Publisher
from pacer_core.transport.topology import declare
from tests.services import RabbitMQ
from tests.support import Running, Site, eventually

PLUGIN = """
    import os, time
    from pathlib import Path
    from attrs import frozen
    from pacer_core import ConsumerType, Key, Text, hookimpl, task

    @frozen
    class Sample:
        name: Text
        does: Text = "work"

    @task
    def note(sample, ctx):
        if sample.does == "exit":
            time.sleep(0.05)
            os._exit(3)
        if sample.does == "hang":
            time.sleep(600)
        if sample.does == "hang once" and ctx.envelope.attempt == 1:
            time.sleep(600)
        with open(os.environ["EFFECTS"], "a") as file:
            file.write(sample.name + "\\n")

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="samples", message=Sample, tasks=[note])
"""

CONFIG = """
    brokers:
      main: {{host: 127.0.0.1, port: {port}, username: guest, password: guest, vHost: {vhost}}}
    queues: [{{name: samples}}]
    consumers:
      - {{type: samples, queues: [samples], concurrency: {threads}, taskTimeout: 1s}}
    processes: {{stateFolder: {state}, shutdownGrace: 1s}}
"""


@pytest.fixture
def start(
    site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Config, Running]]:
    """Publish samples and start ``pacer run`` on them."""
    monkeypatch.setenv("EFFECTS", str(tmp_path / "effects"))
    (tmp_path / "effects").touch()
    site.install("sample-pacer", PLUGIN)

    def start(samples: list[dict[str, str]], threads: int) -> tuple[Config, Running]:
        text = CONFIG.format(
            port=rabbitmq.port, vhost=rabbitmq_vhost, threads=threads, state=tmp_path / "state"
        )
        file = site.write(text)
        config = load(file)
        with closing(connect(config.broker, "test")) as connection:
            declare(connection, config)
        with closing(Publisher(config.broker)) as publisher:
            publisher.publish([Outgoing("", "samples", orjson.dumps(sample)) for sample in samples])
        return config, site.start("run", "--config", file)

    return start


def effects(folder: Path) -> Counter[str]:
    """Count what the task has done for each sample."""
    return Counter((folder / "effects").read_text().split())


def dead(config: Config) -> list[DeadLetter]:
    """Give what is in the dead queue."""
    with closing(connect(config.broker, "test")) as connection:
        return list(look(connection, "samples.dead"))


@pytest.mark.parametrize("threads", [1, 4])
def test_a_message_that_kills_its_worker_dies_alone(start: Any, tmp_path: Path, threads: int) -> None:
    good = [{"name": f"s{number}"} for number in range(1000)]
    poison = {"name": "poison", "does": "exit"}
    config, running = start([*good[:100], poison, *good[100:]], threads)

    eventually(lambda: dead(config), 60, lambda: running.printed)
    eventually(lambda: len(effects(tmp_path)) == 1000, 60, lambda: running.printed)

    assert running.end() == 0
    (letter,) = dead(config)
    assert letter.envelope.body == orjson.dumps(poison)
    assert "worker died" in letter.error
    assert "poison" not in effects(tmp_path)


def test_a_task_that_hangs_is_settled_and_its_worker_replaced(start: Any, tmp_path: Path) -> None:
    good = [{"name": f"s{number}"} for number in range(50)]
    _, running = start([{"name": "slow", "does": "hang once"}, *good], 4)

    eventually(lambda: len(effects(tmp_path)) == 51, 60, lambda: running.printed)

    assert running.end() == 0
    assert "has not ended in 1 s" in running.printed
    assert effects(tmp_path)["slow"] == 1


def test_a_task_that_always_hangs_in_the_only_thread_is_dead_in_the_end(start: Any, tmp_path: Path) -> None:
    config, running = start([{"name": "slow", "does": "hang"}, {"name": "good"}], 1)

    eventually(lambda: dead(config), 60, lambda: running.printed)
    eventually(lambda: effects(tmp_path) == {"good": 1}, 30, lambda: running.printed)

    assert running.end() == 0
    assert "worker died" in dead(config)[0].error
