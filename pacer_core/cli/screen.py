"""What commands print on: a terminal as wide as it is, or a pipe, for which nothing is cut or filled up."""

from __future__ import annotations

import re
import sys
from typing import TextIO, cast

from rich.console import Console
from rich.table import Table

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


def screen() -> Console:
    """Give standard output to print on."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=_ENDLESS, file=cast("TextIO", _Trimmed(sys.stdout)))


def print_table(console: Console, table: Table) -> None:
    """Print a table; where a window is too narrow for it, names and numbers go on in the next line.

    rich alone would cut them, and a name or a number that is cut is a wrong one. The widest column gives way
    first.
    """
    for column in table.columns:
        column.no_wrap, column.overflow = False, "fold"
    console.print(table)
