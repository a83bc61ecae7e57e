"""``pacer plugins``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from attrs import asdict
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pacer_core.cli.console import NARROW, echo, print_table, screen
from pacer_core.cli.scaffold import PARTS, begin
from pacer_core.model.json_output import dumps
from pacer_core.model.suggestions import hint
from pacer_core.plugins import ACTIVE, FAILED, PluginInfo, Plugins, load

_COLOURS = {ACTIVE: "green", FAILED: "red"}


@click.group()
def plugins() -> None:
    """Look at the installed plugins, or begin one."""


@plugins.command(short_help="Begin a plugin.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--with",
    "parts",
    multiple=True,
    type=click.Choice(list(PARTS)),
    help="A part that it shall have; may be given again. By default a consumer.",
)
def new(folder: Path, parts: tuple[str, ...]) -> None:
    """Begin a plugin in FOLDER, which gives it its name (facility-pacer).

    It is a distribution that passes its own tests, ruff and strict mypy as it is: change what its parts do.
    """
    for file in begin(folder.absolute(), parts or ("consumer",)):
        echo(str(folder / file.relative_to(folder.absolute())))
    echo(f"next: in {folder}, what its README.md says")


@plugins.command(short_help="Show one plugin.")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def show(name: str, as_json: bool) -> None:
    """Show what one plugin is, what it registers, and why it does not work where it does not."""
    found = load()
    info = next((one for one in found.infos if one.name == name), None)
    if info is None:
        names = [one.name for one in found.infos]
        raise click.UsageError(f"no plugin {name!r}{hint(name, names)}")
    if as_json:
        sys.stdout.buffer.write(dumps(asdict(info), indent=True) + b"\n")
        return
    echo(f"{info.name}: {info.distribution} {info.version}, {info.state}")
    if any(info.registers.values()):
        screen().print(Text(_registered(info)))
    if info.error:
        echo(info.error.rstrip())


@plugins.command(name="list", short_help="Show every plugin, and what it registers.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_(as_json: bool) -> None:
    """Show every plugin: its distribution, version, state, and what it registers."""
    found = load()
    if as_json:
        data = {"plugins": [asdict(info) for info in found.infos], "conflicts": found.conflicts}
        data["leftovers"] = found.leftovers
        sys.stdout.buffer.write(dumps(data, indent=True) + b"\n")
        return
    _show(found)


def _show(found: Plugins) -> None:
    console = screen()
    if console.width < NARROW:
        for info in found.infos:
            head = (Text(info.name, style="bold"), Text(f"{info.distribution} {info.version}"), _state(info))
            console.print(Text("  ").join(head))
            console.print(Padding(Text(_registered(info)), (0, 0, 0, 2)))
    else:
        table = Table(box=None, pad_edge=False)
        for name in ("plugin", "distribution", "version", "state", "registers"):
            table.add_column(name, overflow="fold")
        for info in found.infos:
            texts = (Text(one) for one in (info.name, info.distribution, info.version))
            table.add_row(*texts, _state(info), Text(_registered(info)))
        print_table(console, table)
    for info in found.failed:
        console.print(f"\nwarning: plugin {info} failed and is left out:", style="yellow", markup=False)
        console.print((info.error or "").rstrip(), markup=False, soft_wrap=True)
    for folder in found.leftovers:
        text = f"\nwarning: {folder} is passed over: pip left it behind; delete it"
        console.print(text, style="yellow", markup=False, soft_wrap=True)
    for conflict in found.conflicts:
        console.print(f"\nerror: {conflict}", style="red", markup=False, soft_wrap=True)


def _state(info: PluginInfo) -> Text:
    return Text(info.state, style=_COLOURS.get(info.state, "yellow"))


def _registered(info: PluginInfo) -> str:
    return "\n".join(f"{kind}: {', '.join(names)}" for kind, names in info.registers.items() if names)
