"""What plugins register of messages: consumer types, with their tasks and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, overload

from attrs import evolve, field, frozen

from pacer_core.model.integrations import IntegrationType, Seen
from pacer_core.model.messages import Context
from pacer_core.model.planning import PlanFunction

TaskFunction = Callable[[Any, Context], Any]


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
    plan: PlanFunction | None = None,
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
    plan: PlanFunction | None = None,
) -> Task | Callable[[TaskFunction], Task]:
    """Make a function ``(message, ctx)`` a task.

    It runs when every integration in ``needs`` is enabled for its consumer and every task in ``after`` is
    done. It may return or raise `Retry`, `NotYet` or `Reject`; any other exception counts as a `Retry`.
    A configuration without what a task needs is an error, unless the task is ``optional``, or left out in
    the YAML on purpose; tasks that a plugin adds to another one's consumer type are optional by default, a
    type's own are not. Its name is the function's. ``counts`` names what it counts with ``ctx.count``;
    metrics show it. ``plan(message, ctx)`` gives a `Planned` for each thing that the task would do, and may
    raise what the task would: it reads, and writes nothing.
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
            plan=plan,
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
