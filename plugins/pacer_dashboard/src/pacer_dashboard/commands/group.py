"""The group that all of them are in."""

from __future__ import annotations

from typing import Any

import click

from pacer_core import PacerError, redact


class _WithDatabase(click.Group):
    """Says that a database is away in a line, where Django's error is a page of its insides."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if not type(error).__module__.startswith("django.db"):
                raise
            from pacer_dashboard.store.away import is_away

            if not is_away(error):
                raise
            why = redact(" ".join(str(error).split()))[:400]
            raise PacerError(
                f"the dashboard's database does not answer, or `pacer dashboard migrate` was not done: {why}"
            ) from error


@click.group(cls=_WithDatabase)
def dashboard() -> None:
    """Show everybody what became of their message."""
