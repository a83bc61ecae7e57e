"""One message in a straight line: `Envelope` -> typed message -> tasks -> `Delivery`; no broker, no I/O.

The worker owns the threads and the clients, settlement owns the broker; what happens to a message in
between is here, and can be read and tested without either.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol

import attrs
import orjson
from attrs import frozen

from pacer_core.model.consumers import ConsumerType, Task
from pacer_core.model.errors import (
    FactsTooLargeError,
    IgnoreError,
    PacerError,
    Reject,
    Signal,
    TaskError,
)
from pacer_core.model.integrations import IntegrationType
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

log = logging.getLogger("pacer.pipeline")

PARSE = "parse"
"""What stands in the place of a task's name where the body itself cannot be read."""
FACTS_LIMIT = 8 * 1024

Parse = Callable[[Envelope, ConsumerType], Any]


class Gate(Protocol):
    """Asked before each task whether it may run, and told afterwards how it went."""

    def closed(self, task: Task) -> tuple[str, str] | None:
        """Give the kind of failure and the reason for which a task may not run now, or ``None``."""

    def ended(self, task: Task, error: BaseException | None) -> None:
        """Take note of how a task ended."""


class TaskOrderError(PacerError):
    """The tasks of a consumer cannot be put in an order: a cycle, or an ``after=`` that names no task."""


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
    ) -> Delivery:
        """Run the pending tasks of a message, each once, and say what became of it.

        ``routes`` run first and depend on nothing; they are all that runs where the message could not be read
        (``unread`` says why), or is ``ignored``.
        """
        started = datetime.now(UTC)
        follow_ups: list[FollowUp] = []

        def emit(consumer_type: str, payload: Any) -> bool:
            taken = self.accepts(consumer_type)
            if taken:
                follow_ups.append(FollowUp(consumer_type, to_json(payload)))
            return taken

        context = Context(envelope, self.consumer, options=self.options, clients=clients, emit=emit)
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
            failure = None if gate is None else _closed(task, gate)
            if failure is None:
                own = context.for_task(self.task_options[name]) if name in self.task_options else context
                at = time.perf_counter()
                failure = _run(task, message, own, gate)
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
            follow_ups=tuple(follow_ups),
            description={} if message is None else self.describe(message),
            delay=delay,
            started=started,
            finished=datetime.now(UTC),
            timings=timings,
            counts=context.counts,
        )

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


def in_order(
    tasks: tuple[Task, ...], enabled: Callable[[IntegrationType[Any]], bool], left_out: Collection[str] = ()
) -> tuple[Task, ...]:
    """Give the tasks whose integrations are all enabled, in an order that respects ``after=``.

    Those in ``left_out`` are switched off as well.

    Tasks stand in the order of their registration wherever ``after=`` leaves it open. A task that is
    switched off holds nothing up: what comes after it comes after what that one would have waited for.

    Raises
    ------
    TaskOrderError
        For a cycle, a missing name, or a name given twice.
    """
    by_name = {task.name: task for task in tasks}
    if len(by_name) != len(tasks):
        twice = sorted({task.name for task in tasks if sum(task.name == other.name for other in tasks) > 1})
        raise TaskOrderError(f"task names must be unique in a consumer: {', '.join(twice)}")
    for task in tasks:
        for name in task.after:
            if name not in by_name:
                raise TaskOrderError(
                    f"task {task.name!r} comes after {name!r}, which no installed plugin provides: "
                    f"install the plugin that does, or correct after="
                )
    rank = {task.name: place for place, task in enumerate(tasks)}
    sorter = TopologicalSorter({task.name: task.after for task in tasks})
    try:
        sorter.prepare()
    except CycleError as error:
        raise TaskOrderError(f"tasks wait for each other: {' -> '.join(error.args[1])}") from None
    ordered: list[Task] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=rank.__getitem__)
        ordered += [by_name[name] for name in ready]
        sorter.done(*ready)
    runs: dict[str, Task] = {}
    before: dict[str, tuple[str, ...]] = {}  # of those that are switched off, whom they would wait for
    for task in ordered:
        after = tuple(dict.fromkeys(name for one in task.after for name in before.get(one, (one,))))
        if task.name not in left_out and all(enabled(one) for one in task.needs):
            runs[task.name] = task if after == task.after else attrs.evolve(task, after=after)
        else:
            before[task.name] = after
    return tuple(runs.values())


def to_json(payload: Any) -> bytes:
    """Give a follow-up's payload as JSON: attrs instances by their fields, bytes as they are."""
    if isinstance(payload, bytes):
        return payload
    if attrs.has(type(payload)):
        payload = attrs.asdict(payload)
    return orjson.dumps(payload)


def _closed(task: Task, gate: Gate) -> TaskFailure | None:
    closed = gate.closed(task)
    return None if closed is None else TaskFailure(task.name, *closed)


def _run(task: Task, message: Any, context: Context, gate: Gate | None) -> TaskFailure | None:
    before = to_json(dict(context.facts)) if context.facts else b"{}"
    error: BaseException | None = None
    try:
        result = task.run(message, context)
        if isinstance(result, Signal):
            raise result
        if result is not None:
            raise TaskError(
                f"task {task.name} returned {type(result).__name__}; a task returns None or a signal"
            )
    except BaseException as raised:
        error = of_a_task(raised)
    if context.facts:
        try:
            _check_facts(task, context.facts)
        except Exception as problem:
            # What cannot travel in a header would keep the message from ever being settled.
            context.facts = orjson.loads(before)
            error = error or problem
    if gate is not None:
        gate.ended(task, error)
    return None if error is None else failure_of(task.name, error)


def of_a_task(error: BaseException) -> BaseException:
    """Give what a plugin's code has raised: its own failure, whatever it is.

    A library's SystemExit, CancelledError, GeneratorExit or KeyboardInterrupt ends neither thread nor worker,
    and leaves no message without an outcome. What Python itself raises for Ctrl-C is raised again; a worker
    has a handler of its own for that.
    """
    if isinstance(error, KeyboardInterrupt) and (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):
        raise error
    return error


def _check_facts(task: Task, facts: Mapping[str, Any]) -> None:
    if len(orjson.dumps(dict(facts))) > FACTS_LIMIT:
        raise FactsTooLargeError(f"task {task.name} left more than {FACTS_LIMIT} bytes in ctx.facts")


def _who(envelope: Envelope) -> dict[str, str]:
    return {"correlation_id": envelope.correlation_id}
