"""PACER seen from outside: what is scraped while it works, and while it does not."""

from __future__ import annotations

import http.client
import json
import math
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pacer_core.config import load
from pacer_core.observe import health
from tests.lab import Lab
from tests.services import RabbitMQ
from tests.services.base import free_port
from tests.support import Running, Site, eventually

ROOT = Path(__file__).parents[2]

PLUGIN = """
    import time
    from contextlib import contextmanager
    from pathlib import Path
    from attrs import frozen
    from pacer_core import ConsumerType, IntegrationType, Key, NotYet, hookimpl, task

    HERE = Path(__file__).parent.parent

    @frozen
    class Options:
        pass

    @contextmanager
    def opened(options):
        yield "client"

    def check(client):
        if (HERE / "away").exists():
            raise ConnectionError("away")

    CATALOGUE = IntegrationType(
        "catalogue", Options, opened, check=check, is_away=lambda error: isinstance(error, ConnectionError)
    )

    @frozen
    class Step:
        key: str

    @task(needs=[CATALOGUE])
    def store(step, ctx):
        while (HERE / "gate").exists():
            time.sleep(0.01)
        check(ctx[CATALOGUE])
        if (HERE / "empty").exists():
            raise NotYet("no such investigation")

    @hookimpl
    def pacer_integrations():
        yield CATALOGUE

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(
            "steps", Step, [store], key=Key("investigation", of=lambda step, ctx: step.key)
        )
"""


class Metrics(dict[tuple[str, ...], float]):
    """Samples, by name and values of labels; one that is not exposed yet equals nothing."""

    def __missing__(self, sample: tuple[str, ...]) -> float:
        return math.nan


class Seen:
    """What answers at a port."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str, *, method: str = "GET", **headers: str) -> tuple[int, str, str]:
        """Give status, content type and body; status 0 where nothing answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers["Content-Type"], response.read().decode()
        except OSError:
            return 0, "", ""
        finally:
            connection.close()

    def ready(self) -> bool:
        """Say whether PACER is ready."""
        return self.get("/readyz")[0] == 200

    def why(self) -> dict[str, Any]:
        """Give what ``/readyz`` says."""
        body: dict[str, Any] = json.loads(self.get("/readyz")[2])
        return body

    def metrics(self) -> Metrics:
        """Give every sample, by its name and the values of its labels in the order of their names."""
        status, _, text = self.get("/metrics")
        assert status == 200, text
        return Metrics(
            ((sample.name, *(value for _, value in sorted(sample.labels.items()))), sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        )


@pytest.fixture
def seen() -> Seen:
    return Seen(free_port())


@pytest.fixture
def run(lab: Lab, seen: Seen) -> Callable[..., Running]:
    """Start the lab, seen from outside, and wait until it is ready."""

    def run(
        consumer: str = "type: jobs, queues: [jobs], concurrency: 4", more: str = "", **kw: Any
    ) -> Running:
        lab.configure(consumer=consumer, more=f"{more}\nhealth: {{port: {seen.port}}}", **kw)
        running = lab.site.start("run", "-c", lab.file)
        eventually(seen.ready, 30, lambda: running.printed)
        return running

    return run


def test_what_happens_to_messages_is_counted(lab: Lab, seen: Seen, run: Callable[..., Running]) -> None:
    run()
    for number in range(5):
        lab.publish({"name": f"good-{number}"})
    lab.publish({"name": "bad", "second": "reject"})
    lab.publish({"name": "later", "first": "once retry"})
    lab.publish(b"{")
    eventually(lambda: lab.waiting("jobs.dead") == 2 and lab.counted["first later 2"])
    eventually(lambda: seen.metrics()["pacer_messages_total", "jobs", "acked"] == 6)
    metrics = seen.metrics()
    assert metrics["pacer_messages_total", "jobs", "dead"] == 2
    assert metrics["pacer_messages_total", "jobs", "retried"] == 1
    assert metrics["pacer_failures_total", "jobs", "reject", "second"] == 1
    assert metrics["pacer_failures_total", "jobs", "retry", "first"] == 1
    assert metrics["pacer_failures_total", "jobs", "reject", "parse"] == 1
    assert metrics["pacer_task_duration_seconds_count", "jobs", "first"] == 8
    assert metrics["pacer_task_duration_seconds_bucket", "jobs", "+Inf", "first"] == 8
    assert metrics["pacer_task_duration_seconds_sum", "jobs", "first"] > 0
    assert metrics["pacer_publish_confirm_seconds_count",] == 3
    assert metrics["pacer_worker_up", "jobs-1"] == metrics["pacer_worker_ready", "jobs-1"] == 1
    assert metrics["pacer_worker_restarts_total", "jobs-1"] == 0
    eventually(lambda: seen.metrics().get(("pacer_queue_messages_dead", "jobs")) == 2)
    assert seen.metrics()["pacer_broker_up",] == 1


def test_queues_are_counted_by_the_broker(lab: Lab, seen: Seen, run: Callable[..., Running]) -> None:
    run(consumer="type: jobs, queues: [jobs], concurrency: 2, prefetch: 2")
    for number in range(6):
        lab.publish({"name": f"{number}", "first": "wait gate"})
    lab.publish({"name": "again", "first": "notyet"})
    eventually(lambda: len(lab.held) == 2)
    eventually(lambda: seen.metrics().get(("pacer_queue_messages_ready", "jobs")) == 5)
    eventually(lambda: seen.metrics()["pacer_messages_in_hand", "jobs-1"] == 2)
    lab.open_gate()

    def one_waits() -> bool:
        metrics = seen.metrics()
        waiting = sum(metrics["pacer_retry_messages_waiting", f"{step}"] for step in (5, 15))
        return waiting == 1 and metrics["pacer_queue_messages_ready", "jobs"] == 0

    eventually(one_waits)


def test_the_counts_of_a_killed_worker_go_on(lab: Lab, seen: Seen, run: Callable[..., Running]) -> None:
    running = run()
    for number in range(3):
        lab.publish({"name": f"{number}"})
    eventually(lambda: seen.metrics()["pacer_messages_total", "jobs", "acked"] == 3)
    status = health.ask(load(lab.file))
    assert status is not None
    (worker,) = status.workers
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    eventually(lambda: seen.metrics()["pacer_worker_crashes_total", "jobs-1"] == 1)
    assert seen.metrics()["pacer_messages_total", "jobs", "acked"] == 3
    eventually(seen.ready, 30, lambda: running.printed)
    assert seen.metrics()["pacer_worker_restarts_total", "jobs-1"] == 1
    lab.publish({"name": "later"})
    eventually(lambda: seen.metrics()["pacer_messages_total", "jobs", "acked"] == 4)


def test_several_workers_of_a_consumer_are_counted_together(
    lab: Lab, seen: Seen, run: Callable[..., Running]
) -> None:
    run(consumer="type: jobs, queues: [jobs], concurrency: 1, prefetch: 1, workers: 2")
    for number in range(2):
        lab.publish({"name": f"{number}", "first": "wait gate"})
    eventually(lambda: len(lab.held) == 2)
    lab.open_gate()
    eventually(lambda: seen.metrics()["pacer_messages_total", "jobs", "acked"] == 2)
    assert {name for _, name in (key for key in seen.metrics() if key[0] == "pacer_worker_up")} == {
        "jobs-1",
        "jobs-2",
    }


def test_pacer_lives_but_is_not_ready_while_the_broker_is_away(
    site: Site, start_rabbitmq: Callable[..., RabbitMQ], seen: Seen
) -> None:
    site.install("step-pacer", PLUGIN)
    node = start_rabbitmq()
    text = f"""
        brokers: {{main: {{host: 127.0.0.1, port: {node.port}, heartbeat: 4s}}}}
        queues: [{{name: steps}}]
        integrations: {{catalogue: {{}}}}
        consumers: [{{type: steps, queues: [steps], integrations: [catalogue]}}]
        health: {{port: {seen.port}}}
        processes: {{stateFolder: {site.folder / "state"}}}
    """
    running = site.start("run", "-c", site.write(text))
    eventually(seen.ready, 30, lambda: running.printed)
    node.kill()
    eventually(lambda: not seen.ready())
    assert "worker key:investigation is disconnected" in seen.why()["reasons"]
    assert seen.get("/livez")[0] == 200
    eventually(lambda: seen.metrics()["pacer_broker_up",] == 0, 40)
    assert not any(name == "pacer_queue_messages_ready" for name, *_ in seen.metrics())
    node.start()
    eventually(seen.ready, 60, lambda: f"{seen.why()} {running.printed}")


@pytest.fixture
def steps(site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str, seen: Seen) -> Iterator[Lab]:
    """A lab with a keyed consumer that needs an integration."""
    site.install("step-pacer", PLUGIN)
    lab = Lab(site, rabbitmq, rabbitmq_vhost)
    lab.configure(
        queue="name: steps",
        consumer="type: steps, queues: [steps], integrations: [catalogue], concurrency: 2",
        more=f"integrations: {{catalogue: {{}}}}\nhealth: {{port: {seen.port}}}",
    )
    lab.run()
    yield lab
    lab.close()


def test_a_password_that_the_broker_refuses_comes_with_advice(lab: Lab, seen: Seen) -> None:
    lab.configure(more=f"health: {{port: {seen.port}}}", broker=", username: guest, password: wrong")
    running = lab.site.start("run", "-c", lab.file)
    running.wait_for("correct username and password of brokers.main")
    eventually(lambda: seen.get("/readyz")[0] == 503 and seen.why()["advice"])
    assert "`pacer doctor` says what to do about the broker" in seen.why()["advice"][0]


def test_the_hottest_key_is_named_with_what_waits_for_it(steps: Lab, seen: Seen) -> None:
    steps.open_gate()  # which here keeps them waiting
    for key in ("HC-1", "HC-2", "HC-2", "HC-2", "HC-1", "HC-2"):
        steps.publish({"key": key}, to="steps")
    eventually(
        lambda: seen.metrics().get(("pacer_hottest_key_waiting", "HC-2", "investigation")) == 3,
        30,
        lambda: str(seen.metrics()),
    )
    found = health.ask(load(steps.file))
    assert found is not None
    assert [(one.space, one.key, one.waiting) for one in found.workers[0].keys] == [
        ("investigation", "HC-2", 3)
    ]
    shown = steps.site.pacer("status", "-c", steps.file).out
    assert "3 messages wait for one before of investigation HC-2" in shown
    data = json.loads(steps.site.pacer("status", "-c", steps.file, "--json").out)
    assert data["supervisor"]["workers"][0]["keys"] == [
        {"space": "investigation", "key": "HC-2", "waiting": 3}
    ]
    (steps.site.folder / "gate").unlink()
    eventually(lambda: not any(name == "pacer_hottest_key_waiting" for name, *_ in seen.metrics()))


def test_an_open_breaker_is_seen_and_the_worker_stays_ready(steps: Lab, seen: Seen) -> None:
    away = steps.site.folder / "away"
    away.touch()
    for number in range(3):
        steps.publish({"key": f"{number}"}, to="steps")
    name = ("pacer_breaker_open", "catalogue", "key:investigation")
    eventually(lambda: seen.metrics()[name] == 1)
    found = health.ask(load(steps.file))
    assert found is not None
    assert found.workers[0].open_breakers == ("catalogue",)
    assert seen.why()["advice"] == list(found.advice)
    assert "integration catalogue is away" in found.advice[0]
    eventually(lambda: '"paused"' in seen.get("/status")[2])
    assert seen.ready()
    shown = steps.site.pacer("status", "-c", steps.file).out
    assert shown.endswith(f"\n`pacer doctor -c {steps.file}` says what is wrong, and what to do\n")
    rows = [row.split() for row in shown.splitlines()]
    (row,) = (row for row in rows if row[:1] == ["key:investigation"])
    assert (row[1], row[-1]) == ("paused", "catalogue")
    away.unlink()
    eventually(lambda: seen.metrics()[name] == 0)


def test_an_account_that_finds_nothing_is_pointed_out_until_it_finds_something(
    steps: Lab, seen: Seen
) -> None:
    empty = steps.site.folder / "empty"
    empty.touch()
    for number in range(19):
        steps.publish({"key": f"{number}"}, to="steps")
    eventually(lambda: seen.metrics().get(("pacer_failures_total", "steps", "not-yet", "store")) == 19)
    assert seen.why()["advice"] == []
    steps.publish({"key": "20"}, to="steps")
    eventually(lambda: seen.why()["advice"])
    (advice,) = seen.why()["advice"]
    assert re.match("integration catalogue: .* rights to read", advice)
    assert advice in steps.site.pacer("status", "-c", steps.file).out
    assert seen.ready()
    assert seen.metrics()["pacer_integration_found_nothing", "catalogue", "key:investigation"] == 1
    empty.unlink()
    steps.publish({"key": "21"}, to="steps")
    eventually(lambda: seen.why()["advice"] == [])


def test_a_port_that_is_taken_stops_nobody(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        lab.configure(more=f"health: {{port: {taken.getsockname()[1]}}}")
        running = lab.run()
    assert "nobody can see how PACER is" in running.printed
    lab.publish({"name": "one"})
    eventually(lambda: "first one 1" in lab.effects)


def test_nothing_answers_where_it_is_switched_off(lab: Lab, seen: Seen) -> None:
    lab.configure(more=f"health: {{enabled: false, port: {seen.port}}}")
    lab.run()
    assert seen.get("/livez")[0] == 0
    assert health.ask(load(lab.file)) is None


def test_an_in_memory_broker_is_seen_as_well(lab: Lab, seen: Seen) -> None:
    text = lab.file.read_text()
    text = re.sub("main: .*", "main: {protocol: memory}", text)
    lab.file.write_text(re.sub("health: .*", f"health: {{port: {seen.port}}}", text))
    running = lab.site.start("run", "-c", lab.file)
    eventually(seen.ready, 30, lambda: running.printed)
    assert seen.get("/livez")[0] == 200
    eventually(lambda: seen.metrics().get(("pacer_queue_messages_ready", "jobs")) == 0)
    assert running.end() == 0


def test_another_configuration_s_supervisor_is_not_asked(
    lab: Lab, seen: Seen, run: Callable[..., Running]
) -> None:
    run()
    other = lab.file.with_name("other.yaml")
    other.write_text(lab.file.read_text())
    assert health.ask(load(other)) is None
    found = health.ask(load(lab.file))
    assert found is not None
    assert found.workers[0].state == "reading"


def test_requests_are_answered_in_the_way_of_http(lab: Lab, seen: Seen, run: Callable[..., Running]) -> None:
    run()
    status, _, body = seen.get("/elsewhere")
    assert (status, "/metrics" in body) == (404, True)
    assert seen.get("/livez", method="HEAD") == (200, "application/json", "")
    assert seen.get("/livez?verbose")[0] == 200
    _, kind, body = seen.get("/metrics", Accept="application/openmetrics-text;version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")
    with socket.create_connection(("127.0.0.1", seen.port)):  # who says nothing holds nobody up
        assert seen.ready()
