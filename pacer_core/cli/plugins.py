"""``pacer plugins``."""

from __future__ import annotations

import sys

import click
import orjson
from attrs import asdict
from rich.table import Table
from rich.text import Text

from pacer_core.cli.console import print_table, screen
from pacer_core.plugins import ACTIVE, FAILED, PluginInfo, Plugins, load

_COLOURS = {ACTIVE: "green", FAILED: "red"}


@click.group()
def plugins() -> None:
    """Look at the installed plugins."""


@plugins.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_(as_json: bool) -> None:
    """Show every plugin: its distribution, version, state, and what it registers."""
    found = load()
    if as_json:
        data = {"plugins": [asdict(info) for info in found.infos], "conflicts": found.conflicts}
        data["leftovers"] = found.leftovers
        sys.stdout.buffer.write(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
        return
    _show(found)


def _show(found: Plugins) -> None:
    console = screen()
    table = Table(box=None, pad_edge=False)
    for name in ("plugin", "distribution", "version", "state", "registers"):
        table.add_column(name, overflow="fold")
    for info in found.infos:
        state = Text(info.state, style=_COLOURS.get(info.state, "yellow"))
        table.add_row(info.name, info.distribution, info.version, state, _registered(info))
    print_table(console, table)
    for info in found.failed:
        console.print(f"\nwarning: plugin {info} failed and is left out:", style="yellow", markup=False)
        console.print((info.error or "").rstrip(), markup=False, soft_wrap=True)
    for folder in found.leftovers:
        text = f"\nwarning: {folder} is passed over: pip left it behind; delete it"
        console.print(text, style="yellow", markup=False, soft_wrap=True)
    for conflict in found.conflicts:
        console.print(f"\nerror: {conflict}", style="red", markup=False, soft_wrap=True)


def _registered(info: PluginInfo) -> str:
    return "\n".join(f"{kind}: {', '.join(names)}" for kind, names in info.registers.items() if names)
