"""JSON, as commands print it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import orjson

from pacer_core.model.escapes import escaped_json

_DEEPEST = 150  # tables and arrays in one another; orjson writes 254


def dumps(data: Any, *, indent: bool = False) -> bytes:
    """Write JSON, whatever a publisher has put into it: times, bytes, tables in tables without end.

    No character in it controls a terminal, or ends a line; it means the same.
    """
    option = orjson.OPT_INDENT_2 if indent else None
    try:
        text = orjson.dumps(data, default=_plain, option=option)
    except TypeError:  # deeper, larger or stranger than JSON's writer takes
        text = orjson.dumps(_writable(data, _DEEPEST), option=option)
    return escaped_json(text.decode()).encode()


def _plain(value: Any) -> Any:
    return b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _writable(value: Any, deep: int) -> Any:
    """Give data as JSON's writer takes it: what is nested too deeply is left out, and said to be."""
    if isinstance(value, str):
        return _whole(value)
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if not isinstance(value, Mapping | list | tuple):
        return _whole(str(value)) if not isinstance(value, int) else hex(value)
    if not deep:
        return "left out: it is nested too deeply"
    if isinstance(value, Mapping):
        return {_name(key): _writable(one, deep - 1) for key, one in value.items()}
    return [_writable(one, deep - 1) for one in value]


def _name(key: Any) -> str:
    return _whole(key.decode(errors="backslashreplace") if isinstance(key, bytes) else str(key))


def _whole(text: str) -> str:
    """Give a text without halves of characters, which no encoding has."""
    return text.encode(errors="backslashreplace").decode()
