"""From a real Kafka to a real RabbitMQ: processes are killed at each step, servers restarted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from plugins.pacer_kafka.tests.topics import Topics
from tests.at_length import long
from tests.lab import Lab
from tests.services import Kafka, RabbitMQ
from tests.services.base import program
from tests.services.fixtures import skip_without_program
from tests.support import Running, Site, eventually

KILLER = """
    import os, signal
    from pathlib import Path
    from pacer_core import ServiceContext
    from pacer_kafka.client import Member
    from pacer_kafka.offsets import Offsets

    KILL = Path(__file__).parent.parent / "kill"
    counts = {}

    def at(step):
        counts[step] = counts.get(step, 0) + 1
        wanted = KILL.read_text().split() if KILL.exists() else ["", "0"]
        if wanted == [step, str(counts[step])]:
            KILL.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    def deadly(cls, name, step):
        call = getattr(cls, name)

        def called(*arguments, **more):
            if name != "take":
                at(f"before-{step}")
            result = call(*arguments, **more)
            if name != "take" or result:
                at(f"after-{step}")
            return result

        setattr(cls, name, called)

    deadly(Member, "take", "taking")
    deadly(ServiceContext, "publish_each", "publishing")
    deadly(Offsets, "confirm", "noting")
    deadly(Member, "commit", "committing")
"""
HONEST = {
    "queued.min.messages": 1,
    "queued.max.messages.kbytes": 1,
    "max.partition.fetch.bytes": 1000,
    "fetch.queue.backoff.ms": 1,
}
"""Without these a client reads everything ahead, and what is done with it proves nothing."""
QUICK = {"session.timeout.ms": 2000, "heartbeat.interval.ms": 500}
Run = Callable[..., Running]


@pytest.fixture
def topics(kafka: Kafka) -> Topics:
    """A topic of this test's own."""
    return Topics(kafka)


def configure(
    lab: Lab, topics: Topics, *, instances: int = 1, listener: str = "PLAIN", librdkafka: Any = None
) -> None:
    """Write a configuration with the service."""
    given = {
        "bootstrapServers": [topics.kafka.address(listener)],
        "topics": [{"name": topics.topic, "take": ["json"], "to": {"json": "inbox"}}],
        "groupId": topics.group,
        "librdkafka": {**QUICK, **HONEST, **(librdkafka or {})},
    }
    service = json.dumps({"type": "kafka", "instances": instances, "options": given})
    lab.configure(queue="name: jobs}, {name: inbox", more=f"services: [{service}]")


@pytest.fixture
def run(lab: Lab, topics: Topics) -> Run:
    """Start PACER with that topic."""

    def run(**options: Any) -> Running:
        configure(lab, topics, **options)
        return lab.site.start("run", "-c", lab.file)

    return run


def body(number: int) -> bytes:
    """Give a message of some size: a fetch brings a few of them."""
    return b'{"number": %d, "more": "%s"}' % (number, b"x" * 300)


def send(topics: Topics, first: int, last: int, partition: int = 0) -> None:
    """Send messages with these numbers, each by itself."""
    for number in range(first, last):
        topics.send(body(number), partition=partition)


def received(lab: Lab) -> Counter[tuple[int, str]]:
    """Take what has come in: by number and message id."""
    return Counter(
        (json.loads(bytes(one.body))["number"], one.properties["message_id"]) for one in lab.take("inbox")
    )


def numbers(found: Counter[tuple[int, str]]) -> list[int]:
    return sorted(number for number, _ in found)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("after-taking", marks=long),
        pytest.param("before-publishing", marks=long),
        "after-publishing",
        pytest.param("after-noting", marks=long),
        pytest.param("after-committing", marks=long),
    ],
)
def test_a_kill_at_any_step_loses_nothing(site: Site, lab: Lab, topics: Topics, run: Run, step: str) -> None:
    site.install("killer-pacer", KILLER)
    (site.folder / "kill").write_text(f"{step} 3")
    running = run()
    sent = 0

    def was_killed() -> bool:
        nonlocal sent
        send(topics, sent, sent + 3)
        sent += 3
        return "ended with code -9" in running.printed

    eventually(was_killed, 60, lambda: running.printed)
    send(topics, sent, sent + 10)
    sent += 10
    eventually(lambda: topics.committed() == sent, 90, lambda: running.printed)
    assert not (site.folder / "kill").exists()
    assert running.end() == 0
    found = received(lab)
    assert numbers(found) == list(range(sent))  # with its one id each, however often it came
    assert topics.committed() == sent


@long
def test_kills_in_the_middle_of_a_thousand_messages_lose_nothing(lab: Lab, topics: Topics, run: Run) -> None:
    send(topics, 0, 1000)
    running = run()
    kills: list[int] = []
    for kill in range(2):
        eventually(partial(moved, topics, kills[-1] if kills else 0), 90, lambda: running.printed)
        pids = re.findall(r"service kafka-1 started with process id (\d+)", running.printed)
        os.kill(int(pids[-1]), signal.SIGKILL)
        eventually(partial(started, running, kill + 2), 90, lambda: running.printed)
        kills.append(topics.committed())
    assert kills[0] < 1000  # or it was done before it was killed
    eventually(lambda: topics.committed() == 1000, 120, lambda: running.printed)
    assert running.end() == 0
    found = received(lab)
    assert numbers(found) == list(range(1000))
    twice = [number for (number, _), times in found.items() if times > 1]
    assert all(any(0 <= number - kill < 1000 for kill in kills) for number in twice)


def moved(topics: Topics, before: int) -> bool:
    return topics.committed() > before or before == 1000


def started(running: Running, times: int) -> bool:
    return running.printed.count("service kafka-1 started") >= times


def test_a_kafka_that_is_killed_and_comes_back_costs_nothing(lab: Lab, topics: Topics, run: Run) -> None:
    send(topics, 0, 300)
    running = run()
    eventually(lambda: topics.committed() > 50, 90, lambda: running.printed)
    topics.kafka.kill()
    running.wait_for("Kafka: ", 60)
    topics.kafka.start()
    send(topics, 300, 400)
    eventually(lambda: topics.committed() == 400, 120, lambda: running.printed)
    running.wait_for("Kafka answers", 60)
    assert running.end() == 0
    assert numbers(received(lab)) == list(range(400))


@long
def test_a_rabbitmq_that_is_killed_meanwhile_costs_nothing(
    lab: Lab, topics: Topics, run: Run, start_rabbitmq: Callable[..., RabbitMQ]
) -> None:
    lab.node, lab.vhost = start_rabbitmq(), "/"
    send(topics, 0, 200)
    running = run()
    eventually(lambda: topics.committed() > 0, 90, lambda: running.printed)
    lab.node.kill()
    send(topics, 200, 300)
    lab.node.start()
    eventually(lambda: topics.committed() == 300, 120, lambda: running.printed)
    assert running.end() == 0
    assert numbers(received(lab)) == list(range(300))


def reads(running: Running, partition: str) -> bool:
    return re.search(rf"reads {partition}$", running.printed, re.MULTILINE) is not None


@long
def test_two_instances_share_the_partitions_and_one_takes_over_from_a_killed_one(
    kafka: Kafka, lab: Lab
) -> None:
    topics = Topics(kafka, partitions=2)
    configure(lab, topics, instances=2)
    running = lab.site.start("run", "-c", lab.file)
    for partition in (0, 1):
        eventually(partial(reads, running, f"{topics.topic}/{partition}"), 90, lambda: running.printed)
    send(topics, 0, 50, 0)
    send(topics, 50, 100, 1)
    (pid,) = re.findall(r"service kafka-2 started with process id (\d+)", running.printed)
    os.kill(int(pid), signal.SIGKILL)
    send(topics, 100, 150, 0)
    send(topics, 150, 200, 1)
    eventually(lambda: topics.committed(0) + topics.committed(1) == 200, 120, lambda: running.printed)
    assert running.end() == 0
    assert numbers(received(lab)) == list(range(200))


def test_what_cannot_be_read_lies_in_the_dead_queue_with_its_reason(
    lab: Lab, topics: Topics, run: Run
) -> None:
    running = run()
    topics.send(b"garbage", None, body(1))
    eventually(lambda: topics.committed() == 3, 60, lambda: running.printed)
    listed = json.loads(lab.site.pacer("dead", "list", "-c", lab.file, "--json").out)["letters"]
    assert sorted(one["error"] for one in listed) == [
        f"{topics.topic}/0/0: its 7 bytes are neither JSON nor a FlatBuffer",
        f"{topics.topic}/0/1: it has no value",
    ]
    assert numbers(received(lab)) == [1]
    assert running.end() == 0


PASSWORD = "correct-Horse-7"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of its own for 127.0.0.1, with its key, in one file."""
    with skip_without_program():
        openssl = program("openssl", package="openssl")
    key, made, both = (tmp_path / name for name in ("key.pem", "made.pem", "both.pem"))
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(made)]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(key.read_text() + made.read_text())
    return both


@pytest.fixture
def guarded(start_kafka: Callable[..., Kafka], certificate: Path) -> Kafka:
    """A Kafka with accounts and TLS."""
    return start_kafka(
        listeners={"SAFE": "SASL_SSL"},
        scram={"pacer": PASSWORD},
        config={
            "sasl.enabled.mechanisms": "SCRAM-SHA-256",
            "listener.name.safe.scram-sha-256.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "listener.name.safe.ssl.keystore.type": "PEM",
            "listener.name.safe.ssl.keystore.location": str(certificate),
        },
    )


def account(certificate: Path, password: str) -> dict[str, str]:
    """Give the options of an account, and that librdkafka prints its options."""
    return {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(certificate),
        "sasl.mechanisms": "SCRAM-SHA-256",
        "sasl.username": "pacer",
        "sasl.password": password,
        "debug": "security,conf",
    }


def test_a_password_is_used_and_never_shown(lab: Lab, guarded: Kafka, certificate: Path) -> None:
    topics = Topics(guarded)
    configure(lab, topics, listener="SAFE", librdkafka=account(certificate, PASSWORD))
    lab.file.write_text(lab.file.read_text().replace("logLevel: INFO", "logLevel: DEBUG"))
    running = lab.site.start("run", "-c", lab.file)
    topics.send(body(1))
    eventually(lambda: topics.committed() == 1, 90, lambda: running.printed[-3000:])
    doctor = lab.site.pacer("doctor", "-c", lab.file)
    assert f"{guarded.address('SAFE')} answers" in doctor.out
    assert running.end() == 0
    assert "pacer.service.kafka.librdkafka" in running.printed
    assert PASSWORD not in running.printed + doctor.both


@long
def test_a_wrong_password_is_said_and_never_shown(lab: Lab, guarded: Kafka, certificate: Path) -> None:
    topics = Topics(guarded)
    configure(lab, topics, listener="SAFE", librdkafka=account(certificate, "wrong-Horse-8"))
    running = lab.site.start("run", "-c", lab.file)
    running.wait_for("correct sasl.username and sasl.password under librdkafka", 60)
    doctor = lab.site.pacer("doctor", "-c", lab.file)
    assert doctor.code == 69
    assert "correct sasl.username and sasl.password under librdkafka" in doctor.out
    assert running.end() == 0
    assert "wrong-Horse-8" not in running.printed + doctor.both
