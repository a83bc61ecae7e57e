"""What the plugin registers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from pacer_core import hookimpl


@click.command(
    short_help="Fill a catalogue with embedded parts, in a minute.",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def demo(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Send messages about datasets to an embedded broker, and fill a sandbox of ICAT with them.

    Nothing is left behind. In a checkout of the repository, --broker NAME starts another broker for it.
    """
    script = Path(__file__).parent / "demo" / "run.py"
    ctx.exit(subprocess.run([sys.executable, str(script), *arguments]).returncode)  # noqa: S603 - our own


@hookimpl
def pacer_commands() -> list[click.Command]:
    """Give `pacer demo`."""
    return [demo]
