"""``pacer dead``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from pacer_core.cli.console import echo
from pacer_core.cli.export import Writer
from pacer_core.cli.letter_acts import prepare
from pacer_core.cli.letter_commands import add_discard, add_list, add_show
from pacer_core.cli.letter_places import DEAD
from pacer_core.cli.selecting import acts
from pacer_core.model.suggestions import did_you_mean
from pacer_core.model.wording import counted
from pacer_core.transport.letter_replay import Replay
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.publish import Publisher


@click.group()
def dead() -> None:
    """Work with the messages that could not be handled."""


add_list(
    dead,
    DEAD,
    "Show what is in the dead queues.",
    """Show the letters in the dead queues of a configuration, and why they are there.

    Exits with 1 where letters are chosen, and there are none of these.
    """,
)
add_show(dead, DEAD)
add_discard(dead, DEAD, "Remove letters for good. `pacer dead export --remove` keeps them in files.")


@dead.command(short_help="Send letters back to the queues they came from.")
@acts(DEAD)
@click.option(
    "--from-start/--pending-only",
    default=True,
    help="Run all tasks again (the default), or those alone that are not done.",
)
@click.option("--to", metavar="QUEUE", help="Send them to this queue of the configuration instead.")
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
    with closing(Publisher(act.config.broker)) as publisher:
        copy = Replay(act.config, publisher, act.to, pending_only=not from_start)
        how = "from the start" if from_start else "with what is pending"
        code = act.run(copy, f"Replay {{count}} to {{targets}}, {how}?", "replayed")
    if copy.doubted:
        echo(
            f"{counted(copy.doubted, 'letter')} without a signature that fits: replayed as new, and "
            "as published to the queue itself; processes.acceptUnsigned: true believes letters of older "
            "releases",
            err=True,
        )
    ctx.exit(code)


@dead.command(short_help="Write letters to files.")
@acts(DEAD)
@click.option("--remove", is_flag=True, help="Remove each letter once it is safely on the disk.")
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
