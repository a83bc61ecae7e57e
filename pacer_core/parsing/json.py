"""JSON bodies, RFC 8259."""

from __future__ import annotations

from typing import Any

import orjson

from pacer_core.errors import Reject


def read_json(body: bytes) -> Any:
    """Give the value that a JSON body holds.

    Raises
    ------
    Reject
        Where it is not JSON, with the line and column and nothing of the content.
    """
    try:
        return orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise Reject(f"the body is not JSON: line {error.lineno}, column {error.colno}") from None
