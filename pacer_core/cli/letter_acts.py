"""What is done to the letters of a pile: counted first, agreed to, and then done."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from attrs import define, field

from pacer_core.cli.console import clean, echo, screen
from pacer_core.cli.letter_lists import tell_nothing
from pacer_core.cli.letter_places import Pile, looked, open_, stoppable, walk
from pacer_core.cli.letter_tally import Tally
from pacer_core.config import Config
from pacer_core.model.errors import BrokerError
from pacer_core.model.wording import counted
from pacer_core.transport.dead_queues import Copy, among, look, take
from pacer_core.transport.letter_choice import Wanted
from pacer_core.transport.letters import DeadLetter


@define
class Act:
    """Something done to the letters that match: counted first, agreed to, and then done to those counted."""

    pile: Pile
    config: Config
    wanted: Wanted
    dry_run: bool
    yes: bool
    tally: Tally = field(factory=Tally)
    counted: array[int] = field(factory=lambda: array("Q"))
    """Their numbers, sorted: eight bytes a letter."""
    refuses: Callable[[DeadLetter], str] = lambda _: ""
    """Says of a letter why it is not to be acted on; what it says is the end of a sentence about it."""
    to: str | None = None
    """The queue that all of them go to, where a person has said so."""
    refused: Counter[str] = field(factory=Counter)

    def run(self, copy: Copy, question: str, done: str, *, keep: bool = False) -> int:
        """Do it; give the exit code."""
        console = screen()
        self._count()
        for reason, number in self.refused.items():
            place = "it is" if number == 1 else "they are"
            echo(
                f"{counted(number, self.pile.noun)} left where {place}, since each {reason}: "
                f"`pacer dead show ID` shows what there is to know, and --to QUEUE sends it there",
                err=True,
            )
        if not self.tally.matching:
            if not self.refused:
                tell_nothing(self.pile, self.config, self.wanted, self.tally)
            return 1 if self.refused or self.wanted != Wanted() else 0
        self.tally.show(console, self.pile.headline(self.tally))
        if self.dry_run:
            console.print("dry run: nothing was changed")
            return 0
        count = counted(self.tally.matching, self.pile.noun)
        targets = self.to or ", ".join(sorted(self.tally.targets))
        if not self.yes:
            click.confirm(clean(question.format(count=count, targets=targets)), abort=True)
        finished = 0

        def counting(letters: Sequence[DeadLetter]) -> Sequence[BrokerError | None]:
            nonlocal finished
            said = copy(letters) or [None] * len(letters)
            finished += sum(error is None for error in said)
            return said

        left: dict[str, int] = {}
        try:
            with stoppable() as stop:
                self._all(counting, stop, left, keep=keep)
        except BrokerError as error:
            raise BrokerError(f"{error}\n{finished:,} of {count} {done}; {self.pile.rest}") from None
        for reason, number in left.items():
            console.print(
                f"{number:,} left where {'it is' if number == 1 else 'they are'}: {clean(reason)}",
                style="red",
                markup=False,
            )
        missing = self.tally.matching - finished - sum(left.values())
        console.print(
            f"{finished:,} of {count} {done}", style="green" if not missing and not left else "bold"
        )
        if stop():
            console.print(f"interrupted: {self.pile.rest}")
        elif missing > 0:
            console.print(f"{missing:,} {'was' if missing == 1 else 'were'} no longer there")
        return 1 if left or self.refused or missing > 0 else 0

    def _count(self) -> None:
        for letter in looked(self.pile, self.config, self.tally):
            if not self.wanted(letter):
                continue
            if reason := self.refuses(letter):
                self.refused[reason] += 1
            else:
                self.tally.add(letter)
                self.counted.append(letter.number)
        self.counted = array("Q", sorted(self.counted))

    def _all(self, copy: Copy, stop: Callable[[], bool], left: dict[str, int], *, keep: bool) -> None:
        read = self.pile.read(self.config)
        with walk(self.pile, self.config) as (connection, queues, tick):
            for queue in queues:
                if not self.tally.queues[queue]:
                    continue
                if keep:
                    for letter in look(connection, queue, read=read, stop=stop):
                        tick()
                        if self._counted(letter):
                            copy([letter])
                    continue
                taken = take(connection, queue, self._counted, copy, read=read, stop=stop, on_look=tick)
                for reason, number in taken.left.items():
                    left[reason] = left.get(reason, 0) + number

    def _counted(self, letter: DeadLetter) -> bool:
        return among(letter.number, self.counted)


def prepare(
    pile: Pile,
    verb: str,
    file: Path,
    ids: tuple[str, ...],
    everything: bool,
    dry_run: bool,
    yes: bool,
    **filters: Any,
) -> Act:
    """Make an act of a command's options."""
    chosen = bool(ids) or any(value is not None for value in filters.values())
    if chosen == everything:
        raise click.UsageError(
            f"--all and a choice exclude each other: what do you want to {verb}?"
            if everything
            else f"{verb} which {pile.noun}s? Give an ID, a filter, or --all"
        )
    return Act(pile, open_(file), Wanted(ids=ids, **filters), dry_run, yes)
