"""What transports to engines that are not AMQP share: py-amqp's words over a small `Store`.

A transport implements `Store`, gives kombu a `Transport` that opens it, and has AMQP's channels: tags,
prefetch, windows of confirms, mandatory, returned messages, refusals with RabbitMQ's words.
`docs/how-to/write-a-transport.md` shows one.
"""

from __future__ import annotations

from pacer_channel import refusals, rules
from pacer_channel.channel import Channel
from pacer_channel.codec import (
    EXPIRATION,
    HEADERS,
    decode_properties,
    decode_table,
    encode_properties,
    encode_table,
)
from pacer_channel.connection import Connection
from pacer_channel.deaths import EXPIRED, REJECTED, note_death
from pacer_channel.messages import Leased, Outgoing
from pacer_channel.routing import Binding
from pacer_channel.rules import Rules
from pacer_channel.store import Lease, Looked, Store, Wish, Written
from pacer_channel.topology import DEFAULT, Exchange, Queue, Topology
from pacer_channel.transport import Transport
from pacer_channel.waker import LocalWaker, Waker

__all__ = [
    "DEFAULT",
    "EXPIRATION",
    "EXPIRED",
    "HEADERS",
    "REJECTED",
    "Binding",
    "Channel",
    "Connection",
    "Exchange",
    "Lease",
    "Leased",
    "LocalWaker",
    "Looked",
    "Outgoing",
    "Queue",
    "Rules",
    "Store",
    "Topology",
    "Transport",
    "Waker",
    "Wish",
    "Written",
    "decode_properties",
    "decode_table",
    "encode_properties",
    "encode_table",
    "note_death",
    "refusals",
    "rules",
]
