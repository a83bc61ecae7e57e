"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

config_option = click.option(
    "--config",
    "-c",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("pacer.yaml"),
    show_default=True,
    envvar="PACER_CONFIG",
    show_envvar=True,
    help="The configuration file.",
)
