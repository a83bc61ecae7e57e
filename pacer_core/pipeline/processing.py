"""One message in a straight line: `Envelope` -> typed message -> tasks -> `Delivery`; no broker, no I/O.

The worker owns the threads and the clients, settlement owns the broker; what happens to a message in
between is here, and can be read and tested without either.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs
from attrs import define, frozen

from pacer_core.model.consumers import ConsumerType, Task
from pacer_core.model.errors import (
    IgnoreError,
    Reject,
)
from pacer_core.model.messages import (
    IGNORED,
    Clients,
    Context,
    Delivery,
    Envelope,
    FollowUp,
    Outcome,
    TaskFailure,
)
from pacer_core.pipeline.compression import is_packed, remark, unpacked
from pacer_core.pipeline.failures import failure_of
from pacer_core.pipeline.tasks import Gate, closed, of_a_task, run, run_many, to_json

log = logging.getLogger("pacer.pipeline")

PARSE = "parse"
"""What stands in the place of a task's name where the body itself cannot be read."""

Parse = Callable[[Envelope, ConsumerType], Any]


@define(eq=False)
class Begun:
    """A message on its way through its tasks: what they are given, and what they have left so far."""

    context: Context
    follow_ups: list[FollowUp]
    started: datetime
    ran: str = ""
    """The task that has run already, together with those of other messages."""
    failure: TaskFailure | None = None
    """Why that one has not done its work."""
    seconds: float = 0.0
    """How long it took."""


@frozen(eq=False)
class Pipeline:
    """What one configured consumer does with a message.

    Attributes
    ----------
    consumer
        The consumer's name in the configuration.
    type
        Its consumer type, with every plugin's tasks.
    parse_message
        The ``pacer_parse_message`` hook.
    tasks
        The tasks that run here, in an order that respects ``after=``: see `in_order`.
    options
        The consumer's options, structured.
    task_options
        By task name, the options of tasks that have their own.
    accepts
        Tells of a consumer type whether follow-ups for it have somewhere to go.
    """

    consumer: str
    type: ConsumerType
    parse_message: Parse
    tasks: tuple[Task, ...]
    options: Any = None
    task_options: Mapping[str, Any] = attrs.field(factory=dict)
    accepts: Callable[[str], bool] = lambda _: False

    def handle(self, envelope: Envelope, clients: Clients | None = None) -> Delivery:
        """Parse a message and run what is pending of its tasks."""
        message = self.parse(envelope)
        if isinstance(message, Delivery):
            return message
        return self.process(envelope, message, clients)

    def parse(self, envelope: Envelope) -> Any:
        """Give the typed message, or the `Delivery` of one that cannot be read or is passed over."""
        try:
            plain = unpacked(envelope) if is_packed(envelope) else envelope
            message = self.parse_message(plain, self.type)
            if message is None and self.type.message is not None:
                raise Reject(
                    f"no plugin reads content type {envelope.content_type!r} "
                    f"for consumer type {self.type.name!r}"
                )
        except IgnoreError as ignored:
            log.info("%s: ignored: %s", self.consumer, ignored.reason, extra=_who(envelope))
            return self.process(envelope, None, ignored=True)
        except Reject as reject:
            more = remark(envelope)
            reason = f"{reject.reason}; {more}" if more else reject.reason
            return self.failed(envelope, None, PARSE, Reject(reason, fields=reject.fields))
        except BaseException as error:
            return self.failed(envelope, None, PARSE, of_a_task(error))
        return message

    def failed(
        self,
        envelope: Envelope,
        message: Any,
        where: str,
        error: BaseException,
    ) -> Delivery:
        """Give the delivery of a message that failed before its tasks: in its parser, or for its key."""
        now = datetime.now(UTC)
        failure = failure_of(where, error)
        if failure.kind == "error":
            log.error("%s of %s failed\n%s", where, self.consumer, failure.trace, extra=_who(envelope))
        return Delivery(
            envelope=envelope,
            consumer=self.consumer,
            outcome=Outcome.DEAD if failure.kind == "reject" else Outcome.RETRIED,
            message=message,
            done=envelope.done,
            pending=tuple(task.name for task in self.tasks if task.name not in envelope.done),
            rejected=envelope.rejected,
            failures=(failure,),
            facts=envelope.facts,
            description={} if message is None else self.describe(message),
            delay=failure.after,
            started=now,
            finished=now,
        )

    def process(
        self,
        envelope: Envelope,
        message: Any,
        clients: Clients | None = None,
        gate: Gate | None = None,
        *,
        routes: Sequence[Task] = (),
        unread: TaskFailure | None = None,
        ignored: bool = False,
        begun: Begun | None = None,
    ) -> Delivery:
        """Run the pending tasks of a message, each once, and say what became of it; go on with what is begun.

        ``routes`` run first and depend on nothing; they are all that runs where the message could not be read
        (``unread`` says why), or is ``ignored``.
        """
        begun = self._begin(envelope, clients) if begun is None else begun
        context = begun.context
        done, rejected = set(envelope.done), dict(envelope.rejected)
        failures: list[TaskFailure] = [] if unread is None else [unread]
        everything = (*routes, *self.tasks) if routes else self.tasks
        if ignored:
            everything = tuple(routes)
            context.count(IGNORED)
        tasks = everything if unread is None else routes
        timings: dict[str, float] = {}
        blocked: set[str] = set(rejected)
        for task in tasks:
            name = task.name
            if name in done or name in rejected:
                continue
            if task.after and not blocked.isdisjoint(task.after):
                blocked.add(name)
                continue
            if name == begun.ran:
                failure = begun.failure
                timings[name] = begun.seconds
            elif (failure := None if gate is None else closed(task, gate)) is None:
                at = time.perf_counter()
                failure = run(task, message, self._context(context, name), gate)
                timings[name] = time.perf_counter() - at
            if failure is None:
                done.add(name)
                continue
            blocked.add(name)
            failures.append(failure)
            if failure.kind == "reject":
                rejected[name] = failure.reason
            elif failure.kind == "error":
                log.warning(
                    "task %s failed: %s\n%s", name, failure.reason, failure.trace, extra=_who(envelope)
                )
        ended = _unfinished(failures, rejected, done, everything) if failures or rejected else _ACKED
        outcome, pending, delay = ended
        return Delivery(
            envelope=envelope,
            consumer=self.consumer,
            outcome=outcome,
            message=message,
            done=tuple([task.name for task in everything if task.name in done]),
            pending=pending,
            rejected=rejected,
            failures=tuple(failures),
            facts=dict(context.facts),
            follow_ups=tuple(begun.follow_ups),
            description={} if message is None else self.describe(message),
            delay=delay,
            started=begun.started,
            finished=datetime.now(UTC),
            timings=timings,
            counts=context.counts,
        )

    def begin(
        self,
        task: Task,
        given: Sequence[tuple[Envelope, Any]],
        clients: Clients | None = None,
        gate: Gate | None = None,
    ) -> list[Begun] | None:
        """Run a task that takes many messages at once, ahead of the others that `process` runs for each.

        ``None`` where it failed for all of them together: `process` runs it again then, for one at a time.
        """
        at = time.perf_counter()
        begun = [self._begin(envelope, clients) for envelope, _ in given]
        pairs = [
            (message, self._context(one.context, task.name))
            for one, (_, message) in zip(begun, given, strict=True)
        ]
        failures = run_many(task, pairs, gate)
        if failures is None:
            return None
        seconds = time.perf_counter() - at
        for one, failure in zip(begun, failures, strict=True):
            one.ran, one.failure, one.seconds = task.name, failure, seconds
        return begun

    def _begin(self, envelope: Envelope, clients: Clients | None) -> Begun:
        follow_ups: list[FollowUp] = []

        def emit(consumer_type: str, payload: Any) -> bool:
            taken = self.accepts(consumer_type)
            if taken:
                follow_ups.append(FollowUp(consumer_type, to_json(payload)))
            return taken

        context = Context(envelope, self.consumer, options=self.options, clients=clients, emit=emit)
        return Begun(context, follow_ups, datetime.now(UTC))

    def _context(self, context: Context, task: str) -> Context:
        return context.for_task(self.task_options[task]) if task in self.task_options else context

    def describe(self, message: Any) -> Mapping[str, str]:
        """Give the identifiers by which people look for a message; a plugin's mistake there costs nothing."""
        if self.type.describe is None:
            return {}
        try:
            return dict(self.type.describe(message))
        except BaseException as error:
            of_a_task(error)
            log.exception("describe() of consumer type %s failed", self.type.name)
            return {}


_Ended = tuple[Outcome, tuple[str, ...], float | None]
_ACKED: _Ended = (Outcome.ACKED, (), None)


def _unfinished(
    failures: Sequence[TaskFailure], rejected: Mapping[str, str], done: set[str], tasks: Sequence[Task]
) -> _Ended:
    """Say how a message ends of which not all is done: the outcome, what is pending, and a wished delay."""
    transient = [failure for failure in failures if failure.kind != "reject"]
    delays = [failure.after for failure in transient if failure.after is not None]
    return (
        Outcome.RETRIED if transient else Outcome.DEAD,
        tuple(task.name for task in tasks if task.name not in done and task.name not in rejected),
        max(delays) if delays else None,
    )


def _who(envelope: Envelope) -> dict[str, str]:
    return {"correlation_id": envelope.correlation_id}
