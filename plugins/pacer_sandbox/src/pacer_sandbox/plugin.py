"""What PACER's core is told: the commands below ``pacer sandbox``."""

from collections.abc import Iterable

import click

from pacer_core import hookimpl
from pacer_sandbox.cli import sandbox


@hookimpl
def pacer_commands() -> Iterable[click.Command]:
    """Give the group ``sandbox``."""
    return [sandbox]
