"""What is declared, bound and consumed, as one transaction sees it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from pacer_embedded.codec import decode_table
from pacer_embedded.routing import Binding, route

DEFAULT = ""
PREDECLARED = {
    "amq.direct": "direct",
    "amq.topic": "topic",
    "amq.fanout": "fanout",
    "amq.headers": "headers",
    "amq.match": "headers",
}
_MOST_ROUTES = 10_000


@frozen
class Exchange:
    """An exchange as it was declared."""

    name: str
    type: str
    durable: bool
    auto_delete: bool
    arguments: Mapping[str, Any]


@frozen
class Consumer:
    """One subscription; ``address`` is where its connection listens for calls."""

    id: int
    owner: int
    exclusive: bool
    address: str


@frozen
class Queue:
    """A queue as it was declared, with its consumers in the order in which they subscribed."""

    id: int
    name: str
    durable: bool
    auto_delete: bool
    arguments: Mapping[str, Any]
    consumers: tuple[Consumer, ...] = ()

    @property
    def ttl(self) -> int | None:
        """How many milliseconds a message may wait in it."""
        return self.arguments.get("x-message-ttl")

    @property
    def max_priority(self) -> int:
        """The highest priority it tells from lower ones; 0 means first come, first served."""
        return int(self.arguments.get("x-max-priority", 0))

    @property
    def dead_letter_exchange(self) -> str | None:
        """Where rejected and expired messages go."""
        return self.arguments.get("x-dead-letter-exchange")

    def may_deliver(self, consumer: int) -> bool:
        """Tell whether this consumer is served now: with a single active consumer, the first one only."""
        if not self.arguments.get("x-single-active-consumer"):
            return True
        return bool(self.consumers) and self.consumers[0].id == consumer


@frozen
class Topology:
    """Everything that is declared; it never changes: a change makes another one of a later generation."""

    generation: int
    exchanges: Mapping[str, Exchange]
    queues: Mapping[str, Queue]
    by_id: Mapping[int, Queue]
    bindings: Mapping[str, tuple[Binding, ...]]
    _routes: dict[tuple[str, str], tuple[Queue, ...]] = field(factory=dict, init=False, eq=False)

    def route(self, exchange: str, routing_key: str, headers: Mapping[str, Any]) -> tuple[Queue, ...] | None:
        """Give the queues that take a message, or None where the exchange does not exist."""
        if exchange == DEFAULT:
            queue = self.queues.get(routing_key)
            return (queue,) if queue is not None else ()
        there = self.exchanges.get(exchange)
        if there is None:
            return None
        key = (exchange, routing_key)
        if there.type != "headers" and (known := self._routes.get(key)) is not None:
            return known
        names = route(there.type, self.bindings.get(exchange, ()), routing_key, headers)
        found = tuple(self.queues[name] for name in names)
        if len(self._routes) < _MOST_ROUTES:
            self._routes[key] = found
        return found


def load(db: sqlite3.Connection, generation: int) -> Topology:
    """Read what is declared, bound and consumed."""
    exchanges = {name: Exchange(name, kind, True, False, {}) for name, kind in PREDECLARED.items()}
    for name, kind, durable, auto_delete, arguments in db.execute(
        "SELECT name, type, durable, auto_delete, arguments FROM exchanges"
    ):
        exchanges[name] = Exchange(name, kind, bool(durable), bool(auto_delete), decode_table(arguments))
    consumers: dict[int, list[Consumer]] = {}
    for number, owner, queue, exclusive, address in db.execute(
        "SELECT c.id, c.owner, c.queue, c.exclusive, o.address FROM consumers c"
        " JOIN owners o ON o.id = c.owner ORDER BY c.id"
    ):
        consumers.setdefault(queue, []).append(Consumer(number, owner, bool(exclusive), address))
    queues = [
        Queue(
            number,
            name,
            bool(durable),
            bool(auto_delete),
            decode_table(arguments),
            tuple(consumers.get(number, ())),
        )
        for number, name, durable, auto_delete, arguments in db.execute(
            "SELECT id, name, durable, auto_delete, arguments FROM queues"
        )
    ]
    bindings: dict[str, list[Binding]] = {}
    for exchange, queue, routing_key, arguments in db.execute(
        "SELECT exchange, queue, routing_key, arguments FROM bindings"
    ):
        bindings.setdefault(exchange, []).append(Binding(queue, routing_key, decode_table(arguments)))
    return Topology(
        generation=generation,
        exchanges=exchanges,
        queues={queue.name: queue for queue in queues},
        by_id={queue.id: queue for queue in queues},
        bindings={exchange: tuple(those) for exchange, those in bindings.items()},
    )
