"""What the plugin registers."""

from __future__ import annotations

import click

from pacer_core import hookimpl


@click.command(short_help="Fill a catalogue with embedded parts, in a minute.")
def demo() -> None:
    """Send messages about datasets to an embedded broker, and fill a sandbox of ICAT with them.

    Nothing is left behind.
    """
    from pacer.demo.run import main  # here: other commands need no ICAT

    main()


@hookimpl
def pacer_commands() -> list[click.Command]:
    """Give `pacer demo`."""
    return [demo]
