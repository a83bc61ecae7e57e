"""`pacer_core.testing.run` and the fixtures that pytest finds: what a plugin author sees of a whole run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pacer_core import BrokerError, Outcome, PacerError, Publication
from pacer_core.config import ConfigError
from pacer_core.testing import MessagesFailed, Run, run
from tests.support import Site

PLUGIN = """
    from attrs import frozen
    from pacer_core import ConsumerType, Reject, Retry, Text, hookimpl, structured, task

    @frozen
    class Parcel:
        name: Text
        does: str = ""

    @task
    def pack(parcel, ctx):
        if parcel.does == "divide":
            return 1 / 0
        if parcel.does == "reject":
            raise Reject("no such proposal")
        if parcel.does == "once" and ctx.envelope.attempt == 1:
            raise Retry("the courier is away", after=0)
        if parcel.does == "tell":
            ctx.emit("letters", {"name": parcel.name})

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="parcels", message=Parcel, tasks=[pack])
        yield ConsumerType(name="letters", message=Parcel, tasks=[pack])

    @hookimpl
    def pacer_parse_message(envelope, consumer):
        if envelope.content_type == "text/plain" and consumer.name == "letters":
            return structured({"name": envelope.body.decode("ascii")}, consumer.message)
"""
PARCELS = """
    exchanges: [{name: user-office, type: topic}]
    queues: [{name: parcels, exchange: user-office, routingKey: parcel.new}]
    consumers: [{type: parcels, queues: [parcels]}]
"""
BOTH: dict[str, Any] = {
    "queues": [{"name": "parcels"}, {"name": "letters"}],
    "consumers": [
        {"type": "parcels", "queues": ["parcels"]},
        {"type": "letters", "name": "post", "queues": ["letters"]},
    ],
}


@pytest.fixture(autouse=True)
def parcels(site: Site) -> None:
    """A plugin with two consumer types, installed."""
    site.install("parcels-pacer", PLUGIN)


def test_a_message_goes_through_exchange_queue_and_tasks(pacer_run: Run) -> None:
    (delivery,) = pacer_run(PARCELS, '{"name": "a"}')
    assert (delivery.outcome, delivery.done) == (Outcome.ACKED, ("pack",))
    assert (delivery.envelope.exchange, delivery.envelope.routing_key) == ("user-office", "parcel.new")


def test_what_a_task_raised_is_the_cause_with_its_text(pacer_run: Run) -> None:
    with pytest.raises(
        MessagesFailed, match=r"(?s)a message of parcels is retried:\n  pack: Zero.*\(error\)"
    ) as e:
        pacer_run(PARCELS, '{"name": "a"}', '{"name": "a", "does": "divide"}')
    assert isinstance(e.value.__cause__, ZeroDivisionError)
    assert [one.outcome for one in e.value.deliveries] == [Outcome.ACKED, Outcome.RETRIED]


def test_bad_fields_and_reasons_are_said(pacer_run: Run) -> None:
    with pytest.raises(MessagesFailed) as e:
        pacer_run(PARCELS, '{"name": ""}', '{"name": "a", "does": "reject"}')
    said = str(e.value)
    assert "parse: the message has bad fields (reject)\n    name: is empty" in said
    assert "pack: no such proposal (reject)" in said
    assert e.value.__cause__ is None


def test_without_check_failures_are_given(pacer_run: Run) -> None:
    (delivery,) = pacer_run(PARCELS, '{"name": ""}', check=False)
    assert delivery.outcome is Outcome.DEAD


def test_what_is_tried_again_is_waited_for_where_that_is_asked(pacer_run: Run) -> None:
    deliveries = pacer_run(PARCELS, '{"name": "a", "does": "once"}', wait=True)
    assert [one.outcome for one in deliveries] == [Outcome.RETRIED, Outcome.ACKED]


def test_follow_ups_are_handled_too_and_a_publication_names_its_consumer(pacer_run: Run) -> None:
    deliveries = pacer_run(BOTH, Publication("parcels", b'{"name": "a", "does": "tell"}'))
    assert [(one.consumer, one.message.name) for one in deliveries] == [("parcels", "a"), ("post", "a")]


def test_the_plugin_s_own_parser_is_asked(pacer_run: Run) -> None:
    (delivery,) = pacer_run(BOTH, Publication("post", b"abc", content_type="text/plain"))
    assert delivery.message.name == "abc"
    with pytest.raises(MessagesFailed) as e:
        pacer_run(BOTH, Publication("post", b"\xff", content_type="text/plain"))
    assert isinstance(e.value.__cause__, UnicodeDecodeError)


def test_a_body_that_may_be_for_several_consumers_is_refused(pacer_run: Run) -> None:
    with pytest.raises(PacerError, match=r"which consumer is a body for\? .* one of: parcels, post"):
        pacer_run(BOTH, "{}")
    with pytest.raises(PacerError, match=r"no consumer or queue 'parcel' in .*did you mean 'parcels'"):
        pacer_run(BOTH, Publication("parcel", b"{}"))


def test_a_message_that_nobody_reads_is_missed(pacer_run: Run) -> None:
    config = {**BOTH, "queues": [*BOTH["queues"], {"name": "aside"}]}
    with pytest.raises(MessagesFailed, match="1 of 1 messages came to no consumer"):
        pacer_run(config, Publication("aside", b"{}"))


def test_a_file_is_run_as_it_is(site: Site, pacer_broker: dict[str, str]) -> None:
    file = site.write(f"{PARCELS}    brokers: {{main: {{protocol: sqlite, path: {pacer_broker['path']}}}}}")
    (delivery,) = run(file, b'{"name": "a"}')
    assert delivery.outcome is Outcome.ACKED
    assert run(file) == ()


def test_the_configuration_is_checked_and_the_broker_is_its_own(tmp_path: Path, pacer_run: Run) -> None:
    with pytest.raises(ConfigError, match="'quues'"):
        pacer_run("quues: []")
    with pytest.raises(BrokerError):
        pacer_run(
            f"{PARCELS}    brokers: {{main: {{protocol: sqlite, path: {tmp_path}/away/broker.db}}}}", "{}"
        )


def test_without_a_broker_of_any_plugin_one_is_told_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text("def test_it(pacer_run):\n    pacer_run({'queues': [{'name': 'a'}], 'consumers': []})\n")
    without = ("-p", "no:pacer_embedded", "-p", "no:pyicat_plus", "-p", "no:cacheprovider")
    command: list[str] = [sys.executable, "-m", "pytest", *without, str(file)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "nothing here has the fixture 'pacer_broker': install a broker" in done.stdout
