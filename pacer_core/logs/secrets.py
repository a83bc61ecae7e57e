"""Secrets: remembered when they are read, and hidden in whatever text leaves the process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote, quote_plus

HIDDEN = "***"
_SHORTEST = 3  # hiding every "a" would hide the log instead
known: set[str] = set()
"""Every spelling of every secret of this process."""
_longest_first: tuple[str, ...] = ()


def hide(values: Iterable[str]) -> None:
    """Never write these values from now on: neither to a log, nor into an error that travels."""
    known.update(one for value in values if len(value) >= _SHORTEST for one in _spellings(value))


def _spellings(value: str) -> Iterator[str]:
    """Give a value as it stands in plain text, in a Python or JSON string, in a URL, and in XML."""
    yield value
    yield repr(value)[1:-1]
    yield repr(f"'\"{value}")[4:-1]  # inside a longer string, both quotes of which Python has to escape
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(value)
    yield quote(value, safe="")
    yield quote_plus(value)
    yield escape(value)
    yield escape(value, quote=False)


def redact(text: str) -> str:
    """Give a text with every known secret replaced by ``***``."""
    global _longest_first
    if len(_longest_first) != len(known):
        _longest_first = tuple(sorted(known, key=len, reverse=True))
    for secret in _longest_first:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


class Secret:
    """A password, token or key of the configuration; it shows as ``***`` wherever it is printed."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        hide([value])

    def reveal(self) -> str:
        """Give the value, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN!r})"

    def __str__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
