"""Messages whose properties py-amqp cannot decode: their bodies come in all the same.

RabbitMQ hands on whatever a publisher has written: short strings in Latin-1, times in milliseconds (years
after 9999), tables in tables without end. py-amqp raises out of the connection's loop there, and the message,
returned and delivered again, would do so for ever. This is the frame handler that py-amqp lets a connection
choose; it repairs properties where they have to be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from struct import Struct, error
from typing import Any

from amqp import spec
from amqp.basic_message import Message
from amqp.exceptions import FrameSyntaxError, UnexpectedFrame
from amqp.serialization import decode_properties_basic

METHOD, HEADER, HEARTBEAT = 1, 2, 8  # AMQP 0-9-1, section 2.3.5

_METHOD = Struct(">HH")
_LENGTH = Struct(">I")
_TIME = Struct(">Q")
_FLAGS = Struct(">H")
_FLAGS_AT = 12  # after class, weight and body size
_LATEST = 253_402_300_799  # the last second of the year 9999
_DECODING = (FrameSyntaxError, error, ValueError, OverflowError, OSError, IndexError, RecursionError)
# Section 4.2.6.1, from the highest bit down: s for a short string, F for a table, else a number of bytes.
_PROPERTIES = ("s", "s", "F", 1, 1, "s", "s", "s", "s", 8, "s", "s", "s", "s")
# Sections 1.8.3.10, 11 and 13: the arguments of methods with content, in the same words.
_ARGUMENTS: dict[Any, tuple[str | int, ...]] = {
    spec.Basic.Return: (2, "s", "s", "s"),
    spec.Basic.Deliver: ("s", 9, "s", "s"),
    spec.Basic.GetOk: (9, "s", "s", 4),
}
_SHORT = 255  # bytes of a short string
# Section 4.2.1 with RabbitMQ's errata.
_FIXED = dict(zip(b"tbBUusIiflLdDTV", (1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8, 5, 8, 0), strict=True))


class _Lenient(Message):  # type: ignore[misc]  # py-amqp has no types
    def _load_properties(self, class_id: int, buf: bytes, offset: int) -> Any:
        try:
            return super()._load_properties(class_id, buf, offset)
        except _DECODING:
            return super()._load_properties(class_id, repaired(buf), offset)


def read_properties(listed: bytes) -> dict[str, Any]:
    """Read the flags and list of a content header (section 4.2.6.1), repaired where they have to be."""
    properties: dict[str, Any]
    try:
        properties, _ = decode_properties_basic(listed, 0)
    except _DECODING:
        properties, _ = decode_properties_basic(repaired(bytes(_FLAGS_AT) + listed), _FLAGS_AT)
    return properties


def short(string: bytes) -> str:
    """Read a short string: bytes that are no UTF-8 with backslashes, and what is too long then cut off."""
    return string.decode(errors="backslashreplace").encode()[:_SHORT].decode(errors="ignore")


def frame_handler(connection: Any, callback: Callable[[int, Any, bytes, Any], None]) -> Callable[[Any], bool]:
    """Give what turns frames into methods, as py-amqp's own does; ``True`` for each that was handed on."""
    expected: defaultdict[int, int] = defaultdict(lambda: METHOD)
    partial: dict[int, Any] = {}

    def on_frame(frame: tuple[int, int, bytes]) -> bool:
        kind, channel, payload = frame
        connection.bytes_recv += 1
        if kind == HEARTBEAT:
            return False
        if kind != expected[channel]:
            raise UnexpectedFrame(f"received frame {kind} while expecting {expected[channel]}")
        if kind == METHOD:
            method = _METHOD.unpack_from(payload)
            if method not in _ARGUMENTS:
                callback(channel, method, payload, None)
                return True
            partial[channel] = _Lenient(frame_method=method, frame_args=_legible(method, payload))
            expected[channel] = HEADER
            return False
        message = partial[channel]
        if kind == HEADER:
            message.inbound_header(payload)
        else:
            message.inbound_body(payload)
        if not message.ready:
            expected[channel] = HEADER + 1
            return False
        expected[channel] = METHOD
        del partial[channel]
        callback(channel, message.frame_method, message.frame_args, message)
        return True

    return on_frame


def repaired(header: bytes) -> bytes:
    """Give a header frame's payload that can be decoded.

    Short strings that are no UTF-8 are spelled with backslashes, times that are too late become numbers, and
    a table that makes no sense becomes an empty one.
    """
    (flags,) = _FLAGS.unpack_from(header, _FLAGS_AT)
    at = _FLAGS_AT + _FLAGS.size
    parts = [header[:at]]
    for place, kind in enumerate(_PROPERTIES):
        if not flags & 0x8000 >> place:
            continue
        if isinstance(kind, int):
            end = at + kind
            parts.append(header[at:end])
        elif kind == "s":
            text, end = _short_string(header, at)
            parts.append(text)
        else:
            end = at + _LENGTH.size + _LENGTH.unpack_from(header, at)[0]
            try:
                parts.append(_table(header[at + _LENGTH.size : end]))
            except (*_DECODING, KeyError):
                parts.append(_LENGTH.pack(0))
        at = end
    return b"".join(parts)


def _legible(method: Any, payload: bytes) -> bytes:
    """Give the payload of a method with content, with names that can be decoded."""
    at = _METHOD.size
    parts = [payload[:at]]
    for kind in _ARGUMENTS[method]:
        text, at = (
            (payload[at : at + kind], at + kind) if isinstance(kind, int) else _short_string(payload, at)
        )
        parts.append(text)
    return b"".join(parts)


def _short_string(data: bytes, at: int) -> tuple[bytes, int]:
    end = at + 1 + data[at]
    text = short(data[at + 1 : end]).encode()
    return bytes([len(text)]) + text, end


def _table(data: bytes) -> bytes:
    parts, at = [], 0
    while at < len(data):
        name = data[at : at + 1 + data[at]]
        value, at = _item(data, at + len(name))
        parts += [name, value]
    return _sized(parts)


def _item(data: bytes, at: int) -> tuple[bytes, int]:
    kind, start = data[at], at + 1
    if kind in _FIXED:
        end = start + _FIXED[kind]
        if kind == ord("T") and _TIME.unpack_from(data, start)[0] > _LATEST:
            return b"l" + data[start:end], end
        return data[at:end], end
    if kind not in b"SxFA":
        raise KeyError(kind)
    inside = start + _LENGTH.size
    end = inside + _LENGTH.unpack_from(data, start)[0]
    if kind in b"Sx":
        return data[at:end], end
    if kind in b"F":
        return b"F" + _table(data[inside:end]), end
    parts, there = [], inside
    while there < end:
        value, there = _item(data, there)
        parts.append(value)
    return b"A" + _sized(parts), end


def _sized(parts: list[bytes]) -> bytes:
    data = b"".join(parts)
    return _LENGTH.pack(len(data)) + data
