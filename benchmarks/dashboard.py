"""The dashboard's questions and its writer, on PostgreSQL.

    python -m benchmarks.dashboard [--quick] [--rounds N] [--json FILE] [--only scale|store]

Two databases have the same kinds of messages over the same two years, one of them a hundred times as many: 5
million records against 50 thousand. Each question is asked of both in turn, so that both have the same noise;
``.../scale`` is the p95 of the large one over that of the small one. Rows are made by the server.

``store/...`` are of the writer: see `dashboard_store`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics as st
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.dashboard_store import storing
from benchmarks.report import hardware
from pacer_dashboard.place import Place
from pacer_dashboard.start import migrate, prepare
from tests.services import PostgreSQL, RabbitMQ

os.environ.setdefault("SECRET_KEY", "for-benchmarks-alone")

RECORDS = 5_000_000
SHARE = 100
END = datetime(2026, 11, 1, tzinfo=UTC)
SPAN = timedelta(days=730)
INSTRUMENTS = 20
SCALE = 2.0
QUARTER = "'quartz', 'nickel', 'lysozyme', 'silicon', 'ice', 'perovskite', 'bone', 'wood'"

MESSAGES = """
CREATE TEMPORARY TABLE made AS
SELECT n, md5(n::text)::uuid::text AS correlation_id,
    %(end)s::timestamptz - n * %(span)s::interval / %(count)s AS arrived,
    (ARRAY['datasets', 'datasets', 'datasets', 'users', 'investigations'])[(1 + n %% 5)::int] AS consumer,
    'BL' || lpad(((n * 7919) %% %(instruments)s)::text, 2, '0') AS instrument,
    'HG-' || ((n * 104729) %% (%(count)s / 500 + 1)) AS proposal,
    'scan_' || lpad(n::text, 8, '0') AS dataset,
    (n * 31) %% 1000 AS chance,
    (ARRAY[{quarter}])[(1 + (n * 13) %% 8)::int] AS sample
FROM generate_series(1, %(count)s::bigint) n
"""
# One in nine has two sights; one in fifty is dead, one in a thousand of a type and a route that are rare.
ROWS = (
    """
INSERT INTO pacer_dashboard_life (correlation_id, arrived, troubled)
SELECT correlation_id, arrived, n %% 9 = 0 OR chance < 20 FROM made""",
    """
INSERT INTO pacer_dashboard_message
SELECT arrived, correlation_id, n %% 9 = 0 OR chance < 20, n,
    CASE WHEN chance = 500 THEN 'rare' ELSE consumer || '-sync' END, consumer, consumer || '-queue',
    CASE WHEN chance = 501 THEN 'rare-exchange' ELSE consumer || '-exchange' END,
    CASE WHEN chance = 502 THEN 'rare.key' ELSE consumer || '.sync' END,
    CASE WHEN chance < 20 THEN 'dead' ELSE 'acked' END, arrived + interval '2 s', 1 + (n %% 9 = 0)::int,
    1 + (n %% 9 = 0)::int,
    jsonb_build_array(jsonb_build_object('consumer', consumer, 'type', consumer, 'queue', '',
        'outcome', 'acked', 'attempt', 1, 'sights', 1, 'first_seen', arrived, 'finished', arrived,
        'pending', '[]'::jsonb,
        'follow_ups', '[]'::jsonb)),
    jsonb_build_object('instrument', instrument, 'proposal', proposal, 'dataset', dataset),
    instrument, proposal, dataset,
    CASE WHEN n %% 9 = 0 OR chance < 20 THEN 1 + n %% 40 END, CASE WHEN chance < 20 THEN 'error' ELSE '' END,
    'store', CASE WHEN chance < 20 THEN 'the catalogue refused ' || dataset ELSE '' END,
    CASE WHEN n %% 9 = 0 OR chance < 20 THEN arrived END, '',
    concat_ws(E'\\n', correlation_id, instrument, proposal, dataset,
        CASE WHEN chance < 20 THEN 'the catalogue refused ' || dataset END),
    CASE WHEN chance < 5 THEN arrived END, '', ''
FROM made""",
    """
INSERT INTO pacer_dashboard_sight
SELECT arrived, correlation_id, 's' || sight || '-' || correlation_id, n %% 9 = 0 OR chance < 20, consumer,
    consumer || '-sync', consumer || '-queue', consumer || '-exchange', consumer || '.sync',
    CASE WHEN chance < 20 THEN 'dead' WHEN n %% 9 = 0 AND sight = 1 THEN 'retried' ELSE 'acked' END,
    sight, false, arrived, arrived + interval '1 s', arrived + interval '2 s' * sight,
    jsonb_build_object('instrument', instrument, 'proposal', proposal, 'dataset', dataset),
    '{{"timings": {{"store": 1.0}}, "done": ["store"], "pending": [], "failures": [],
        "follow_ups": []}}'::jsonb,
    'body', 200, 'application/json'
FROM made, generate_series(1, 1 + (n %% 9 = 0)::int) sight""",
    """
INSERT INTO pacer_dashboard_payload
SELECT arrived, correlation_id, 'body', n %% 9 = 0 OR chance < 20,
    '{{"proposal": "' || proposal || '", "dataset": "' || dataset || '", "sample": "' || sample || '"}}'
FROM made""",
    """
INSERT INTO pacer_dashboard_identifier (key, value, arrived, correlation_id, troubled)
SELECT key, value, arrived, correlation_id, n %% 9 = 0 OR chance < 20
FROM made, LATERAL (VALUES
    ('instrument', instrument), ('proposal', proposal), ('dataset', dataset)) v (key, value)
""",
    """
INSERT INTO pacer_dashboard_rollup (step, bucket, type, consumer, instrument, task, messages, acked, retried,
    dead, processing, queueing)
SELECT step, date_trunc(unit, arrived), consumer || '-sync', consumer, instrument, '', count(*), count(*), 0,
    0,
    jsonb_object_agg(n %% 40, 1), jsonb_object_agg(n %% 40, 1)
FROM made, (VALUES ('h', 'hour'), ('d', 'day'), ('m', 'month')) v (step, unit)
GROUP BY step, date_trunc(unit, arrived), consumer, instrument""",
    "UPDATE pacer_dashboard_clock SET revision = (SELECT max(n) FROM made)",
    "DROP TABLE made",
)
TABLES = ("life", "message", "sight", "payload", "identifier")


def fill(url: str, messages: int) -> None:
    """Fill a database with messages; indexes are made when the rows are there."""
    from pacer_dashboard.upkeep.months import ensure

    ensure(1, today=END.date())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute("SET max_parallel_maintenance_workers = 2")
        _months(connection)
        indexes = _drop_indexes(connection)
        numbers = {"count": messages, "end": END, "span": SPAN, "instruments": INSTRUMENTS}
        connection.execute(_client(connection, MESSAGES.format(quarter=QUARTER), numbers))
        for statement in ROWS:
            connection.execute(_client(connection, statement.replace("{{", "{").replace("}}", "}"), {}))
        for statement in indexes:
            connection.execute(statement.encode())
        connection.execute("VACUUM ANALYZE")


def _client(connection: psycopg.Connection[Any], statement: str, numbers: dict[str, Any]) -> bytes:
    return psycopg.ClientCursor(connection).mogrify(statement, numbers).encode()


def _months(connection: psycopg.Connection[Any]) -> None:
    from pacer_dashboard import partitions

    for month in partitions.months(partitions.month_of(END - SPAN), partitions.month_of(END)):
        end = partitions.following(month)
        for table in partitions.TABLES:
            for half in partitions.HALVES:
                name = partitions.part_name(table, half, month)
                connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {partitions.half_name(table, half)} "
                    f"FOR VALUES FROM ('{month}') TO ('{end}')".encode()
                )


def _drop_indexes(connection: psycopg.Connection[Any]) -> list[str]:
    """Drop all indexes of the large tables, and give the statements that make them again."""
    statements: list[str] = []
    for table in TABLES:
        name = f"pacer_dashboard_{table}"
        keys = connection.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid = %s::regclass AND contype IN ('p', 'u')",
            [name],
        ).fetchall()
        for key, definition in keys:
            connection.execute(f'ALTER TABLE {name} DROP CONSTRAINT "{key}"'.encode())
            statements.append(f'ALTER TABLE {name} ADD CONSTRAINT "{key}" {definition}')
        rest = connection.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
            "WHERE indrelid = %s::regclass",
            [name],
        ).fetchall()
        for index, definition in rest:
            connection.execute(f"DROP INDEX {index}".encode())
            statements.append(definition.replace(" ON ONLY ", " ON "))
    return statements


Question = Callable[[random.Random, int], object]


def questions() -> dict[str, Question]:
    """Give what is asked, by row; each with a number of its own, and how many messages there are."""
    from pacer_dashboard.query import EVERYTHING, Filter, Rule, Viewer, life, listing, statistics

    def page(**said: Any) -> object:
        filter_ = Filter(**said)
        return listing.page(EVERYTHING, filter_), listing.estimate(EVERYTHING, filter_)

    def older(chance: random.Random, count: int) -> object:
        time_ = END - SPAN * chance.random()
        cursor = str(listing.Cursor(time_, ""))
        return listing.page(EVERYTHING, Filter(), after=cursor), listing.estimate(EVERYTHING, Filter())

    def message(chance: random.Random, count: int) -> object:
        from hashlib import md5
        from uuid import UUID

        number = chance.randrange(1, count + 1)
        id_ = str(UUID(md5(str(number).encode()).hexdigest()))
        found = life.life(EVERYTHING, id_)
        return life.payload(EVERYTHING, id_, found.sights[0].id)

    def role(chance: random.Random, _: int) -> object:
        rule = Rule(
            frozenset({"datasets-sync"}), {"instrument": frozenset({instrument(chance), instrument(chance)})}
        )
        viewer = Viewer("staff", (rule,))
        return listing.page(viewer, Filter()), listing.estimate(viewer, Filter())

    def days(chance: random.Random, _: int) -> object:
        day = (END - SPAN * chance.random()).date()
        return page(since=day, until=day)

    def year(chance: random.Random, _: int) -> object:
        since = END - timedelta(days=365 + chance.randrange(300))
        until = since + timedelta(days=365)
        filter_ = Filter(types=("datasets-sync",)) if chance.random() < 0.5 else Filter()
        return (
            statistics.table(EVERYTHING, filter_, since, until),
            statistics.series(EVERYTHING, filter_, since, until, by=statistics.By.TYPE),
        )

    def instrument(chance: random.Random) -> str:
        return f"BL{chance.randrange(INSTRUMENTS):02d}"

    def proposal(chance: random.Random, count: int) -> str:
        return f"HG-{chance.randrange(count // 500 + 1)}"

    def dataset(chance: random.Random, count: int) -> str:
        return f"scan_{chance.randrange(1, count + 1):08d}"

    return {
        "list": older,
        "message": message,
        "filter-type": lambda c, n: page(types=(c.choice(("datasets-sync", "users-sync", "rare")),)),
        "filter-consumer": lambda c, n: page(consumers=(c.choice(("datasets", "users")),)),
        "filter-outcome": lambda c, n: page(states=(c.choice(("acked", "dead", "retried")),)),
        "filter-instrument": lambda c, n: page(instruments=(instrument(c),)),
        "filter-proposal": lambda c, n: page(proposals=(proposal(c, n),)),
        "filter-dataset": lambda c, n: page(datasets=(dataset(c, n),)),
        "filter-identifier": lambda c, n: page(
            identifiers=(("instrument", instrument(c)), ("proposal", proposal(c, n)))
        ),
        "filter-group": lambda c, n: page(group=c.randrange(1, 41)),
        "filter-time": days,
        "filter-exchange": lambda c, n: page(exchange=c.choice(("users-exchange", "rare-exchange"))),
        "filter-routing-key": lambda c, n: page(routing_key=c.choice(("users.sync", "rare.key"))),
        "filter-acknowledged": lambda c, n: page(acknowledged=True),
        "filter-role": role,
        "search": lambda c, n: page(
            text=c.choice(
                (dataset(c, n), proposal(c, n).lower(), "refused", c.choice(("quartz", "bone")), "nowhere")
            )
        ),
        "statistics": year,
    }


def scale(server: PostgreSQL, records: int, rounds: int) -> dict[str, Any]:
    """Ask both databases everything in turn; give by row the ratio of the p95s, and both."""
    from django.db import connections

    sides: dict[str, tuple[Any, int]] = {}
    for name, count in (("small", records // SHARE * 9 // 10), ("large", records * 9 // 10)):
        started = time.monotonic()
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        prepare(Place(url=server.url(name)))
        migrate()
        fill(server.url(name), count)
        sides[name] = connections["default"], count
        del connections["default"]
        print(f"{name}: {count} messages made in {time.monotonic() - started:.0f} s", file=sys.stderr)
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(-5, rounds):
        for row, question in questions().items():
            for name, (connection, count) in sides.items():
                connections["default"] = connection
                chance = random.Random(f"{row} {number}")
                started = time.perf_counter()
                question(chance, count)
                if number >= 0:
                    times.setdefault((row, name), []).append(time.perf_counter() - started)
    found: dict[str, Any] = {}
    for row in questions():
        small, large = (_p95(times[row, name]) for name in ("small", "large"))
        found[f"{row}/scale"] = {
            "records": records,
            "ratio": round(large / small, 2),
            "target": SCALE,
            "at_most": True,
            "p95_ms": {"small": round(1000 * small, 1), "large": round(1000 * large, 1)},
            "median_ms": {name: round(1000 * st.median(times[row, name]), 1) for name in ("small", "large")},
        }
    for connection, _ in sides.values():
        connection.close()
    return found


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[int(0.95 * (len(times) - 1))]


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
            server = stack.enter_context(PostgreSQL(config={**settings, "autovacuum": "off"}))
            yield scale(server, 100_000 if arguments.quick else arguments.records, arguments.rounds)
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
    parser.add_argument("--json", type=Path, help="where to write the rows; those of others in it stay")
    arguments = parser.parse_args()
    rows: dict[str, Any] = {}
    for part in parts(arguments):
        rows |= part
    for name, row in rows.items():
        asked = f"{'at most' if row['at_most'] else 'at least'} {row['target']}" if row["target"] else ""
        print(f"{name:28} {row['ratio']:8.2f}  {asked}")
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
