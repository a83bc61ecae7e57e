"""``pacer waiting``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import click

from pacer_core.cli.dead import prepare
from pacer_core.cli.letter_lists import list_letters, show_letter
from pacer_core.cli.letter_places import WAITING
from pacer_core.cli.options import config_option
from pacer_core.cli.selecting import acts, filters, listing
from pacer_core.model.errors import BrokerError
from pacer_core.transport.letter_replay import hastened
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.publish import Publisher


@click.group()
def waiting() -> None:
    """Work with the messages that wait for a retry."""


@waiting.command(name="list", short_help="Show what waits for a retry.")
@filters(WAITING)
@listing
@click.pass_context
def list_(ctx: click.Context, /, **choice: Any) -> None:
    """Show the messages that wait for a retry: whose, about what, for what, since when, and when next.

    Exits with 1 where messages are chosen, and there are none of these.
    """
    ctx.exit(list_letters(WAITING, **choice))


@waiting.command(name="show", short_help="Show one message whole.")
@config_option
@click.argument("letter_id", metavar="ID")
@click.option("--body", is_flag=True, help="Show the body as well; it may hold personal data.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def show_(ctx: click.Context, /, **choice: Any) -> None:
    """Show one message whole: ID as `pacer waiting list` shows it, or its beginning, or a correlation id."""
    ctx.exit(show_letter(WAITING, **choice))


@waiting.command(short_help="Send messages back to their queues without further waiting.")
@acts(WAITING)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.pass_context
def now(ctx: click.Context, /, **choice: Any) -> None:
    """Send messages back to their queues now, as the broker would when their time is over.

    Nothing else changes: attempts and retries count on, tasks that are done do not run again, and what has
    waited for something since yesterday goes on doing so. A message leaves the retry queue when the broker
    has confirmed its copy, not before.
    """
    act = prepare(WAITING, "send", **choice)
    with closing(Publisher(act.config.broker)) as publisher:

        def copy(letters: Sequence[DeadLetter]) -> Sequence[BrokerError | None]:
            return publisher.publish_each([hastened(one) for one in letters])

        ctx.exit(act.run(copy, "Send {count} back to {targets} now?", "sent back"))


@waiting.command()
@acts(WAITING)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.pass_context
def discard(ctx: click.Context, /, **choice: Any) -> None:
    """Remove waiting messages for good: what they have still to do is never done."""
    act = prepare(WAITING, "discard", **choice)
    ctx.exit(act.run(lambda _: None, "Discard {count} for good?", "discarded"))
