"""Two years of messages for the dashboard's questions, made by PostgreSQL itself.

Rows are in the order in which they would have come; indexes are made when they are there.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

END = datetime(2026, 11, 1, tzinfo=UTC)
SPAN = timedelta(days=730)
INSTRUMENTS = 20
PROPOSAL = 500
"""Messages of a proposal."""
SAMPLES = ("quartz", "nickel", "lysozyme", "silicon", "ice", "perovskite", "bone", "wood")

_TABLES = ("message", "identifier", "payload", "sight", "life")  # the longest first
_AT_ONCE = 2
_SETTINGS = """
SET timezone = 'UTC';
SET maintenance_work_mem = '512MB';
SET max_parallel_maintenance_workers = 1;
SET synchronous_commit = off
"""
_MADE = """
CREATE UNLOGGED TABLE made AS
SELECT n, md5(n::text)::uuid::text AS correlation_id,
    %(end)s::timestamptz - n::float8 / %(count)s * %(span)s::interval AS arrived,
    (ARRAY['datasets', 'datasets', 'datasets', 'users', 'investigations'])[(1 + n %% 5)::int] AS consumer,
    'BL' || lpad((n / 5 * 7919 %% %(instruments)s)::text, 2, '0') AS instrument,
    'HG-' || ((n * 104729) %% (%(count)s / %(proposal)s + 1)) AS proposal,
    'scan_' || lpad(n::text, 8, '0') AS dataset,
    (n * 31) %% 1000 AS chance,
    n %% 9 = 0 OR (n * 31) %% 1000 < 20 AS troubled,
    (%(samples)s::text[])[(1 + (n * 13) %% 8)::int] AS sample
FROM generate_series(%(count)s::bigint, 1, -1) n
"""
# One in nine has two sights; one in fifty is dead, one in a thousand of a type and a route that are rare.
_ROWS = {
    "message": """
INSERT INTO pacer_dashboard_message
SELECT arrived, correlation_id, troubled, n,
    CASE WHEN chance = 500 THEN 'rare' ELSE consumer || '-sync' END, consumer, consumer || '-queue',
    CASE WHEN chance = 501 THEN 'rare-exchange' ELSE consumer || '-exchange' END,
    CASE WHEN chance = 502 THEN 'rare.key' ELSE consumer || '.sync' END,
    CASE WHEN chance < 20 THEN 'dead' ELSE 'acked' END, arrived + interval '2 s', 1 + (n % 9 = 0)::int,
    1 + (n % 9 = 0)::int,
    jsonb_build_array(jsonb_build_object('consumer', consumer, 'type', consumer, 'queue', '',
        'outcome', 'acked', 'attempt', 1, 'sights', 1, 'first_seen', arrived, 'finished', arrived,
        'pending', '[]'::jsonb,
        'follow_ups', '[]'::jsonb)),
    jsonb_build_object('instrument', instrument, 'proposal', proposal, 'dataset', dataset),
    instrument, proposal, dataset,
    CASE WHEN troubled THEN 1 + n % 40 END, CASE WHEN chance < 20 THEN 'error' ELSE '' END,
    'store', CASE WHEN chance < 20 THEN 'the catalogue refused ' || dataset ELSE '' END,
    CASE WHEN troubled THEN arrived END, '',
    lower(concat_ws(E'\\n', correlation_id, instrument, proposal, dataset,
        CASE WHEN chance < 20 THEN 'the catalogue refused ' || dataset END)),
    CASE WHEN chance < 5 THEN arrived END, '', ''
FROM made""",
    "sight": """
INSERT INTO pacer_dashboard_sight
SELECT arrived, correlation_id, 's' || sight || '-' || correlation_id, troubled, consumer,
    consumer || '-sync', consumer || '-queue', consumer || '-exchange', consumer || '.sync',
    CASE WHEN chance < 20 THEN 'dead' WHEN n % 9 = 0 AND sight = 1 THEN 'retried' ELSE 'acked' END,
    sight, false, arrived, arrived + interval '1 s', arrived + interval '2 s' * sight,
    jsonb_build_object('instrument', instrument, 'proposal', proposal, 'dataset', dataset),
    '{"timings": {"store": 1.0}, "done": ["store"], "pending": [], "failures": [], "follow_ups": []}'::jsonb,
    'body', 200, 'application/json'
FROM made, generate_series(1, 1 + (n % 9 = 0)::int) sight""",
    "payload": """
INSERT INTO pacer_dashboard_payload
SELECT arrived, correlation_id, 'body', troubled,
    '{"proposal": "' || proposal || '", "dataset": "' || dataset || '", "sample": "' || sample || '"}'
FROM made""",
    "identifier": """
INSERT INTO pacer_dashboard_identifier (key, value, arrived, correlation_id, troubled)
SELECT key, value, arrived, correlation_id, troubled
FROM made, LATERAL (VALUES
    ('instrument', instrument), ('proposal', proposal), ('dataset', dataset)) v (key, value)""",
    "life": """
INSERT INTO pacer_dashboard_life (correlation_id, arrived, troubled)
SELECT correlation_id, arrived, troubled FROM made""",
    "rollup": """
INSERT INTO pacer_dashboard_rollup (step, bucket, type, consumer, instrument, task, messages, acked, retried,
    dead, processing, queueing)
SELECT step, date_trunc(unit, arrived), consumer || '-sync', consumer, instrument, '', count(*), count(*), 0,
    0, jsonb_object_agg(n % 40, 1), jsonb_object_agg(n % 40, 1)
FROM made, (VALUES ('h', 'hour'), ('d', 'day'), ('m', 'month')) v (step, unit)
GROUP BY step, date_trunc(unit, arrived), consumer, instrument""",
}


def fill(url: str, messages: int) -> None:
    """Fill a database, whose tables are there and empty, with so many messages."""
    from pacer_dashboard.upkeep.months import ensure

    ensure(1, today=END.date())
    numbers = {
        "count": messages, "end": END, "span": SPAN,
        "instruments": INSTRUMENTS, "proposal": PROPOSAL, "samples": list(SAMPLES),
    }  # fmt: skip
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_SETTINGS.encode())
        _make_months(connection)
        indexes = {table: _drop_indexes(connection, table) for table in _TABLES}
        connection.execute(psycopg.ClientCursor(connection).mogrify(_MADE.encode(), numbers).encode())
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        works = [pool.submit(_run, url, [_ROWS[table], *indexes.get(table, ())]) for table in _ROWS]
    for work in works:
        work.result()
    _run(url, (
        "UPDATE pacer_dashboard_clock SET revision = (SELECT max(n) FROM made)",
        "DROP TABLE made",
        "VACUUM ANALYZE",
    ))  # fmt: skip


def _run(url: str, statements: Iterable[str]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_SETTINGS.encode())
        for statement in statements:
            connection.execute(statement.encode())


def _make_months(connection: psycopg.Connection[Any]) -> None:
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


def _drop_indexes(connection: psycopg.Connection[Any], table: str) -> list[str]:
    """Drop all indexes of a table, and give the statements that make them again."""
    name = f"pacer_dashboard_{table}"
    keys = connection.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = %s::regclass AND contype IN ('p', 'u')",
        [name],
    ).fetchall()
    statements: list[str] = []
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
