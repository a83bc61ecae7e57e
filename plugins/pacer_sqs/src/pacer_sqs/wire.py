"""A message of AMQP as one of SQS, and back.

SQS has a text of some characters for a body and ten attributes. All that AMQP knows of a message, its
exchange, routing key, properties and headers, is packed into one binary attribute, ``pacer``, as AMQP itself
would write it. The body stays what it is where it is text that SQS takes, so that any other program reads it;
else it is base64, and the attribute says so. Headers that are plain text or whole numbers are shown as
attributes of their own as well, as far as there is room, for those who read with other programs.

A message without ``pacer`` was sent by somebody else: its attributes are its headers, and its ``MessageId``
its id.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Mapping
from typing import Any

from amqp.exceptions import AMQPError
from amqp.serialization import dumps, loads
from attrs import frozen

from pacer_channel import HEADERS, decode_properties, encode_properties

OWN = "pacer"
SIZE = "ExtendedPayloadSize"
OLD_SIZE = "SQSLargePayloadSize"
LIMIT = 1 << 20
"""Bytes of a message, its attributes with it."""

_VERSION, _BASE64, _EMPTY = 1, 1, 2
_HEAD = "oossL"
_SHOWN, _SHOWN_BYTES = 8, 4096
_RESERVED = frozenset({OWN, SIZE, OLD_SIZE})
_NAME = re.compile(r"(?!(?i:aws|amazon)\.)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
# "A message can include only XML, JSON, and unformatted text": #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to
# #xFFFD | ...
_NO_TEXT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNREADABLE = (
    AMQPError,
    struct.error,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    RecursionError,
)

Attributes = dict[str, dict[str, Any]]


@frozen
class Written:
    """A message as SQS takes it; `size` is what it weighs there."""

    body: str
    attributes: Attributes

    @property
    def size(self) -> int:
        """How many bytes count towards `LIMIT`."""
        attributes = 0
        for name, one in self.attributes.items():
            value: bytes | str = one["BinaryValue"] if "BinaryValue" in one else one["StringValue"].encode()
            attributes += len(name) + len(one["DataType"]) + len(value)
        return len(self.body.encode()) + attributes


@frozen
class Read:
    """A message of SQS's as AMQP knows it.

    Attributes
    ----------
    due
        When its delay is over, in milliseconds since 1970; 0 without one.
    """

    exchange: str
    routing_key: str
    properties: dict[str, Any]
    body: bytes
    due: int = 0


def write(
    exchange: str, routing_key: str, properties: Mapping[str, Any], encoded: bytes, body: bytes, due: int = 0
) -> Written:
    """Give a message as SQS takes it; `encoded` is its properties as AMQP writes them."""
    text, flags = _text(body)
    head = bytes(dumps(_HEAD, [_VERSION, flags, exchange, routing_key, due]))
    attributes: Attributes = {OWN: {"DataType": "Binary", "BinaryValue": head + encoded}}
    attributes.update(_shown(properties.get(HEADERS) or {}))
    return Written(text, attributes)


def _text(body: bytes) -> tuple[str, int]:
    if not body:
        return "-", _EMPTY  # SQS takes no empty one
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), _BASE64
    if _NO_TEXT.search(text):
        return base64.b64encode(body).decode(), _BASE64
    return text, 0


def _shown(headers: Mapping[str, Any]) -> Attributes:
    shown: Attributes = {}
    size = 0
    for name, value in headers.items():
        if name.startswith("x-") or name in _RESERVED or not _NAME.fullmatch(name) or len(name) > 256:
            continue
        if isinstance(value, str) and value and not _NO_TEXT.search(value):
            kind, text = "String", value
        elif type(value) is int:
            kind, text = "Number", str(value)
        else:
            continue
        size += len(name) + len(text.encode())
        if len(shown) >= _SHOWN or size > _SHOWN_BYTES:
            break
        shown[name] = {"DataType": kind, "StringValue": text}
    return shown


def read(message: Mapping[str, Any], queue: str, body: str) -> Read:
    """Give what AMQP knows of a message from a queue; `body` is its text, which may have been elsewhere."""
    attributes: Attributes = message.get("MessageAttributes", {})
    own = attributes.get(OWN, {}).get("BinaryValue")
    if own is not None:
        try:
            return _read(bytes(own), body)
        except _UNREADABLE:
            pass  # somebody else's attribute of that name
    headers = {name: _value(one) for name, one in attributes.items() if name not in (SIZE, OLD_SIZE)}
    sent = int(message.get("Attributes", {}).get("SentTimestamp", 0))
    properties: dict[str, Any] = {"message_id": message["MessageId"], "delivery_mode": 2}
    if sent:
        properties["timestamp"] = sent // 1000
    if headers:
        properties[HEADERS] = headers
    # What a publisher of ours could not have sent does not come from here either.
    return Read("", queue, decode_properties(encode_properties(properties)), body.encode())


def _read(own: bytes, body: str) -> Read:
    (version, flags, exchange, routing_key, due), length = loads(_HEAD, own, 0)
    if version != _VERSION:
        raise ValueError(f"version {version}")
    if flags & _EMPTY:
        content = b""
    elif flags & _BASE64:
        content = base64.b64decode(body, validate=True)
    else:
        content = body.encode()
    return Read(exchange, routing_key, decode_properties(own[length:]), content, due)


def _value(attribute: Mapping[str, Any]) -> Any:
    kind = str(attribute.get("DataType", "String")).partition(".")[0]
    if kind == "Binary":
        return bytes(attribute["BinaryValue"])
    text = str(attribute.get("StringValue", ""))
    if kind == "Number":
        try:
            number = int(text)
        except ValueError:
            return text  # as it was written: a float would not be what was sent
        return number if -(1 << 63) <= number < 1 << 63 else text
    return text
