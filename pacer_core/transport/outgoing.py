"""What is published, and why a broker may not take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from pacer_core.model.errors import NotTakenError, RefusedError


@frozen
class Outgoing:
    """One message to publish."""

    exchange: str
    routing_key: str
    body: bytes
    headers: Mapping[str, Any] = field(factory=dict)
    properties: Mapping[str, Any] = field(factory=dict)

    def __str__(self) -> str:
        return f"exchange {self.exchange or '(default)'!r} with routing key {self.routing_key!r}"


class UnroutableError(NotTakenError):
    """The broker has no queue for a message, no such exchange, or none that we may publish to."""


class ForbiddenError(UnroutableError):
    """Our account may not publish there."""


class FullError(NotTakenError):
    """A queue that a message would go to is full, or unavailable."""


class UnsendableError(RefusedError):
    """AMQP cannot carry a message; no other broker could take it either."""
