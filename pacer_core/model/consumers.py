"""What plugins register: consumer types with their tasks and keys, integration types, log handlers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, Literal, TypeVar, overload

from attrs import evolve, field, frozen

from pacer_core.model.messages import Context

C = TypeVar("C")
TaskFunction = Callable[[Any, Context], Any]


def _tuple(tasks: Iterable[Task]) -> tuple[Task, ...]:
    return tuple(tasks)


def _never(_: BaseException) -> bool:
    return False


@frozen(eq=False)
class IntegrationType(Generic[C]):
    """An outside system that a plugin opens from YAML options; ``ctx[INTEGRATION]`` gives the client.

    Attributes
    ----------
    name
        What YAML calls it, under ``integrations:`` and in a consumer's ``integrations``.
    options
        The attrs class of its YAML options.
    open
        A context manager that yields the client: entered when a worker starts, left when it stops. With
        ``per="process"`` it is called as ``open(options)``; with ``per="thread"`` once in each thread, as
        ``open(options, shared)``.
    per
        ``"process"`` where all threads may share the client (a pool), ``"thread"`` where they may not (suds).
    share
        For ``per="thread"``: ``share(options)`` is entered once per process and yields what the threads'
        ``open`` is handed as ``shared``; without it they get ``None``.
    check
        A harmless call that fails when the system is away or refuses us.
    examine
        For ``pacer doctor``, after ``check``: looks, as ``examine(client, uses)``, whether the system holds
        what its options and the consumers that use it name, and allows what they do. Changes nothing.
    is_away
        Tells "the system is away" (the message waits) from "this message is bad".
    """

    name: str
    options: type
    open: Callable[..., AbstractContextManager[C]]
    per: Literal["process", "thread"] = "process"
    share: Callable[[Any], AbstractContextManager[Any]] | None = None
    check: Callable[[C], None] | None = None
    examine: Callable[[C, Sequence[Use]], Iterable[Seen]] | None = None
    is_away: Callable[[BaseException], bool] = _never


@frozen
class Use:
    """A consumer that an integration is for; what `IntegrationType.examine` is told of it."""

    consumer: str
    type: str
    options: Any


@frozen
class Seen:
    """One thing that `IntegrationType.examine` has seen: with ``advice`` it is wrong, without it is well."""

    detail: str
    advice: str = ""


@frozen(eq=False)
class LogHandlerType:
    """Another place for records of the log, beside the console and a file.

    Attributes
    ----------
    name
        What YAML calls it, under ``logging:``.
    options
        The attrs class of its YAML options.
    open
        Gives the handler of a process, as ``open(options)``. What its ``format(record)`` gives is one line of
        JSON in the Elastic Common Schema, without secrets. It may not block, and raises nothing.
    """

    name: str
    options: type
    open: Callable[[Any], logging.Handler]


@frozen(eq=False)
class Key:
    """Gives messages a key: those with the same one are handled one after another, in order.

    ``of(message, context)`` returns a string or ``None``, and may look things up. All consumers of one key
    ``space`` live in one process. ``ordered`` keeps a later message behind an earlier one that waits for
    a retry.
    """

    space: str
    of: Callable[[Any, Context], str | None]
    ordered: bool = False


@frozen(eq=False)
class Task:
    """One step of a consumer's work; made with `task`.

    A task is idempotent: a crash between the task and the ack repeats it, and now and then two processes
    work on the same message.
    """

    name: str
    run: TaskFunction
    needs: tuple[IntegrationType[Any], ...] = ()
    after: tuple[str, ...] = ()
    options: type | None = None
    counts: tuple[str, ...] = ()
    """What it may count with `Context.count`."""
    optional: bool | None = None
    """Whether a consumer may do without it; ``None`` leaves that to where it comes from: a consumer type
    cannot be without its own tasks, and may be without those that other plugins add."""

    def __call__(self, message: Any, ctx: Context) -> Any:
        """Run the step as a plain function, as tests do."""
        return self.run(message, ctx)


@overload
def task(function: TaskFunction, /) -> Task: ...
@overload
def task(
    *,
    needs: Sequence[IntegrationType[Any]] = (),
    after: Sequence[str | Task] = (),
    options: type | None = None,
    counts: Sequence[str] = (),
    optional: bool | None = None,
    name: str | None = None,
) -> Callable[[TaskFunction], Task]: ...
def task(
    function: TaskFunction | None = None,
    /,
    *,
    needs: Sequence[IntegrationType[Any]] = (),
    after: Sequence[str | Task] = (),
    options: type | None = None,
    counts: Sequence[str] = (),
    optional: bool | None = None,
    name: str | None = None,
) -> Task | Callable[[TaskFunction], Task]:
    """Make a function ``(message, ctx)`` a task.

    It runs when every integration in ``needs`` is enabled for its consumer and every task in ``after`` is
    done. It may return or raise `Retry`, `NotYet` or `Reject`; any other exception counts as a `Retry`.
    A configuration without what a task needs is an error, unless the task is ``optional``, or left out in
    the YAML on purpose; tasks that a plugin adds to another one's consumer type are optional by default, a
    type's own are not. Its name is the function's. ``counts`` names what it counts with ``ctx.count``;
    metrics show it.
    """

    def make(function: TaskFunction) -> Task:
        return Task(
            name=name or function.__name__,
            run=function,
            needs=tuple(needs),
            after=tuple(one if isinstance(one, str) else one.name for one in after),
            options=options,
            counts=tuple(counts),
            optional=optional,
        )

    return make if function is None else make(function)


@frozen(eq=False)
class ConsumerType:
    """A named kind of message that a plugin knows how to handle.

    ``message`` is the attrs class that a body is structured into (``None``: any plugin's parser decides).
    ``describe(message)`` gives the identifiers by which people look for a message. ``warn(options)`` gives
    what may go wrong although the options are right, each with advice: ``pacer run`` writes it to the log
    when it begins, and ``pacer doctor`` shows it.
    """

    name: str
    message: type | None
    tasks: tuple[Task, ...] = field(converter=_tuple)
    options: type | None = None
    key: Key | None = None
    describe: Callable[[Any], Mapping[str, str]] | None = None
    warn: Callable[[Any], Iterable[Seen]] | None = None

    def with_tasks(self, more: Iterable[Task]) -> ConsumerType:
        """Give the same type with the tasks that other plugins add: optional ones, where they do not say."""
        added = (evolve(one, optional=True) if one.optional is None else one for one in more)
        return evolve(self, tasks=(*self.tasks, *added))
