"""What is wrong with a query, before ICAT is asked."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from pacer_core import PacerError


class QueryError(PacerError, ValueError):
    """A query that cannot be asked: an unknown name, or a value that its field cannot have."""


def near(name: str, names: Iterable[str]) -> str:
    """Give the end of an error about an unknown name: those that come near, or a few that there are."""
    known = sorted(names)
    by_lower = {one.lower(): one for one in reversed(known)}
    found = [by_lower[one] for one in get_close_matches(name.lower(), by_lower, n=3)]
    if found:
        return f": did you mean {' or '.join(map(repr, found))}?"
    return f"; there are {', '.join(known)}" if len(known) <= _FEW else ""


_FEW = 30
