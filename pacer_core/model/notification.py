"""What a plugin sees when it hears of a message that has been settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen

from pacer_core.model.errors import PacerError
from pacer_core.model.integrations import IntegrationType
from pacer_core.model.messages import Clients

C = TypeVar("C")
Publish = Callable[[str, str, Sequence[bytes], str], Sequence[PacerError | None] | None]
"""Gives of each body why it is not confirmed; ``None`` where all are. May raise where none is known to be."""


Hook = TypeVar("Hook", bound=Callable[..., Any])
_HEARD = "pacer_consumer_types"


def hears(*consumer_types: str) -> Callable[[Hook], Hook]:
    """Have a plugin's ``pacer_message_settled`` hear of messages of these consumer types alone.

    A worker without a consumer of one of them does not call it, and begins no thread for it::

        @hookimpl
        @hears("parcels")
        def pacer_message_settled(delivery, ctx): ...
    """

    def mark(hook: Hook) -> Hook:
        setattr(hook, _HEARD, frozenset(consumer_types))
        return hook

    return mark


def heard_by(plugin: Any) -> frozenset[str] | None:
    """Give the consumer types that a plugin wants to hear of; ``None`` where it is all."""
    found: frozenset[str] | None = getattr(getattr(plugin, "pacer_message_settled", None), _HEARD, None)
    return found


@frozen
class Listener:
    """One plugin's ``pacer_message_settled``, and the consumer types that it hears of (``None``: all)."""

    listen: Callable[..., Any]
    consumer_types: frozenset[str] | None = None

    def is_for(self, consumer_type: str) -> bool:
        """Say whether it hears of messages of a consumer type."""
        return self.consumer_types is None or consumer_type in self.consumer_types


class SettledContext:
    """What ``pacer_message_settled`` sees beside the delivery.

    Attributes
    ----------
    type
        The name of the consumer type; ``delivery.consumer`` is the consumer's name.
    folder
        A folder of this configuration's on a local disk, which outlives every process. It may not exist yet.
    """

    def __init__(
        self,
        type_: str,
        enabled: Mapping[str, Any],
        clients: Clients,
        folder: Path,
        publish: Publish,
        lost: Callable[[int], None],
    ) -> None:
        self.type, self.folder = type_, folder
        self._enabled, self._clients = enabled, clients
        self._publish, self._lost = publish, lost

    def __contains__(self, integration: IntegrationType[Any]) -> bool:
        """Say whether the consumer enables an integration."""
        return integration.name in self._enabled

    def __getitem__(self, integration: IntegrationType[C]) -> C:
        """Give the opened client of an integration that the consumer enables."""
        return self._clients.get(integration)

    def publish(
        self, exchange: str, routing_key: str, *bodies: bytes, content_type: str = "application/json"
    ) -> None:
        """Publish messages at PACER's broker; returns when it has confirmed every one.

        May be called later than the hook, until the worker stops.

        Raises
        ------
        PacerError
            Where a queue is missing, or the broker is away or refuses one of them: the others may have been
            published; `publish_each` says which.
        """
        for error in self.publish_each(exchange, routing_key, *bodies, content_type=content_type):
            if error is not None:
                raise error

    def publish_each(
        self, exchange: str, routing_key: str, *bodies: bytes, content_type: str = "application/json"
    ) -> Sequence[PacerError | None]:
        """Publish messages, and say of each why it is not confirmed; ``None`` where it is.

        A `RefusedError` is about that message, too large for instance: it would not be taken later either.
        """
        said = self._publish(exchange, routing_key, bodies, content_type)
        return [None] * len(bodies) if said is None else said

    def lost(self, records: int) -> None:
        """Count what this plugin could not keep, in ``pacer_settled_lost_total``."""
        self._lost(records)
