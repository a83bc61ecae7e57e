"""The dashboard's writer against `COPY`, and against upstream's way; run by `benchmarks.dashboard`.

The same records are stored in each way, each of a message of its own, as most are; in the order in which they
came, so that hours are shared. Ratios are medians over repeats, in each of which all ways have their turn.

``store/copy``
    The way of production: a worker's own objects, from `InHand.arrive` to the acknowledgement, have messages
    in hand as the consumer's ``prefetch`` says, and give them to the consumer type's task; only the broker's
    wire is left out. Against `COPY` of the rows that come of them, as text that is there already, `BATCH`
    records in a transaction.
``store/direct``
    One thread reads and stores `BATCH` records in a transaction, one after another: `store.store`, as the
    import of another dashboard does. Against the same `COPY`.
``store/one-by-one``
    The way of production against upstream's: `contestants.upstream_dashboard`, Celery's task with Django's
    models and a channel layer over RabbitMQ. Receiving is counted on neither side.
``store/copy-one-by-one``
    What `COPY` itself is of upstream's way: no writer is further from it than this.
``store/lean-one-by-one``
    Against less than upstream does: bare psycopg inserts a row, and bare amqp sends a notification, which
    nobody confirms.
"""

from __future__ import annotations

import json
import os
import statistics as st
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import amqp
import psycopg

from pacer_core.config import load
from pacer_core.model.messages import Envelope
from pacer_core.transport.consume import Received, Waker
from pacer_core.transport.forward import Forwarder
from pacer_core.transport.publish import Publisher
from pacer_core.transport.settle import Settler
from pacer_core.work.breakers import Breakers
from pacer_core.work.clients import OpenIntegrations
from pacer_core.work.handling import Handler
from pacer_core.work.in_flight import InHand
from pacer_core.work.process_main import calm_collector
from pacer_dashboard.partitions import TABLES
from pacer_dashboard.place import Place
from pacer_dashboard.start import migrate, prepare
from tests.services import PostgreSQL, RabbitMQ

BATCH = 500
_LIFE = "pacer_dashboard_life"
_LIFE_COLUMNS = "correlation_id, arrived, troubled"
_UPSTREAM = Path(__file__).parent / "contestants" / "upstream_dashboard.py"
_LEAN = """
CREATE TABLE upstream (id bigserial, created_at timestamptz NOT NULL DEFAULT now(),
    processing_start timestamptz, processing_end timestamptz, processing_time float, hash varchar(255),
    message_type varchar(255) NOT NULL,
    object_identifiers jsonb, payload_format varchar(255) NOT NULL, payload jsonb NOT NULL,
    errored bool NOT NULL, error_message text, acknowledged bool NOT NULL DEFAULT false,
    exchange_name varchar(255),
    routing_key varchar(255), PRIMARY KEY (id, created_at));
CREATE INDEX ON upstream (message_type);
CREATE INDEX ON upstream USING gin (object_identifiers)
"""
_CONFIG = """
brokers: {{main: {{host: 127.0.0.1, username: guest, password: guest}}}}
queues: [{{name: records}}]
integrations: {{store: {{type: dashboard-store, database: "{url}"}}}}
consumers: [{{type: dashboard-records, queues: [records], integrations: [store]}}]
"""
Bodies = Sequence[bytes]
# By row: whose rate is over whose, and what is asked for.
ROWS = {
    "store/copy": ("production", "copy", 0.5),
    "store/direct": ("direct", "copy", 0.5),
    "store/one-by-one": ("production", "upstream", 20.0),
    "store/copy-one-by-one": ("copy", "upstream", None),
    "store/lean-one-by-one": ("production", "lean", None),
}


def storing(server: PostgreSQL, broker: RabbitMQ, count: int, repeats: int) -> dict[str, Any]:
    """Store the same records in each way; give the rows, with the rates of each repeat."""
    from pacer_dashboard.records import read
    from pacer_dashboard.testing import bodies

    made = bodies(count, every=timedelta(milliseconds=20))
    all_ = [*{read(body).correlation_id: body for body in made[::-1]}.values()][::-1]
    few = all_[: max(count // 10, 200)]
    calm_collector()  # as a worker does
    rates: dict[str, list[float]] = {}
    for number in range(-1, repeats):
        records = few if number < 0 else all_  # the first few warm up
        source = _database(server, f"direct{number}")
        ways: dict[str, Callable[[], float]] = {
            "direct": partial(_direct, source, records),
            "production": partial(_production, _database(server, f"production{number}"), records),
            "copy": partial(_copy, source, _database(server, f"copy{number}"), len(records)),
            "upstream": partial(_upstream, _created(server, f"upstream{number}"), broker, few),
            "lean": partial(_lean, _created(server, f"lean{number}"), broker, few),
        }
        for name, way in ways.items():
            rate = way()
            if number >= 0:
                rates.setdefault(name, []).append(rate)
    shown = {name: [round(one) for one in values] for name, values in rates.items()}
    return {
        row: {
            "records": len(records),
            "ratio": round(st.median(a / b for a, b in zip(rates[ours], rates[theirs], strict=True)), 2),
            "target": target,
            "at_most": False,
            "records_per_s": {ours: shown[ours], theirs: shown[theirs]},
        }
        for row, (ours, theirs, target) in ROWS.items()
    }


def _created(server: PostgreSQL, name: str) -> str:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return server.url(name)


def _database(server: PostgreSQL, name: str) -> str:
    """Make a database with the dashboard's tables, and the months that records are of."""
    url = _created(server, name)
    prepare(Place(url=url))
    migrate()
    from pacer_dashboard.testing import START
    from pacer_dashboard.upkeep.months import ensure

    ensure(6, today=START.date())
    return url


def _direct(url: str, records: Bodies) -> float:
    from pacer_dashboard.records import read
    from pacer_dashboard.store import store

    prepare(Place(url=url))
    started = time.perf_counter()
    for begin in range(0, len(records), BATCH):
        store([read(one) for one in records[begin : begin + BATCH]])
    return len(records) / (time.perf_counter() - started)


def _production(url: str, records: Bodies) -> float:
    with tempfile.TemporaryDirectory() as folder, closing(Waker()) as waker:
        file = Path(folder) / "pacer.yaml"
        file.write_text(_CONFIG.format(url=url))
        config = load(file)
        (plan,) = config.consumers
        integrations, broker = OpenIntegrations(), _NoBroker()
        settler = Settler(config, Publisher(config.broker), _nothing)
        forwarder = Forwarder((), (), (), config.route_message)
        breakers = Breakers(config.consumers, integrations.client)
        handler = Handler({"records": plan}, settler, integrations, breakers, forwarder)
        in_hand = InHand(handler, plan.config.concurrency, _nothing, waker, _nothing, _nothing, config.broker)
        integrations.client(plan.integrations["dashboard-store"])
        in_hand.begin()
        started = time.perf_counter()
        waiting = iter(enumerate(records, 1))
        while broker.acknowledged < len(records):
            for number, body in islice(waiting, plan.prefetch - len(in_hand)):
                envelope = Envelope(body, queue="records", correlation_id=f"{number}")
                in_hand.arrive(Received(envelope, broker, number))  # type: ignore[arg-type]  # a stand-in
            in_hand.work()
            waker.wait(0.0 if in_hand.pressing else 0.05)
        rate = len(records) / (time.perf_counter() - started)
        in_hand.end(60)
        integrations.close()
    return rate


class _NoBroker:
    """Stands in the place of a subscription: counts what is acknowledged."""

    open = True
    acknowledged = 0

    def ack(self, tags: Sequence[int]) -> None:
        self.acknowledged += len(tags)


def _nothing(*_: Any) -> None:
    """Do nothing."""


def _copy(source: str, target: str, records: int) -> float:
    """Copy the rows that were stored, in as many transactions as they came in."""
    texts: dict[str, list[bytes]] = {}
    batches = -(-records // BATCH)
    tables = {_LIFE: _LIFE_COLUMNS, **dict.fromkeys(TABLES, "*")}
    with psycopg.connect(source) as connection:
        for table, columns in tables.items():
            order = "id" if table == _LIFE else "arrived"
            with connection.cursor().copy(
                f"COPY (SELECT {columns} FROM {table} ORDER BY {order}) TO STDOUT".encode()
            ) as copy:
                lines = b"".join(bytes(one) for one in copy).splitlines(keepends=True)
            size = -(-len(lines) // batches)
            texts[table] = [b"".join(lines[n * size : (n + 1) * size]) for n in range(batches)]
    with psycopg.connect(target) as connection:
        started = time.perf_counter()
        for number in range(batches):
            for table in tables:
                columns = f" ({_LIFE_COLUMNS})" if table == _LIFE else ""
                with connection.cursor().copy(f"COPY {table}{columns} FROM STDIN".encode()) as copy:
                    copy.write(texts[table][number])
            connection.commit()
        return records / (time.perf_counter() - started)


def _said(body: bytes) -> dict[str, Any]:
    """Give what upstream's task would be told of a record."""
    from pacer_dashboard.records import read

    one = read(body)
    return {
        "object_identifiers": dict(one.identifiers),
        "processing_start": one.started.isoformat(),
        "processing_end": one.finished.isoformat(),
        "hash": one.digest,
        "message_type": one.type,
        "payload_format": "json",
        "payload": one.payload or "",
        "errored": one.failed,
        "error_message": {each.task: each.reason for each in one.failures},
        "exchange_name": one.exchange,
        "routing_key": one.routing_key,
    }


def _upstream(url: str, broker: RabbitMQ, records: Bodies) -> float:
    """Let upstream's task store records, in an environment of its own, with one browser that is told."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file, _browser(broker):
        file.write("\n".join(json.dumps(_said(one)) for one in records))
        file.flush()
        said = (url, f"amqp://guest:guest@127.0.0.1:{broker.port}/", file.name)
        done = subprocess.run(
            ["uv", "run", "--quiet", "--no-project", "--script", str(_UPSTREAM), *said],
            env={"UV_SYSTEM_CERTS": "true", **os.environ},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return float(done.stdout)


def _lean(url: str, broker: RabbitMQ, records: Bodies) -> float:
    with psycopg.connect(url, autocommit=True) as connection, _browser(broker) as wire:
        connection.execute(_LEAN.encode())
        channel = wire.channel()
        started = time.perf_counter()
        for body in records:
            said = _said(body)
            for name in ("object_identifiers", "payload", "error_message"):
                said[name] = json.dumps(said[name])
            columns = ", ".join(said)
            marks = ", ".join(f"%({name})s" for name in said)
            with connection.transaction():
                row = connection.execute(
                    f"INSERT INTO upstream ({columns}) VALUES ({marks}) RETURNING id".encode(), said
                ).fetchone()
            assert row is not None
            told = json.dumps({"type": "new.message", "message_id": row[0]})
            channel.basic_publish(amqp.Message(told), "groups", "messages_room")
        return len(records) / (time.perf_counter() - started)


def _browser(broker: RabbitMQ) -> amqp.Connection:
    """Give a connection, on which a queue is bound to the group that is told of new messages."""
    wire = amqp.Connection(host=f"127.0.0.1:{broker.port}", userid="guest", password="guest")
    wire.connect()
    channel = wire.channel()
    channel.exchange_declare("groups", "direct", auto_delete=False)
    channel.queue_declare("browser")
    channel.queue_bind("browser", "groups", "messages_room")
    return wire
