"""Types of values: what comes from a file, from the catalogue or from a template, as JSON holds it."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pacer_scicat.schemas.extensions import Converter, VariableError

_EMAIL = re.compile(r"[^@\s;,]+@[^@\s;,]+\.[^@\s;,]+")
_ADDRESS = 320
"""Characters of an address at most (RFC 5321): what is longer is not looked at."""
_LINK = re.compile(r"[a-z][a-z0-9+.-]*:\S+", re.IGNORECASE)
_LATEST = 253402300799
"""The last second of the year 9999."""


def _alone(value: Any) -> Any:
    """Give the one element of a list of one: files hold many scalars so."""
    while isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return value


def _text(value: Any) -> str:
    value = _alone(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value
    if value is None:
        raise VariableError("there is no value")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list | tuple | Mapping):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _integer(value: Any) -> int:
    found = _float(value)
    if isinstance(_alone(value), int):
        return int(_alone(value))
    if not found.is_integer():
        raise VariableError("is no whole number")
    return int(found)


def _float(value: Any) -> float:
    value = _alone(value)
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise VariableError("is no number") from None
    if not math.isfinite(found):
        raise VariableError("is no finite number, and JSON has no word for it")
    return found


def _list(value: Any) -> list[Any]:
    if isinstance(value, str) and value.strip()[:1] in ("[", "("):
        return list(_literal(value, list | tuple))
    if isinstance(value, list | tuple):
        return list(value)
    if value is None:
        raise VariableError("there is no value")
    return [value]


def _dict(value: Any) -> dict[str, Any]:
    value = _alone(value)
    if isinstance(value, str | bytes):
        value = _literal(_text(value), Mapping)
    if not isinstance(value, Mapping):
        raise VariableError("is no mapping")
    return dict(value)


def _literal(text: str, kind: Any) -> Any:
    """Read a list or a mapping that is written as text, in JSON or as Python writes it."""
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(found, kind):
            return found
    raise VariableError("is text that is neither a list nor a mapping")


def _each(convert: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda value: [convert(one) for one in _flat(_list(value))]


def _flat(values: list[Any]) -> list[Any]:
    return [inner for one in values for inner in (_flat(one) if isinstance(one, list) else [one])]


def _date(value: Any) -> str:
    value = _alone(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LATEST:
        return _stamp(datetime.fromtimestamp(value, UTC))
    text = _text(value).strip()
    # HDF5 files hold nanoseconds; Python and SciCat know none.
    shortened = re.sub(r"([.,]\d{6})\d+", r"\1", text).replace(",", ".")
    try:
        found = datetime.fromisoformat(shortened)
    except ValueError:
        raise VariableError("is no date by ISO 8601") from None
    return _stamp(found.replace(tzinfo=UTC) if found.tzinfo is None else found)


def _stamp(time: datetime) -> str:
    """Give a time as SciCat takes it: ISO 8601 with a T, in UTC, to the millisecond (A8, 16)."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _email(value: Any) -> str:
    """Give one address or several; what others write between them becomes a semicolon (A8, 16)."""
    addresses = [one for one in re.split(r"[;,\s]+", _text(value)) if one]
    if not addresses or not all(len(one) <= _ADDRESS and _EMAIL.fullmatch(one) for one in addresses):
        raise VariableError("is no address")
    return ";".join(addresses)


def _link(value: Any) -> str:
    text = _text(value).strip()
    if not _LINK.fullmatch(text):
        raise VariableError("is no link")
    return text


def _truth(value: Any) -> bool:
    value = _alone(value)
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        return words[_text(value).strip().lower()]
    except KeyError:
        raise VariableError("is neither true nor false") from None


CONVERTERS = (
    Converter("string", _text),
    Converter("string[]", _each(_text)),
    Converter("integer", _integer),
    Converter("integer[]", _each(_integer)),
    Converter("float", _float),
    Converter("float[]", _each(_float)),
    Converter("date", _date),
    Converter("dict", _dict),
    Converter("list", _list),
    Converter("email", _email),
    Converter("link", _link),
    Converter("boolean", _truth),
    Converter("none", lambda value: value),
)
