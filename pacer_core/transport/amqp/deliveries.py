"""Deliveries taken apart in one go, where a buffer holds one whole.

A delivery is three frames (AMQP 0-9-1, sections 2.3.5 and 4.2): the method, the content header, and the body.
py-amqp handles each for itself, which costs more than all that PACER does with the message afterwards.
Anything but the plain case is left to it: what has not come in full, a body of several frames, a frame that
is not as it should be.

The deliveries of a queue are nearly always the same bytes but for the delivery tag, the size of the body, and
the body. So what lies around these is remembered together with its meaning, and compared instead of read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

from attrs import frozen

from pacer_core.transport.amqp.undecodable import read_properties, short

Take = Callable[[int, bytes], None]
"""Takes a message: its delivery tag, and its body."""
Opener = Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], Take]
"""Gives what takes the messages of one ``delivery_info``, with these properties and these headers."""

END = 0xCE
FRAME = Struct(">BHI")
"""Section 2.3.5: a frame's type, channel and size; the payload and `END` follow."""
AROUND = FRAME.size + 1
"""Bytes of a frame around its payload."""

_METHOD = Struct(">BHIIB")  # a frame's head; class and method; the length of the consumer tag
_HEADER = Struct(">BHIIQ")  # a frame's head; class and weight; the size of the body; properties follow
_NUMBER = 8  # bytes of a delivery tag, and of the size of a body
_SIZE_AT = FRAME.size + 4  # in the frame of a content header: after class and weight
_BODY_HEAD = 3  # bytes of a body's frame before its size
_DELIVER = 60 << 16 | 60
_BASIC = 60 << 16
_LEAST = 45  # bytes of the shortest delivery
_LEAST_HEADER = 14  # bytes of the shortest content header, of no properties
_KINDS = 16  # that are remembered
_LONGEST = 4096  # bytes of properties that are remembered: longer ones hardly ever come twice


@frozen
class Contents:
    """A message as the client library hands it out, before anything has looked into it."""

    tag: Any
    """The delivery tag, by which the message is acknowledged on its channel."""
    body: bytes
    delivery_info: Mapping[str, Any]
    properties: Mapping[str, Any]
    headers: Mapping[str, Any]


class _Kind(NamedTuple):
    """Deliveries that differ in tag and body alone."""

    layout: Struct
    """The pieces that are always the same, and between them the tag and, twice, the size of the body."""
    before: bytes
    between: bytes
    after: bytes
    channel: int
    consumer: bytes
    opener: Opener | None
    take: Take


@lru_cache(maxsize=256)
def _layout(before: int, between: int, after: int) -> Struct:
    return Struct(f">{before}sQ{between}sQ{after}sI")


def _nobody(tag: int, body: bytes) -> None:
    """Take nothing: there was no delivery yet."""


class Deliveries:
    """Reads the deliveries of one connection.

    ``opener`` tells, by channel and consumer tag, whose a delivery is; ``None`` leaves it to py-amqp.
    """

    def __init__(self, opener: Callable[[int, bytes], Opener | None]) -> None:
        self._opener = opener
        self._kinds: dict[tuple[bytes, bytes, bytes], _Kind] = {}
        self._last = _Kind(_layout(0, 0, 0), b"none", b"", b"", 0, b"", None, _nobody)

    def read(self, buffer: bytes, at: int) -> tuple[int, Take, int, bytes] | None:
        """Read the delivery that begins at a place of a buffer.

        Gives where it ends, who takes it, its tag and its body; ``None`` where py-amqp has to look.
        """
        layout, before, between, after, channel, consumer, opener, take = self._last
        body_at = at + layout.size
        if body_at < len(buffer):
            first, tag, second, size, third, framed = layout.unpack_from(buffer, at)
            end = body_at + size
            if (
                first == before
                and second == between
                and third == after
                and 0 < size == framed
                and end < len(buffer)
                and buffer[end] == END
                and self._opener(channel, consumer) is opener
            ):
                return end + 1, take, tag, buffer[body_at:end]
        return self._look(buffer, at)

    def _look(self, buffer: bytes, at: int) -> tuple[int, Take, int, bytes] | None:
        """Read a delivery that is not of the same kind as the last one."""
        length = len(buffer)
        if length - at < _LEAST:
            return None
        kind, channel, size, method, consumer_size = _METHOD.unpack_from(buffer, at)
        header_at = at + size + AROUND
        if kind != 1 or method != _DELIVER or length < header_at + _HEADER.size:
            return None
        tag_at = at + _METHOD.size + consumer_size
        consumer = buffer[at + _METHOD.size : tag_at]
        opener = self._opener(channel, consumer)
        kind, header_channel, size, class_, body_size = _HEADER.unpack_from(buffer, header_at)
        end = body_at = header_at + size + AROUND
        if body_size:
            end += body_size + AROUND
        if opener is None or (kind, header_channel, class_) != (2, channel, _BASIC) or length < end:
            return None
        if size < _LEAST_HEADER or not buffer[header_at - 1] == buffer[body_at - 1] == buffer[end - 1] == END:
            return None
        if body_size and FRAME.unpack_from(buffer, body_at) != (3, channel, body_size):
            return None
        names_at, flags_at = tag_at + _NUMBER, header_at + _HEADER.size
        before, between = buffer[at:tag_at], buffer[names_at : header_at + _SIZE_AT]
        after = buffer[flags_at : body_at + _BODY_HEAD if body_size else body_at]
        known = self._kinds.get((before, between, after))
        if known is not None and known.opener is opener:
            self._last, take = known, known.take
        else:
            names = _names(buffer[names_at + 1 : header_at - 1])
            if names is None:
                return None
            info = {"redelivered": bool(buffer[names_at] & 1), "exchange": names[0], "routing_key": names[1]}
            properties = read_properties(buffer[flags_at : body_at - 1])
            table = properties.pop("application_headers", None)
            headers = named(table) if table else {}
            take = opener(info, properties, headers)
            if body_size and len(after) <= _LONGEST and not any(map(_changeable, headers.values())):
                layout = _layout(len(before), len(between), len(after))
                self._remember(_Kind(layout, before, between, after, channel, consumer, opener, take))
        tag = int.from_bytes(buffer[tag_at:names_at], "big")
        return end, take, tag, buffer[body_at + FRAME.size : end - 1] if body_size else b""

    def _remember(self, kind: _Kind) -> None:
        if len(self._kinds) >= _KINDS:  # a publisher that writes something else into each message
            self._kinds.clear()
        self._kinds[kind.before, kind.between, kind.after] = self._last = kind


def _changeable(value: Any) -> bool:
    """Tell whether a task could change a header that other messages have as well."""
    return isinstance(value, list | dict)


def named(headers: Mapping[Any, Any]) -> dict[str, Any]:
    """Give headers by names that are text; py-amqp leaves a name that is no UTF-8 as bytes."""
    return {name if isinstance(name, str) else short(bytes(name)): value for name, value in headers.items()}


@lru_cache(maxsize=1024)
def _names(strings: bytes) -> tuple[str, str] | None:
    """Read the exchange and the routing key, two short strings; ``None`` where they are something else."""
    first = strings[0] + 1 if strings else 0
    if not first < len(strings) == first + 1 + strings[first]:
        return None
    return short(strings[1:first]), short(strings[first + 1 :])
