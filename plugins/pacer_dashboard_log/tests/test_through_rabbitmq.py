"""Records through a real broker, and into a real Celery worker in the place of the dashboard."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab
from tests.support import eventually

EXCHANGE, KEY, QUEUE = "dashboard-logging-exchange", "message.logging", "dashboard-logging"
WORKER = """
import json
from pathlib import Path
from celery import Celery
from kombu import Exchange, Queue

app = Celery("dashboard", broker={broker!r})
app.conf.task_queues = [Queue({queue!r}, Exchange({exchange!r}), routing_key={key!r})]
app.conf.worker_enable_remote_control = False
app.conf.broker_connection_retry_on_startup = True


@app.task(name="dashboard.tasks.log_pacer_message")
def log_pacer_message(**kwargs):
    with (Path(__file__).parent / "logged").open("a") as file:
        file.write(json.dumps(kwargs) + "\\n")
"""


@pytest.fixture
def dashboard(lab: Lab) -> Lab:
    """A lab whose consumer enables the dashboard, and whose dashboard is not there."""
    configure(lab)
    lab.declare()
    return lab


def configure(lab: Lab, options: str = "format: json", enabled: str = "dashboard") -> None:
    lab.configure(
        consumer=f"type: jobs, queues: [jobs], concurrency: 2, integrations: [{enabled}]",
        more=f"exchanges: [{{name: {EXCHANGE}}}]\nintegrations: {{dashboard: {{{options}}}}}",
    )


def be_there(lab: Lab) -> None:
    """Declare the dashboard's queue."""
    channel = lab.channel
    channel.exchange_declare(EXCHANGE, "direct", durable=True, auto_delete=False)
    channel.queue_declare(QUEUE, durable=True, auto_delete=False)
    channel.queue_bind(QUEUE, EXCHANGE, KEY)


def records(lab: Lab) -> list[dict[str, Any]]:
    return [json.loads(message.body) for message in lab.take(QUEUE)]


def test_each_delivery_gives_one_record(dashboard: Lab) -> None:
    be_there(dashboard)
    for name, trouble in (("a", ""), ("b", "reject"), ("c", "error")):
        dashboard.publish({"name": name, "first": trouble})
    dashboard.once()
    given = {json.loads(record["payload"])["name"]: record for record in records(dashboard)}
    assert {name: record["outcome"] for name, record in given.items()} == {
        "a": "acked",
        "b": "dead",
        "c": "retried",
    }
    assert given["c"]["failures"][0]["reason"].startswith("RuntimeError at lab_pacer.plugin")
    assert given["a"]["timings"].keys() == {"first", "second", "other"}


def test_a_consumer_that_does_not_enable_it_gives_none(dashboard: Lab) -> None:
    be_there(dashboard)
    configure(dashboard, enabled="")
    dashboard.publish({"name": "a"})
    assert dashboard.once().out.startswith("1 done")
    assert records(dashboard) == []


def test_messages_are_handled_while_the_dashboard_is_away_and_a_killed_process_keeps_their_records(
    dashboard: Lab,
) -> None:
    running = dashboard.run()
    for number in range(20):
        dashboard.publish({"name": str(number)})
    eventually(lambda: dashboard.counted.total() == 60, what=lambda: running.printed)
    running.wait_for("records for the dashboard wait in")
    assert dashboard.waiting() == 0
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()
    be_there(dashboard)
    dashboard.publish({"name": "after"})
    dashboard.once()
    names = [json.loads(record["payload"])["name"] for record in records(dashboard)]
    # What had reached the disk before the kill is there: the complaint says that one had at least.
    assert len(names) > 1
    assert "after" in names
    assert len(names) == len(set(names))


@contextmanager
def celery(lab: Lab, folder: Path) -> Iterator[Path]:
    """Run a dashboard's worker; give the file in which it notes its calls."""
    broker = f"amqp://guest:guest@127.0.0.1:{lab.node.port}/{lab.vhost.replace('/', '%2F')}"
    (folder / "board.py").write_text(WORKER.format(broker=broker, queue=QUEUE, exchange=EXCHANGE, key=KEY))
    command = [sys.executable, "-m", "celery", "-A", "board", "worker", "-P", "solo", "-l", "INFO"]
    with (folder / "log").open("w") as log:
        worker = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle"], cwd=folder, stdout=log, stderr=log
        )
    try:
        eventually(lambda: " ready." in (folder / "log").read_text(), what=(folder / "log").read_text)
        yield folder / "logged"
    finally:
        worker.terminate()
        worker.wait(30)


def test_a_celery_worker_reads_what_icat_pacer_s_dashboard_reads(dashboard: Lab, tmp_path: Path) -> None:
    configure(dashboard, options="format: icat-pacer, messageTypes: {jobs: job-log}")
    folder = tmp_path / "celery"
    folder.mkdir()
    with celery(dashboard, folder) as logged:
        dashboard.publish({"name": "Größe"})
        dashboard.once()
        eventually(
            lambda: logged.exists() and logged.read_text().endswith("\n"), what=(folder / "log").read_text
        )
        (kwargs,) = map(json.loads, logged.read_text().splitlines())
    assert kwargs["message_type"] == "job-log"
    assert json.loads(kwargs["payload"]) == {"name": "Größe"}
    assert kwargs["errored"] is False
    assert kwargs["routing_key"] == "jobs"
