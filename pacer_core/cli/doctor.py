"""``pacer doctor``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import asdict
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pacer_core.cli.command_hints import command
from pacer_core.cli.console import NARROW, line, print_table, screen
from pacer_core.commands import config_option
from pacer_core.config import load
from pacer_core.model.escapes import escaped
from pacer_core.model.json_output import dumps

if TYPE_CHECKING:
    from pacer_core.work.doctor import Finding

_VERSION = 1
EX_UNAVAILABLE = 69
_NAMED = 4  # consumers that need something, in a sentence


@click.command(short_help="Look whether brokers and integrations can be worked with.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1),
    default=30.0,
    show_default=True,
    help="Seconds that the checks, which run at once, may take.",
)
@click.pass_context
def doctor(ctx: click.Context, file: Path, as_json: bool, timeout: float) -> None:
    """Look whether every broker and integration of a configuration can be worked with.

    Each gets a harmless call, with the account of the configuration, and each that fails a line about what
    to do. Nothing is declared or consumed, and nothing is stored. Exits with 69 where something failed.
    """
    config = load(file)
    logging.getLogger().addHandler(logging.NullHandler())  # what libraries warn of is in the findings
    from pacer_core.work.doctor import diagnose  # not in the workers, which import the command line as well

    findings = diagnose(config, timeout)
    if as_json:
        data = {
            "version": _VERSION,
            "at": datetime.now(UTC).isoformat(),
            "config": config.file,
            "well": all(one.well for one in findings),
            "findings": [asdict(one) for one in findings],
        }
        sys.stdout.buffer.write(dumps(data, indent=True) + b"\n")
    else:
        _show(findings)
    ctx.exit(0 if all(one.well for one in findings) else EX_UNAVAILABLE)


def _in_a_line(text: str) -> str:
    return escaped(" ".join(text.split()))  # what others said in it is redacted already


def _show_each(console: Console, findings: list[Finding]) -> None:
    rows = [
        (
            Text("well", style="green") if one.well else Text("fails", style="red"),
            Text(one.kind),
            Text(line(one.name)),
            Text(_in_a_line(one.about)),
            Text(_in_a_line(one.detail)),
        )
        for one in findings
    ]
    if console.width < NARROW:
        for *head, detail in rows:
            console.print(Text("  ").join(head), soft_wrap=True)
            console.print(Padding(detail, (0, 0, 0, 2)))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "what", "name", "is", "found"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    print_table(console, table)


def _some(names: Sequence[str]) -> str:
    """Name those there are, or the first of many; `--json` has all."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} others"


def _show(findings: list[Finding]) -> None:
    console = screen()
    _show_each(console, findings)
    failing = [one for one in findings if not one.well]
    for one in failing:
        users = f" (needed by {_some(one.users)})" if one.users else ""
        console.print(
            Text(f"\n{one.kind} {line(one.name)}{users}: {_in_a_line(one.advice)}", style="yellow"),
            soft_wrap=True,
        )
    for one in findings:
        for warning in one.warning.splitlines():
            said = f"\n{one.kind} {line(one.name)}, a warning: {_in_a_line(warning)}"
            console.print(Text(said, style="yellow"), soft_wrap=True)
    console.print()
    if failing:
        console.print(Text(f"{len(failing)} of {len(findings)} fail", style="red"))
    else:
        those = "this is" if len(findings) == 1 else f"all {len(findings)} are"
        console.print(Text(f"{those} well: `{command('run')}` can begin", style="green"), soft_wrap=True)
