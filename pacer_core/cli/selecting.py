"""Options by which letters are chosen, and what is done with them agreed to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import click

from pacer_core.cli.letter_places import DEAD, Pile
from pacer_core.commands import config_option
from pacer_core.config.sections import parse_duration

_Command = Callable[..., None]


def _ago(value: str) -> datetime:
    span = parse_duration(value)
    if span is None:
        raise click.BadParameter(f"{value!r} is no duration: write 30s, 15min, 24h or 7d")
    return datetime.now(UTC) - min(span, timedelta(days=36500))


def _filters(
    names: tuple[str, ...], why: str, known: str, known_less: str
) -> tuple[Callable[[_Command], _Command], ...]:
    """Give the options that choose letters, in the words of their pile."""
    return (
        click.option(*names, "error", help=f"Only where {why} says this: a text or a regular expression."),
        click.option(
            "--older-than",
            "before",
            type=_ago,
            metavar="TIME",
            help=f"Only those {known} for longer: 15min, 24h, 7d.",
        ),
        click.option(
            "--newer-than",
            "after",
            type=_ago,
            metavar="TIME",
            help=f"Only those {known_less} for less than that.",
        ),
        click.option("--consumer", "-n", help="Only those of this consumer."),
        click.option(
            "--about",
            metavar="[NAME=]VALUE",
            help="Only what is about this: a proposal, a dataset, a user, as `list` shows it.",
        ),
        click.option("--correlation-id", help="Only those with this correlation id."),
    )


_DEAD = _filters(("--error", "-e"), "the error", "dead", "dead")
_WAITING = _filters(("--error", "--waits-for", "-e"), "what it waits for", "that PACER has known", "known")
_ACTS = (
    click.option("--all", "everything", is_flag=True, help="All of them, where nothing else says which."),
    click.option("--dry-run", is_flag=True, help="Count, and change nothing."),
    click.option("--yes", "-y", is_flag=True, help="Do not ask."),
    click.argument("ids", nargs=-1, metavar="[ID]..."),
)
_LISTING = (
    click.option(
        "--limit", "-l", default=30, show_default=True, help="Show so many, the latest; 0 shows all."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print all of them as JSON."),
)


def filters(pile: Pile) -> Callable[[_Command], _Command]:
    """Give a command the options that say which letters of a pile are meant."""
    return lambda command: config_option(_given(command, _DEAD if pile is DEAD else _WAITING))


def acts(pile: Pile) -> Callable[[_Command], _Command]:
    """Give a command that does something to letters its options as well, and the ids that it may name."""
    return lambda command: filters(pile)(_given(command, _ACTS))


def listing(command: _Command) -> _Command:
    """Give a command that lists letters its options as well."""
    return _given(command, _LISTING)


def _given(command: _Command, options: Iterable[Callable[[_Command], _Command]]) -> _Command:
    for option in reversed([*options]):
        command = option(command)
    return command
