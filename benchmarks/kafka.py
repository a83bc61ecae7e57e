"""How fast messages come from Kafka into a queue, beside a bare loop that does the same.

`kafka/bare`: both read the same topic from its beginning, decode each message with
`ess-streaming-data-types` and publish it with confirms; the rate is the one at which the queue grows, and the
ratio the median of those within each repeat. The bare loop is pika's asynchronous connection with 1 000
messages unconfirmed at most. `kafka/batches` is the same against a loop by py-amqp, which writes every frame
by itself, and waits for the confirms of 500 messages before it reads the next ones. `kafka/held-back`:
milliseconds from Kafka's word that it has a message until a consumer of the queue has it, one message at a
time while nothing else is done. `kafka/memory`: the service's resident size after many messages against after
a tenth of them.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import amqp
from attrs import frozen
from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table
from streaming_data_types.finished_writing_wrdn import serialise_wrdn

from benchmarks import scicat_report
from benchmarks.broker import Harness
from tests.services import Kafka, RabbitMQ

NAMES = ("kafka/bare", "kafka/batches", "kafka/held-back", "kafka/memory")
_STALL = 60.0
_SINGLES = 100
"""Messages of which it is measured how long they are held back."""


@frozen
class Place:
    """Where one run reads and writes."""

    kafka: str
    port: int
    topic: str
    queue: str
    folder: Path


def pacer(place: Place) -> list[str]:
    """Write PACER's configuration; give its command."""
    topic = f"{{name: {place.topic}, to: {{wrdn: {place.queue}}}}}"
    options = f'bootstrapServers: ["{place.kafka}"], topics: [{topic}], groupId: {uuid4().hex}'
    file = place.folder / "pacer.yaml"
    file.write_text(
        f"brokers: {{main: {{host: 127.0.0.1, port: {place.port}}}}}\n"
        f"queues: [{{name: {place.queue}}}]\n"
        f"services: [{{type: kafka, options: {{{options}, pauseAbove: 1000000}}}}]\n"
        f"health: {{enabled: false}}\n"
        f"processes: {{stateFolder: {place.folder / 'state'}}}\n"
    )
    return [str(Path(sys.executable).with_name("pacer")), "run", "--config", str(file)]


def bare(_: Place) -> list[str]:
    """Give the bare loop's command."""
    return [sys.executable, "-m", "benchmarks.contestants.kafka_bare"]


def batches(_: Place) -> list[str]:
    """Give the command of the loop by py-amqp."""
    return [sys.executable, "-m", "benchmarks.contestants.kafka_amqp"]


CONTESTANTS = {"pacer": pacer, "bare": bare, "batches": batches}


@contextlib.contextmanager
def running(name: str, place: Place) -> Iterator[Path]:
    """Run a contestant while inside; give its log."""
    log = place.folder / "log"
    own = {"KAFKA": place.kafka, "GROUP": uuid4().hex, "TOPIC": place.topic, "PORT": str(place.port)}
    env = {**os.environ, **{f"BENCH_{key}": value for key, value in (own | {"QUEUE": place.queue}).items()}}
    with log.open("wb") as output:
        process = subprocess.Popen(
            CONTESTANTS[name](place), env=env, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def grown(harness: Harness, place: Place, to: int, log: Path) -> float:
    """Wait until the queue holds so many; give the time at which it did."""
    seen, since = -1, time.monotonic()
    while (depth := harness.depth(place.queue)) < to:
        if depth > seen:
            seen, since = depth, time.monotonic()
        if time.monotonic() - since > _STALL:
            raise RuntimeError(f"stopped at {depth} of {to}: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.005)
    return time.monotonic()


def produce(kafka: str, topic: str, first: int, count: int) -> None:
    """Put messages into a topic."""
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(first, first + count):
        value = serialise_wrdn(
            "writer", f"job-{number}", False, f"/data/ymir/{number}.nxs", '{"a": 1}', "done"
        )
        while True:
            try:
                producer.produce(topic, value)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def rate(name: str, kafka: Kafka, node: RabbitMQ, topic: str, count: int) -> float:
    """Measure messages a second, after a tenth as warm-up."""
    with place(kafka, node, topic) as (harness, here), running(name, here) as log:
        warm = count // 10
        began, at = grown(harness, here, warm, log), harness.depth(here.queue)
        return (count - at) / (grown(harness, here, count, log) - began)


@contextlib.contextmanager
def place(kafka: Kafka, node: RabbitMQ, topic: str) -> Iterator[tuple[Harness, Place]]:
    """Make an empty queue."""
    harness = Harness(node.port)
    queue = f"bench-{uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(harness), harness.queue(queue, "quorum"):
        yield harness, Place(kafka.address(), node.port, topic, queue, Path(folder))


def held_back(kafka: Kafka, node: RabbitMQ) -> list[float]:
    """Give the milliseconds that single messages took."""
    topic = f"idle-{uuid4().hex[:8]}"
    produce(kafka.address(), topic, 0, 1)
    with place(kafka, node, topic) as (harness, here), running("pacer", here) as log:
        grown(harness, here, 1, log)
        connection = amqp.Connection(f"127.0.0.1:{node.port}")
        connection.connect()
        arrived: list[float] = []
        channel = connection.channel()
        channel.basic_consume(here.queue, no_ack=True, callback=lambda _: arrived.append(time.monotonic()))
        while not arrived:
            connection.drain_events(timeout=10)
        producer = Producer({"bootstrap.servers": here.kafka, "linger.ms": 0})
        value = serialise_wrdn("writer", "job", False, "/data/1.nxs")
        taken = []
        for number in range(_SINGLES):
            producer.produce(topic, value)
            producer.flush()
            sent = time.monotonic()
            while len(arrived) < number + 2:
                connection.drain_events(timeout=30)
            taken.append(1000 * max(arrived[-1] - sent, 0.0))
            time.sleep(0.05 + 0.001 * (number % 50))  # at any moment of the loop
        connection.close()
    return taken


def memory(kafka: Kafka, node: RabbitMQ, few: int) -> tuple[float, float]:
    """Give the service's MiB after some messages, and after ten times as many."""
    topic = f"memory-{uuid4().hex[:8]}"
    sizes = []
    with place(kafka, node, topic) as (harness, here):
        produce(here.kafka, topic, 0, few)
        with running("pacer", here) as log:
            for before, after in ((0, few), (few, 10 * few)):
                if before:
                    produce(here.kafka, topic, before, after - before)
                grown(harness, here, after, log)
                time.sleep(1.0)
                pid = re.findall(r"service kafka-1 started with process id (\d+)", log.read_text())[-1]
                status = Path(f"/proc/{pid}/status").read_text()
                sizes.append(int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024)
    return sizes[0], sizes[1]


def run(*, quick: bool) -> dict[str, Any]:
    """Measure everything, in short or at length."""
    messages, repeats, few = (8_000, 2, 2_000) if quick else (30_000, 3, 10_000)
    with Kafka() as kafka, RabbitMQ() as node:
        topic = f"rate-{uuid4().hex[:8]}"
        produce(kafka.address(), topic, 0, messages)
        rates: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
        for _ in range(repeats):
            for name, found in rates.items():
                found.append(rate(name, kafka, node, topic, messages))
        taken = sorted(held_back(kafka, node))
        first, last = memory(kafka, node, few)
    ratios = {
        name: round(
            statistics.median(ours / theirs for ours, theirs in zip(rates["pacer"], found, strict=True)), 2
        )
        for name, found in rates.items()
    }
    return {
        "repeats": repeats,
        "rows": {
            "kafka/bare": {"found": ratios["bare"], "at least": 0.6},
            "kafka/batches": {"found": ratios["batches"], "at least": 0.6},
            "kafka/held-back": {"found": round(taken[-1], 1), "at most": 50.0},
            "kafka/memory": {"found": round(last / first, 2), "at most": 1.1},
        },
        "measured": {
            f"messages a second, of {messages}": {
                name: round(statistics.median(found)) for name, found in rates.items()
            },
            "held back, ms": {
                "median": round(statistics.median(taken), 1),
                "all but one": round(taken[-2], 1),
                "most": round(taken[-1], 1),
            },
            "memory, MiB": {str(few): round(first, 1), str(10 * few): round(last, 1)},
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("pacer-core", "confluent-kafka", "pika", "amqp")},
        },
    }


def show(result: dict[str, Any], console: Console) -> None:
    """Print what was found."""
    table = Table("row", "found", "wanted", "")
    for name, row in result["rows"].items():
        least = "at least" in row
        wanted = row["at least" if least else "at most"]
        reached = row["found"] >= wanted if least else row["found"] <= wanted
        table.add_row(
            name,
            f"{row['found']:g}",
            f"{'at least' if least else 'at most'} {wanted:g}",
            "reached" if reached else "NOT REACHED",
        )
    console.print(table)
    for what, found in result["measured"].items():
        console.print(f"{what}: {', '.join(f'{name} {value}' for name, value in found.items())}")


def write(result: dict[str, Any]) -> None:
    """Put the figures beside those of other rows about SciCat."""
    scicat_report.write("kafka", result)
