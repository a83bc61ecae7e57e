"""``pacer dead``."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from attrs import define, field

from pacer_core.cli.console import clean, echo, screen
from pacer_core.cli.export import Writer
from pacer_core.cli.letter_lists import list_letters, show_letter, tell_nothing
from pacer_core.cli.letter_places import DEAD, Pile, looked, open_, stoppable, walk
from pacer_core.cli.letter_tally import Tally
from pacer_core.cli.options import config_option
from pacer_core.cli.selecting import acts, filters, listing
from pacer_core.config import Config
from pacer_core.model.errors import BrokerError, RefusedError
from pacer_core.model.suggestions import did_you_mean
from pacer_core.model.wording import counted
from pacer_core.transport.dead_queues import among, look, take
from pacer_core.transport.letter_choice import Wanted
from pacer_core.transport.letter_replay import believed, replayed
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.signing import signer_for

_SPOOL = 4 << 20
_UNSIGNED = RefusedError(
    "it is not signed, so where it came by is not known, and it would not be forwarded: if it is of a "
    "release before signatures, set processes.acceptUnsigned: true meanwhile; otherwise export it, and look"
)
Copy = Callable[[Sequence[DeadLetter]], Sequence[BrokerError | None] | None]
"""Says of each letter why it is not done, or ``None``; or nothing, where all are."""


@click.group()
def dead() -> None:
    """Work with the messages that could not be handled."""


@dead.command(name="list", short_help="Show what is in the dead queues.")
@filters(DEAD)
@listing
@click.pass_context
def list_(ctx: click.Context, /, **choice: Any) -> None:
    """Show the letters in the dead queues of a configuration, and why they are there.

    Exits with 1 where letters are chosen, and there are none of these.
    """
    ctx.exit(list_letters(DEAD, **choice))


@dead.command(name="show", short_help="Show one letter whole.")
@config_option
@click.argument("letter_id", metavar="ID")
@click.option("--body", is_flag=True, help="Show the body as well; it may hold personal data.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def show_(ctx: click.Context, /, **choice: Any) -> None:
    """Show one letter whole: ID as `pacer dead list` shows it, or its beginning, or a correlation id."""
    ctx.exit(show_letter(DEAD, **choice))


@dead.command(short_help="Send letters back to the queues they came from.")
@acts(DEAD)
@click.option(
    "--from-start/--pending-only",
    default=True,
    help="Run all tasks again (the default), or those alone that are not done.",
)
@click.option("--to", metavar="QUEUE", help="Send them to this queue of the configuration instead.")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.pass_context
def replay(ctx: click.Context, /, from_start: bool, to: str | None, **choice: Any) -> None:
    """Send letters back to the queues they came from, as fresh starts.

    Attempts, retries and the time to wait for something count anew; the correlation id stays. A letter
    leaves its dead queue when the broker has confirmed its copy, not before. One that says to have come from
    a queue that its consumer does not read stays, unless --to says where it is to go.
    """
    act = prepare(DEAD, "replay", **choice)
    names = [queue.name for queue in act.config.queues]
    if to is None:
        act.refuses = lambda letter: letter.doubt
    elif to in names:
        act.to = to
    else:
        raise click.BadParameter(
            f"no queue {to!r} in {act.config.file}{did_you_mean(to, names)}; there are: {', '.join(names)}",
            param_hint="'--to'",
        )
    signer = signer_for(act.config)
    doubted = 0

    def copied(letter: DeadLetter) -> Outgoing | BrokerError:
        nonlocal doubted
        envelope = believed(letter, signer)
        copy = replayed(envelope, pending_only=not from_start, queue=to)
        # Else it is of no account.
        if copy != replayed(letter.envelope, pending_only=not from_start, queue=to):
            if act.config.routes and "signature" not in letter.own:
                return _UNSIGNED
            doubted += 1
        return signer.signed(copy, to or envelope.queue)

    with closing(Publisher(act.config.broker)) as publisher:

        def copy(letters: Sequence[DeadLetter]) -> Sequence[BrokerError | None]:
            copies = [copied(one) for one in letters]
            said = iter(publisher.publish_each([one for one in copies if isinstance(one, Outgoing)]))
            return [next(said) if isinstance(one, Outgoing) else one for one in copies]

        how = "from the start" if from_start else "with what is pending"
        code = act.run(copy, f"Replay {{count}} to {{targets}}, {how}?", "replayed")
    if doubted:
        echo(
            f"{counted(doubted, 'letter')} without a signature that fits: replayed as new, and as published "
            f"to the queue itself; processes.acceptUnsigned: true believes letters of older releases",
            err=True,
        )
    ctx.exit(code)


@dead.command()
@acts(DEAD)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.pass_context
def discard(ctx: click.Context, /, **choice: Any) -> None:
    """Remove letters for good. `pacer dead export --remove` keeps them in files."""
    act = prepare(DEAD, "discard", **choice)
    ctx.exit(act.run(lambda _: None, "Discard {count} for good?", "discarded"))


@dead.command(short_help="Write letters to files.")
@acts(DEAD)
@click.option("--remove", is_flag=True, help="Remove each letter once it is safely on the disk.")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_context
def export(ctx: click.Context, /, target: Path, remove: bool, **choice: Any) -> None:
    """Write letters to TARGET: a folder, or a new file that ends in .jsonl. `pacer send TARGET` sends them.

    In a folder each letter is its body, byte for byte, and a .letter file with all the rest as JSON.
    """
    act = prepare(DEAD, "export", **choice)
    writers: list[Writer] = []

    def copy(letters: Sequence[DeadLetter]) -> None:
        if not writers:
            writers.append(Writer(target, durable=remove))
        writers[0].write(letters)

    question = f"Export {{count}} to {target}{' and remove them' if remove else ''}?"
    try:
        ctx.exit(act.run(copy, question, "exported", keep=not remove))
    finally:
        for writer in writers:
            writer.close()


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
