"""Searching: ``where``, ``fields`` and ``limits`` as the backend understands them (A8, 24)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pacer_scicat.testing.refusals import broken, refused
from pacer_scicat.testing.values import read_json

_MISSING = object()


def read_filter(text: str | None) -> Mapping[str, Any]:
    """Read a filter of an address or of a header.

    Raises
    ------
    Refused
        400 where it is no JSON, 500 where it is JSON and no object.
    """
    if not text:
        return {}
    try:
        found = read_json(text.encode())
    except ValueError as error:
        raise refused(400, f"Invalid JSON in filter: {error}") from None
    if not isinstance(found, Mapping):
        raise broken()
    return found


def found(things: Iterable[dict[str, Any]], wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give what fits ``where``, in the order and number of ``limits``, with its ``fields`` alone."""
    fitting = [one for one in things if fits(one, wanted.get("where") or {})]
    limits = wanted.get("limits")
    if isinstance(limits, Mapping):
        name, _, direction = str(limits.get("order") or "").partition(":")
        if name:
            fitting.sort(key=lambda one: str(one.get(name)), reverse=direction == "desc")
        first = int(limits.get("skip") or 0)
        fitting = fitting[first:]
        if limits.get("limit"):
            fitting = fitting[: int(limits["limit"])]
    fields = wanted.get("fields")
    if not fields:
        return fitting
    return [{name: one[name] for name in (*fields, "_id") if name in one} for one in fitting]


def fits(thing: Mapping[str, Any], where: Any) -> bool:
    """Tell whether a thing fits a condition."""
    if not isinstance(where, Mapping):
        return True
    for name, wanted in where.items():
        if name in ("and", "$and"):
            fit = all(fits(thing, one) for one in wanted)
        elif name in ("or", "$or"):
            fit = any(fits(thing, one) for one in wanted)
        else:
            fit = any(_fits(value, wanted) for value in _values(thing, name.split(".")))
        if not fit:
            return False
    return True


def _values(thing: Any, path: list[str]) -> Iterator[Any]:
    """Give what stands at a path; in lists, of each element. A key with a dot is not found (A8, 17)."""
    if not path:
        yield thing
        if isinstance(thing, list):
            yield from thing
    elif isinstance(thing, Mapping):
        yield from _values(thing[path[0]], path[1:]) if path[0] in thing else [_MISSING]
    elif isinstance(thing, list):
        for one in thing:
            yield from _values(one, path)
    else:
        yield _MISSING


def _fits(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, Mapping):
        return _equal(value, wanted)
    return all(_OPERATORS.get(name.lstrip("$"), _never)(value, one) for name, one in wanted.items())


def _equal(value: Any, wanted: Any) -> bool:
    if value is _MISSING:
        return wanted is None
    return value == wanted and isinstance(value, str) == isinstance(wanted, str)


def _like(value: Any, wanted: Any) -> bool:
    return isinstance(value, str) and re.search(str(wanted), value, re.IGNORECASE) is not None


def _never(_: Any, __: Any) -> bool:
    return False


def _compared(compare: Any) -> Any:
    def compared(value: Any, wanted: Any) -> bool:
        try:
            return bool(compare(value, wanted))
        except TypeError:
            return False

    return compared


_OPERATORS = {
    "inq": lambda value, wanted: any(_equal(value, one) for one in wanted),
    "in": lambda value, wanted: any(_equal(value, one) for one in wanted),
    "nin": lambda value, wanted: not any(_equal(value, one) for one in wanted),
    "ne": lambda value, wanted: not _equal(value, wanted),
    "neq": lambda value, wanted: not _equal(value, wanted),
    "eq": _equal,
    "like": _like,
    "ilike": _like,
    "exists": lambda value, wanted: (value is not _MISSING) == bool(wanted),
    "lt": _compared(lambda value, wanted: value < wanted),
    "lte": _compared(lambda value, wanted: value <= wanted),
    "gt": _compared(lambda value, wanted: value > wanted),
    "gte": _compared(lambda value, wanted: value >= wanted),
}


def metadata_names(listed: list[dict[str, Any]]) -> list[str]:
    """Give the names of all metadata: a quantity's own, or the way to it."""
    names: dict[str, None] = {}

    def walk(value: Any, name: str) -> None:
        if isinstance(value, Mapping) and not {"value", "unit"} & value.keys():
            for key, inner in value.items():
                walk(inner, f"{name}.{key}" if name else key)
        elif name:
            names[name] = None

    for one in listed:
        walk(one.get("scientificMetadata"), "")
    return list(names)
