"""``pacer icat reingest``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pacer_core import Publication, config_option, publish, say


@click.group()
def icat() -> None:
    """Look after what is in an ICAT."""


@icat.command(short_help="Have an investigation's datasets ingested again.")
@click.argument("investigation")
@click.option("--visit", "-v", help="One visit of it; without this, all of them.")
@config_option
@click.option(
    "--consumer", "-n", default="reingest", show_default=True, help="The consumer of type reingest."
)
@click.pass_context
def reingest(ctx: click.Context, investigation: str, visit: str | None, file: Path, consumer: str) -> None:
    """Have the datasets of INVESTIGATION ingested once more, from what ICAT holds of them.

    Sends one message to the consumer of type `reingest`; running workers do the rest.
    """
    message = {"investigation": investigation} | ({} if visit is None else {"visit_id": visit})
    body = json.dumps(message).encode()
    try:
        (correlation_id,) = publish(ctx, file, [Publication(consumer, body, content_type="application/json")])
    except click.UsageError as error:
        raise click.UsageError(
            f"{error.message}; add a consumer of type reingest, or name yours with --consumer"
        ) from None
    say(f"confirmed, correlation id {correlation_id}")
