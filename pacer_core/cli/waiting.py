"""``pacer waiting``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import click

from pacer_core.cli.letter_acts import prepare
from pacer_core.cli.letter_commands import add_discard, add_list, add_show
from pacer_core.cli.letter_places import WAITING
from pacer_core.cli.selecting import acts
from pacer_core.model.errors import BrokerError
from pacer_core.transport.letter_replay import hastened
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.publish import Publisher


@click.group()
def waiting() -> None:
    """Work with the messages that wait for a retry."""


add_list(
    waiting,
    WAITING,
    "Show what waits for a retry.",
    """Show the messages that wait for a retry: whose, about what, for what, since when, and when next.

    Exits with 1 where messages are chosen, and there are none of these.
    """,
)
add_show(waiting, WAITING)
add_discard(waiting, WAITING, "Remove waiting messages for good: what they have still to do is never done.")


@waiting.command(short_help="Send messages back to their queues without further waiting.")
@acts(WAITING)
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
