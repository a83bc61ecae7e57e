"""The consumers, and how they try again: ``consumers:`` of the file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from attrs import field, frozen

from pacer_core.config.sections import Factor, Natural, Positive, Timeout

_ONE, _THREE, _EIGHT = map(Positive, (1, 3, 8))
_TWENTY, _FOURFOLD, _QUARTER = Natural(20), Factor(4.0), Timeout(timedelta(minutes=15))


@frozen
class Retries:
    """How often a message that fails is tried again, and after which delays.

    Each delay is rounded up to a step of the broker's ladder of retry queues: 1 s, 5 s, 15 s, 1 min, 5 min,
    15 min, 1 h, 6 h.

    Attributes
    ----------
    limit
        After so many retries the message is dead.
    delay
        Before the first retry.
    factor
        By how much the delay grows with each further one.
    max_delay
        How long it grows at most.
    """

    limit: Natural = _TWENTY
    delay: timedelta = timedelta(seconds=1)
    factor: Factor = _FOURFOLD
    max_delay: timedelta = timedelta(hours=1)


@frozen
class NotYetPolicy:
    """How long a message waits for what another one has still to bring: a dataset for its investigation.

    Attributes
    ----------
    for_
        How long its copies wait for that on the ladder, all in all; then it is dead. With 0 it never waits.
    """

    for_: timedelta = timedelta(hours=24)


@frozen
class Consumer:
    """A consumer type bound to queues, workers and integrations.

    Attributes
    ----------
    type
        A consumer type that an installed plugin registers; ``pacer plugins list`` shows them.
    queues
        The queues, of ``queues``, that it reads: one at least.
    name
        By default its type; needed where two consumers have one type.
    enabled
        With ``false`` it is checked and not run.
    workers
        How many processes run it; the consumers of a type with keys share one process instead.
    concurrency
        How many threads run tasks in each process; with 1, it is the thread that reads the broker.
    prefetch
        How many messages a process may hold: by default twice the threads, 50 with one thread, 256 where the
        type has keys, and twice what a task takes at once.
    integrations
        The integrations that its tasks may use: names of ``integrations``, or ``{TYPE: NAME}``. A task whose
        needs are not all named here does not run; those that the type cannot be without have to.
    leave_out
        The tasks that are not to run, on purpose.
    task_timeout
        How long the tasks of one message may run; then the process is replaced and the message retried.
    crashes
        After so many deaths of a process that had the message inside a task, the message is dead.
    retries
        What happens after a failure.
    not_yet
        What happens when something that another message brings is missing.
    log_messages
        Whether the log says at ``INFO`` of every message that it was handled: by default where the consumer
        has integrations, and no task that takes many messages at once. Without, it says so at ``DEBUG``; what
        is retried or dead is told in any case.
    options
        The options of its type.
    task_options
        By task name, the options of tasks that have their own.
    """

    type: str
    queues: tuple[str, ...]
    name: str = ""
    enabled: bool = True
    workers: Positive = _ONE
    concurrency: Positive = _EIGHT
    prefetch: Positive | None = None
    integrations: tuple[str | dict[str, str], ...] = ()
    leave_out: tuple[str, ...] = ()
    task_timeout: Timeout = _QUARTER
    crashes: Positive = _THREE
    retries: Retries = field(factory=Retries)
    not_yet: NotYetPolicy = field(factory=NotYetPolicy)
    log_messages: bool | None = None
    options: Any = None
    task_options: Any = None

    def prefetch_for(self, keyed: bool, many: int = 1) -> int:
        """Give how many messages may be in hand: what waits in lanes is held in memory."""
        if self.prefetch is not None:
            return self.prefetch
        return 256 if keyed else max(2 * self.concurrency, 2 * many, 50 if self.concurrency == 1 else 0)
