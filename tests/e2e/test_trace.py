"""What became of a message is told at INFO, and `pacer trace` finds it in the log."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pacer_core.cli import main
from tests.lab import Lab
from tests.services import RabbitMQ
from tests.support import Site

PLUGIN = """
    from contextlib import contextmanager
    from attrs import frozen
    from pacer_core import ConsumerType, IntegrationType, Reject, hookimpl, task

    @frozen
    class Options:
        pass

    @contextmanager
    def opened(options):
        yield None

    CATALOGUE = IntegrationType("catalogue", Options, opened)

    @frozen
    class Run:
        name: str
        proposal: str
        wrong: bool = False

    @task(needs=[CATALOGUE])
    def store(run, ctx):
        ctx.log.info("storing a run")
        if run.wrong:
            raise Reject("wrong=true; so it is")

    @task
    def count(run, ctx):
        pass

    @hookimpl
    def pacer_integrations():
        yield CATALOGUE

    @hookimpl
    def pacer_consumers():
        describe = lambda run: {"run": run.name, "proposal": run.proposal}
        yield ConsumerType("runs", Run, [store, count], describe=describe)
        yield ConsumerType("counts", Run, [count], describe=describe)
"""


@pytest.fixture
def lab(site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str) -> Iterator[Lab]:
    site.install("run-pacer", PLUGIN)
    lab = Lab(site, rabbitmq, rabbitmq_vhost)
    yield lab
    lab.close()


def configured(lab: Lab, form: str = "plain", type_: str = "runs", more: str = "") -> Path:
    """Run messages through, and give the log file."""
    integrations = ", integrations: [catalogue]" if type_ == "runs" else ""
    lab.configure(
        queue="name: runs",
        consumer=f"type: {type_}, queues: [runs]{integrations}{more}",
        more="integrations: {catalogue: {}}\nhealth: {enabled: false}",
    )
    log = lab.site.folder / "logs/pacer.log"
    lab.file.write_text(
        lab.file.read_text().replace(
            "logging: {logLevel: INFO}",
            f"logging: {{console: {{enabled: false}}, file: {{enabled: true, path: {log}, format: {form}}}}}",
        )
    )
    return log


def handle(lab: Lab, *messages: tuple[str, bytes | Mapping[str, Any]]) -> None:
    """Have messages handled: a correlation id and a body each."""
    lab.declare()
    for message, body in messages:
        lab.publish(body, to="runs", correlation_id=message)
    assert lab.once().code in (0, 1)


GOOD = {"name": "run 1", "proposal": "2025-1"}
BAD = {"name": "run-2", "proposal": "2025-1", "wrong": True}


@pytest.mark.parametrize("form", ["plain", "json"])
def test_the_life_of_a_message_is_found_by_id_and_by_identifiers(lab: Lab, form: str) -> None:
    configured(lab, form)
    handle(lab, ("id-1", GOOD), ("id-2", BAD), ("id-3", b"{"))
    for wanted in (["id-1"], ["run=run 1"], ["proposal=2025-1", "run=run 1"]):
        found = lab.site.pacer("trace", "-c", lab.file, *wanted)
        assert found.code == 0, found.both
        first, *lines = found.out.splitlines()
        assert first == "id-1"
        assert len(lines) == 2
        assert lines[0].endswith("INFO     storing a run")
        assert re.search(r'INFO     runs: done in [\d.]+ ms; run="run 1" proposal=2025-1$', lines[1])
    both = lab.site.pacer("trace", "-c", lab.file, "proposal=2025-1").out
    assert [line for line in both.splitlines() if line.startswith("id-")] == ["id-1", "id-2"]
    assert "dead in runs.dead: store: wrong=true; so it is; run=run-2 proposal=2025-1" in both
    assert (
        "dead in runs.dead: parse: the body is not JSON"
        in lab.site.pacer("trace", "-c", lab.file, "id-3").out
    )


def test_records_of_json_have_identifiers_outcome_and_duration_as_fields(lab: Lab) -> None:
    log = configured(lab, "json")
    handle(lab, ("id-1", GOOD), ("id-2", BAD))
    ends = [one for one in map(json.loads, log.read_text().splitlines()) if "event" in one]
    assert [one["event"]["outcome"] for one in ends] == ["success", "failure"]
    assert [one["labels"] for one in ends] == [
        {
            "run": run,
            "proposal": "2025-1",
            "consumer": "runs",
            "outcome": outcome,
            "correlation_id": message,
        }
        for run, outcome, message in (("run 1", "acked", "id-1"), ("run-2", "dead", "id-2"))
    ]
    assert all(one["event"]["duration"] > 0 for one in ends)
    told = lab.site.pacer("trace", "-c", lab.file, "--json", "id-1").out.splitlines()
    assert [json.loads(line)["correlation_id"] for line in told] == ["id-1", "id-1"]


def test_nothing_found_ends_with_one_and_says_where_it_looked(lab: Lab) -> None:
    log = configured(lab)
    handle(lab, ("id-1", GOOD))
    found = lab.site.pacer("trace", "-c", lab.file, "run=nowhere")
    assert (found.code, found.out) == (1, "")
    assert found.err == f"nothing about run=nowhere in {log}\n"


def test_rotated_logs_and_those_of_other_hosts_are_read(lab: Lab) -> None:
    log = configured(lab)
    handle(lab, ("id-1", GOOD))
    with gzip.open(log.with_name("pacer.log.2.gz"), "wb") as older:
        older.write(log.read_bytes())
    log.replace(log.with_name("pacer.log.1"))
    handle(lab, ("id-1", GOOD))
    found = lab.site.pacer("trace", "-c", lab.file, "id-1").out
    assert found.count("storing a run") == 3
    times = [line.split("  ")[1] for line in found.splitlines()[1:]]
    assert times[4:] > times[2:4] == times[:2]
    other = log.with_name("other-host.log")
    other.write_text(log.read_text())
    assert lab.site.pacer("trace", "--log", other, "--log", log, "id-1").out.count("storing a run") == 4


def test_a_log_that_comes_from_the_journal_is_read_from_standard_input(lab: Lab) -> None:
    log = configured(lab)
    handle(lab, ("id-1", GOOD))
    journal = "".join(f"Nov 28 05:00:00 host pacer[7]: {line}\n" for line in log.read_text().splitlines())
    done = CliRunner().invoke(main, ["trace", "--log", "-", "run=run 1"], input=journal)
    assert done.exit_code == 0
    assert done.stdout.count("\n") == 3


def test_without_a_log_file_it_says_what_to_do(lab: Lab) -> None:
    lab.configure(consumer="type: counts, queues: [jobs]")
    found = lab.site.pacer("trace", "-c", lab.file, "id-1")
    assert found.code == 2
    assert "journalctl" in found.err


@pytest.mark.parametrize(
    ("type_", "more", "told"),
    [
        ("runs", "", True),
        ("runs", ", logMessages: false", False),
        ("counts", "", False),
        ("counts", ", logMessages: true", True),
    ],
)
def test_done_is_told_where_the_consumer_has_integrations_or_asks_for_it(
    lab: Lab, type_: str, more: str, told: bool
) -> None:
    log = configured(lab, "plain", type_, more)
    handle(lab, ("id-1", GOOD))
    assert (": done in " in log.read_text()) is told


def test_an_identifier_can_neither_begin_a_line_nor_fill_the_log_nor_pass_for_another(lab: Lab) -> None:
    log = configured(lab)
    hostile = ["\n2026-01-01 00:00:00,000 INFO 1 x: y", "\u202ered", "\u2028", "a" * 100_000]
    hostile += ['a" run=b', "", "[id-9]", "x=y"]
    handle(lab, *((f"id-{number}", {**GOOD, "name": name}) for number, name in enumerate(hostile)))
    text = log.read_text()
    assert len(text) < 10_000
    assert text.isascii()
    assert "\u202e" not in text
    assert len(text.splitlines()) == text.count("\n")
    for number, name in enumerate(hostile):
        found = lab.site.pacer("trace", "-c", lab.file, f"run={name}").out
        assert found.splitlines()[0] == f"id-{number}"
        assert found.count("done in") == 1
    assert lab.site.pacer("trace", "-c", lab.file, "run=b").code == 1
