"""What is declared, bound and consumed, as one transaction sees it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from attrs import field, frozen

from pacer_channel import Binding, Exchange, decode_table
from pacer_channel import Queue as Declared
from pacer_channel import Topology as Routes


@frozen
class Consumer:
    """One subscription; ``address`` is where its connection listens for calls."""

    id: int
    owner: int
    exclusive: bool
    address: str


@frozen
class Queue(Declared):
    """A queue with its number and its consumers, in the order in which they subscribed."""

    id: int = field(kw_only=True)
    consumers: tuple[Consumer, ...] = field(kw_only=True, default=())

    def may_deliver(self, consumer: int) -> bool:
        """Tell whether this consumer is served now: with a single active consumer, the first one only."""
        return not self.single_active or (bool(self.consumers) and self.consumers[0].id == consumer)

    def has(self, consumer: int) -> bool:
        """Tell whether this consumer is one of its own."""
        return any(one.id == consumer for one in self.consumers)


@frozen
class Topology(Routes[Queue]):
    """What is declared and bound, and the queues by their numbers."""

    by_id: Mapping[int, Queue] = field(kw_only=True)


def load(db: sqlite3.Connection, generation: int) -> Topology:
    """Read what is declared, bound and consumed."""
    exchanges = {
        name: Exchange(name, kind, bool(durable), bool(auto_delete), decode_table(arguments))
        for name, kind, durable, auto_delete, arguments in db.execute(
            "SELECT name, type, durable, auto_delete, arguments FROM exchanges"
        )
    }
    consumers: dict[int, list[Consumer]] = {}
    for number, owner, queue, exclusive, address in db.execute(
        "SELECT c.id, c.owner, c.queue, c.exclusive, o.address FROM consumers c"
        " JOIN owners o ON o.id = c.owner ORDER BY c.id"
    ):
        consumers.setdefault(queue, []).append(Consumer(number, owner, bool(exclusive), address))
    queues = [
        Queue(
            name,
            bool(durable),
            bool(auto_delete),
            decode_table(arguments),
            id=number,
            consumers=tuple(consumers.get(number, ())),
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
