"""Records through a whole PACER into the database: counted exactly, whatever is killed on the way."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from pacer_dashboard import testing
from pacer_dashboard.place import Place
from tests.lab import PLUGIN, publish
from tests.services import PostgreSQL, RabbitMQ
from tests.support import Running, Site, eventually

RECORDS = """
brokers: {{main: {broker}}}
exchanges: [{{name: dashboard-logging-exchange}}]
queues:
  - {{name: dashboard-logging, exchange: dashboard-logging-exchange, routingKey: message.logging}}
integrations: {{dashboard-store: {{database: '{database}'}}}}
consumers:
  - {{type: dashboard-records, queues: [dashboard-logging], concurrency: 16, integrations: [dashboard-store]}}
processes: {{stateFolder: {folder}/state, shutdownGrace: 5s}}
"""
JOBS = """
brokers: {{main: {broker}}}
exchanges: [{{name: dashboard-logging-exchange}}]
queues:
  - {{name: jobs}}
  - {{name: children}}
  - {{name: dashboard-logging, exchange: dashboard-logging-exchange, routingKey: message.logging}}
integrations:
  dashboard: {{format: json}}
  old: {{type: dashboard, format: icat-pacer}}
  dashboard-store: {{database: '{database}'}}
consumers:
  - {{type: jobs, queues: [jobs], integrations: [dashboard]}}
  - {{type: follow-ups, queues: [children], integrations: [dashboard: old]}}
  - {{type: dashboard-records, queues: [dashboard-logging], integrations: [dashboard-store]}}
processes: {{stateFolder: {folder}/state}}
"""


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Place]:
    """Give the dashboard's database in a file, with nothing in it."""
    place = Place(folder=tmp_path / "dashboard")
    with testing.database(place):
        yield place


def stored() -> int:
    """Count the sights that are stored."""
    from django.db import connection

    from pacer_dashboard.models import Sight

    try:
        return Sight.objects.count()
    finally:
        connection.close()


def counts() -> dict[str, object]:
    """Give all numbers that have to be exact."""
    from pacer_dashboard import models

    by_step: Counter[tuple[str, str]] = Counter()
    for row in models.Rollup.objects.filter(task=""):
        for name in ("messages", "acked", "retried", "dead"):
            by_step[row.step, name] += getattr(row, name)
        by_step[row.step, "times"] += sum(row.processing.values())
    return {
        "messages": models.Message.objects.count(),
        "sights": models.Sight.objects.count(),
        "payloads": models.Payload.objects.count(),
        "identifiers": models.Identifier.objects.count(),
        "states": Counter(models.Message.objects.values_list("state", flat=True)),
        "errors": {one.fingerprint: one.count for one in models.ErrorGroup.objects.all()},
        "days": sum(models.ErrorDay.objects.values_list("count", flat=True)),
        "sums": by_step,
    }


def expected(records: list[bytes]) -> dict[str, object]:
    """Give the same of records that are stored one after another, in a database of their own."""
    from django.core.management import call_command

    from pacer_dashboard import models, store
    from pacer_dashboard.records import read

    call_command("flush", interactive=False, verbosity=0)
    models.Clock.objects.create(id=1, revision=0)
    store.store([read(one) for one in records])
    found = counts()
    call_command("flush", interactive=False, verbosity=0)
    models.Clock.objects.create(id=1, revision=0)
    return found


def test_records_of_both_formats_come_from_a_real_run_into_the_database(site: Site, empty: Place) -> None:
    from pacer_dashboard.query import EVERYTHING, Filter, life, listing

    site.install("lab-pacer", PLUGIN)
    broker = f"{{protocol: sqlite, path: {site.folder}/broker.db}}"
    file = site.write(JOBS.format(broker=broker, database=empty.folder, folder=site.folder))
    jobs = (
        {"name": "a", "first": "emit follow-ups"},
        {"name": "b", "first": "reject"},
        {"name": "c", "first": "once retry"},
    )
    publish(file, "", "jobs", *(json.dumps(one).encode() for one in jobs))
    publish(file, "dashboard-logging-exchange", "message.logging", b'{"format": "pacer.delivery/1"}')
    for _ in range(3):  # records are sent after their messages are settled, and may come when it has ended
        done = site.pacer("run", "--once", "--wait", "-c", file)
        if stored() >= 5:
            break
    assert stored() == 5, done.both

    rows = listing.page(EVERYTHING, Filter()).rows
    by_name = {
        json.loads(
            life.payload(
                EVERYTHING, row.correlation_id, life.life(EVERYTHING, row.correlation_id).sights[0].id
            )
        )["name"]: row
        for row in rows
    }
    assert {name: (row.type, row.state, row.sights) for name, row in by_name.items()} == {
        "a": ("jobs", "acked", 1),
        "b": ("jobs", "dead", 1),
        "c": ("jobs", "acked", 2),
        "a-child": ("follow-ups", "acked", 1),
    }
    assert by_name["b"].reason == "bad"
    # What is no record is dead, and says which field is wrong.
    letters = site.pacer("dead", "list", "-c", file, "-n", "dashboard-records", "--json")
    assert "outcome" in letters.out, letters.both


def run_until_stored(site: Site, file: Path, number: int) -> Running:
    """Start PACER, and wait until so many records are stored."""
    running = site.start("run", "-c", file)
    eventually(lambda: stored() >= number, 60, lambda: running.printed)
    return running


def test_a_writer_that_is_killed_again_and_again_counts_everything_once(site: Site, empty: Place) -> None:
    records = testing.bodies(300)
    assert empty.folder is not None
    wanted = expected(records)
    broker = f"{{protocol: sqlite, path: {site.folder}/broker.db}}"
    file = site.write(RECORDS.format(broker=broker, database=empty.folder, folder=site.folder))
    publish(file, "dashboard-logging-exchange", "message.logging", *records, *records[::3])
    for number in (20, 150):
        running = run_until_stored(site, file, number)
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()
    done = site.pacer("run", "--once", "--wait", "-c", file)
    assert done.code == 0, done.both
    assert counts() == wanted


@pytest.mark.timeout(300)
def test_a_postgresql_that_is_killed_in_mid_stream_loses_nothing_and_counts_nothing_twice(
    site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pacer_dashboard.start import prepare

    records = testing.bodies(300)
    with PostgreSQL() as server, testing.database(Place(url=server.url())):
        wanted = expected(records)
        broker = (
            f"{{protocol: amqp, host: 127.0.0.1, port: {rabbitmq.port}, username: guest, "
            f"password: guest, vHost: '{rabbitmq_vhost}'}}"
        )
        address = f"postgresql://pacer@127.0.0.1:{server.port}/postgres?sslmode=disable"
        file = site.write(RECORDS.format(broker=broker, database=address, folder=site.folder))
        publish(file, "dashboard-logging-exchange", "message.logging", *records, *records[::3])
        running = run_until_stored(site, file, 50)
        server.kill()
        running.wait_for("dashboard-store", 60)
        server.start()
        prepare(Place(url=server.url()))
        eventually(lambda: _answers(lambda: stored() == len(records)), 120, lambda: running.printed)
        assert running.end() == 0
        done = site.pacer("run", "--once", "--wait", "-c", file)
        assert done.code == 0, done.both
        assert counts() == wanted


def _answers(question: Callable[[], bool]) -> bool:
    from django.db import OperationalError

    try:
        return question()
    except (OperationalError, psycopg.OperationalError):
        return False
