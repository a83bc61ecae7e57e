"""What a run of PACER's writes: the correlation id in every record of a message, and no secret anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab
from tests.services import RabbitMQ
from tests.support import Running, Site, eventually

CANARY = "c4n4ry-secret"
PLUGIN = """
    import logging, warnings
    from contextlib import contextmanager
    from attrs import frozen
    from pacer_core import ConsumerType, IntegrationType, Secret, hookimpl, task

    own = logging.getLogger("some_library.http")

    @frozen
    class Options:
        password: Secret

    @contextmanager
    def opened(options):
        yield options.password.reveal()

    CATALOGUE = IntegrationType("catalogue", Options, opened)

    @frozen
    class Step:
        name: str
        wrong: bool = False

    @task(needs=[CATALOGUE])
    def store(step, ctx):
        password = ctx[CATALOGUE]
        ctx.log.info("task: storing %s", step.name)
        ctx.log.debug("task: user is %s with %s", step.name, password)
        own.warning("library: POST https://user:%s@icat", password)
        warnings.warn(f"warning: old {password}")
        if step.wrong:
            raise RuntimeError(f"error: refused {password}")

    @hookimpl
    def pacer_integrations():
        yield CATALOGUE

    @hookimpl
    def pacer_consumers():
        yield ConsumerType("steps", Step, [store])
"""


@pytest.fixture
def start(
    site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[Lab, Running]]]:
    lab = Lab(site, rabbitmq, rabbitmq_vhost)
    monkeypatch.setenv("CATALOGUE_PASSWORD", CANARY)
    monkeypatch.setenv("PYTHONWARNINGS", "always")
    site.install("step-pacer", PLUGIN)

    def start(form: str, consumer: str = "", level: str = "DEBUG") -> tuple[Lab, Running]:
        lab.configure(
            queue="name: steps",
            consumer=f"type: steps, queues: [steps], integrations: [catalogue]{consumer}",
            more="integrations: {catalogue: {password: !env CATALOGUE_PASSWORD}}\nhealth: {enabled: false}",
        )
        text = lab.file.read_text().replace(
            "logging: {logLevel: INFO}",
            f"logging: {{logLevel: {level}, console: {{format: {form}}}, "
            f"file: {{enabled: true, path: {site.folder}/logs/pacer.log, format: {form}}}}}",
        )
        lab.file.write_text(text)
        return lab, lab.run()

    yield start
    lab.close()


def log_of(lab: Lab) -> str:
    return (lab.site.folder / "logs/pacer.log").read_text()


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("threads", [1, 4])
def test_every_record_of_a_message_carries_its_correlation_id(
    start: Callable[..., tuple[Lab, Running]], threads: int
) -> None:
    lab, running = start("json", f", concurrency: {threads}, retries: {{limit: 0}}")
    lab.publish({"name": "one"}, to="steps", correlation_id="id-of-one")
    lab.publish({"name": "two", "wrong": True}, to="steps", correlation_id="id-of-two")
    lab.publish(b"{", to="steps", correlation_id="id-of-three")
    eventually(lambda: lab.waiting("steps.dead") == 2)
    assert running.end() == 0
    found = records(log_of(lab))
    about = {
        name: [one for one in found if one.get("labels", {}).get("correlation_id") == f"id-of-{name}"]
        for name in ("one", "two", "three")
    }
    for name in ("one", "two"):
        texts = [one["message"] for one in about[name]]
        for beginning in ("task: storing", "task: user is", "library: POST"):
            assert any(text.startswith(beginning) for text in texts), texts
        assert any("warning: old ***" in text for text in texts), texts
    assert any("done" in one["message"] for one in about["one"])
    assert any("RuntimeError: error: refused ***" in str(one.get("error")) for one in about["two"])
    for name in ("two", "three"):
        assert any("dead in steps.dead" in one["message"] for one in about[name])
    others = [one["message"] for one in found if "labels" not in one]
    assert not any(word in text for text in others for word in ("task:", "library:", "steps: ")), others


@pytest.mark.parametrize("form", ["plain", "json"])
def test_no_run_writes_a_secret(start: Callable[..., tuple[Lab, Running]], form: str) -> None:
    lab, running = start(form, ", retries: {limit: 0}")
    lab.publish({"name": "bad", "wrong": True}, to="steps")
    eventually(lambda: lab.waiting("steps.dead") == 1)
    assert running.end() == 0
    for text in (log_of(lab), running.printed):
        assert "refused ***" in text
        assert CANARY not in text
    (dead,) = lab.take("steps.dead")
    assert CANARY not in str(dead.headers)


def test_personal_data_are_written_at_debug_alone(start: Callable[..., tuple[Lab, Running]]) -> None:
    lab, running = start("plain", ", retries: {limit: 0}", level="INFO")
    lab.publish({"name": "Ada Lovelace", "wrong": "maybe"}, to="steps")
    eventually(lambda: lab.waiting("steps.dead") == 1)
    assert running.end() == 0
    for text in (log_of(lab), running.printed):
        assert "dead in steps.dead" in text
        assert "Ada" not in text


def test_all_processes_write_to_one_file(start: Callable[..., tuple[Lab, Running]]) -> None:
    lab, running = start("json", ", workers: 3, concurrency: 1, prefetch: 1")
    eventually(lambda: running.printed.count("reading steps") == 3)
    for number in range(60):
        lab.publish({"name": f"{number}"}, to="steps")
    eventually(lambda: sum("task: storing" in one["message"] for one in records(log_of(lab))) == 60)
    assert running.end() == 0
    found = records(log_of(lab))
    names = {one["process"]["name"] for one in found if "task: storing" in one["message"]}
    assert names == {"steps-1", "steps-2", "steps-3"}
    assert running.process.pid in {one["process"]["pid"] for one in found}
    assert Path(f"{lab.site.folder}/logs/pacer.log.1").exists() is False
