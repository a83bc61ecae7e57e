"""A command of ``pacer``, as it is begun."""

from __future__ import annotations

from pacer_core.cli.scaffold.parts.part import Part

COMMAND = Part(
    "command",
    '''"""A command of ``pacer``: it is about a configuration, as ``config_option`` says."""

from __future__ import annotations

from pathlib import Path

import click

from pacer_core import config_option, say


@click.command(name="$command", short_help="Say which configuration this is about.")
@config_option
def command(file: Path) -> None:
    """Say which configuration this is about."""
    say(f"this is about {file}")
''',
    ("import click", "from $package.command import command"),
    "commands: command",
    '''"""The command ``pacer $command``."""

from __future__ import annotations

from click.testing import CliRunner

from $package.command import command


def test_it_says_which_configuration_it_is_about() -> None:
    done = CliRunner().invoke(command, ["-c", "there.yaml"])
    assert (done.exit_code, done.output) == (0, "this is about there.yaml\\n")
''',
    "a command of `pacer`",
)
