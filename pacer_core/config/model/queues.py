"""What PACER declares at its broker: ``exchanges:`` and ``queues:`` of the file."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen


@frozen
class Exchange:
    """An exchange that queues are bound to; durable, and declared at start-up.

    Attributes
    ----------
    name
        Its name at the broker.
    type
        As in AMQP 0-9-1.
    declare
        ``passive`` uses an exchange that somebody else owns, as it is; it has to exist.
    """

    name: str
    type: Literal["direct", "topic", "fanout", "headers"] = "direct"
    declare: Literal["active", "passive"] = "active"


@frozen
class QueuePolicy:
    """What the broker's policies set for a queue of somebody else's: it shows them to administrators alone.

    Attributes
    ----------
    delivery_limit
        After how many returns the queue drops or dead-letters a message; RabbitMQ 4 takes -1 for never.
    dead_letter_exchange, dead_letter_routing_key
        Where it puts a message then; a routing key without an exchange goes to the default one, ``""``.
    """

    delivery_limit: int | None = None
    dead_letter_exchange: str | None = None
    dead_letter_routing_key: str | None = None


@frozen
class Queue:
    """A queue that consumers read; durable, and declared at start-up with its dead queue ``NAME.dead``.

    Attributes
    ----------
    name
        Its name at the broker.
    exchange
        The exchange, one of ``exchanges``, that it is bound to; without one it is reached by its own name.
    routing_key
        The routing key of the binding; by default the queue's name.
    headers
        For a headers exchange: the headers of the binding, with ``x-match`` among them (``all`` by default).
    priority_enabled, max_priority_level
        Messages of higher priority come first, from 0 to this level; only with ``type: classic``.
    type
        As in RabbitMQ; the dead queue is always a quorum queue.
    declare
        ``passive`` uses a queue that somebody else owns, as it is, and binds it to nothing; it has to exist.
    policy
        Only with ``declare: passive``: what a policy of the broker sets for the queue, ``{}`` where there is
        none. `pacer run` and `pacer doctor` warn accordingly, and messages are copied at half of its limit.
    """

    name: str
    exchange: str | None = None
    routing_key: str | None = None
    headers: dict[str, str] = field(factory=dict)
    priority_enabled: bool = False
    max_priority_level: int = 10
    type: Literal["quorum", "classic"] = "quorum"
    declare: Literal["active", "passive"] = "active"
    policy: QueuePolicy | None = None

    @property
    def address(self) -> tuple[str, str]:
        """The exchange and the routing key by which a message comes into it."""
        if self.exchange is None:
            return "", self.name
        return self.exchange, self.name if self.routing_key is None else self.routing_key
