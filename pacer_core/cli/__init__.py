"""The command line: click and rich, and their only door."""

from __future__ import annotations

import copy
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from pacer_core.commands import BY_HAND, LOAD, PUBLISH
from pacer_core.model.errors import BrokerError, PacerError

if TYPE_CHECKING:
    from types import TracebackType

    from pacer_core.plugins import Plugins

COMMANDS = (
    "init", "run", "send", "status", "waiting", "dead", "partitions", "trace", "doctor", "config", "plan",
    "plugins",
)  # fmt: skip
"""The built-in commands: each is found in the module of its name, and imported where it is meant."""
PLUGINS = "pacer.plugins"
EX_SOFTWARE, EX_UNAVAILABLE, EX_CONFIG = 70, 69, 78  # sysexits(3)


class _Cli(click.Group):
    """Built-in commands and those of plugins; plugins are loaded where one of theirs may be meant."""

    def _more(self, ctx: click.Context) -> dict[str, click.Command]:
        if PLUGINS not in ctx.meta:
            ctx.meta[PLUGINS] = _from("pacer_core.plugins", "load")()
        plugins: Plugins = ctx.meta[PLUGINS]
        more: dict[str, click.Command] = {}
        for one in plugins.commands:
            name = str(one.name)
            more[name] = _joined(more.get(name), one)
        return more

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*COMMANDS, *self._more(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        ours: click.Command | None = None
        if cmd_name in COMMANDS:
            ours = _from(f"{__name__}.{cmd_name}", cmd_name)
        if ours is not None and not isinstance(ours, click.Group):
            return ours
        theirs = self._more(ctx).get(cmd_name)
        return ours if theirs is None else _joined(ours, theirs)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            meant = _from("pacer_core.model.suggestions", "did_you_mean")(args[0], self.list_commands(ctx))
            raise click.UsageError(f"{error.message.rstrip('.')}{meant}", ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        sys.excepthook = _uncaught
        ctx.meta[LOAD] = lambda file: _from("pacer_core.config", "load")(file)
        try:
            return super().invoke(ctx)
        except PacerError as error:
            ctx.exit(_complain(error))


def _from(module: str, name: str) -> Any:
    """Give what is in a module, which is imported now: a command is as quick as what it needs itself."""
    return getattr(import_module(module), name)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an exception that nobody has caught: no secret, and nothing that it may quote about people."""
    from pacer_core.observe import logs

    logs.set_up("WARNING")
    logs.uncaught(kind, error, trace)


def _complain(error: PacerError) -> int:
    """Print what ended a command, and give its exit code."""
    from pacer_core.cli.command_hints import command
    from pacer_core.cli.console import complaints, echo
    from pacer_core.config import ConfigError
    from pacer_core.model.secrets import screen

    if isinstance(error, ConfigError):
        complaints().print(str(error))
        return EX_CONFIG
    complaints().print(screen(f"error: {error}"))
    if isinstance(error, BrokerError):
        echo(f"`{command('doctor')}` looks further, and says what to do", err=True)
        return EX_UNAVAILABLE
    return EX_SOFTWARE


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
    from pacer_core.cli.console import echo
    from pacer_core.plugins import versions

    installed = versions.distributions()
    for one in installed:
        echo(f"{one.name} {one.version}")
    wrong = versions.mixed(installed)
    for line in wrong:
        echo(f"error: {line}", err=True)
    ctx.exit(EX_CONFIG if wrong else 0)


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
    ctx.meta[BY_HAND] = lambda *given: _from("pacer_core.cli.by_hand", "by_hand")(*given)
    ctx.meta[PUBLISH] = lambda *given: _from("pacer_core.cli.by_hand", "publish")(*given)
