"""Deliveries taken apart in one go, where a buffer holds one whole.

A delivery is three frames (AMQP 0-9-1, sections 2.3.5 and 4.2): the method, the content header, and the body.
py-amqp handles each for itself, which costs more than all that PACER does with the message afterwards.
Anything but the plain case is left to it: what has not come in full, a body of several frames, a frame that
is not as it should be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from struct import Struct
from typing import Any

from attrs import frozen

from pacer_core.transport.lenient import read_properties

Take = Callable[["Contents"], None]

END = 0xCE
FRAME = Struct(">BHI")
"""Section 2.3.5: a frame's type, channel and size; the payload and `END` follow."""
AROUND = FRAME.size + 1
"""Bytes of a frame around its payload."""

_METHOD = Struct(">BHIIB")  # a frame's head; class and method; the length of the consumer tag
_HEADER = Struct(">BHIIQH")  # a frame's head; class and weight; the size of the body; property flags
_TAG = Struct(">QB")  # the delivery tag, and whether it is redelivered
_DELIVER = 60 << 16 | 60
_BASIC = 60 << 16
_FLAGS_AT = 12  # in a content header: after class, weight and size of the body
_TABLE = 0x2000  # the flag of the property "headers"
_LEAST = 45  # bytes of the shortest delivery


@frozen
class Contents:
    """A message as the client library hands it out, before anything has looked into it."""

    tag: Any
    """The delivery tag, by which the message is acknowledged on its channel."""
    body: bytes
    delivery_info: Mapping[str, Any]
    properties: Mapping[str, Any]
    headers: Mapping[str, Any]


def whole_delivery(
    buffer: bytes, at: int, taker: Callable[[int, bytes], Take | None]
) -> tuple[int, Take, Contents] | None:
    """Take the delivery that begins at a place of a buffer.

    Gives where it ends, who takes it, and what it holds; ``None`` where py-amqp has to look. ``taker`` tells
    by channel and consumer tag who takes a delivery.
    """
    length = len(buffer)
    if length - at < _LEAST:
        return None
    kind, channel, size, method, tag_size = _METHOD.unpack_from(buffer, at)
    header_at = at + size + AROUND
    if kind != 1 or method != _DELIVER or length < header_at + _HEADER.size:
        return None
    tag_at = at + _METHOD.size
    take = taker(channel, buffer[tag_at : tag_at + tag_size])
    kind, header_channel, size, class_, body_size, flags = _HEADER.unpack_from(buffer, header_at)
    end = body_at = header_at + size + AROUND
    if body_size:
        end += body_size + AROUND
    if take is None or (kind, header_channel, class_) != (2, channel, _BASIC) or length < end:
        return None
    if body_size and FRAME.unpack_from(buffer, body_at) != (3, channel, body_size):
        return None
    if not buffer[header_at - 1] == buffer[body_at - 1] == buffer[end - 1] == END:
        return None
    tag_at += tag_size
    tag, redelivered = _TAG.unpack_from(buffer, tag_at)
    exchange, routing_key = _names(buffer[tag_at + _TAG.size : header_at - 1])
    listed = buffer[header_at + FRAME.size + _FLAGS_AT : body_at - 1]
    headers: Mapping[str, Any] = {}
    if flags & _TABLE:
        properties = read_properties(listed)
        headers = named(properties.pop("application_headers", {}))
    else:
        properties = dict(_few(listed))
    return (
        end,
        take,
        Contents(
            tag,
            buffer[body_at + FRAME.size : end - 1] if body_size else b"",
            {"redelivered": bool(redelivered), "exchange": exchange, "routing_key": routing_key},
            properties,
            headers,
        ),
    )


def named(headers: Mapping[Any, Any]) -> dict[str, Any]:
    """Give headers by names that are text; py-amqp leaves a name that is no UTF-8 as bytes."""
    return {
        name if isinstance(name, str) else bytes(name).decode(errors="backslashreplace"): value
        for name, value in headers.items()
    }


@lru_cache(maxsize=1024)
def _names(strings: bytes) -> tuple[str, str]:
    """Read the exchange and the routing key, two short strings; all messages of a queue have few of them."""
    first = strings[0] + 1
    return _text(strings[1:first]), _text(strings[first + 1 : first + 1 + strings[first]])


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


@lru_cache(maxsize=256)
def _few(listed: bytes) -> Mapping[str, Any]:
    """Read properties without headers; most publishers write the same ones each time."""
    return read_properties(listed)
