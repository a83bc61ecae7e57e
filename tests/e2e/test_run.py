"""``pacer run`` in its forms: once, once with patience, and inline for a debugger; on two brokers."""

from __future__ import annotations

import subprocess
import sys
import threading
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
from pacer_core.work import reading, remaining
from tests.lab import PLUGIN
from tests.services import RabbitMQ
from tests.services.base import free_port
from tests.support import Site, eventually

MAIN = "from pacer_core.cli import main; main()"
CONFIG = """
    brokers: {{main: {broker}}}
    queues: [{{name: jobs}}, {{name: children}}]
    consumers:
      - {{type: jobs, queues: [jobs], concurrency: 4, retries: {{delay: 1s, limit: 2, factor: 1}}}}
      - {{type: follow-ups, queues: [children]}}
    processes: {{stateFolder: {state}}}
    logging: {{logLevel: WARNING}}
    health: {{port: {port}}}
"""


@pytest.fixture(params=["rabbitmq", "sqlite"])
def file(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> Path:
    """A configuration for one of the brokers that several processes see."""
    site.install("lab-pacer", PLUGIN)
    broker = f"{{protocol: sqlite, path: {tmp_path / 'broker.db'}}}"
    if request.param == "rabbitmq":
        node: RabbitMQ = request.getfixturevalue("rabbitmq")
        vhost = request.getfixturevalue("rabbitmq_vhost")
        broker = f"{{host: 127.0.0.1, port: {node.port}, vHost: {vhost}}}"
    return site.write(CONFIG.format(broker=broker, state=tmp_path / "state", port=free_port()))


def publish(file: Path, *bodies: str) -> None:
    config = load(file)
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
    with closing(Publisher(config.broker)) as publisher:
        publisher.publish([Outgoing("", "jobs", body.encode()) for body in bodies])


def effects(site: Site) -> list[str]:
    found = site.folder / "effects"
    return found.read_text().splitlines() if found.exists() else []


def test_a_single_run_leaves_what_is_delayed_and_one_with_patience_waits_for_it(
    site: Site, file: Path
) -> None:
    file.write_text(file.read_text().replace("delay: 1s", "delay: 2s"))  # a step of 5 seconds
    publish(file, '{"name": "a", "first": "once error"}', '{"name": "b", "first": "emit follow-ups"}')
    done = site.pacer("run", "--once", "-c", file)
    assert (done.code, done.out) == (2, "2 done, 0 dead, 1 waiting for a retry\n")
    patient = site.pacer("run", "--once", "--wait", "-c", file)
    assert (patient.code, patient.out) == (0, "1 done, 0 dead, 0 waiting for a retry\n")
    assert "second a 2" in effects(site)


def test_a_run_with_patience_ends_when_what_fails_is_dead(site: Site, file: Path) -> None:
    publish(file, '{"name": "a", "first": "retry"}', '{"name": "b", "second": "once retry"}')
    done = site.pacer("run", "--once", "--wait", "-c", file)
    assert (done.code, done.out) == (1, "1 done, 1 dead, 0 waiting for a retry\n")
    assert [line for line in effects(site) if line.startswith("first a")] == [
        f"first a {attempt}" for attempt in (1, 2, 3)
    ]


def test_a_single_run_that_gives_messages_back_goes_on(
    site: Site, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "HOLD", 0.5)
    gate = site.folder / "gate"
    publish(file, '{"name": "a", "first": "wait gate"}', *['{"name": "b"}'] * 60)
    opener = threading.Timer(3.0, gate.touch)
    opener.start()
    done = site.pacer("run", "--once", "-c", file)
    opener.join()
    assert (done.code, done.out) == (0, "61 done, 0 dead, 0 waiting for a retry\n")
    assert len([line for line in effects(site) if line.startswith("second")]) == 61


def test_a_single_run_handles_the_follow_up_of_what_took_longer_than_the_quiet(
    site: Site, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remaining, "_QUIET", 0.2)
    depth, late = remaining._depth, ['{"name": "a", "first": "sleep 0.5", "second": "emit follow-ups"}']

    def deep(*given: Any, read: bool) -> int | None:
        found = depth(*given, read=read)
        if late and not found:  # the message comes when everything has been found empty
            publish(file, late.pop())
        return found

    monkeypatch.setattr(remaining, "_depth", deep)
    done = site.pacer("run", "--once", "--inline", "-c", file)
    assert (done.code, done.out) == (0, "2 done, 0 dead, 0 waiting for a retry\n")
    assert [line for line in effects(site) if line.startswith("follow a-child ")]


def test_patience_alone_is_refused(site: Site, file: Path) -> None:
    done = site.pacer("run", "--wait", "-c", file)
    assert (done.code, "--wait goes with --once" in done.err) == (2, True)


def test_a_debugger_gets_the_terminal_of_an_inline_run(site: Site, file: Path) -> None:
    file.write_text(file.read_text().replace("delay: 1s", "delay: 2s"))  # a step of 5 seconds
    publish(file, '{"name": "ada", "first": "break"}', '{"name": "b", "first": "error", "other": "where"}')
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "run", "--inline", "--once", "-c", str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    printed, logged = process.communicate("p job.name.upper()\nc\n", timeout=60)
    assert "(Pdb) 'ADA'" in printed, logged
    assert printed.endswith("1 done, 0 dead, 1 waiting for a retry\n")
    assert process.returncode == 2
    assert f"in {process.pid} MainThread" in effects(site)
    assert "RuntimeError: so it goes" in logged, "with its traceback"
    assert ", line " in logged


def test_an_inline_run_goes_on_until_it_is_stopped(site: Site, file: Path) -> None:
    running = site.start("run", "--inline", "-c", file)
    running.wait_for("reading jobs, children")
    publish(file, '{"name": "a", "first": "where", "second": "once retry"}')
    eventually(lambda: "second a 2" in effects(site), what=lambda: running.printed)
    assert running.end() == 0
    assert f"in {running.process.pid} MainThread" in effects(site)


def test_a_single_run_does_not_take_a_queue_for_empty_that_the_broker_cannot_ask(
    site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("lab-pacer", PLUGIN)
    broker = f"{{host: 127.0.0.1, port: {rabbitmq.port}, vHost: {rabbitmq_vhost}}}"
    file = site.write(CONFIG.format(broker=broker, state=tmp_path / "state", port=free_port()))
    publish(file, '{"name": "a"}')
    monkeypatch.setattr(remaining, "_QUIET", 0.2)
    depth, looks = remaining._depth, list[int | None]()

    def busy(connection: Any, queues: Any, *, read: bool) -> int | None:
        """Have the queue hang, as on a broker that has too much to do, for ten looks."""
        if not looks:
            rabbitmq.ctl("eval", f"sys:suspend('{rabbitmq_vhost}_jobs').")
            channel = connection.channel()
            channel.basic_publish(amqp.Message('{"name": "b"}', content_type="application/json"), "", "jobs")
        found = depth(connection, queues, read=read)
        looks.append(found)
        if len(looks) == 10:
            rabbitmq.ctl("eval", f"sys:resume('{rabbitmq_vhost}_jobs').")
        return found

    monkeypatch.setattr(remaining, "_depth", busy)
    done = site.pacer("run", "--once", "-c", file)
    assert (done.code, done.out) == (0, "2 done, 0 dead, 0 waiting for a retry\n")
    assert looks[0] is None
