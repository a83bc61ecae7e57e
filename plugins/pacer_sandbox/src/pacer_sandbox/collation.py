"""Text as ICAT's database compares it: MariaDB's default collation for utf8mb4, ``general_ci``.

Case, accents and trailing blanks do not count; "ß" compares as "s"; all characters outside the basic
plane compare equal; a combining accent is a character of its own.
"""

import re
import sqlite3
import unicodedata
from functools import lru_cache


def fold(text: str) -> str:
    """Return ``text`` with each character replaced by the one that stands for its weight."""
    return text.upper() if text.isascii() else "".join(map(_weight, text))


def key(text: str) -> str:
    """Return what to compare instead of ``text``: equal and ordered as the collation has it."""
    return fold(text).rstrip(" ") + " "


def compare(left: str, right: str) -> int:
    """Compare two texts; -1, 0 or 1."""
    if left == right:
        return 0
    a, b = key(left), key(right)
    return (a > b) - (a < b)


def like(pattern: str | None, value: str | int | float | None, escape: str | None = None) -> bool | None:
    """Tell whether ``value`` matches the SQL pattern; trailing blanks count here, as in MariaDB."""
    if pattern is None or value is None:
        return None
    return _pattern(pattern, escape or "\\").fullmatch(fold(str(value))) is not None


def register(connection: sqlite3.Connection) -> None:
    """Give a connection the collation ``ICAT`` and the function ``icat_like(pattern, value, escape)``."""
    connection.create_collation("ICAT", compare)
    connection.create_function("icat_like", 3, like, deterministic=True)
    connection.create_function("icat_like", 2, like, deterministic=True)


@lru_cache(maxsize=4096)
def _weight(char: str) -> str:
    if char > "\uffff":
        return "\ufffd"
    if char == "ß":
        return "S"
    base = char
    while (decomposed := unicodedata.decomposition(base)) and not decomposed.startswith("<"):
        base = chr(int(decomposed.split()[0], 16))
    upper = base.upper()
    return upper if len(upper) == 1 else base


@lru_cache(maxsize=1024)
def _pattern(pattern: str, escape: str) -> re.Pattern[str]:
    parts = []
    chars = iter(pattern)
    for char in chars:
        if char == escape:
            parts.append(re.escape(fold(next(chars, escape))))
        elif char == "%":
            parts.append(".*")
        elif char == "_":
            parts.append(".")
        else:
            parts.append(re.escape(fold(char)))
    return re.compile("".join(parts), re.DOTALL)
