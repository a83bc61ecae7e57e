"""What commands print on: a terminal as wide as it is, or a pipe, for which nothing is cut or filled up.

All that they print, but for JSON, goes through here and is escaped here: what others wrote controls no
terminal.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TextIO, cast

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from pacer_core.model.escapes import escaped, escaped_lines
from pacer_core.model.secrets import redact

NARROW = 100
"""Columns of a window below which things are written one below the other, and no table is made of them."""
_ENDLESS = 1 << 16  # characters of a line that nobody looks at: a program reads it, or a file keeps it
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)


class _Trimmed:
    """Standard output without the blanks that fill the last column of a table."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.encoding = file.encoding

    def write(self, text: str) -> int:
        """Write whole lines, as rich does."""
        return self._file.write(_TRAILING.sub("", text))

    def flush(self) -> None:
        """Write what is buffered."""
        self._file.flush()


class _Screen(Console):
    """A console on which texts only show: rich writes what controls a terminal, and nobody else does."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Give what is to be written, escaped but for the ends of lines."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(escaped_lines(segment.text), segment.style)


def screen() -> Console:
    """Give standard output to print on."""
    if sys.stdout.isatty():
        return _Screen(highlight=False)
    return _Screen(highlight=False, width=_ENDLESS, file=cast("TextIO", _Trimmed(sys.stdout)))


def complaints() -> Console:
    """Give standard error to print on, as it is: without markup, and no line is broken."""
    return _Screen(stderr=True, soft_wrap=True, highlight=False, markup=False)


def echo(text: str, *, err: bool = False) -> None:
    """Print a text as it is, escaped but for the ends of lines."""
    click.echo(escaped_lines(text), err=err)


def columns(*names: str) -> Table:
    """Give a table with columns of text."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def figure(number: int | None, style: str = "") -> Text:
    """Give a number as a table has it, and a dash for none."""
    return Text("-" if number is None else f"{number:,}", style=style or ("" if number else "dim"))


def print_table(console: Console, table: Table) -> None:
    """Print a table; where a window is too narrow for it, names and numbers go on in the next line.

    rich alone would cut them, and a name or a number that is cut is a wrong one. The widest column gives way
    first.
    """
    for column in table.columns:
        column.no_wrap, column.overflow = False, "fold"
    console.print(table)


def clean(text: str) -> str:
    """Give a text that a terminal only shows: publishers could send what moves its cursor, or worse."""
    return escaped_lines(redact(text))


def line(text: str) -> str:
    """Give a text in one clean line."""
    return escaped(redact(" ".join(text.split())))
