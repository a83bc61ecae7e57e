"""The command line: click and rich, and their only door."""

from __future__ import annotations

import copy
from typing import Any

import click

from pacer_core.cli.by_hand import by_hand, publish
from pacer_core.cli.command_hints import command
from pacer_core.cli.config import config
from pacer_core.cli.console import complaints, echo
from pacer_core.cli.dead import dead
from pacer_core.cli.doctor import doctor
from pacer_core.cli.init import init
from pacer_core.cli.partitions import partitions
from pacer_core.cli.plan import plan
from pacer_core.cli.plugins import plugins
from pacer_core.cli.run import run
from pacer_core.cli.send import send
from pacer_core.cli.status import status
from pacer_core.cli.trace import trace
from pacer_core.cli.waiting import waiting
from pacer_core.commands import BY_HAND, LOAD, PUBLISH
from pacer_core.config import ConfigError
from pacer_core.config import load as load_config
from pacer_core.model.errors import BrokerError, PacerError
from pacer_core.model.secrets import screen
from pacer_core.plugins import Plugins, load, versions

PLUGINS = "pacer.plugins"
EX_SOFTWARE, EX_UNAVAILABLE, EX_CONFIG = 70, 69, 78  # sysexits(3)


class _Cli(click.Group):
    """Built-in commands and those of plugins; plugins are loaded where one of theirs may be meant."""

    def _more(self, ctx: click.Context) -> dict[str, click.Command]:
        if PLUGINS not in ctx.meta:
            ctx.meta[PLUGINS] = load()
        plugins: Plugins = ctx.meta[PLUGINS]
        more: dict[str, click.Command] = {}
        for one in plugins.commands:
            name = str(one.name)
            more[name] = _joined(more.get(name), one)
        return more

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._more(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        ours = super().get_command(ctx, cmd_name)
        if ours is not None and not isinstance(ours, click.Group):
            return ours
        theirs = self._more(ctx).get(cmd_name)
        return ours if theirs is None else _joined(ours, theirs)

    def invoke(self, ctx: click.Context) -> Any:
        ctx.meta[LOAD] = load_config
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            complaints().print(str(error))
            ctx.exit(EX_CONFIG)
        except BrokerError as error:
            _complain(error)
            echo(f"`{command('doctor')}` looks further, and says what to do", err=True)
            ctx.exit(EX_UNAVAILABLE)
        except PacerError as error:
            _complain(error)
            ctx.exit(EX_SOFTWARE)


def _joined(first: click.Command | None, second: click.Command) -> click.Command:
    """Give the first of two commands of one name, with what is in the second where both are groups."""
    if isinstance(first, click.Group) and isinstance(second, click.Group):
        both = copy.copy(first)
        both.commands = dict(first.commands)
        for name, command in second.commands.items():
            both.commands[name] = _joined(both.commands.get(name), command)
        return both
    return second if first is None else first


def _print_versions(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print what is installed; where it does not belong together, say how that is mended."""
    if not wanted or ctx.resilient_parsing:
        return
    installed = versions.distributions()
    for one in installed:
        echo(f"{one.name} {one.version}")
    wrong = versions.mixed(installed)
    for line in wrong:
        echo(f"error: {line}", err=True)
    ctx.exit(EX_CONFIG if wrong else 0)


def _complain(error: PacerError) -> None:
    complaints().print(screen(f"error: {error}"))


@click.group(cls=_Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_versions,
    help="Show the version of every distribution, and exit.",
)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Bring users, investigations and datasets from a message broker into a catalogue."""
    ctx.meta[BY_HAND] = by_hand
    ctx.meta[PUBLISH] = publish


for _command in (
    init, run, send, status, waiting, dead, partitions, trace, doctor, config, plan, plugins,
):  # fmt: skip
    main.add_command(_command)
