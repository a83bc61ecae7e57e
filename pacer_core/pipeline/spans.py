"""Spans of OpenTelemetry: one for each message, one for each task; the only door to its library.

It is imported where the configuration enables it, and nowhere else. A span names the consumer, the queue, the
correlation id and the outcome; it holds no body and no text of an exception.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any

from attrs import define, field, frozen

from pacer_core.model.consumers import Task
from pacer_core.model.errors import PacerError
from pacer_core.model.messages import Delivery, Envelope, Outcome
from pacer_core.pipeline.tasks import Gate

HEADERS = ("traceparent", "tracestate")
"""The headers of a message that carry a trace; W3C Trace Context."""
_LONGEST = 512  # what others have to pass on; anything longer is no trace
_PATIENCE = 3.0  # seconds for the last spans to leave
_current: ContextVar[Mapping[str, str] | None] = ContextVar("trace_headers", default=None)


def trace_headers(envelope: Envelope) -> dict[str, str]:
    """Give the headers by which what a message leads to belongs to its trace.

    They name the span that is open in this thread; without tracing, those that the message came with.
    """
    current = _current.get()
    return dict(current) if current is not None else _came_with(envelope)


def _came_with(envelope: Envelope) -> dict[str, str]:
    if not envelope.headers:
        return {}
    given = {name: envelope.headers.get(name) for name in HEADERS}
    return {name: value for name, value in given.items() if isinstance(value, str) and len(value) <= _LONGEST}


def require() -> None:
    """Make sure that OpenTelemetry is there.

    Raises
    ------
    PacerError
        Where it is not installed.
    """
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        raise PacerError(
            "tracing is enabled, but OpenTelemetry is not installed: pip install 'pacer-core[otel]', or "
            "leave 'tracing' out of the configuration"
        )


class Traces:
    """Makes spans and sends them where OpenTelemetry's environment variables say.

    A process in which a tracer provider has been set up, as ``opentelemetry-instrument`` does, keeps it.

    Raises
    ------
    PacerError
        Where OpenTelemetry is not installed.
    """

    def __init__(self) -> None:
        require()
        from opentelemetry import context, propagate, trace

        self._context, self._propagate, self._trace = context, propagate, trace
        self._close: Callable[[], None] = lambda: None
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            provider = _provider()
            trace.set_tracer_provider(provider)
            self._close = provider.shutdown
        self._tracer = trace.get_tracer("pacer")

    @contextlib.contextmanager
    def message(self, envelope: Envelope, consumer: str) -> Iterator[Callable[[Delivery | None], None]]:
        """Open the span of a message; call what this gives with the settled delivery."""
        parent = self._propagate.extract(_came_with(envelope))
        with self._tracer.start_as_current_span(
            f"process {consumer}",
            context=parent,
            kind=self._trace.SpanKind.CONSUMER,
            attributes={
                "messaging.operation.type": "process",
                "messaging.destination.name": envelope.queue,
                "messaging.message.conversation_id": envelope.correlation_id,
                "messaging.message.body.size": len(envelope.body),
                "pacer.correlation_id": envelope.correlation_id,
                "pacer.consumer": consumer,
                "pacer.attempt": envelope.attempt,
            },
            record_exception=False,
            set_status_on_exception=False,
        ) as span:

            def ended(delivery: Delivery | None) -> None:
                if delivery is not None:
                    span.set_attribute("pacer.outcome", delivery.outcome.value)
                    if delivery.outcome is not Outcome.ACKED:
                        span.set_status(self._trace.StatusCode.ERROR)

            token = _current.set(self._headers())
            try:
                yield ended
            finally:
                _current.reset(token)

    def gate(self, gate: Gate) -> Gate:
        """Give a gate with a span around each task that it lets through."""
        return _Traced(gate, self)

    @contextlib.contextmanager
    def together(self, task: Task, envelopes: Sequence[Envelope]) -> Iterator[None]:
        """Open the span of a task that runs for many messages at once, with a link to the trace of each."""
        contexts = (self._propagate.extract(_came_with(one)) for one in envelopes)
        came = (self._trace.get_current_span(one).get_span_context() for one in contexts)
        with self._tracer.start_as_current_span(
            task.name,
            links=[self._trace.Link(one) for one in came if one.is_valid],
            attributes={"pacer.task": task.name, "messaging.batch.message_count": len(envelopes)},
            record_exception=False,
            set_status_on_exception=False,
        ):
            yield

    def begin(self, task: Task) -> _Open:
        """Open the span of a task, in which those of the libraries that it calls stand."""
        span = self._tracer.start_span(task.name, attributes={"pacer.task": task.name})
        token = self._context.attach(self._trace.set_span_in_context(span))
        return _Open(span, token, _current.set(self._headers()))

    def end(self, opened: _Open, error: BaseException | None) -> None:
        """Close the span of a task."""
        if error is not None:
            opened.span.set_attribute("error.type", type(error).__qualname__)
            opened.span.set_status(self._trace.StatusCode.ERROR)
        _current.reset(opened.headers)
        self._context.detach(opened.context)
        opened.span.end()

    def close(self) -> None:
        """Send what has not been sent, for a moment at most."""
        thread = threading.Thread(target=self._close, name="traces", daemon=True)
        thread.start()
        thread.join(_PATIENCE)

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        self._propagate.inject(headers)
        return headers


@frozen
class _Open:
    span: Any
    context: Any
    headers: Any


@define(eq=False)
class _Traced:
    gate: Gate
    traces: Traces
    _opened: _Open | None = field(default=None, init=False)

    def closed(self, task: Task) -> tuple[str, str] | None:
        closed = self.gate.closed(task)
        if closed is None:
            self._opened = self.traces.begin(task)
        return closed

    def ended(self, task: Task, error: BaseException | None) -> None:
        self.gate.ended(task, error)
        opened, self._opened = self._opened, None
        if opened is not None:
            self.traces.end(opened, error)


def _provider() -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "pacer"}
    provider = TracerProvider(resource=Resource.create(name), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
