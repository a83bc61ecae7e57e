"""The group that all of them are in."""

from __future__ import annotations

import click


@click.group()
def dashboard() -> None:
    """Show everybody what became of their message."""
