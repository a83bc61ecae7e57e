"""Where letters lie: in the dead queues, or on the ladder of retry queues; with the words for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click
from attrs import frozen
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pacer_core.cli.letter_tally import Tally
from pacer_core.config import Config, load
from pacer_core.model.errors import BrokerError
from pacer_core.model.queue_names import retry_exchange
from pacer_core.model.wording import counted
from pacer_core.observe import logs
from pacer_core.transport.connection import connect
from pacer_core.transport.dead_queues import dead_queues_of, look
from pacer_core.transport.letter_reading import Origins, read_letter, read_waiting
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.queue_browser import Read
from pacer_core.transport.queue_status import depth
from pacer_core.transport.retry_policy import LADDER
from pacer_core.work.os_signals import Stopped, signals


@frozen
class Pile:
    """One kind of place where letters lie."""

    queues: Callable[[Config], list[str]]
    read: Callable[[Config], Read]
    noun: str
    some: str
    """What those are called of which none is meant."""
    nothing: str
    """What there is to say where there are none at all."""
    rest: str
    """Where those are that nothing was done to."""
    acts_on: Callable[[Config, DeadLetter], bool]
    """Whether a letter is this configuration's."""
    headline: Callable[[Tally], str]

    def none_of(self, tally: Tally) -> str:
        """Say that there are none, or that none is meant."""
        if not tally.looked:
            return self.nothing
        if tally.looked == 1:
            return f"there is one {self.some}, and it is not meant"
        return f"none of {counted(tally.looked, self.some)} is meant"


def _dead_headline(tally: Tally) -> str:
    of = "" if tally.looked == tally.matching else f" of {tally.looked:,}"
    noun = "letter" if tally.looked == 1 else "letters"
    return f"{tally.matching:,}{of} {noun} in {', '.join(sorted(tally.queues))}"


def _waiting_headline(tally: Tally) -> str:
    targets = ", ".join(sorted(tally.targets))
    if tally.looked == tally.matching:
        verb = "waits" if tally.matching == 1 else "wait"
        return f"{counted(tally.matching, 'message')} {verb} to go back to {targets}"
    return f"{tally.matching:,} of {counted(tally.looked, 'waiting message')}, to go back to {targets}"


DEAD = Pile(
    queues=dead_queues_of,
    read=lambda config: partial(read_letter, origins=Origins.of(config)),
    noun="letter",
    some="dead letter",
    nothing="no dead letters",
    rest="the others are still in their dead queues",
    acts_on=lambda _, __: True,
    headline=_dead_headline,
)
WAITING = Pile(
    queues=lambda _: [retry_exchange(step) for step in LADDER],
    read=lambda _: read_waiting,
    noun="message",
    some="waiting message",
    nothing="nothing waits for a retry",
    rest="the others still wait",
    # The ladder is one for the whole virtual host, and other configurations may use it.
    acts_on=lambda config, letter: any(queue.name == letter.envelope.queue for queue in config.queues),
    headline=_waiting_headline,
)


def open_(file: Path) -> Config:
    """Read a configuration whose broker can be looked at."""
    config = load(file)
    logs.set_up("WARNING")
    refuse_unseen(config, "it has no queues to look at")
    return config


def refuse_unseen(config: Config, what: str) -> None:
    """Refuse to look at a broker that is inside the process of `pacer run`.

    Raises
    ------
    BrokerError
        Saying what cannot be done.
    """
    if config.broker.capabilities.lacking("several_processes"):
        raise BrokerError(
            f"a broker of protocol {config.broker.protocol!r} is seen by one process only: {what}"
        )


def looked(pile: Pile, config: Config, tally: Tally) -> Iterator[DeadLetter]:
    """Give all letters of a configuration in a pile, with a bar for the person who waits."""
    read = pile.read(config)
    with stoppable() as stop, walk(pile, config) as (connection, queues, tick):
        for queue in queues:
            for letter in look(connection, queue, read=read, stop=stop):
                tick()
                if not pile.acts_on(config, letter):
                    tally.see_elsewhere(letter)
                    continue
                tally.see(letter)
                yield letter
    if stop():
        raise click.Abort


@contextmanager
def walk(pile: Pile, config: Config) -> Iterator[tuple[Any, list[str], Callable[[], None]]]:
    """Give a connection and a pile's queues, with what moves a bar for each letter.

    Raises
    ------
    BrokerError
        Where the broker shows nothing of what waits, or cannot be reached.
    """
    if pile is WAITING and config.broker.capabilities.lacking("expiry"):
        raise BrokerError(
            f"a broker of protocol {config.broker.protocol!r} counts what waits, and shows nothing of it "
            "before its time: 'pacer status' says how many there are"
        )
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
    )  # fmt: skip
    with closing(connect(config.broker, "dead")) as connection, bar:
        queues = pile.queues(config)
        task = bar.add_task("looking", total=sum(depth(connection, queue) or 0 for queue in queues))
        yield connection, queues, lambda: bar.advance(task)


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Let what is under way finish on Ctrl-C: a copy that is sent is confirmed, and its letter removed."""
    stopped = Stopped()
    with signals(stopped.stop):
        yield stopped.__bool__
