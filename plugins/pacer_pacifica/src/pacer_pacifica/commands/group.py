"""``pacer pacifica``: jobs looked at and mended, bundles uploaded."""

from __future__ import annotations

import click

from pacer_pacifica.commands.jobs import job, list_jobs, retry, show, sweep
from pacer_pacifica.commands.upload import upload


@click.group()
def pacifica() -> None:
    """Look after uploads that came in over HTTP, and upload bundles."""


for _command in (job, list_jobs, show, retry, sweep, upload):
    pacifica.add_command(_command)
