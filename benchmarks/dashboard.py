"""The dashboard's questions and its writer, on PostgreSQL.

    python -m benchmarks.dashboard [--quick] [--rounds N] [--json FILE] [--only scale|store]
        [--keep FOLDER] [--questions NAME,...]

``.../scale``: each question of 5 million records against 50 thousand, as `benchmarks.dashboard_scale` has it.
With ``--keep``, the databases are filled in the first run and stay for the next one.

``store/copy``: records, each of a message of its own, through `read` and `store`, 500 in a transaction,
against `COPY` of the rows that come of them, as text that is there already, in as many transactions.
``store/one-by-one``: against upstream's way, a transaction for each record with one INSERT into a table as
upstream's, and one message to a broker.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics as st
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import amqp
import psycopg

from benchmarks.dashboard_scale import read, scale
from benchmarks.report import hardware
from pacer_dashboard.place import Place
from pacer_dashboard.start import migrate, prepare
from tests.services import PostgreSQL, RabbitMQ

os.environ.setdefault("SECRET_KEY", "for-benchmarks-alone")

RECORDS = 5_000_000
COPY, ONE = 0.5, 20.0
BATCH = 500
TABLES = ("life", "message", "sight", "payload", "identifier")

UPSTREAM = """
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


def storing(server: PostgreSQL, broker: RabbitMQ, count: int, repeats: int) -> dict[str, Any]:
    """Store the same records in the three ways; give the ratios of the rates, as medians of the repeats."""
    from pacer_dashboard.records import read
    from pacer_dashboard.testing import bodies

    # As they come, so that hours are shared; each of a message of its own, as most are.
    seen = {
        read(body).correlation_id: body for body in reversed(bodies(count, every=timedelta(milliseconds=20)))
    }
    records = [*seen.values()][::-1]
    rates: dict[str, list[float]] = {"store": [], "copy": [], "one": []}
    for number in range(repeats):
        urls = [server.url(f"{name}{number}") for name in ("store", "copy", "one")]
        with psycopg.connect(server.url(), autocommit=True) as connection:
            for name in ("store", "copy", "one"):
                connection.execute(f"CREATE DATABASE {name}{number}".encode())
        for url in urls[:2]:
            prepare(Place(url=url))
            migrate()
            _ensure()
        rates["store"].append(_store(urls[0], records))
        rates["copy"].append(_copy(urls[0], urls[1], len(records)))
        rates["one"].append(_one_by_one(urls[2], broker, records[: max(count // 10, 200)]))
    ours = rates["store"]
    shown = {name: [round(one) for one in values] for name, values in rates.items()}
    return {
        f"store/{row}": {
            "records": len(records),
            "ratio": round(st.median(a / b for a, b in zip(ours, rates[name], strict=True)), 2),
            "target": target,
            "at_most": False,
            "records_per_s": shown,
        }
        for row, name, target in (("copy", "copy", COPY), ("one-by-one", "one", ONE))
    }


def _ensure() -> None:
    from pacer_dashboard.testing import START
    from pacer_dashboard.upkeep.months import ensure

    ensure(6, today=START.date())


def _store(url: str, records: Sequence[bytes]) -> float:
    from pacer_dashboard.records import read
    from pacer_dashboard.store import store

    prepare(Place(url=url))
    started = time.perf_counter()
    for begin in range(0, len(records), BATCH):
        store([read(one) for one in records[begin : begin + BATCH]])
    return len(records) / (time.perf_counter() - started)


def _copy(source: str, target: str, records: int) -> float:
    """Copy the rows that were stored, in as many transactions as they came in."""
    texts: dict[str, list[bytes]] = {}
    tables = [f"pacer_dashboard_{one}" for one in TABLES]
    batches = -(-records // BATCH)
    with psycopg.connect(source) as connection:
        for table in tables:
            order = "id" if table.endswith("life") else "arrived"
            columns = "correlation_id, arrived, troubled" if table.endswith("life") else "*"
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
                columns = " (correlation_id, arrived, troubled)" if table.endswith("life") else ""
                with connection.cursor().copy(f"COPY {table}{columns} FROM STDIN".encode()) as copy:
                    copy.write(texts[table][number])
            connection.commit()
        return records / (time.perf_counter() - started)


def _one_by_one(url: str, broker: RabbitMQ, records: Sequence[bytes]) -> float:
    from pacer_dashboard.records import read

    host = {"host": f"127.0.0.1:{broker.port}", "userid": "guest", "password": "guest"}
    with psycopg.connect(url, autocommit=True) as connection, amqp.Connection(**host) as wire:
        connection.execute(UPSTREAM.encode())
        channel = wire.channel()
        channel.exchange_declare("groups", "direct")
        channel.queue_declare("browser")
        channel.queue_bind("browser", "groups", "messages_room")
        started = time.perf_counter()
        for body in records:
            one = read(body)
            with connection.transaction():
                row = connection.execute(
                    "INSERT INTO upstream (processing_start, processing_end, processing_time, hash, "
                    "message_type, object_identifiers, payload_format, payload, errored, error_message, "
                    "exchange_name, routing_key) "
                    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
                    (
                        one.started,
                        one.finished,
                        one.processing.total_seconds(),
                        one.digest,
                        one.type,
                        json.dumps(dict(one.identifiers)),
                        "json",
                        json.dumps(one.payload),
                        one.failed,
                        json.dumps({each.task: each.reason for each in one.failures}),
                        one.exchange,
                        one.routing_key,
                    ),
                ).fetchone()
            assert row is not None
            said = json.dumps({"type": "new.message", "message_id": row[0]})
            channel.basic_publish(amqp.Message(said), "groups", "messages_room")
        return len(records) / (time.perf_counter() - started)


def parts(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Measure what is asked for."""
    settings: dict[str, str | int] = {
        "shared_buffers": "1GB",
        "max_wal_size": "8GB",
        "work_mem": "16MB",
        "random_page_cost": "1.1",
        "checkpoint_timeout": "30min",
        "max_connections": 30,
    }
    with ExitStack() as stack:
        if arguments.only in (None, "scale"):
            filling = settings | {"autovacuum": "off", "wal_level": "minimal", "max_wal_senders": 0}
            server = PostgreSQL(config=filling, data=arguments.keep)
            stack.enter_context(server)
            stack.callback(server.stop)
            if arguments.keep:
                read(arguments.keep)
            records = 100_000 if arguments.quick else arguments.records
            yield scale(server, records, arguments.rounds, arguments.questions)
        if arguments.only in (None, "store"):
            durable = stack.enter_context(PostgreSQL(config={**settings, "fsync": "on"}))
            broker = stack.enter_context(RabbitMQ())
            yield storing(durable, broker, 2000 if arguments.quick else 20_000, 1 if arguments.quick else 3)


def main() -> None:
    """Measure, and print or write the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small databases: whether it runs, not how fast")
    parser.add_argument("--records", type=int, default=RECORDS, help="of the large database")
    parser.add_argument("--rounds", type=int, default=60, help="how often each question is asked")
    parser.add_argument("--only", choices=("scale", "store"))
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the databases of scale stay")
    parser.add_argument("--questions", type=lambda text: text.split(","), default=(), metavar="NAME,...")
    parser.add_argument("--json", type=Path, help="where to write the rows; those of others in it stay")
    arguments = parser.parse_args()
    rows: dict[str, Any] = {}
    for part in parts(arguments):
        rows |= part
    for name, row in rows.items():
        print(f"{name:28} {row['ratio']:8.2f}  {'at most' if row['at_most'] else 'at least'} {row['target']}")
    if arguments.json:
        before = json.loads(arguments.json.read_text()) if arguments.json.exists() else {"rows": {}}
        before["rows"] |= rows
        before |= {
            "hardware": hardware(),
            "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 1),
        }
        arguments.json.write_text(json.dumps(before, indent=1) + "\n")


if __name__ == "__main__":
    main()
