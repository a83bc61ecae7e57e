"""The command line: click and rich, and their only door."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from pacer_core import __version__
from pacer_core.cli.config import config
from pacer_core.cli.plugins import plugins
from pacer_core.cli.run import run
from pacer_core.cli.send import send
from pacer_core.config import ConfigError
from pacer_core.errors import BrokerError, PacerError
from pacer_core.plugins import Plugins, load

EX_SOFTWARE, EX_UNAVAILABLE, EX_CONFIG = 70, 69, 78  # sysexits(3)


class _Cli(click.Group):
    """Built-in commands and those of plugins; plugins are loaded where one of theirs may be meant."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._plugins: Plugins | None = None

    def _more(self) -> dict[str, click.Command]:
        if self._plugins is None:
            self._plugins = load()
        more: dict[str, click.Command] = {}
        for command in self._plugins.commands:
            name = str(command.name)
            there = more.get(name)
            if isinstance(there, click.Group) and isinstance(command, click.Group):
                for child in command.commands.values():
                    there.add_command(child)
            else:
                more.setdefault(name, command)
        return more

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._more()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self._more().get(cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(str(error))
            ctx.exit(EX_CONFIG)
        except BrokerError as error:
            _complain(error)
            ctx.exit(EX_UNAVAILABLE)
        except PacerError as error:
            _complain(error)
            ctx.exit(EX_SOFTWARE)


def _complain(error: PacerError) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"error: {error}")


@click.group(cls=_Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pacer")
def main() -> None:
    """Bring users, investigations and datasets from a message broker into a catalogue."""


for _command in (run, send, config, plugins):
    main.add_command(_command)
