"""``pacer dead``."""

from __future__ import annotations

import heapq
import shutil
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import click
from attrs import define, evolve, field
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pacer_core import logs
from pacer_core.cli.export import Writer
from pacer_core.cli.letters import Tally, clean, dumps, show, show_table, summary, whole
from pacer_core.cli.options import config_option
from pacer_core.config import Config, load
from pacer_core.config.structure import parse_duration
from pacer_core.errors import BrokerError
from pacer_core.signals import Stopped, signals
from pacer_core.transport.connection import connect
from pacer_core.transport.dead import among, depth, look, take
from pacer_core.transport.letters import DeadLetter, Wanted, replayed
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import dead_queue

_SPOOL = 4 << 20
Copy = Callable[[Sequence[DeadLetter]], Sequence[BrokerError | None] | None]
"""Says of each letter why it is not done, or ``None``; or nothing, where all are."""


@click.group()
def dead() -> None:
    """Work with the messages that could not be handled."""


def _ago(value: str) -> datetime:
    span = parse_duration(value)
    if span is None:
        raise click.BadParameter(f"{value!r} is no duration: write 30s, 15min, 24h or 7d")
    return datetime.now(UTC) - min(span, timedelta(days=36500))


_FILTERS = (
    click.option("--consumer", "-n", help="Only letters of this consumer."),
    click.option("--error", "-e", help="Only where the error says this: a text or a regular expression."),
    click.option(
        "--older-than",
        "before",
        type=_ago,
        metavar="TIME",
        help="Only those dead for longer: 15min, 24h, 7d.",
    ),
    click.option(
        "--newer-than", "after", type=_ago, metavar="TIME", help="Only those dead for less than that."
    ),
    click.option("--correlation-id", help="Only letters with this correlation id."),
)
_ACTS = (
    click.option("--all", "everything", is_flag=True, help="All letters, where nothing else says which."),
    click.option("--dry-run", is_flag=True, help="Count, and change nothing."),
    click.option("--yes", "-y", is_flag=True, help="Do not ask."),
)


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_FILTERS):
        command = option(command)
    return config_option(command)


def _acts(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_ACTS):
        command = option(command)
    return _filters(command)


@dead.command(name="list", short_help="Show what is in the dead queues.")
@_filters
@click.option("--limit", "-l", default=30, show_default=True, help="Show so many, the latest; 0 shows all.")
@click.option("--json", "as_json", is_flag=True, help="Print all of them as JSON.")
def list_(file: Path, limit: int, as_json: bool, **filters: Any) -> None:
    """Show the letters in the dead queues of a configuration, and why they are there."""
    config, wanted = _open(file), Wanted(**filters)
    tally = Tally()
    if as_json:
        _list_json(config, wanted, tally)
        return
    latest: list[tuple[datetime, int, DeadLetter]] = []
    for letter in _looked(config, tally):
        if wanted(letter):
            tally.add(letter)
            entry = (letter.dead_at or datetime.min.replace(tzinfo=UTC), -tally.matching, _light(letter))
            if limit and len(latest) >= limit:
                heapq.heappushpop(latest, entry)
            else:
                heapq.heappush(latest, entry)
    console = _console()
    if not tally.matching:
        console.print(_nothing(tally))
        return
    # Of those that died at one moment the first in the queue comes first.
    show_table(console, (letter for _, _, letter in sorted(latest, key=lambda one: (one[0], -one[1]))))
    console.print()
    if len(latest) < tally.matching:
        console.print(f"the latest {len(latest):,} of {tally.matching:,}; --limit 0 shows all", style="dim")
    tally.show(console)


def _list_json(config: Config, wanted: Wanted, tally: Tally) -> None:
    # A reader that is slow, or a person with a pager, must not keep the letters from others meanwhile.
    with SpooledTemporaryFile(_SPOOL) as spool:
        spool.write(b'{"letters": [')
        for letter in _looked(config, tally):
            if wanted(letter):
                spool.write(b",\n" if tally.matching else b"\n")
                spool.write(dumps(summary(letter)))
                tally.add(letter)
        spool.write(b'\n], "counts": ' + dumps(tally.as_json()) + b"}\n")
        spool.seek(0)
        shutil.copyfileobj(spool, sys.stdout.buffer)


@dead.command(name="show", short_help="Show one letter whole.")
@config_option
@click.argument("letter_id", metavar="ID")
@click.option("--body", is_flag=True, help="Show the body as well; it may hold personal data.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def show_(ctx: click.Context, file: Path, letter_id: str, body: bool, as_json: bool) -> None:
    """Show one letter whole: ID as `pacer dead list` shows it, or its beginning, or a correlation id."""
    config, wanted = _open(file), Wanted(ids=(letter_id,))
    found: dict[int, DeadLetter] = {}
    more = 0
    for letter in _looked(config, Tally()):
        if wanted(letter):
            if letter.number in found or len(found) < 10:
                found[letter.number] = letter
            else:
                more += 1
    if not found:
        raise click.ClickException(f"no letter {letter_id!r} in the dead queues of {file}")
    console = _console()
    if len(found) > 1:
        show_table(console, found.values())
        click.echo(f"\n{len(found) + more} letters are called {letter_id}: say which", err=True)
        ctx.exit(1)
    (letter,) = found.values()
    if as_json:
        data = whole(letter) | ({"body": letter.envelope.body} if body else {})
        sys.stdout.buffer.write(dumps(data, indent=True) + b"\n")
    else:
        show(console, letter, body=body)


@dead.command(short_help="Send letters back to the queues they came from.")
@_acts
@click.option(
    "--from-start/--pending-only",
    default=True,
    help="Run all tasks again (the default), or those alone that are not done.",
)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.pass_context
def replay(ctx: click.Context, /, from_start: bool, **choice: Any) -> None:
    """Send letters back to the queues they came from, as fresh starts.

    Attempts, retries and the time to wait for something count anew; the correlation id stays. A letter
    leaves its dead queue when the broker has confirmed its copy, not before.
    """
    act = _prepare("replay", **choice)
    with closing(Publisher(act.config.broker)) as publisher:

        def copy(letters: Sequence[DeadLetter]) -> Sequence[BrokerError | None]:
            return publisher.publish_each(
                [replayed(one.envelope, pending_only=not from_start) for one in letters]
            )

        how = "from the start" if from_start else "with what is pending"
        ctx.exit(act.run(copy, f"Replay {{count}} to {{targets}}, {how}?", "replayed"))


@dead.command()
@_acts
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.pass_context
def discard(ctx: click.Context, /, **choice: Any) -> None:
    """Remove letters for good. `pacer dead export --remove` keeps them in files."""
    act = _prepare("discard", **choice)
    ctx.exit(act.run(lambda _: None, "Discard {count} for good?", "discarded"))


@dead.command(short_help="Write letters to files.")
@_acts
@click.option("--remove", is_flag=True, help="Remove each letter once it is safely on the disk.")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_context
def export(ctx: click.Context, /, target: Path, remove: bool, **choice: Any) -> None:
    """Write letters to TARGET: a folder, or a new file that ends in .jsonl. `pacer send TARGET` sends them.

    In a folder each letter is its body, byte for byte, and a .letter file with all the rest as JSON.
    """
    act = _prepare("export", **choice)
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
class _Act:
    """Something done to the letters that match: counted first, agreed to, and then done to those counted."""

    config: Config
    wanted: Wanted
    dry_run: bool
    yes: bool
    tally: Tally = field(factory=Tally)
    counted: array[int] = field(factory=lambda: array("Q"))
    """Their numbers, sorted: eight bytes a letter."""

    def run(self, copy: Copy, question: str, done: str, *, keep: bool = False) -> int:
        """Do it; give the exit code."""
        console = _console()
        self._count()
        if not self.tally.matching:
            console.print(_nothing(self.tally))
            return 1 if self.wanted.ids else 0
        self.tally.show(console)
        if self.dry_run:
            console.print("dry run: nothing was changed")
            return 0
        count = f"{self.tally.matching:,} letter{'' if self.tally.matching == 1 else 's'}"
        targets = ", ".join(sorted(self.tally.targets))
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
            with _stoppable() as stop:
                self._all(counting, stop, left, keep=keep)
        except BrokerError as error:
            raise BrokerError(
                f"{error}\n{finished:,} of {count} {done}; the others are still in their dead queues"
            ) from None
        for reason, number in left.items():
            console.print(f"{number:,} left where they are: {clean(reason)}", style="red", markup=False)
        missing = self.tally.matching - finished - sum(left.values())
        console.print(
            f"{finished:,} of {count} {done}", style="green" if not missing and not left else "bold"
        )
        if stop():
            console.print("interrupted: the others are still in their dead queues")
        elif missing > 0:
            console.print(f"{missing:,} were no longer there")
        return 1 if left or missing > 0 else 0

    def _count(self) -> None:
        for letter in _looked(self.config, self.tally):
            if self.wanted(letter):
                self.tally.add(letter)
                self.counted.append(letter.number)
        self.counted = array("Q", sorted(self.counted))

    def _all(self, copy: Copy, stop: Callable[[], bool], left: dict[str, int], *, keep: bool) -> None:
        with _walk(self.config) as (connection, queues, tick):
            for queue in queues:
                if not self.tally.queues[queue]:
                    continue
                if keep:
                    for letter in look(connection, queue, stop=stop):
                        tick()
                        if self._counted(letter):
                            copy([letter])
                    continue
                taken = take(connection, queue, self._counted, copy, stop=stop, on_look=tick)
                for reason, number in taken.left.items():
                    left[reason] = left.get(reason, 0) + number

    def _counted(self, letter: DeadLetter) -> bool:
        return among(letter.number, self.counted)


def _prepare(
    verb: str, file: Path, ids: tuple[str, ...], everything: bool, dry_run: bool, yes: bool, **filters: Any
) -> _Act:
    chosen = bool(ids) or any(value is not None for value in filters.values())
    if chosen == everything:
        raise click.UsageError(
            f"--all and a choice exclude each other: what do you want to {verb}?"
            if everything
            else f"{verb} which letters? Give an ID, a filter, or --all"
        )
    return _Act(_open(file), Wanted(ids=ids, **filters), dry_run, yes)


def _open(file: Path) -> Config:
    config = load(file)
    logs.set_up("WARNING")
    if config.broker.protocol == "memory":
        raise BrokerError("an in-memory broker is seen by one process only: it has no dead queues to look at")
    return config


def _looked(config: Config, tally: Tally) -> Iterator[DeadLetter]:
    """Give all letters of all dead queues, with a bar for the person who waits."""
    with _stoppable() as stop, _walk(config) as (connection, queues, tick):
        for queue in queues:
            for letter in look(connection, queue, stop=stop):
                tick()
                tally.looked += 1
                yield letter
    if stop():
        raise click.Abort


@contextmanager
def _walk(config: Config) -> Iterator[tuple[Any, list[str], Callable[[], None]]]:
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
    )  # fmt: skip
    with closing(connect(config.broker, "dead")) as connection, bar:
        queues = [dead_queue(queue.name) for queue in config.queues]
        task = bar.add_task("looking", total=sum(depth(connection, queue) or 0 for queue in queues))
        yield connection, queues, lambda: bar.advance(task)


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Let what is under way finish on Ctrl-C: a copy that is sent is confirmed, and its letter removed."""
    stopped = Stopped()
    with signals(stopped.stop):
        yield stopped.__bool__


def _light(letter: DeadLetter) -> DeadLetter:
    """Give a letter for the table, without what would fill the memory."""
    return evolve(letter, failures=(), envelope=evolve(letter.envelope, body=b"", headers={}))


def _nothing(tally: Tally) -> str:
    return "no dead letters" if not tally.looked else f"none of {tally.looked:,} dead letters is meant"


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)
