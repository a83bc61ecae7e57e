"""How fast the embedded broker is, beside kombu's own brokers without a server.

    python -m benchmarks.embedded [--messages N] [--repeats N] [--json FILE]

One process publishes N messages of 1 KiB with kombu's `Producer` and then consumes and acknowledges them one
by one with kombu's `Consumer(on_message)`, prefetch 50, the transports taking turns. The ratios are medians
of the ratios to kombu's SQLAlchemy transport on SQLite, taken within each repeat. The last two rates are of
the embedded broker alone: publishing in windows (`confirm_select`), and two processes that consume what this
one publishes at the same time.
"""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kombu.connection
import kombu.entity
import kombu.messaging
from amqp import Message
from attrs import frozen

from pacer_embedded import forget, register

# kombu has no types.
Connection: Any = kombu.connection.Connection
Queue: Any = kombu.entity.Queue
Consumer: Any = kombu.messaging.Consumer
Producer: Any = kombu.messaging.Producer

BODY = b"x" * 1024
PREFETCH = 50
REFERENCE = "kombu sqlalchemy+sqlite"
EMBEDDED = "pacer+sqlite"


@frozen
class Rates:
    """Messages a second, and microseconds of CPU for each message."""

    publish: float
    consume: float
    cpu_publish: float
    cpu_consume: float


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Any]:
    """Open an empty broker by the name of its row."""
    options: dict[str, Any] = {}
    match name:
        case "pacer+sqlite":
            url = f"pacer+sqlite:///{folder}/broker.sqlite"
        case "pacer+memory":
            url = "pacer+memory://bench"
        case "kombu sqlalchemy+sqlite":
            url = f"sqla+sqlite:///{folder}/sqla.sqlite"
        case "kombu filesystem":
            url = "filesystem://"
            (folder / "data").mkdir()
            options = {key: str(folder / "data") for key in ("data_folder_in", "data_folder_out")}
            options["control_folder"] = str(folder / "control")
        case "kombu memory":
            url = "memory://"
        case _:
            raise ValueError(name)
    with Connection(url, transport_options=options) as connection:
        yield connection
    if url.startswith("pacer"):
        forget(url)


def measure(name: str, count: int) -> Rates:
    """Publish and consume once."""
    with tempfile.TemporaryDirectory() as folder, opened(name, Path(folder)) as connection:
        queue = Queue("bench", durable=True)
        channel = connection.channel()
        queue(channel).declare()
        producer = Producer(connection.channel())
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            producer.publish(BODY, routing_key="bench", content_type="application/json", delivery_mode=2)
        published, cpu_published = time.perf_counter() - start, time.process_time() - cpu
        left = count

        def handle(message: Any) -> None:
            nonlocal left
            left -= 1
            message.ack()

        channel.basic_qos(0, PREFETCH, False)
        with Consumer(channel, queues=[queue], on_message=handle, auto_declare=False):
            start, cpu = time.perf_counter(), time.process_time()
            while left:
                connection.drain_events(timeout=10)
            consumed, cpu_consumed = time.perf_counter() - start, time.process_time() - cpu
    return Rates(count / published, count / consumed, cpu_published / count * 1e6, cpu_consumed / count * 1e6)


def windowed(count: int) -> float:
    """Give the rate of publishing in windows."""
    with tempfile.TemporaryDirectory() as folder, opened(EMBEDDED, Path(folder)) as connection:
        channel = connection.channel()
        channel.queue_declare("bench", durable=True, auto_delete=False)
        channel.confirm_select()
        confirmed = 0

        def note(tag: int, multiple: bool) -> None:
            nonlocal confirmed
            confirmed = tag

        channel.events["basic_ack"].add(note)
        start = time.perf_counter()
        for number in range(count):
            channel.basic_publish(Message(BODY, delivery_mode=2), routing_key="bench", mandatory=True)
            if number % PREFETCH == 0:
                connection.drain_events(timeout=1)
        while confirmed < count:
            connection.drain_events(timeout=1)
        return count / (time.perf_counter() - start)


CHILD = """
import sys
from amqp import Message
import kombu.connection
from pacer_embedded import register

register()
with kombu.connection.Connection(sys.argv[1]) as connection:
    channel = connection.channel()
    channel.basic_qos(0, 50, False)
    last = False

    def handle(message):
        global last
        last = message.body == b"end"
        channel.basic_ack(message.delivery_tag)

    channel.basic_consume("bench", callback=handle)
    print("ready", flush=True)
    while not last:
        connection.drain_events(timeout=60)
"""


def together(count: int) -> float:
    """Give the rate at which two processes consume what this one publishes meanwhile."""
    with tempfile.TemporaryDirectory() as folder, opened(EMBEDDED, Path(folder)) as connection:
        channel = connection.channel()
        channel.queue_declare("bench", durable=True, auto_delete=False)
        command = [sys.executable, "-c", CHILD, connection.as_uri()]
        children = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        start = time.perf_counter()
        for _ in range(count):
            channel.basic_publish(Message(BODY, delivery_mode=2), routing_key="bench", mandatory=True)
        while channel.queue_declare("bench", passive=True).message_count:
            time.sleep(0.001)
        seconds = time.perf_counter() - start
        while any(child.poll() is None for child in children):
            channel.basic_publish(Message(b"end"), routing_key="bench")
            time.sleep(0.05)
        for child in children:
            child.communicate()
        return count / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=2000, help="messages in each run")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each transport")
    parser.add_argument("--json", type=Path, help="write the result to this file, too")
    options = parser.parse_args()
    register()
    rows = [EMBEDDED, "pacer+memory", REFERENCE, "kombu filesystem", "kombu memory"]
    runs: dict[str, list[Rates]] = {name: [] for name in rows}
    window, shared = [], []
    for _ in range(options.repeats):
        for name in rows:
            runs[name].append(measure(name, options.messages))
        window.append(windowed(options.messages))
        shared.append(together(options.messages))
    result: dict[str, Any] = {
        "messages": options.messages,
        "repeats": options.repeats,
        "medians": {
            name: {
                one: round(statistics.median(getattr(rates, one) for rates in runs[name]), 1)
                for one in ("publish", "consume", "cpu_publish", "cpu_consume")
            }
            for name in rows
        },
        "ratios": {
            f"{name}/{REFERENCE} {what}": round(
                statistics.median(
                    getattr(one, what) / getattr(other, what)
                    for one, other in zip(runs[name], runs[REFERENCE], strict=True)
                ),
                2,
            )
            for name in rows
            for what in ("publish", "consume")
        },
        "windowed publish": round(statistics.median(window)),
        "one publishes, two consume": round(statistics.median(shared)),
        "versions": {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            **{name: version(name) for name in ("pacer-core", "kombu", "amqp", "sqlalchemy")},
        },
    }
    print(f"{'transport':26}{'publish/s':>12}{'consume/s':>12}{'us CPU':>14}{'ratios':>16}")
    for name in rows:
        rates, ratio = result["medians"][name], result["ratios"]
        print(
            f"{name:26}{rates['publish']:12.0f}{rates['consume']:12.0f}"
            f"{rates['cpu_publish']:8.0f} /{rates['cpu_consume']:4.0f}"
            f"{ratio[f'{name}/{REFERENCE} publish']:9.2f} /{ratio[f'{name}/{REFERENCE} consume']:6.2f}"
        )
    print(f"windowed publish: {result['windowed publish']}/s")
    print(f"one publishes, two consume: {result['one publishes, two consume']}/s")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
