"""Secrets: remembered when they are read, and hidden in whatever text leaves the process."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote, quote_plus

HIDDEN = "***"
_SHORTEST = 3  # hiding every "a" would hide the log instead
known: set[str] = set()
"""Every spelling of every secret of this process."""
_strong: set[str] = set()
"""Those of secrets that are no ordinary word: they are hidden wherever they stand, in our words as well."""
_patterns: dict[bool, tuple[int, re.Pattern[str]]] = {}
_BASIC = re.compile(r"(?i)\b(basic\s+)([a-z0-9+/_-]{4,}={0,2})")


def hide(values: Iterable[str]) -> None:
    """Never write these values from now on: neither to a log, nor into an error that travels."""
    for value in values:
        if len(value) >= _SHORTEST:
            spellings = set(_spellings(value))
            known.update(spellings)
            if not _is_word(value):
                _strong.update(spellings)


def _is_word(value: str) -> bool:
    """Tell whether a secret may stand in a sentence, a path or a number of ours without being meant."""
    if len(value) < _SECURE:
        return True
    usual = value.islower() or value.isupper() or value.istitle()
    return value.isdigit() or (value.isalpha() and usual and len(value) < 2 * _SECURE)


_SECURE = 8


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
    yield base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()


def redact(text: str) -> str:
    """Give a text of others, such as an exception's, with every known secret replaced by ``***``.

    A secret that might be an ordinary word is one where it stands by itself; any other, anywhere.
    """
    text = _BASIC.sub(_without_account, text) if known else text
    return _hidden(text, known, words=True)


def screen(text: str) -> str:
    """Give a text of our own without secrets; words, paths and numbers that look like one are left alone."""
    return _hidden(text, _strong, words=False)


class Clean(str):
    """A text of our own in which what others said was redacted already."""

    __slots__ = ()


class Redacted:
    """Something that shows without secrets in a log record."""

    __slots__ = ("_thing",)

    def __init__(self, thing: object) -> None:
        self._thing = thing

    def __str__(self) -> str:
        return redact(str(self._thing))

    def __repr__(self) -> str:
        return redact(repr(self._thing))


def _hidden(text: str, secrets: set[str], *, words: bool) -> str:
    if not secrets:
        return text
    found = _patterns.get(words)
    if found is None or found[0] != len(secrets):
        found = len(secrets), re.compile("|".join(map(_pattern, sorted(secrets, key=len, reverse=True))))
        _patterns[words] = found
    return found[1].sub(HIDDEN, text)


# An escape of Python, JSON or a URL ends where the secret begins, and looks like a part of the word.
_BEGINS = r"(?:(?<!\w)|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\x[0-9a-f]{2})|(?<=\\u[0-9a-f]{4}))"


def _pattern(secret: str) -> str:
    if secret in _strong:
        return re.escape(secret)
    before = _BEGINS if re.match(r"\w", secret[0]) else ""
    after = r"(?!\w)" if re.match(r"\w", secret[-1]) else ""
    return before + re.escape(secret) + after


def _without_account(match: re.Match[str]) -> str:
    """Hide the account of HTTP's Basic authentication where a secret is in it."""
    try:
        padded = match[2].rstrip("=").replace("-", "+").replace("_", "/")
        account = base64.b64decode(padded + "=" * (-len(padded) % 4)).decode()
    except ValueError:
        return match[0]
    return f"{match[1]}{HIDDEN}" if any(secret in account for secret in known) else match[0]


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
