"""How other commands are called, where they are printed."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import click

from pacer_core.commands import DEFAULT, given_config


def command(words: str) -> str:
    """Give a command of PACER's as it works where this one was called: its program, and its configuration."""
    ctx = click.get_current_context(silent=True)
    file = given_config(ctx) if ctx is not None else DEFAULT
    known = Path(os.environ.get("PACER_CONFIG") or DEFAULT)
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
