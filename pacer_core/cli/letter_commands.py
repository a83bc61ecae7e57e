"""Commands that every pile of letters has: list, show and discard."""

from __future__ import annotations

from typing import Any

import click

from pacer_core.cli.letter_acts import prepare
from pacer_core.cli.letter_lists import list_letters, show_letter
from pacer_core.cli.letter_places import Pile
from pacer_core.cli.selecting import acts, filters, listing
from pacer_core.commands import config_option


def add_list(group: click.Group, pile: Pile, short_help: str, text: str) -> None:
    """Give a group the command that lists the letters of a pile."""

    @group.command(name="list", short_help=short_help, help=text)
    @filters(pile)
    @listing
    @click.pass_context
    def list_(ctx: click.Context, /, **choice: Any) -> None:
        ctx.exit(list_letters(pile, **choice))


def add_show(group: click.Group, pile: Pile) -> None:
    """Give a group the command that shows one letter of a pile."""
    text = (
        f"Show one {pile.noun} whole: ID as `pacer {group.name} list` shows it, or its beginning, or a "
        f"correlation id."
    )

    @group.command(name="show", short_help=f"Show one {pile.noun} whole.", help=text)
    @config_option
    @click.argument("letter_id", metavar="ID")
    @click.option("--body", is_flag=True, help="Show the body as well; it may hold personal data.")
    @click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
    @click.pass_context
    def show(ctx: click.Context, /, **choice: Any) -> None:
        ctx.exit(show_letter(pile, **choice))


def add_discard(group: click.Group, pile: Pile, text: str) -> None:
    """Give a group the command that removes letters of a pile."""

    @group.command(name="discard", help=text, short_help=f"{text.partition(':')[0].rstrip('.')}.")
    @acts(pile)
    @click.pass_context
    def discard(ctx: click.Context, /, **choice: Any) -> None:
        act = prepare(pile, "discard", **choice)
        ctx.exit(act.run(lambda _: None, "Discard {count} for good?", "discarded"))
