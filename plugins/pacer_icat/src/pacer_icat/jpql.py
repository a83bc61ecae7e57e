"""Values as ICAT's query language writes them: whatever they hold is data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from pacer_icat.times import stored

_NAME = re.compile(r"(?<![\w.]):(\w+)")


def literal(value: Any, zone: tzinfo | None = None) -> str:
    """Give a value as a literal.

    Text is quoted, times become ``{ts ...}`` by the clock of ``zone``, which should be the server's: its
    literals carry no offset.

    Raises
    ------
    TypeError
        For a value that the language has no word for.
    """
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return f"{{ts {stored(value, zone).astimezone(zone):%Y-%m-%d %H:%M:%S}}}"
    if isinstance(value, int | float):
        return repr(value).replace("e+", "e")
    raise TypeError(f"ICAT's query language has no literal for {type(value).__name__}")


def bind(query: str, values: Mapping[str, Any], zone: tzinfo | None = None) -> str:
    """Give a query with each ``:name`` replaced by the literal of its value, or a list of literals.

    A name that has no value is left alone: ICAT has ``:user`` of its own. An empty list is ``(NULL)`` for
    ``IN (:names)``: it has nothing in it.
    """

    def word(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in values:
            return match.group(0)
        value = values[name]
        if isinstance(value, list | tuple | set | frozenset):
            return ", ".join(literal(one, zone) for one in value) or "NULL"
        return literal(value, zone)

    return _NAME.sub(word, query)
