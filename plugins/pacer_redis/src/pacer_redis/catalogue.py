"""What is declared and bound, as Redis keeps it and as a connection remembers it.

Everybody remembers a topology with its generation, and says that generation with every step that rests on it;
a step that rests on an old one is answered with STALE, and taken again after a look.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from attrs import field, frozen

from pacer_channel import Binding, Exchange, Topology, decode_table, encode_table
from pacer_channel import Queue as Declared
from pacer_redis.scripts import STALE, Scripts

T = TypeVar("T")


@frozen
class Queue(Declared):
    """A queue with its number, by which its keys are called: one that is declared anew has another one."""

    number: str = field(kw_only=True)


@frozen
class Change:
    """One edit of what is declared: a field of a hash, and its value, or None to remove it."""

    hash: str
    field: bytes
    value: bytes | None

    @property
    def words(self) -> tuple[str, str, bytes, bytes]:
        """How the script `change` reads it."""
        return "HDEL" if self.value is None else "HSET", self.hash, self.field, self.value or b""


Arguments = Callable[[Topology[Queue]], Sequence[Any]]
"""What a step needs, by the topology that it rests on; it raises what is refused."""


class Catalogue:
    """The topology of one broker, read when it has changed; several threads use it."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._known: Topology[Queue] | None = None
        self._lock = threading.Lock()

    def known(self) -> Topology[Queue]:
        """Give the topology as it was last seen."""
        known = self._known
        return known if known is not None else self.look()

    def look(self) -> Topology[Queue]:
        """Give the topology as it is now."""
        with self._lock:
            self._known = _read(self._scripts.run("topology"))
            return self._known

    def step(self, name: str, arguments: Arguments, *, confirm: bool = False) -> Any:
        """Run a script that rests on the topology; `arguments` gives them, and raises what is refused.

        What it refuses, it refuses by the topology as it is now.
        """
        topology = self.known()
        while True:
            try:
                given = arguments(topology)
            except Exception:
                now = self.look()
                if now.generation == topology.generation:
                    raise
                topology = now
                continue
            answer = self._scripts.run(name, topology.generation, *given, confirm=confirm)
            if answer != STALE:
                return answer
            topology = self.look()

    def change(self, changes: Callable[[Topology[Queue]], Sequence[Change]]) -> None:
        """Change what is declared, once it is seen as it is; no changes are none."""

        def arguments(topology: Topology[Queue]) -> list[Any]:
            edits = changes(topology)
            if not edits:
                raise _NothingToDo
            return [word for edit in edits for word in edit.words]

        try:
            self.step("change", arguments, confirm=True)
        except _NothingToDo:
            return

    def number(self) -> str:
        """Give a number for a new queue."""
        return str(self._scripts.run("number"))


class _NothingToDo(Exception):
    pass


def exchange_change(exchange: Exchange) -> Change:
    """Give the edit that makes an exchange."""
    table = {"type": exchange.type, "durable": exchange.durable, "auto_delete": exchange.auto_delete}
    return Change("exchanges", exchange.name.encode(), encode_table(table))


def queue_change(queue: Declared, number: str) -> Change:
    """Give the edit that makes a queue."""
    table = {
        "number": number,
        "durable": queue.durable,
        "auto_delete": queue.auto_delete,
        "arguments": dict(sorted(queue.arguments.items())),
    }
    return Change("queues", queue.name.encode(), encode_table(table))


def binding_field(exchange: str, binding: Binding) -> bytes:
    """Give the field by which a binding is kept: all of it, so that equal ones are one."""
    table = {
        "exchange": exchange,
        "queue": binding.queue,
        "routing_key": binding.routing_key,
        "arguments": dict(sorted(binding.arguments.items())),
    }
    return encode_table(table)


def _read(answer: Sequence[Any]) -> Topology[Queue]:
    generation, exchanges, queues, bindings = answer
    bound: dict[str, list[Binding]] = {}
    for encoded in sorted(bindings):
        table = decode_table(encoded)
        binding = Binding(table["queue"], table["routing_key"], table["arguments"])
        bound.setdefault(table["exchange"], []).append(binding)
    return Topology(
        generation=int(generation),
        exchanges={
            name: Exchange(name, table["type"], table["durable"], table["auto_delete"])
            for name, table in _tables(exchanges)
        },
        queues={
            name: Queue(
                name, table["durable"], table["auto_delete"], table["arguments"], number=table["number"]
            )
            for name, table in _tables(queues)
        },
        bindings={exchange: tuple(those) for exchange, those in bound.items()},
    )


def _tables(pairs: Sequence[bytes]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(name.decode(), decode_table(table)) for name, table in zip(pairs[::2], pairs[1::2], strict=True)]
