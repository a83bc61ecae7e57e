"""What a plugin registers, refused where it could never work."""

from __future__ import annotations

import attrs

from pacer_core.model.consumers import ConsumerType
from pacer_core.model.errors import PluginError
from pacer_core.model.transports import BROKER_KEYS, TransportType
from pacer_core.parsing.fields import unreadable


def check_message(consumer: ConsumerType) -> None:
    """Refuse a message class of which every message would be dead: its author's mistake, known by now."""
    cls = consumer.message
    if cls is not None and attrs.has(cls) and (wrong := unreadable(cls)):
        raise PluginError(
            f"consumer type {consumer.name!r}: no message can be read into {', '.join(wrong)}; a "
            "message class "
            "holds text, numbers, truth values, datetime, choices (Literal, Enum), other attrs classes, and "
            "lists of these"
        )


def check_transport(transport: TransportType) -> None:
    """Refuse a transport that cannot be opened, or whose keys could not be told from the core's own."""
    what = f"the transport of {', '.join(transport.protocols) or 'no protocol'}"
    if not transport.protocols or transport.connect is None:
        raise PluginError(f"{what}: give it a protocol and a function 'connect'")
    if not attrs.has(transport.options):
        raise PluginError(f"{what}: its options should be an attrs class")
    options = attrs.fields_dict(transport.options)
    if taken := [name for name in BROKER_KEYS if name in options]:
        raise PluginError(f"{what}: its options cannot have {', '.join(taken)}, which every broker has")
    if transport.capabilities.heartbeats and "heartbeat" not in options:
        raise PluginError(f"{what}: with heartbeats its options need 'heartbeat', a duration")
