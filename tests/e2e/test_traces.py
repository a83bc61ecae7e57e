"""Spans of OpenTelemetry, as a collector receives them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from pacer_core.model.messages import Envelope
from pacer_core.pipeline import spans
from tests.lab import Lab
from tests.support import eventually

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """What was sent to it, by OTLP over HTTP."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Requests(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Requests)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    @property
    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    collector = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    yield collector
    collector.close()


def attributes(span: Span) -> dict[str, str]:
    return {one.key: one.value.string_value or str(one.value.int_value) for one in span.attributes}


def follow_ups(lab: Lab, more: str = "") -> None:
    lab.configure(
        queue="name: jobs}, {name: more",
        consumer="type: jobs, queues: [jobs], concurrency: 2",
        more=f"  - {{type: follow-ups, queues: [more]}}\nhealth: {{enabled: false}}\n{more}",
    )


@pytest.mark.parametrize("stop", [False, True], ids=["running", "stopped"])
def test_a_message_and_its_tasks_are_spans_of_the_trace_that_it_came_with(
    lab: Lab, collector: Collector, stop: bool
) -> None:
    follow_ups(lab, "tracing: {enabled: true}")
    running = lab.run()
    running.wait_for("reading more")
    lab.publish(
        {"name": "one", "first": "emit follow-ups", "other": "reject"},
        headers={"traceparent": f"00-{TRACE}-{PARENT}-01"},
        correlation_id="c-1",
    )
    eventually(lambda: "follow one-child c-1" in lab.effects)
    if stop:
        assert running.end() == 0
    eventually(lambda: len(collector.spans) == 6, 30, lambda: str(collector.spans))
    spans = {span.name: span for span in collector.spans}
    assert set(spans) == {"process jobs", "first", "second", "other", "process follow-ups", "follow"}
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    message = spans["process jobs"]
    assert message.parent_span_id.hex() == PARENT
    assert message.kind == Span.SPAN_KIND_CONSUMER
    assert {spans[name].parent_span_id for name in ("first", "second", "other", "process follow-ups")} == {
        message.span_id
    }
    assert spans["follow"].parent_span_id == spans["process follow-ups"].span_id
    assert attributes(message)["pacer.outcome"] == "dead"
    assert attributes(message)["pacer.correlation_id"] == "c-1"
    assert attributes(message)["messaging.destination.name"] == "jobs"
    assert attributes(spans["process follow-ups"])["pacer.outcome"] == "acked"
    assert spans["other"].status.code == Status.STATUS_CODE_ERROR
    assert attributes(spans["other"])["error.type"] == "Reject"
    assert spans["first"].status.code == Status.STATUS_CODE_UNSET
    assert not any(b"emit follow-ups" in body for body in collector.bodies)


def test_without_tracing_a_trace_is_handed_on_and_nothing_is_sent(lab: Lab, collector: Collector) -> None:
    follow_ups(lab)
    running = lab.run()
    running.wait_for("reading more")
    header = f"00-{TRACE}-{PARENT}-01"
    lab.publish({"name": "one", "first": "emit follow-ups"}, headers={"traceparent": header})
    eventually(lambda: any(line.startswith("follow one-child") for line in lab.effects))
    assert running.end() == 0
    assert collector.bodies == []


@pytest.mark.parametrize(
    ("headers", "handed_on"),
    [
        ({"traceparent": "00", "tracestate": "x", "other": "1"}, {"traceparent": "00", "tracestate": "x"}),
        ({"traceparent": 7}, {}),
        ({"traceparent": "x" * 100_000}, {}),
        ({}, {}),
    ],
)  # fmt: skip
def test_the_headers_of_a_trace_are_handed_on(headers: dict[str, object], handed_on: dict[str, str]) -> None:
    assert spans.trace_headers(Envelope(b"", "jobs", headers=headers)) == handed_on


def test_tracing_that_is_not_installed_is_an_error(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, collector: Collector
) -> None:
    monkeypatch.setattr(spans, "find_spec", lambda _: None)
    lab.configure(more="tracing: {enabled: true}")
    ran = lab.site.pacer("run", "-c", lab.file)
    assert ran.code == 70
    assert "pip install 'pacer-core[otel]'" in ran.err


def test_a_task_that_takes_many_has_one_span_that_is_linked_to_the_trace_of_each(
    lab: Lab, collector: Collector
) -> None:
    lab.configure(consumer="type: many, queues: [jobs], concurrency: 2", more="tracing: {enabled: true}")
    lab.declare()
    for number in range(30):
        lab.publish({"name": f"m{number}"}, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    done = lab.once()
    assert done.code == 0, done.err
    together = [span for span in collector.spans if span.name == "at_once" and span.links]
    assert together
    for span in together:
        assert attributes(span)["messaging.batch.message_count"] == f"{len(span.links)}"
        assert {one.trace_id.hex() for one in span.links} == {TRACE}
