"""The commands of PACER on SQS, from end to end."""

from __future__ import annotations

import json
import os
import signal
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pacer_core.config import load
from pacer_core.transport.connection import connect
from pacer_core.transport.dead_queues import look
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from tests.lab import PLUGIN
from tests.services import ElasticMQ, RabbitMQ
from tests.support import Site, eventually

CONFIG = """
    brokers: {{main: {{{main}}}{recipients}}}
    exchanges: [{{name: work, type: topic}}]
    queues:
      - {{name: {queue}, exchange: work, routingKey: "job.#"}}
      - {{name: children}}
    consumers:
      - {{type: {type}, queues: [{queue}], concurrency: 4}}
      - {{type: follow-ups, queues: [children]}}
    health: {{enabled: false}}
    processes: {{stateFolder: {state}, shutdownGrace: 5s}}
"""


SECRET = "of-the-tests"


@pytest.fixture
def sqs(elasticmq: ElasticMQ) -> dict[str, str]:
    """The keys, in YAML, of an SQS without any queue."""
    return {
        "protocol": "sqs",
        "region": "us-east-1",
        "endpoint": elasticmq.url,
        "accessKeyId": "pacer",
        "secretAccessKey": SECRET,
        "queuePrefix": f"{uuid4().hex[:12]}-",
        "visibilityTimeout": "6s",
        "longPoll": "2s",
    }


def keys(sqs: dict[str, str], **more: str) -> str:
    """Give the broker's keys as YAML."""
    return ", ".join(f"{name}: {json.dumps(value)}" for name, value in (sqs | more).items())


def configure(
    site: Site,
    main: str,
    *,
    queue: str = "jobs",
    consumer: str = "jobs",
    recipients: str = "",
    plugin: str | None = PLUGIN,
    name: str = "pacer.yaml",
) -> Path:
    """Write the configuration; the plugin is installed once."""
    if plugin is not None:
        site.install("lab-pacer", plugin)
    return site.write(
        CONFIG.format(
            main=main, queue=queue, type=consumer, recipients=recipients, state=site.folder / "state"
        ),
        name,
    )


@pytest.fixture
def file(site: Site, sqs: dict[str, str]) -> Path:
    return configure(site, keys(sqs))


def publish(file: Path, *bodies: dict[str, Any] | bytes, key: str = "job.new") -> None:
    """Publish messages from this process."""
    config = load(file)
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
    with closing(Publisher(config.broker)) as publisher:
        publisher.publish(
            [
                Outgoing("work", key, body if isinstance(body, bytes) else json.dumps(body).encode())
                for body in bodies
            ]
        )


def effects(site: Site) -> list[str]:
    """Give what the tasks have done."""
    found = site.folder / "effects"
    return found.read_text().splitlines() if found.exists() else []


def test_a_single_run_brings_every_message_to_its_end_and_the_dead_come_back(site: Site, file: Path) -> None:
    bad = b'{"number": "x"}'
    publish(file, {"name": "a", "first": "emit follow-ups"}, bad, {"name": "b", "second": "reject"})

    done = site.pacer("run", "--once", "-c", file)

    assert (done.code, done.out) == (1, "2 done, 2 dead, 0 waiting for a retry\n")
    assert {"second a 1", "other a 1", "other b 1"} <= set(effects(site))
    assert any(line.startswith("follow a-child ") for line in effects(site))
    with closing(connect(load(file).broker, "test")) as connection:
        letters = {letter.envelope.body: letter for letter in look(connection, "jobs.dead")}
    assert letters[bad].fields == ("name: is missing", "number: is not a whole number")
    assert len(letters) == 2
    listed = site.pacer("dead", "list", "-c", file)
    assert "2 letters in jobs.dead" in listed.out
    status = json.loads(site.pacer("status", "--json", "-c", file).out)
    assert [(one["name"], one["ready"], one["in_hand"], one["dead"]) for one in status["queues"]] == [
        ("jobs", 0, 0, 2),
        ("children", 0, 0, 0),
    ]

    again = site.pacer("dead", "replay", "--all", "--yes", "-c", file)

    assert again.code == 0, again.both
    assert site.pacer("run", "--once", "-c", file).out == "0 done, 2 dead, 0 waiting for a retry\n"


def test_a_message_is_retried_after_its_delay_by_processes_that_did_not_send_it(
    site: Site, file: Path
) -> None:
    body = site.write('{"name": "a", "first": "once retry", "other": "note seen"}', "job.json")
    sent = site.pacer("send", "-c", file, "-n", "jobs", body)
    assert sent.code == 0, sent.both
    running = site.start("run", "-c", file)
    eventually(lambda: "second a 2" in effects(site), 60, what=lambda: running.printed)
    assert running.end() == 0
    assert effects(site).count("other a 1") == 1


def test_the_messages_of_a_killed_worker_are_done_by_the_next_one(site: Site, file: Path) -> None:
    publish(file, *({"name": f"n{number}", "first": "wait gate"} for number in range(30)))
    running = site.start("run", "-c", file)
    eventually(lambda: (site.folder / "waiting").exists(), 60, what=lambda: running.printed)
    for worker in _workers(running.process.pid):
        os.kill(worker, signal.SIGKILL)
    (site.folder / "gate").touch()

    eventually(
        lambda: {f"other n{number} 1" for number in range(30)} <= set(effects(site)),
        90,
        what=lambda: running.printed,
    )
    assert running.end() == 0
    assert site.pacer("run", "--once", "-c", file).out == "0 done, 0 dead, 0 waiting for a retry\n"


def _workers(supervisor: int) -> list[int]:
    text = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text()
    return [int(one) for one in text.split()]


def test_a_second_run_stands_by_and_takes_over_the_keys(site: Site, sqs: dict[str, str]) -> None:
    file = configure(site, keys(sqs), consumer="keyed")
    running = [site.start("run", "-c", file) for _ in range(2)]
    for one in running:
        one.wait_for("reading jobs", 60)
    publish(file, *({"name": f"n{number % 3}", "number": number} for number in range(30)))
    eventually(lambda: len(effects(site)) == 60, 60, what=lambda: running[0].printed + running[1].printed)
    (active,) = [one for one in running if "jobs is ours to consume" in one.printed]
    (other,) = [one for one in running if one is not active]

    active.process.kill()
    publish(file, *({"name": "later", "number": number} for number in range(5)))

    eventually(lambda: len(effects(site)) >= 70, 90, what=lambda: other.printed)
    assert "jobs is ours to consume" in other.printed
    assert _never_two_of_one_key(effects(site))
    assert other.end() == 0


def _never_two_of_one_key(lines: list[str]) -> bool:
    inside: dict[str, str] = {}
    for line in lines:
        word, name, number = line.split()
        if word == "begin" and inside.setdefault(name, number) != number:
            return False
        if word == "end":
            inside.pop(name, None)
    return True


def test_doctor_looks_at_the_queues_and_names_what_is_missing(site: Site, file: Path) -> None:
    before = site.pacer("doctor", "-c", file)
    publish(file)
    after = site.pacer("doctor", "-c", file)

    assert "SQS in us-east-1" in before.out
    assert "jobs" in before.out
    assert after.code == 0, after.both


def test_wrong_credentials_and_a_broker_that_is_away_are_told_apart(site: Site, sqs: dict[str, str]) -> None:
    away = configure(site, keys(sqs, endpoint="http://127.0.0.1:9", connectTimeout="1s"))
    said = site.pacer("status", "-c", away)
    assert said.code != 0
    assert "SQS does not answer" in said.both
    assert SECRET not in said.both


def test_what_waits_is_counted_and_not_shown(site: Site, file: Path) -> None:
    publish(file, {"name": "a", "first": "notyet"})
    assert site.pacer("run", "--once", "-c", file).out == "0 done, 0 dead, 1 waiting for a retry\n"

    listed = site.pacer("waiting", "list", "-c", file)
    status = json.loads(site.pacer("status", "--json", "-c", file).out)

    assert listed.code != 0
    assert "counts what waits, and shows nothing of it before its time" in listed.both
    assert sum(one["waiting"] for one in status["retries"]) == 1


def test_priorities_are_a_configuration_error(site: Site, file: Path) -> None:
    file.write_text(
        file.read_text().replace("{name: children}", "{name: children, type: classic, priorityEnabled: true}")
    )
    checked = site.pacer("config", "check", "-c", file)
    what = "it asks for priorities, but protocol 'sqs' cannot let one message overtake another"
    assert what in checked.both
    assert checked.code != 0


ORDERED = PLUGIN.replace("of=lambda job, ctx: job.name)", "of=lambda job, ctx: job.name, ordered=True)")


@pytest.mark.parametrize(("queue", "fine"), [("jobs", False), ("jobs.fifo", True)])
def test_what_needs_its_messages_in_order_reads_a_fifo_queue(
    site: Site, sqs: dict[str, str], queue: str, fine: bool
) -> None:
    file = configure(site, keys(sqs), queue=queue, consumer="keyed", plugin=ORDERED)
    checked = site.pacer("config", "check", "-c", file)
    what = (
        "needs its messages in order, but protocol 'sqs' cannot keep the order of the messages of this queue"
    )
    assert (what in checked.both) != fine
    assert (checked.code == 0) == fine


def test_a_fifo_queue_is_made_and_read_with_its_dead_queue(site: Site, sqs: dict[str, str]) -> None:
    file = configure(site, keys(sqs), queue="jobs.fifo", consumer="keyed")
    publish(file, *({"name": "a", "number": number} for number in range(25)), b"no json")

    done = site.pacer("run", "--once", "-c", file)

    assert done.out == "25 done, 1 dead, 0 waiting for a retry\n", done.both
    begun = [int(line.split()[2]) for line in effects(site) if line.startswith("begin")]
    assert begun == list(range(25))
    assert "1 letter in jobs.fifo.dead" in site.pacer("dead", "list", "-c", file).out


def test_messages_are_forwarded_from_rabbitmq_to_sqs_and_back(
    site: Site, sqs: dict[str, str], rabbitmq: RabbitMQ, rabbitmq_vhost: str
) -> None:
    rabbit = f"host: 127.0.0.1, port: {rabbitmq.port}, vHost: {json.dumps(rabbitmq_vhost)}"
    rule = 'forwardingRules: [{fromExchange: work, withRoutingKey: "job.#"}]'
    there_keys = f'{keys(sqs)}, bindings: [{{exchange: work, type: topic, queue: jobs, routingKey: "job.#"}}]'
    there = configure(site, keys(sqs), name="there.yaml")
    publish(there)  # its queues
    away = f", recipients: [{{name: away, {there_keys}, {rule}}}]"
    here = configure(site, rabbit, recipients=away, plugin=None)
    publish(here, {"name": "a"})
    assert site.pacer("run", "--once", "-c", here).out == "1 done, 0 dead, 0 waiting for a retry\n"
    assert site.pacer("run", "--once", "-c", there).out == "1 done, 0 dead, 0 waiting for a retry\n"

    away = f", recipients: [{{name: away, {rabbit}, {rule}}}]"
    back = configure(site, keys(sqs), recipients=away, plugin=None, name="back.yaml")
    publish(back, {"name": "b"})
    assert site.pacer("run", "--once", "-c", back).out == "1 done, 0 dead, 0 waiting for a retry\n"
    here = configure(site, rabbit, plugin=None)
    assert site.pacer("run", "--once", "-c", here).out == "1 done, 0 dead, 0 waiting for a retry\n"
    assert effects(site).count("first a 1") == 2
    assert effects(site).count("first b 1") == 2
