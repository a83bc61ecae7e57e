"""Reading fields of a record, each with its path where it is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from pacer_core import BadField, Reject

_FIRST, _LAST = 1970, 2200  # years


def wrong(path: str, message: str) -> Reject:
    """Give the error of a field."""
    return Reject("the record cannot be read", fields=[BadField(path, message)])


def clean(text: str) -> str:
    """Give a text that every database takes: without the character 0, and without halves of characters."""
    if text.isascii() and "\0" not in text:  # as nearly all are
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def text(data: Mapping[str, Any], name: str, default: str | None = None, *, longest: int = 255) -> str:
    """Read a text that has to be there, unless there is a default; ``null`` counts as not there."""
    value = data.get(name)
    if value is None:
        if default is None:
            raise wrong(name, "is missing")
        return default
    if not isinstance(value, str):
        raise wrong(name, "should be a text")
    if len(value) > longest:
        raise wrong(name, f"is longer than {longest} characters")
    return value if value.isascii() and "\0" not in value else clean(value)


def time(data: Mapping[str, Any], name: str, zone: tzinfo = UTC) -> datetime | None:
    """Read a time in ISO 8601 as one in UTC; ``None`` where it is not there."""
    value = data.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong(name, "should be a time in ISO 8601")
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is not UTC:
            found = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong(name, "should be a time in ISO 8601") from None
    if not _FIRST <= found.year <= _LAST:
        raise wrong(name, f"should be between {_FIRST} and {_LAST}")
    return found


def whole(data: Mapping[str, Any], name: str, default: int) -> int:
    """Read a whole number from 0 on."""
    value = data.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise wrong(name, "should be a whole number from 0 on")
    return value


def texts(data: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Read a list of texts."""
    value = data.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise wrong(name, "should be a list of texts")
    return tuple(map(clean, value))


def mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Read an object; one that is not there is empty."""
    value = data.get(name) or {}
    if not isinstance(value, dict):
        raise wrong(name, "should be an object")
    return value


def identifiers(data: Mapping[str, Any], name: str) -> dict[str, str]:
    """Read identifiers: what is no text is written as JSON has it, and what is empty is left out."""
    found: dict[str, str] = {}
    for key, value in mapping(data, name).items():
        if value is None or value == "":
            continue
        if not isinstance(value, str) and isinstance(value, (bool, dict, list)):
            value = str(value).lower() if isinstance(value, bool) else repr(value)
        found[clean(str(key))[:64]] = clean(str(value))[:255]
    return found
