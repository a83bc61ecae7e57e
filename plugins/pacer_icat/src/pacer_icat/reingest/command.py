"""``pacer icat reingest``."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from pacer_core import config_option


@click.group()
def icat() -> None:
    """Look after what is in an ICAT."""


@icat.command()
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
    root = ctx.find_root()
    send = root.command.get_command(root, "send") if isinstance(root.command, click.Group) else None
    if send is None:
        raise click.UsageError("this command is one of pacer's: run it as `pacer icat reingest`")
    message = {"investigation": investigation} | ({} if visit is None else {"visit_id": visit})
    with TemporaryDirectory() as folder:
        body = Path(folder, "reingest.json")
        body.write_text(json.dumps(message))
        try:
            ctx.invoke(send, file=file, consumer=consumer, files=(body,))
        except click.UsageError as error:
            raise click.UsageError(
                f"{error.message}; add a consumer of type reingest, or name yours with --consumer"
            ) from None
