"""A message as the bytes that Redis keeps: where it was sent to, its properties, its body."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from pacer_channel import decode_properties, encode_properties

_LENGTHS = struct.Struct(">BHHI")
_FORMAT = 1


@frozen
class Content:
    """What is kept of a message."""

    exchange: str
    routing_key: str
    properties: dict[str, Any]
    body: bytes


def pack(exchange: str, routing_key: str, encoded: bytes, body: bytes) -> bytes:
    """Give the bytes of a message whose properties are encoded."""
    to, key = exchange.encode(), routing_key.encode()
    return b"".join((_LENGTHS.pack(_FORMAT, len(to), len(key), len(encoded)), to, key, encoded, body))


def pack_again(content: Content, exchange: str, routing_key: str, properties: Mapping[str, Any]) -> bytes:
    """Give the bytes of a dead letter: the same body elsewhere."""
    return pack(exchange, routing_key, encode_properties(properties), content.body)


def unpack(data: bytes) -> Content:
    """Read what `pack` has written."""
    _, to, key, properties = _LENGTHS.unpack_from(data)
    start = _LENGTHS.size
    ends = (start + to, start + to + key, start + to + key + properties)
    return Content(
        data[start : ends[0]].decode(),
        data[ends[0] : ends[1]].decode(),
        decode_properties(data[ends[1] : ends[2]]),
        data[ends[2] :],
    )
