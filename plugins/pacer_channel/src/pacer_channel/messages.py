"""Messages on their way in and out, as a store sees them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from attrs import frozen


@frozen
class Outgoing:
    """A message to publish, its properties encoded once and readable still."""

    exchange: str
    routing_key: str
    properties: dict[str, Any]
    encoded: bytes
    body: bytes


@frozen
class Leased:
    """A message that a store has handed to one owner alone, until it is settled or the owner's lease ends.

    Attributes
    ----------
    entry
        The engine's name of this message in this queue, for `Store.acknowledge` and the like.
    redelivered
        Whether somebody may have seen it before.
    exchange, routing_key
        Where it was published to, or dead-lettered.
    properties
        Those of AMQP, by py-amqp's names.
    body
        Its bytes.
    """

    entry: Hashable
    redelivered: bool
    exchange: str
    routing_key: str
    properties: dict[str, Any]
    body: bytes
