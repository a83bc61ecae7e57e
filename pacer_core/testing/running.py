"""Messages through a whole configuration: its broker and queues, the installed plugins, and a worker."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from attrs import evolve

from pacer_core.config import Config, load
from pacer_core.config.model import ConsumerPlan
from pacer_core.model.consumers import Task
from pacer_core.model.errors import PacerError
from pacer_core.model.messages import Delivery, Outcome
from pacer_core.model.services import Publication
from pacer_core.transport.sending import send
from pacer_core.work.worker import Worker

Configuration = Path | str | Mapping[str, Any]
"""The file of a configuration, or its YAML, or the same as a mapping."""
Body = bytes | str | Publication
"""What is sent: a body to the only consumer, or a publication to the consumer or queue that it names."""


class Run(Protocol):
    """What the fixture ``pacer_run`` gives: ``run``, for whose configuration ``brokers`` may be missing."""

    def __call__(
        self, config: Configuration, *bodies: Body, wait: bool = False, check: bool = True
    ) -> tuple[Delivery, ...]:
        """Send messages through a configuration, and give what became of them."""
        ...


class MessagesFailed(AssertionError):
    """Some messages were not done; its cause is the first exception that nobody expected, if there was one.

    Attributes
    ----------
    deliveries
        What became of every message, as ``run`` gives it.
    """

    def __init__(self, text: str, deliveries: tuple[Delivery, ...]) -> None:
        super().__init__(text)
        self.deliveries = deliveries


def run(config: Configuration, *bodies: Body, wait: bool = False, check: bool = True) -> tuple[Delivery, ...]:
    """Send messages through the broker of a configuration, and work until they have been handled.

    It is ``pacer send`` and ``pacer run --once --inline`` in this process: the same queues, plugins, parsers,
    integrations and settlement, and one thread, so that ``breakpoint()`` works. Which broker that is, the
    configuration says; the plugins are those that are installed. Services do not run.

    Parameters
    ----------
    config
        The file, or its YAML, or a mapping of the same. Of the latter two nothing is left on disk, unless
        they name a ``processes.stateFolder``.
    bodies
        What to send: a body is for the only consumer; where there are several, or for a content type and
        headers, send a `pacer_core.Publication`. Without any, the queues are worked on until they are empty.
    wait
        Whether to wait for what is to be tried again, as soon as that is due.
    check
        Whether to raise what failed.

    Returns
    -------
    tuple
        What became of each message, in this order: of follow-ups too, and, with ``wait``, of each attempt.

    Raises
    ------
    MessagesFailed
        Where a message is dead or waits to be tried again, or was read by nobody.
    pacer_core.PacerError
        With every problem of the configuration, or where nobody of a name is there to read a message.
    pacer_core.BrokerError
        Where the broker cannot be reached, or does not take a message.
    """
    raised: list[Exception] = []
    deliveries: list[Delivery] = []
    with _loaded(config) as loaded:
        plans = tuple(_watched(plan, raised) for plan in loaded.consumers)
        watched = evolve(loaded, consumers=plans)
        sent = set(send(watched, [_publication(watched, one) for one in bodies]))
        unsettled = len(bodies)

        def note(delivery: Delivery) -> None:
            nonlocal unsettled
            deliveries.append(delivery)
            if delivery.envelope.correlation_id in sent and delivery.envelope.attempt == 1:
                unsettled += len(delivery.follow_ups) - 1  # they have the same correlation id
            if unsettled == 0 and not wait:  # else what is tried again after a second might still come
                worker.stop()

        worker = Worker(watched, plans, inline=True, observe=note)
        worker.run(once=True, wait=wait)
    settled = tuple(deliveries)
    if check and (said := [*_not_done(settled), *_unread(sent, settled)]):
        raise MessagesFailed("\n".join(said), settled) from (raised[0] if raised else None)
    return settled


@contextmanager
def _loaded(config: Configuration) -> Iterator[Config]:
    """Give a configuration; its state is kept for as long as this lasts, where it is no file's."""
    if isinstance(config, Path):
        yield load(config)
        return
    text = textwrap.dedent(config) if isinstance(config, str) else json.dumps(config, default=str)
    with TemporaryDirectory(prefix="pacer-") as folder:
        file = Path(folder, "pacer.yaml")
        file.write_text(text)
        loaded = load(file)
        state = loaded.processes.state_folder or str(Path(folder, "state"))
        yield evolve(loaded, processes=evolve(loaded.processes, state_folder=state))


def _watched(plan: ConsumerPlan, raised: list[Exception]) -> ConsumerPlan:
    """Give a consumer of which one hears what its parser and its tasks raise beside signals."""

    def task(one: Task) -> Task:
        return evolve(one, run=_noting(one.run, raised))

    pipeline = plan.pipeline
    watched = evolve(
        pipeline,
        parse_message=_noting(pipeline.parse_message, raised),
        tasks=tuple(task(one) for one in pipeline.tasks),
    )
    return evolve(plan, pipeline=watched)


def _noting(function: Callable[..., Any], raised: list[Exception]) -> Callable[..., Any]:
    def noting(*arguments: Any, **keywords: Any) -> Any:
        try:
            return function(*arguments, **keywords)
        except PacerError:
            raise
        except Exception as error:
            raised.append(error)
            raise

    return noting


def _publication(config: Config, body: Body) -> Publication:
    return body if isinstance(body, Publication) else Publication(_only_consumer(config), _bytes(body))


def _only_consumer(config: Config) -> str:
    if len(config.consumers) != 1:
        names = ", ".join(plan.name for plan in config.consumers)
        raise PacerError(f"which consumer is a body for? Send Publication(NAME, body), with one of: {names}")
    return config.consumers[0].name


def _bytes(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body


def _not_done(deliveries: Sequence[Delivery]) -> Iterator[str]:
    """Say of each message that is not done what each of its tasks has said."""
    last = {(one.consumer, one.envelope.queue, one.envelope.correlation_id): one for one in deliveries}
    for delivery in last.values():
        if delivery.outcome is Outcome.ACKED:
            continue
        yield f"a message of {delivery.consumer} is {delivery.outcome.value}:"
        for failure in delivery.failures:
            yield f"  {failure.task}: {failure.reason} ({failure.kind})"
            yield from (f"    {bad}" for bad in failure.fields)
            yield from () if failure.trace is None else (textwrap.indent(failure.trace.rstrip(), "    "),)


def _unread(sent: set[str], deliveries: Sequence[Delivery]) -> Iterator[str]:
    """Say how many messages no consumer has settled."""
    if left := len(sent - {one.envelope.correlation_id for one in deliveries}):
        yield f"{left} of {len(sent)} messages came to no consumer: are they in a queue that is read?"
