"""What is declared and bound: the part of an engine's state that routes messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from pacer_channel.routing import Binding, route

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
    durable: bool = True
    auto_delete: bool = False
    arguments: Mapping[str, Any] = field(factory=dict)


@frozen
class Queue:
    """A queue as it was declared; an engine may know more of it in a class of its own."""

    name: str
    durable: bool = True
    auto_delete: bool = False
    arguments: Mapping[str, Any] = field(factory=dict)

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

    @property
    def keeps_dead_letters(self) -> bool:
        """Whether a dead letter that no queue takes is kept and tried again."""
        return self.arguments.get("x-dead-letter-strategy") == "at-least-once"

    @property
    def single_active(self) -> bool:
        """Whether one consumer alone is served at a time: the first of those that are there."""
        return bool(self.arguments.get("x-single-active-consumer"))


Q = TypeVar("Q", bound=Queue)


def _with_predeclared(declared: Mapping[str, Exchange]) -> Mapping[str, Exchange]:
    return {**{name: Exchange(name, kind) for name, kind in PREDECLARED.items()}, **declared}


@frozen
class Topology(Generic[Q]):
    """Everything that is declared; it never changes: a change makes another one of a later generation.

    The exchanges that AMQP has from the start need not be listed.
    """

    generation: int
    exchanges: Mapping[str, Exchange] = field(converter=_with_predeclared)
    queues: Mapping[str, Q]
    bindings: Mapping[str, tuple[Binding, ...]]
    _routes: dict[tuple[str, str], tuple[Q, ...]] = field(factory=dict, init=False, eq=False)

    def route(self, exchange: str, routing_key: str, headers: Mapping[str, Any]) -> tuple[Q, ...] | None:
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
