"""The half of a store that declares, binds, deletes and looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from amqp.exceptions import ChannelError, NotFound

from pacer_channel import Binding, Exchange, Looked, Rules, Topology, refusals, rules
from pacer_channel import Queue as Declared
from pacer_redis import deadletters
from pacer_redis.catalogue import Catalogue, Change, Queue, binding_field, exchange_change, queue_change
from pacer_redis.scripts import Scripts

RULES = Rules("Redis")


class DeclaringStore:
    """What is declared on Redis."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._catalogue = Catalogue(scripts)

    def _sweep(self) -> bool:
        return deadletters.sweep(self._scripts, self._catalogue)

    def declare_exchange(self, exchange: Exchange) -> None:
        """Make an exchange, or see that the one that is there is the same."""

        def changes(topology: Topology[Queue]) -> list[Change]:
            return [exchange_change(exchange)] if RULES.is_new_exchange(topology, exchange) else []

        self._catalogue.change(changes)

    def expect_exchange(self, name: str) -> None:
        """See that an exchange exists, or raise the 404."""
        rules.expect_exchange(self._catalogue.look(), name, refusals.EXCHANGE_DECLARE)

    def delete_exchange(self, name: str, *, if_unused: bool) -> None:
        """Remove an exchange with its bindings; one that is not there is no error."""

        def changes(topology: Topology[Queue]) -> list[Change]:
            rules.may_delete_exchange(topology, name, if_unused=if_unused)
            bindings = [
                Change("bindings", binding_field(name, one), None) for one in topology.bindings.get(name, ())
            ]
            there = [Change("exchanges", name.encode(), None)] if name in topology.exchanges else []
            return [*bindings, *there]

        self._catalogue.change(changes)

    def declare_queue(self, queue: Declared) -> Looked:
        """Make a queue, or see that the one that is there is the same."""

        def changes(topology: Topology[Queue]) -> list[Change]:
            if not RULES.is_new_queue(topology, queue):
                return []
            return [queue_change(queue, self._catalogue.number())]

        self._catalogue.change(changes)
        return self.look(queue.name)

    def look(self, queue: str) -> Looked:
        """Look at a queue, or raise the 404."""
        ready, consumers, _ = self._look(queue)
        return Looked(queue, ready, consumers)

    def held(self, queue: str) -> int:
        """Count the messages of a queue that somebody holds."""
        return self._look(queue)[2]

    def _look(self, name: str) -> tuple[int, int, int]:
        """Give the numbers of ready messages, consumers and held messages; what is due has gone first."""

        def arguments(topology: Topology[Queue]) -> list[Any]:
            queue = rules.expect_queue(topology, name, refusals.QUEUE_DECLARE)
            return [queue.number, queue.max_priority]

        ready, consumers, held, due = self._catalogue.step("look", arguments)
        while due and self._sweep():
            ready, consumers, held, due = self._catalogue.step("look", arguments)
        return ready, consumers, held

    def purge_queue(self, queue: str) -> int:
        """Remove the ready messages of a queue, and give their number."""

        def arguments(topology: Topology[Queue]) -> list[Any]:
            there = rules.expect_queue(topology, queue, refusals.QUEUE_PURGE)
            return [there.number, there.max_priority]

        count: int = self._catalogue.step("purge", arguments)[1]
        return count

    def delete_queue(self, queue: str, *, if_unused: bool, if_empty: bool) -> int:
        """Remove a queue, and give the number of ready messages in it; 0 where it is not there."""

        def arguments(topology: Topology[Queue]) -> list[Any]:
            there = rules.expect_queue(topology, queue, refusals.QUEUE_DELETE)
            bindings = [
                binding_field(exchange, binding)
                for exchange, those in topology.bindings.items()
                for binding in those
                if binding.queue == queue
            ]
            wanted = ["UNUSED" if if_unused else "-", "EMPTY" if if_empty else "-"]
            return [there.number, there.max_priority, queue, *wanted, *bindings]

        try:
            answer, ready, consumers = self._catalogue.step("purge", arguments, confirm=True)
        except NotFound:
            return 0
        if answer == b"REFUSED":
            rules.may_delete_queue(
                queue, if_unused=if_unused, if_empty=if_empty, consumers=consumers, ready=ready
            )
        return int(ready)

    def bind(self, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]) -> None:
        """Bind a queue to an exchange, once."""
        binding = Binding(queue, routing_key, arguments)

        def changes(topology: Topology[Queue]) -> list[Change]:
            rules.may_bind(topology, queue, exchange)
            if binding in topology.bindings.get(exchange, ()):
                return []
            return [Change("bindings", binding_field(exchange, binding), b"")]

        self._catalogue.change(changes)

    def unbind(self, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]) -> None:
        """Remove a binding; one that is not there is no error."""
        binding = Binding(queue, routing_key, arguments)

        def changes(topology: Topology[Queue]) -> list[Change]:
            there = binding in topology.bindings.get(exchange, ())
            return [Change("bindings", binding_field(exchange, binding), None)] if there else []

        self._catalogue.change(changes)

    def _collect(self, numbers: Sequence[bytes]) -> None:
        """Remove queues that go with their last consumer, where that has ended."""
        ended = {number.decode() for number in numbers}
        for queue in list(self._catalogue.known().queues.values()):
            if queue.auto_delete and queue.number in ended:
                with suppress(ChannelError):  # it has another consumer
                    self.delete_queue(queue.name, if_unused=True, if_empty=False)
