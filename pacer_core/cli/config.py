"""``pacer config``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import orjson
from attrs import asdict

from pacer_core.cli.options import config_option
from pacer_core.config import Problem
from pacer_core.config import check as check_config


@click.group()
def config() -> None:
    """Look at a configuration file."""


@config.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON.")
@click.pass_context
def check(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Report every problem of a configuration, with file, line and column.

    Exits with 0 where it can be run, with 1 where it cannot.
    """
    found, problems = check_config(file)
    if as_json:
        sys.stdout.buffer.write(
            orjson.dumps([_plain(one) for one in problems], option=orjson.OPT_INDENT_2) + b"\n"
        )
    else:
        for problem in problems:
            click.secho(str(problem), fg="yellow" if problem.severity == "warning" else "red")
        errors = sum(problem.severity == "error" for problem in problems)
        if found is None:
            click.echo(f"{errors} error{'s' if errors != 1 else ''}")
        else:
            names = ", ".join(plan.name for plan in found.consumers)
            click.echo(f"{file} is fine: {len(found.consumers)} consumer(s) ({names}) at {found.broker}")
    ctx.exit(0 if found is not None else 1)


def _plain(problem: Problem) -> dict[str, object]:
    return asdict(problem) | {"code": problem.code.value}
