"""What would become of a message: parsed as ever, and each task asked, which writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from attrs import evolve, field, frozen

from pacer_core.config.model import ConsumerPlan
from pacer_core.model.consumers import Task
from pacer_core.model.messages import Clients, Context, Delivery, Envelope, Outcome, TaskFailure
from pacer_core.model.planning import WRITES, Planned
from pacer_core.pipeline.processing import Pipeline
from pacer_core.work.clients import OpenIntegrations


@frozen
class TaskForeseen:
    """What one task would do: ``says`` is ``None`` where it has no way to tell beforehand."""

    task: str
    says: tuple[Planned, ...] | None = ()
    failure: TaskFailure | None = None
    waits_for: tuple[str, ...] = ()
    """The tasks that it comes after and that would not be done."""


@frozen
class Foreseen:
    """What would become of one message."""

    consumer: str
    outcome: Outcome
    tasks: tuple[TaskForeseen, ...] = ()
    description: dict[str, str] = field(factory=dict)
    failure: TaskFailure | None = None
    """Why it could not be read."""

    @property
    def writes(self) -> Counter[tuple[str, str]]:
        """How often each task would write, by the task and the change; what is there counts for nothing."""
        return Counter({key: number for key, number in self._changes.items() if key[1] in WRITES})

    @property
    def keeps(self) -> bool:
        """Whether an end has other values than the message, which stay."""
        return any(change == "kept" for _, change in self._changes)

    @property
    def _changes(self) -> Counter[tuple[str, str]]:
        return Counter(
            (one.task, planned.change)
            for one in self.tasks
            for planned in one.says or ()
            if one.failure is None
        )

    @property
    def untold(self) -> tuple[str, ...]:
        """The tasks that would run and cannot tell what they would do."""
        ended = (one for one in self.tasks if one.failure is None and not one.waits_for)
        return tuple(one.task for one in ended if one.says is None)


def first_sight(plan: ConsumerPlan, body: bytes, content_type: str | None) -> Envelope:
    """Give a message as if a consumer's first queue had it."""
    return Envelope(
        body,
        queue=plan.config.queues[0],
        properties={} if content_type is None else {"content_type": content_type},
        correlation_id=str(uuid4()),
    )


def foresee(plan: ConsumerPlan, envelope: Envelope, opened: OpenIntegrations) -> Foreseen:
    """Say what each task of a consumer would do with a message. No task runs, and nothing is published."""
    return foresee_in(plan.pipeline, envelope, opened.clients(plan))


def foresee_in(given: Pipeline, envelope: Envelope, clients: Clients) -> Foreseen:
    """Say what each task of a pipeline would do with a message."""
    said: dict[str, tuple[Planned, ...] | None] = {}
    tasks = tuple(evolve(one, run=_asked(one, said)) for one in given.tasks)
    pipeline = evolve(given, tasks=tasks, accepts=lambda _: False)
    message = pipeline.parse(envelope)
    if isinstance(message, Delivery):
        failure = message.failures[0] if message.failures else None
        return Foreseen(given.consumer, message.outcome, failure=failure)
    delivery = pipeline.process(envelope, message, clients)
    failures, names = {one.task: one for one in delivery.failures}, {one.name for one in tasks}
    return Foreseen(
        given.consumer,
        delivery.outcome,
        tuple(
            TaskForeseen(
                one.name,
                said.get(one.name, ()),
                failures.get(one.name),
                tuple(name for name in one.after if name not in delivery.done and name in names),
            )
            for one in tasks
        ),
        dict(delivery.description),
    )


def _asked(task: Task, said: dict[str, tuple[Planned, ...] | None]) -> Callable[[Any, Context], None]:
    """Give what stands in the place of a task: it asks the task's plan, and notes what that says."""

    def ask(message: Any, ctx: Context) -> None:
        said[task.name] = None if task.plan is None else tuple(task.plan(message, ctx))

    return ask
