"""Headers that fit: into 16 KiB those of ours, and into one frame those of the publisher beside them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from amqp.exceptions import FrameSyntaxError
from amqp.serialization import dumps

from pacer_core.transport.header_types import CopyHeaders

LIMIT = 16 * 1024
"""Bytes for all headers of ours together."""
_FRAME = 131_064  # RabbitMQ closes the connection where properties and headers together are longer
_PROPERTIES = 4 * 1024  # thirteen short strings of 255 bytes, and some more
_LONGEST_NAME = 255
_SIGNATURE = 128  # bytes of the header that signs all of them
DEEPEST = 100
"""Tables and arrays in one another that copies have: far from where Python and JSON's writers give up."""


def size(value: Any) -> int:
    """Give how many bytes a header's value takes on the wire.

    Raises
    ------
    ValueError
        Where AMQP has no word for it.
    """
    try:
        if isinstance(value, str):  # the array's length, a letter, and the text's length before it
            return 9 + len(value.encode("utf-8", "surrogatepass"))
        return len(dumps("A", [[value]]))
    except (FrameSyntaxError, struct.error, ValueError, TypeError, OverflowError, RecursionError):
        raise ValueError("AMQP has no word for it") from None


def nested_beyond(value: Any, depth: int) -> bool:
    """Tell whether a value has more than so many tables and arrays in one another."""
    level: list[Any] = [value]
    for _ in range(depth + 1):
        level = [
            one
            for many in level
            if isinstance(many, dict | list)
            for one in (many.values() if isinstance(many, dict) else many)
        ]
        if not level:
            return False
    return any(isinstance(one, dict | list) for one in level)


def cut(text: str, length: int) -> str:
    """Give a text of at most ``length`` bytes of UTF-8."""
    data = text.encode(errors="replace")
    return data.decode() if len(data) <= length else f"{data[: length - 3].decode(errors='ignore')}..."


def together(publishers: Mapping[str, Any], own: CopyHeaders, prefix: str) -> dict[str, Any]:
    """Give the headers of a copy: ours within their limit, and as many of the publisher's as the frame takes.

    Of the publisher's the longest are left out first; ``dropped`` names them.
    """
    sizes: dict[str, int] = {}
    for name, value in publishers.items():
        try:
            sizes[name] = size(value) + _LONGEST_NAME
        except ValueError:
            sizes[name] = _FRAME
        if nested_beyond(value, DEEPEST):
            sizes[name] = _FRAME
    room = _FRAME - _PROPERTIES - LIMIT
    dropped: list[str] = []
    while sum(sizes.values()) > room:
        longest = max(sizes, key=sizes.__getitem__)
        del sizes[longest]
        dropped.append(cut(longest, 100))
    if dropped:
        own = {**own, "dropped": dropped[:20]}
    return {name: publishers[name] for name in sizes} | {
        prefix + name: value for name, value in fitted(own, prefix).items()
    }


def fitted(headers: CopyHeaders, prefix: str) -> dict[str, Any]:
    """Shorten what may be shortened, the least needed first, until everything is within the limit."""
    own: dict[str, Any] = {**headers}
    room = LIMIT - _SIGNATURE
    for name, shorten in _STEPS:
        if sum(size(value) + len(prefix) + len(name) for name, value in own.items()) <= room:
            break
        if name in own:
            own[name] = shorten(own[name])
    return own


def _traces(length: int) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    """Keep the end of each trace, where the exception is."""

    def shorten(failures: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            one | {"trace": cut(one["trace"][-length:], 2 * length)} if "trace" in one else one
            for one in failures
        ]

    return shorten


def _each(length: int) -> Callable[[Any], Any]:
    def shorten(texts: Any) -> Any:
        if isinstance(texts, dict):
            return {name: cut(text, length) for name, text in texts.items()}
        return [cut(text, length) for text in texts]

    return shorten


_STEPS: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("failures", _traces(1000)),
    ("failures", _traces(250)),
    ("original", lambda _: {}),
    ("failures", lambda _: []),
    ("dropped", lambda _: []),
    ("rejected", _each(100)),
    ("about", lambda _: {}),
    ("fields", _each(80)),
    ("error", lambda error: cut(error, 300)),
    ("waits-for", lambda reason: cut(reason, 300)),
    ("path", lambda path: path[-5:]),
    ("rejected", _each(20)),
)
