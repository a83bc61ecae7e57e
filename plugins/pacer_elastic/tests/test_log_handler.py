"""The log in Elasticsearch: nobody waits for it, and what does not get there is counted."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pacer_core import Secret
from pacer_elastic import ElasticHandler, LogOptions, bulk
from pacer_http import HttpClient
from pacer_http.testing import CUT, HTML, LATE, LOST, RESET, Fault, StandIn, refusal
from plugins.pacer_elastic.tests.node import Node
from tests.support import Site, eventually


class Line(logging.Formatter):
    """One JSON object a line, as the core's."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps({"@timestamp": "2026-03-14T09:26:53.589+00:00", "message": record.getMessage()})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ElasticHandler, "PERIOD", 0.01)
    monkeypatch.setattr(ElasticHandler, "BACKOFF", (0.01,))
    monkeypatch.setattr(bulk, "PAUSES", (0.0, 0.0))


@pytest.fixture
def node() -> Node:
    """A node with the index of the log, as a template would have made it."""
    return Node(indexes={"pacer-logs": {}})


@pytest.fixture
def handler(service: StandIn) -> Iterator[ElasticHandler]:
    """The handler of a process."""
    handler = ElasticHandler(LogOptions(service.url, timeout=timedelta(seconds=20), environment="test"))
    handler.setFormatter(Line())
    yield handler
    handler.close()


def say(handler: ElasticHandler, *messages: str) -> None:
    for message in messages:
        handler.handle(logging.LogRecord("pacer", logging.INFO, __file__, 1, message, None, None))


def held(node: Node) -> list[str]:
    return [one["message"] for one in node.indexes["pacer-logs"].values()]


def test_records_are_sent_together_with_where_they_come_from(
    handler: ElasticHandler, node: Node, service: StandIn
) -> None:
    say(handler, *map(str, range(300)))
    handler.close()
    assert sorted(held(node), key=int) == [str(number) for number in range(300)]
    (record, *_) = node.indexes["pacer-logs"].values()
    assert record["service"] == {"environment": "test"}
    assert record["event"] == {"dataset": "pacer"}
    assert record["host"]["name"]
    assert len(service.requests) < 30
    assert handler.dropped == 0


def test_nobody_waits_for_a_server_that_hangs(handler: ElasticHandler, node: Node, service: StandIn) -> None:
    service.fail(LATE)
    say(handler, "first")
    eventually(lambda: service.requests)
    say(handler, *map(str, range(1000)))
    assert held(node) == ["first"]  # carried out, and not answered
    assert handler.dropped == 0


@pytest.mark.parametrize(
    "fault", [RESET, LOST, CUT, HTML, refusal(401), refusal(429), refusal(500), refusal(503)], ids=str
)
def test_records_wait_for_a_server_that_is_away_and_none_comes_twice(
    handler: ElasticHandler, node: Node, service: StandIn, fault: Fault
) -> None:
    service.fail(*[fault] * 7)
    say(handler, "a", "b", "c")
    eventually(lambda: len(service.requests) > 7)
    eventually(lambda: sorted(held(node)) == ["a", "b", "c"])


def test_what_does_not_fit_is_dropped_counted_and_told_when_the_server_is_back(
    handler: ElasticHandler,
    node: Node,
    service: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(ElasticHandler, "MOST", 6)
    service.fail(*[refusal(503)] * 1000)
    say(handler, "first")
    eventually(lambda: service.requests)
    say(handler, *map(str, range(12)))
    assert handler.dropped == 7
    eventually(lambda: len(service.requests) > 3)
    service.behave()
    eventually(lambda: len(held(node)) == 7)
    report = "7 records of the log were dropped: Elasticsearch was away, too slow or refused them"
    assert sorted(held(node)) == ["0", "1", "2", "3", "4", report, "first"]
    (told,) = (one for one in node.indexes["pacer-logs"].values() if "pacer" in one)
    assert told["pacer"]["dropped"] == 7
    said = capsys.readouterr().err
    assert "the log does not reach Elasticsearch; it tries on" in said
    assert "the log reaches Elasticsearch again" in said


def test_bytes_are_bounded_as_well(
    handler: ElasticHandler, service: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ElasticHandler, "MOST_BYTES", 10_000)
    service.fail(LATE)
    say(handler, "first")
    eventually(lambda: service.requests)
    say(handler, *["x" * 4000] * 5)
    assert handler.dropped == 3


def test_what_is_left_when_the_process_ends_is_said(
    handler: ElasticHandler, service: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    service.fail(*[refusal(503)] * 1000)
    say(handler, "a", "b")
    eventually(lambda: len(service.requests) > 3)
    handler.close()
    assert handler.dropped == 2
    assert "2 records of the log were not sent to Elasticsearch" in capsys.readouterr().err


def test_records_that_are_refused_are_counted_and_not_quoted(
    handler: ElasticHandler, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    node.block = {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "'Ada Lovelace'"}}
    say(handler, "Ada Lovelace")
    eventually(lambda: handler.dropped == 1)
    handler.close()
    said = capsys.readouterr().err
    assert "refuses records of the log: 400 mapper_parsing_exception" in said
    assert "Ada" not in said


def test_a_record_that_cannot_be_formatted_is_counted(handler: ElasticHandler) -> None:
    handler.handle(logging.LogRecord("pacer", logging.INFO, __file__, 1, "%d", ("no number",), None))
    assert handler.dropped == 1


def test_what_our_own_requests_have_to_say_is_not_sent(
    handler: ElasticHandler, node: Node, service: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = HttpClient.request

    def chatty(self: HttpClient, *arguments: Any, **more: Any) -> Any:
        say(handler, f"request of {threading.current_thread().name}")
        return request(self, *arguments, **more)

    monkeypatch.setattr(HttpClient, "request", chatty)
    say(handler, "a")
    eventually(lambda: held(node) == ["a"])
    handler.close()
    assert held(node) == ["a"]
    assert len(service.requests) == 1


def test_a_key_goes_along_and_shows_nowhere(
    service: StandIn, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = ElasticHandler(LogOptions(service.url, api_key=Secret("c2VzYW1l")))
    handler.setFormatter(Line())
    service.fail(refusal(401))
    say(handler, "a")
    eventually(lambda: held(node) == ["a"])
    handler.close()
    assert service.requests[0].headers["authorization"] == "ApiKey c2VzYW1l"
    assert "c2VzYW1l" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "why"),
    [({"index": "Logs"}, "no name of an index"), ({"username": "a"}, "go together"), ({"url": "x"}, "URL")],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        LogOptions(**{"url": "https://elastic.example.org", **options})


PLUGIN = """
    from attrs import frozen
    from pacer_core import ConsumerType, hookimpl, task

    @frozen
    class Parcel:
        name: str

    @task
    def weigh(parcel, ctx):
        ctx.log.info("weighed %s", parcel.name)

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="parcels", message=Parcel, tasks=[weigh])
"""


@pytest.fixture(params=["service", "elasticsearch", "opensearch"])
def url(request: pytest.FixtureRequest) -> str:
    """A stand-in, and each real node."""
    found: str = request.getfixturevalue(request.param).url
    return found


def test_the_log_of_a_run_is_found_in_elasticsearch(site: Site, url: str, node: Node, tmp_path: Path) -> None:
    index = f"pacer-logs-{uuid4()}"
    node.indexes[index] = {}
    site.install("parcel-pacer", PLUGIN)
    body = site.write('{"name": "lysozyme"}', "parcel.json")
    file = site.write(
        f"""
        brokers: {{main: {{protocol: sqlite, path: {tmp_path / "broker.db"}}}}}
        queues: [{{name: parcels}}]
        consumers: [{{type: parcels, queues: [parcels]}}]
        logging: {{elastic: {{url: "{url}", index: {index}, environment: test}}}}
        """
    )
    assert site.pacer("send", "-c", file, "-n", "parcels", body).code == 0
    assert site.pacer("run", "--once", "-c", file).code == 0
    with HttpClient("test", url, timeout=timedelta(seconds=20)) as http:
        http.request("POST", f"/{index}/_refresh")
        hits = http.request("POST", f"/{index}/_search", json={"size": 100}).entries()["hits"]["hits"]
    (record,) = (hit["_source"] for hit in hits if hit["_source"]["message"] == "weighed lysozyme")
    assert record["log.level"] == "info"
    assert record["service"]["name"] == "pacer"
    assert record["service"]["environment"] == "test"
    assert record["labels"]["correlation_id"]


def test_worker_processes_send_what_they_have_to_say_to_the_end(
    site: Site, service: StandIn, node: Node, tmp_path: Path
) -> None:
    site.install("parcel-pacer", PLUGIN)
    file = site.write(
        f"""
        brokers: {{main: {{protocol: sqlite, path: {tmp_path / "broker.db"}}}}}
        queues: [{{name: parcels}}]
        consumers: [{{type: parcels, queues: [parcels]}}]
        logging: {{elastic: {{url: "{service.url}"}}}}
        processes: {{stateFolder: {tmp_path / "state"}}}
        health: {{enabled: false}}
        """
    )
    running = site.start("run", "-c", file)
    running.wait_for("reading parcels")
    assert running.end() == 0
    said = [(one["process"]["pid"], one["message"]) for one in node.indexes["pacer-logs"].values()]
    (worker,) = (pid for pid, message in said if message == "reading parcels")
    assert worker != running.process.pid
    assert [message for pid, message in said if pid == worker and "stopping" in message]


def test_an_option_that_is_wrong_is_named_with_its_place(site: Site) -> None:
    file = site.write(
        """
        brokers: {main: {protocol: memory}}
        queues: [{name: parcels}]
        consumers: [{type: dataset-index, queues: [parcels]}]
        logging:
          logLevel: INFO
          elastic: {url: elastic.example.org, indx: logs}
        """
    )
    checked = site.pacer("config", "check", "-c", file)
    assert "url" in checked.both
    assert "unknown key 'indx'" in checked.both
    assert "'logLevel'" not in checked.both
