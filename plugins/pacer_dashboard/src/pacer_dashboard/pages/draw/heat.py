"""A heat map: a table whose cells are coloured, so that it is its own table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

STEPS = (0.0, 0.01, 0.03, 0.1, 0.3)
"""Shares up to which a cell has the colours 0 to 4; what is more has 5."""


@frozen
class Cell:
    """One share: ``level`` is its colour, -1 where nothing came."""

    level: int
    said: str


@frozen
class Heat:
    """Shares of failed messages by row (a type, say) and column (a day)."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    csv: str = ""


def cell(failed: int, all_: int) -> Cell:
    """Colour the share of messages that failed."""
    if not all_:
        return Cell(-1, "")
    share = failed / all_
    level = next((at for at, step in enumerate(STEPS) if share <= step), len(STEPS))
    return Cell(level, f"{share * 100:.{1 if 0 < share < 0.1 else 0}f} % ({failed}/{all_})")


def heat(
    title: str,
    columns: Sequence[str],
    counts: Mapping[str, Sequence[tuple[int, int]]],
    csv: str = "",
) -> Heat:
    """Make a heat map of pairs (failed, all), for each row as many as there are columns."""
    rows = tuple((name, tuple(cell(*pair) for pair in pairs)) for name, pairs in counts.items())
    return Heat(title, tuple(columns), rows, csv)
