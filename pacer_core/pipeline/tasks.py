"""One run of a task, for one message or many: what it may do, and how it went."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Mapping
from typing import Any, Protocol

import attrs
import orjson

from pacer_core.model.consumers import Given, Task
from pacer_core.model.errors import (
    FactsTooLargeError,
    Signal,
    TaskError,
)
from pacer_core.model.messages import (
    Context,
    TaskFailure,
)
from pacer_core.pipeline.failures import failure_of

log = logging.getLogger("pacer.pipeline")

FACTS_LIMIT = 8 * 1024


class Gate(Protocol):
    """Asked before each task whether it may run, and told afterwards how it went."""

    def closed(self, task: Task) -> tuple[str, str] | None:
        """Give the kind of failure and the reason for which a task may not run now, or ``None``."""

    def ended(self, task: Task, error: BaseException | None) -> None:
        """Take note of how a task ended."""


def to_json(payload: Any) -> bytes:
    """Give a follow-up's payload as JSON: attrs instances by their fields, bytes as they are."""
    if isinstance(payload, bytes):
        return payload
    if attrs.has(type(payload)):
        payload = attrs.asdict(payload)
    return orjson.dumps(payload)


def closed(task: Task, gate: Gate) -> TaskFailure | None:
    """Say why a task may not run now, or ``None``."""
    why = gate.closed(task)
    return None if why is None else TaskFailure(task.name, *why)


def run(task: Task, message: Any, context: Context, gate: Gate | None) -> TaskFailure | None:
    """Run a task; say why it has not done its work, or ``None``. What it left in the facts is checked."""
    before = _kept(context)
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
    return _ended(task, context, before, error, gate)


def run_many(task: Task, given: Given, gate: Gate | None) -> list[TaskFailure | None] | None:
    """Run a task for many messages at once; say of each what `run` does, or ``None`` where it raises."""
    before = [_kept(context) for _, context in given]
    try:
        ends = task.ends(given)
    except BaseException as raised:
        failure = failure_of(task.name, of_a_task(raised))
        log.warning(
            "task %s failed for %s messages at once, each is tried by itself: %s\n%s",
            task.name,
            len(given),
            failure.reason,
            failure.trace,
        )
        return None
    return [
        _ended(task, context, was, end, gate)
        for (_, context), was, end in zip(given, before, ends, strict=True)
    ]


def _kept(context: Context) -> bytes:
    return to_json(dict(context.facts)) if context.facts else b"{}"


def _ended(
    task: Task, context: Context, before: bytes, error: BaseException | None, gate: Gate | None
) -> TaskFailure | None:
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
