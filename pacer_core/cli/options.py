"""Options that several commands share, and how other commands are called where they are printed."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import click

_FILE = "pacer.file"
_DEFAULT = Path("pacer.yaml")


def _remember(ctx: click.Context, _: click.Parameter, value: Path) -> Path:
    ctx.meta[_FILE] = value
    return value


config_option = click.option(
    "--config",
    "-c",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=_DEFAULT,
    show_default=True,
    envvar="PACER_CONFIG",
    show_envvar=True,
    help="The configuration file.",
    callback=_remember,
)


def command(words: str) -> str:
    """Give a command of PACER's as it works where this one was called: its program, and its configuration."""
    ctx = click.get_current_context(silent=True)
    file = ctx.meta.get(_FILE, _DEFAULT) if ctx is not None else _DEFAULT
    known = Path(os.environ.get("PACER_CONFIG") or _DEFAULT)
    return f"{_program()} {words}" + ("" if file == known else f" -c {shlex.quote(str(file))}")


def _program() -> str:
    """Name this program: not every shell finds it as ``pacer``, or finds another one."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return shlex.join([sys.executable, "-m", "pacer_core"])
    found = shutil.which("pacer")
    known = called.name != "pacer" or (
        found is not None and os.path.realpath(found) == os.path.realpath(called)
    )
    return "pacer" if known else shlex.quote(sys.argv[0])
