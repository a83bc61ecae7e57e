"""Properties and headers as bytes, in AMQP's own encoding.

Stores keep what RabbitMQ would put on the wire (AMQP 0-9-1, section 4.2.6), written and read by py-amqp:
whatever survives RabbitMQ survives such a store in the same shape, and what cannot travel is
refused by both when it is published. So a tuple comes back as a list, a `datetime` in whole seconds of UTC
without a zone, and bytes that happen to be UTF-8 as text.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from amqp import Message
from amqp.serialization import decode_properties_basic, dumps, loads

HEADERS = "application_headers"
EXPIRATION = "expiration"

_FLAG = {name: 0x8000 >> place for place, (name, _) in enumerate(Message.PROPERTIES)}
_KIND = dict(Message.PROPERTIES)


def encode_properties(properties: Mapping[str, Any]) -> bytes:
    """Give the property flags and the property list of a message.

    Raises
    ------
    amqp.exceptions.FrameSyntaxError
        For a header of a type that AMQP does not know.
    struct.error, OverflowError
        For a number out of range, or a short string over 255 bytes.
    """
    given = {name: properties[name] for name in _KIND if properties.get(name) is not None}
    flags = sum(_FLAG[name] for name in given)
    kinds = "".join(_KIND[name] for name in given)
    return struct.pack(">H", flags) + bytes(dumps(kinds, given.values()))


def decode_properties(encoded: bytes) -> dict[str, Any]:
    """Give the properties that `encode_properties` wrote."""
    properties: dict[str, Any] = decode_properties_basic(encoded, 0)[0]
    return properties


def encode_table(table: Mapping[str, Any] | None) -> bytes:
    """Give the arguments of a queue, an exchange or a binding as bytes; equal tables give equal bytes."""
    return bytes(dumps("F", [dict(sorted((table or {}).items()))]))


def decode_table(encoded: bytes) -> dict[str, Any]:
    """Give the arguments that `encode_table` wrote."""
    table: dict[str, Any] = loads("F", encoded, 0)[0][0]
    return table
