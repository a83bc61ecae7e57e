"""What a plugin author tests with: a message through a consumer type, a service, or a configuration."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from pacer_core.model.consumers import ConsumerType, Task
from pacer_core.model.errors import RefusedError, Signal
from pacer_core.model.integrations import IntegrationType
from pacer_core.model.messages import Clients, Context, Delivery, Envelope, TaskFailure
from pacer_core.model.notification import Publish, SettledContext
from pacer_core.model.planning import Planned
from pacer_core.model.services import Publication, ServiceContext, ServiceType, Stopping
from pacer_core.parsing.plugin import pacer_parse_message
from pacer_core.pipeline.processing import Pipeline
from pacer_core.pipeline.task_order import in_order
from pacer_core.testing.crashes import Crash, crash_everywhere
from pacer_core.testing.running import Body, Configuration, MessagesFailed, Run, run
from pacer_core.work.planning import foresee_in

__all__ = [
    "Body",
    "Configuration",
    "Crash",
    "FakeService",
    "Integrations",
    "MessagesFailed",
    "Run",
    "context",
    "crash_everywhere",
    "deliver",
    "foresee",
    "run",
    "run_task",
    "settled_context",
]

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
    parse: Callable[[Envelope, ConsumerType], Any] | None = None,
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
    parse
        The plugin's own ``pacer_parse_message``, which is asked before the core's, as in production.
    """
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
    pipeline, clients = _pipeline(consumer, integrations or {}, options, task_options or {}, parse)
    first = pipeline.handle(envelope, clients)
    return pipeline.handle(envelope, clients) if twice else first


def foresee(
    consumer: ConsumerType,
    body: bytes | str,
    *,
    integrations: Integrations | None = None,
    options: Any = None,
    task_options: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Mapping[str, Sequence[Planned] | TaskFailure | None]:
    """Ask a consumer type what it would do with a message, as ``pacer plan`` does; by task.

    What a task says is in its place: what it plans, why it would not do its work, or ``None`` where it cannot
    tell beforehand. A task that would not be reached is left out. The parameters are those of `deliver`.
    """
    pipeline, clients = _pipeline(consumer, integrations or {}, options, task_options or {}, None)
    envelope = Envelope(
        body=body.encode() if isinstance(body, str) else body,
        queue="test",
        correlation_id=str(uuid4()),
        facts=facts or {},
    )
    seen = foresee_in(pipeline, envelope, clients)
    if seen.failure is not None:
        return {seen.failure.task: seen.failure}
    return {one.task: one.failure or one.says for one in seen.tasks if not one.waits_for}


def _pipeline(
    consumer: ConsumerType,
    integrations: Integrations,
    options: Any,
    task_options: Mapping[str, Any],
    parse: Callable[[Envelope, ConsumerType], Any] | None,
) -> tuple[Pipeline, Clients]:
    clients = {integration.name: client for integration, client in integrations.items()}
    pipeline = Pipeline(
        consumer=consumer.name,
        type=consumer,
        parse_message=lambda envelope, consumer: _parsed(parse, envelope, consumer),
        tasks=in_order(tuple(consumer.tasks), lambda one: one.name in clients),
        options=_defaults(consumer.options) if options is None else options,
        task_options=_task_options(consumer.tasks, task_options),
        accepts=lambda _: True,
    )
    return pipeline, Clients(clients)


def _parsed(
    own: Callable[[Envelope, ConsumerType], Any] | None, envelope: Envelope, consumer: ConsumerType
) -> Any:
    """Give what the plugin's parser makes of a body, or what the core's does where that has no opinion."""
    message = None if own is None else own(envelope, consumer)
    return pacer_parse_message(envelope=envelope, consumer=consumer) if message is None else message


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


class FakeService(ServiceContext):
    """What a service sees, without a broker: notes what it does, and confirms what it publishes.

    Parameters
    ----------
    type_
        The service type that is tested.
    options
        An instance of its options class; by default the class's own defaults.
    folder
        The service's folder; it is made.
    broker
        Stands for the broker: called with each message before it is confirmed. It may wait, or raise what
        `ServiceContext.publish` raises: `pacer_core.RefusedError` for instance.
    waiting
        Says how many messages wait in a queue.
    """

    def __init__(
        self,
        type_: ServiceType,
        options: Any = None,
        *,
        folder: Path,
        broker: Callable[[Publication], object] = lambda _: None,
        waiting: Callable[[str], int | None] = lambda _: 0,
        instance: int = 1,
        instances: int = 1,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.type = type_
        self.published: list[Publication] = []
        """What has been confirmed, in this order."""
        self.counted = Counter[str]()
        self.troubles: list[str] = []
        """What it said in health, ``""`` among it."""
        self.is_ready = False
        self._broker = broker
        self._asked_to_stop = threading.Event()
        super().__init__(
            type_.name,
            _defaults(type_.options) if options is None else options,
            folder=folder,
            stopping=self._asked_to_stop,
            publish=self._confirm_each,
            waiting=waiting,
            ready=self._be_ready,
            trouble=self.troubles.append,
            count=self._add,
            instance=instance,
            instances=instances,
        )

    def stop(self) -> None:
        """Tell the service to end."""
        self._asked_to_stop.set()

    def run(self, until: Callable[[], object], seconds: float = 30.0) -> None:
        """Run the service in a thread until something is true, then stop it, and wait for its end.

        Raises
        ------
        AssertionError
            Where it is not true in time, or the service does not end, or ends before.
        """
        failure: list[BaseException] = []

        def work() -> None:
            try:
                self.type.run(self)
            except Stopping as error:
                failure.extend([] if self._asked_to_stop.is_set() else [error])
            except BaseException as error:  # raised again in the test's thread
                failure.append(error)

        thread = threading.Thread(target=work, name=f"service {self.name}", daemon=True)
        deadline = time.monotonic() + seconds
        thread.start()
        try:
            while not until() and not failure:
                _hold(thread.is_alive() or failure or until(), f"service {self.name!r} has ended before")
                _hold(time.monotonic() < deadline, f"not true within {seconds:g} s")
                time.sleep(0.005)
        finally:
            self.stop()
            thread.join(seconds)
        for error in failure:
            raise error
        _hold(not thread.is_alive(), f"service {self.name!r} does not end when it is told to")

    def _confirm_each(self, publications: Sequence[Publication]) -> list[RefusedError | None]:
        return [self._confirm(one) for one in publications]

    def _confirm(self, publication: Publication) -> RefusedError | None:
        allowed = () if self.type.publishes is None else tuple(self.type.publishes(self.options))
        _hold(
            self.type.publishes is None or publication.to in allowed,
            f"{publication.to!r} is not among what publishes= names: {', '.join(allowed)}",
        )
        wrong = [name for name in publication.headers if name.lower().startswith("x-pacer-")]
        _hold(not wrong, f"names that begin with x-pacer- are PACER's own: {', '.join(wrong)}")
        try:
            self._broker(publication)
        except RefusedError as error:
            return error
        self.published.append(publication)
        return None

    def _be_ready(self) -> None:
        self.is_ready = True

    def _add(self, what: str, number: int) -> None:
        _hold(what in self.type.counts, f"{what!r} is not among the type's counts=")
        self.counted[what] += number


def _hold(true: object, otherwise: str) -> None:
    if not true:
        raise AssertionError(otherwise)
