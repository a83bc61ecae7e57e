"""JSON bodies, RFC 8259."""

from __future__ import annotations

import json
from typing import Any

import orjson

from pacer_core.model.errors import Reject
from pacer_core.parsing.limits import check_json

_BACKSLASH = ord("\\")
_NO_JSON = (b"NaN", b"Infinity")


def read_json(body: bytes) -> Any:
    """Give the value that a JSON body holds.

    RFC 8259 knows no ``NaN`` and no ``Infinity``, but Python writes them unless told otherwise. They are
    read: whether a field takes them says its type, and one value of a hundred that is none costs no message.

    Raises
    ------
    Reject
        Where it is not JSON, with the line and column and nothing of the content; and where it is too much.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    check_json(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if any(word in body for word in _NO_JSON):
            try:
                return json.loads(body.decode())
            except (ValueError, RecursionError):
                pass
        raise Reject(f"the body is not JSON: line {error.lineno}, column {error.colno}") from None


def has_legal_text(body: bytes) -> bool:
    """Tell of a JSON body, without a look at each text in it, that no text holds what XML 1.0 cannot carry.

    Control characters and halves of surrogate pairs can only be there as escapes (RFC 8259, section 7; the
    halves are no UTF-8), and U+FFFE and U+FFFF begin with the byte EF.
    """
    return _BACKSLASH not in body and 0xEF not in body  # numbers: bytes are sought ten times as slowly
