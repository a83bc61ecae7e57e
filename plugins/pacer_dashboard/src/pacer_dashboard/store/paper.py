"""How rows are written down before the database is asked: as lines for ``COPY``, or as values for SQLite.

Either is made of parts that are added up: a row's beginning, which may be known last, and its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from types import NoneType
from typing import Any, Protocol

import orjson

Part = Any
"""A part of a row: a ``str`` on `Lines`, a ``tuple`` on `Values`; parts of one kind are added by ``+``."""


class Paper(Protocol):
    """What rows are written on: texts, numbers, truths and times; at their ends JSON (``dict``, ``list``)."""

    def begin(self, values: Iterable[Any]) -> Part:
        """Write the first values of a row; only they may be ``None``."""
        ...

    def end(self, values: Iterable[Any]) -> Part:
        """Write the last values of a row."""
        ...

    def alone(self, begin: Part) -> Part:
        """Give the row that has a beginning and no more."""
        ...


class Lines:
    """Lines of PostgreSQL's text format."""

    def begin(self, values: Iterable[Any]) -> str:
        """Write the first values of a line."""
        texts = [_escaped(one) if type(one) is str else _PLAIN.get(type(one), str)(one) for one in values]
        return "\t".join(texts) + "\t"

    def end(self, values: Iterable[Any]) -> str:
        """Write the last values of a line: as one text, since the character 0 is in none of them."""
        texts = [one if type(one) is str else _PLAIN.get(type(one), str)(one) for one in values]
        return _escaped("\0".join(texts)).replace("\0", "\t") + "\n"

    def alone(self, begin: str) -> str:
        """End a line behind its beginning."""
        return begin[:-1] + "\n"


class Values:
    """Tuples of what SQLite has a type for."""

    def begin(self, values: Iterable[Any]) -> tuple[Any, ...]:
        """Write the first values of a row."""
        return tuple([_VALUES[type(one)](one) for one in values])

    end = begin

    def alone(self, begin: tuple[Any, ...]) -> tuple[Any, ...]:
        """Give the row as it is."""
        return begin


def paper_of(vendor: str) -> Paper:
    """Give the paper of a kind of database, as Django calls it."""
    return Lines() if vendor == "postgresql" else Values()


@lru_cache(1024)
def iso(time: datetime) -> str:
    """Write a time in UTC in ISO 8601; each stands in several rows."""
    return time.isoformat()


def json(document: Any) -> str:
    """Write a JSON document; the same one always in the same way."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def _naive(time: datetime) -> str:
    return str(time.astimezone(UTC).replace(tzinfo=None))


_PLAIN: dict[type, Callable[[Any], str]] = {
    datetime: iso,
    dict: json,
    list: json,
    NoneType: lambda _: "\\N",
}
_VALUES: dict[type, Callable[[Any], Any]] = {
    **dict.fromkeys((str, int, bool, NoneType), lambda one: one),
    datetime: _naive,
    dict: json,
    list: json,
}
