"""What a plugin author tests with: one message through a consumer type, without a broker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from pacer_core.model.consumers import ConsumerType, Task
from pacer_core.model.errors import Signal
from pacer_core.model.integrations import IntegrationType
from pacer_core.model.messages import Clients, Context, Delivery, Envelope
from pacer_core.model.notification import Publish, SettledContext
from pacer_core.parsing.plugin import pacer_parse_message
from pacer_core.pipeline.processing import Pipeline
from pacer_core.pipeline.task_order import in_order

Integrations = Mapping[IntegrationType[Any], Any]


def deliver(
    consumer: ConsumerType,
    body: bytes | str,
    *,
    integrations: Integrations | None = None,
    options: Any = None,
    task_options: Mapping[str, Any] | None = None,
    content_type: str | None = None,
    properties: Mapping[str, Any] | None = None,
    after: Delivery | None = None,
    twice: bool = False,
) -> Delivery:
    """Send one message through a consumer type: parse it, run its tasks, and give what became of it.

    Parameters
    ----------
    consumer
        The consumer type, with its tasks.
    body
        What a publisher would send.
    content_type
        The media type that goes with it; without one, the first byte tells.
    properties
        Further AMQP properties that a publisher sets. They arrive as a broker delivers them: a ``timestamp``
        that is given as a datetime is a whole number of seconds since 1970.
    integrations
        The opened clients by integration type; tasks that need another one are left out, as they are where
        YAML does not enable it.
    options, task_options
        Instances of the options classes; by default the consumer type's own defaults.
    after
        The delivery of an earlier copy: its tasks done and its facts are carried over, as a retry does.
    twice
        Run every task a second time, as a crash before the ack does: what the second run gives is returned.
    """
    clients = {integration.name: client for integration, client in (integrations or {}).items()}
    envelope = Envelope(
        body=body.encode() if isinstance(body, str) else body,
        queue="test",
        properties=_as_delivered(properties or {})
        | ({} if content_type is None else {"content_type": content_type}),
        correlation_id=str(uuid4()),
        attempt=1 if after is None else after.envelope.attempt + 1,
        done=() if after is None else after.done,
        rejected={} if after is None else after.rejected,
        facts={} if after is None else after.facts,
    )
    pipeline = Pipeline(
        consumer=consumer.name,
        type=consumer,
        parse_message=lambda envelope, consumer: pacer_parse_message(envelope=envelope, consumer=consumer),
        tasks=in_order(tuple(consumer.tasks), lambda one: one.name in clients),
        options=_defaults(consumer.options) if options is None else options,
        task_options=_task_options(consumer.tasks, task_options or {}),
        accepts=lambda _: True,
    )
    first = pipeline.handle(envelope, Clients(clients))
    return pipeline.handle(envelope, Clients(clients)) if twice else first


def _as_delivered(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Give properties as they come off the wire, where times are whole seconds; naive ones are of UTC."""
    stamp = properties.get("timestamp")
    if not isinstance(stamp, datetime):
        return dict(properties)
    aware = stamp if stamp.tzinfo is not None else stamp.replace(tzinfo=UTC)
    return {**properties, "timestamp": int(aware.timestamp())}


def run_task(
    task: Task,
    message: Any,
    *,
    integrations: Integrations | None = None,
    options: Any = None,
    facts: dict[str, Any] | None = None,
    twice: bool = True,
) -> Signal | None:
    """Run one task on a typed message, twice by default; give its signal, or ``None`` when it finished.

    Exceptions that are no signals are raised.
    """
    seen = context(
        integrations=integrations,
        options=_defaults(task.options) if options is None else options,
        facts=facts,
    )
    signal: Signal | None = None
    for _ in range(2 if twice else 1):
        try:
            result = task.run(message, seen)
        except Signal as raised:
            result = raised
        signal = result if isinstance(result, Signal) else None
    return signal


def context(
    *, integrations: Integrations | None = None, options: Any = None, facts: dict[str, Any] | None = None
) -> Context:
    """Give what a task or the function of a `Key` sees beside its message."""
    clients = {integration.name: client for integration, client in (integrations or {}).items()}
    return Context(
        Envelope(b"", queue="test", correlation_id=str(uuid4())),
        "test",
        options=options,
        clients=Clients(clients),
        facts={} if facts is None else facts,
    )


def settled_context(
    consumer_type: str = "test",
    *,
    folder: Path,
    integrations: Integrations | None = None,
    publish: Publish = lambda *_: None,
    lost: Callable[[int], None] = lambda _: None,
) -> SettledContext:
    """Give what ``pacer_message_settled`` sees beside the delivery.

    ``publish(exchange, routing_key, bodies, content_type)`` stands for the broker: it may raise, or give of
    each body an error or ``None``. ``lost(records)`` stands for the metric.
    """
    clients = {integration.name: client for integration, client in (integrations or {}).items()}
    return SettledContext(consumer_type, clients, Clients(clients), folder, publish, lost)


def _task_options(tasks: tuple[Task, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    return {task.name: given.get(task.name, task.options()) for task in tasks if task.options is not None}


def _defaults(options: type | None) -> Any:
    return None if options is None else options()
