"""What plugins register of messages: consumer types, with their tasks and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, overload

from attrs import evolve, field, frozen

from pacer_core.model.errors import TaskError
from pacer_core.model.integrations import IntegrationType, Seen
from pacer_core.model.messages import Context
from pacer_core.model.planning import PlanFunction

TaskFunction = Callable[[Any, Context], Any]
Given = Sequence[tuple[Any, Context]]
"""Messages, each with its context."""
ManyFunction = Callable[[Given], Iterable[BaseException | None] | None]
"""Says of each message how it ended, with ``None`` where its work is done; ``None`` where it is of all."""
MOST = 500
"""Messages that a task may take at once: a worker notes those that a crash would be blamed on."""


def _tuple(tasks: Iterable[Task]) -> tuple[Task, ...]:
    return tuple(tasks)


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
    plan: PlanFunction | None = None
    """Says of a message what the task would do, and does nothing; for ``pacer plan``."""
    run_many: ManyFunction | None = None
    """Does for many messages at once what ``run`` does for one."""
    many: int = 1
    """How many messages ``run_many`` takes at most."""

    def ends(self, given: Given) -> list[BaseException | None]:
        """Run the step for many messages at once, and give how each ended.

        Raises
        ------
        TaskError
            Where the task does not say so of each, or takes one message at a time.
        """
        if self.run_many is None:
            raise TaskError(f"task {self.name} takes one message at a time")
        return _ends(self.name, self.run_many, given)

    def __call__(self, message: Any, ctx: Context) -> Any:
        """Run the step as a plain function, as tests do."""
        return self.run(message, ctx)


def _ends(name: str, function: ManyFunction, given: Given) -> list[BaseException | None]:
    said = function(given)
    ends: list[BaseException | None] = [None] * len(given) if said is None else list(said)
    if len(ends) == len(given) and all(one is None or isinstance(one, BaseException) for one in ends):
        return ends
    raise TaskError(
        f"task {name} returned {len(ends)} ends for {len(given)} messages: a task that takes many returns "
        "None, or for each message, in their order, None or a signal"
    )


def _run_one(name: str, function: ManyFunction, message: Any, ctx: Context) -> None:
    (end,) = _ends(name, function, [(message, ctx)])
    if end is not None:
        raise end


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
    plan: PlanFunction | None = None,
) -> Callable[[TaskFunction], Task]: ...
@overload
def task(
    *,
    many: int,
    needs: Sequence[IntegrationType[Any]] = (),
    options: type | None = None,
    counts: Sequence[str] = (),
    optional: bool | None = None,
    name: str | None = None,
    plan: PlanFunction | None = None,
) -> Callable[[ManyFunction], Task]: ...
def task(
    function: TaskFunction | None = None,
    /,
    *,
    many: int = 1,
    needs: Sequence[IntegrationType[Any]] = (),
    after: Sequence[str | Task] = (),
    options: type | None = None,
    counts: Sequence[str] = (),
    optional: bool | None = None,
    name: str | None = None,
    plan: PlanFunction | None = None,
) -> Task | Callable[[TaskFunction], Task] | Callable[[ManyFunction], Task]:
    """Make a function ``(message, ctx)`` a task.

    It runs when every integration in ``needs`` is enabled for its consumer and every task in ``after`` is
    done. It may return or raise `Retry`, `NotYet` or `Reject`; any other exception counts as a `Retry`.
    A configuration without what a task needs is an error, unless the task is ``optional``, or left out in
    the YAML on purpose; tasks that a plugin adds to another one's consumer type are optional by default, a
    type's own are not. Its name is the function's. ``counts`` names what it counts with ``ctx.count``;
    metrics show it. ``plan(message, ctx)`` gives a `Planned` for each thing that the task would do, and may
    raise what the task would: it reads, and writes nothing.

    With ``many`` the function is ``(given)``: pairs of ``(message, ctx)``, of one to ``many`` of them, which
    is `MOST` at most. It returns ``None`` where all of them are done, or for each in their order ``None``, a
    signal, or an exception. What it raises is said of none: each is tried by itself then. It is for work that
    costs the same for one as for hundreds, a transaction for instance, and runs before the message's other
    tasks, so it comes ``after`` none. Messages that have a key are given one at a time.

    Raises
    ------
    ValueError
        Where ``many`` is out of its range, or comes with ``after``.
    """
    if not 1 <= many <= MOST or (many > 1 and after):
        raise ValueError(f"a task with many= takes 2 to {MOST} messages, and runs after= no other one")

    def make(function: Any) -> Task:
        named = name or function.__name__
        return Task(
            name=named,
            run=function if many == 1 else partial(_run_one, named, function),
            needs=tuple(needs),
            after=tuple(one if isinstance(one, str) else one.name for one in after),
            options=options,
            counts=tuple(counts),
            optional=optional,
            plan=plan,
            run_many=None if many == 1 else function,
            many=many,
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
