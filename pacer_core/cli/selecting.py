"""Options by which letters are chosen, and what is done with them agreed to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import click

from pacer_core.cli.letter_places import DEAD, Pile
from pacer_core.cli.options import config_option
from pacer_core.config.sections import parse_duration


def _ago(value: str) -> datetime:
    span = parse_duration(value)
    if span is None:
        raise click.BadParameter(f"{value!r} is no duration: write 30s, 15min, 24h or 7d")
    return datetime.now(UTC) - min(span, timedelta(days=36500))


_SHARED = (
    click.option("--consumer", "-n", help="Only those of this consumer."),
    click.option(
        "--about",
        metavar="[NAME=]VALUE",
        help="Only what is about this: a proposal, a dataset, a user, as `list` shows it.",
    ),
    click.option("--correlation-id", help="Only those with this correlation id."),
)
_FILTERS = (
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
    *_SHARED,
)
_WAITING = (
    click.option(
        "--error",
        "--waits-for",
        "-e",
        "error",
        help="Only where what it waits for says this: a text or a regular expression.",
    ),
    click.option(
        "--older-than",
        "before",
        type=_ago,
        metavar="TIME",
        help="Only those that PACER has known for longer: 15min, 24h, 7d.",
    ),
    click.option(
        "--newer-than", "after", type=_ago, metavar="TIME", help="Only those known for less than that."
    ),
    *_SHARED,
)
_ACTS = (
    click.option("--all", "everything", is_flag=True, help="All of them, where nothing else says which."),
    click.option("--dry-run", is_flag=True, help="Count, and change nothing."),
    click.option("--yes", "-y", is_flag=True, help="Do not ask."),
)


def filters(pile: Pile) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that say which letters of a pile are meant."""

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(_FILTERS if pile is DEAD else _WAITING):
            command = option(command)
        return config_option(command)

    return with_options


def acts(pile: Pile) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command that does something to letters its options as well."""

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(_ACTS):
            command = option(command)
        return filters(pile)(command)

    return with_options


def listing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that lists letters its options as well."""
    for option in reversed(
        (
            click.option(
                "--limit",
                "-l",
                default=30,
                show_default=True,
                help="Show so many, the latest; 0 shows all.",
            ),
            click.option("--json", "as_json", is_flag=True, help="Print all of them as JSON."),
        )
    ):
        command = option(command)
    return command
