"""``pacer scicat schema check``, and the group of commands."""

from __future__ import annotations

from pathlib import Path

import click

from pacer_core import PacerError, say
from pacer_scicat.schemas.folder import SchemaFolder


@click.group()
def scicat() -> None:
    """Bring files into SciCat, and look after their schemas."""


@scicat.group()
def schema() -> None:
    """Look after the schemas that turn files into datasets."""


@schema.command(short_help="Report every mistake of schemas.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def check(folder: Path) -> None:
    """Report every mistake of the schemas in FOLDER, with file, line and column; exit 1 for an error."""
    there = SchemaFolder(folder.absolute())
    try:
        problems, schemas = there.problems(), there.schemas()
    except PacerError as error:
        raise click.ClickException(str(error)) from None
    for problem in problems:
        say(str(problem))
    serious = sum(problem.serious for problem in problems)
    say(f"{len(schemas)} schemas can be used; {serious} errors, {len(problems) - serious} warnings")
    for place, one in enumerate(schemas, 1):
        say(f"{place:4}. {one.name} ({one.file.name}, order {one.order:g})")
    if serious or not schemas:
        raise click.exceptions.Exit(1)
