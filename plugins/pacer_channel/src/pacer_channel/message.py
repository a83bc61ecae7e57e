"""What kombu calls a message, with its body as it came."""

from __future__ import annotations

from typing import Any

from amqp import Message
from kombu.transport.base import Message as KombuMessage


class ReceivedMessage(KombuMessage):  # type: ignore[misc]  # kombu has no types
    """A received message; nothing is decompressed or decoded, whatever its headers say."""

    def __init__(self, message: Message, channel: Any = None) -> None:
        properties = message.properties
        # kombu would decompress a body by its "compression" header: it sees neither.
        super().__init__(
            body=None,
            channel=channel,
            delivery_tag=message.delivery_tag,
            content_type=properties.get("content_type"),
            content_encoding=properties.get("content_encoding"),
            delivery_info=message.delivery_info,
            properties=properties,
        )
        self.headers = properties.get("application_headers") or {}
        self.body = message.body
