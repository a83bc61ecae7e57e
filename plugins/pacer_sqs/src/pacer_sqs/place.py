"""One SQS as a process sees it: its client, and what is declared there.

Queues are SQS's own; what AMQP says of them beside their name is in their tags, so that every process reads
the same. Exchanges and bindings SQS does not have: each process declares them from its configuration, and
they live here, where all its connections find them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from typing import Any

from amqp.exceptions import AccessRefused, PreconditionFailed
from attrs import evolve, field, frozen

from pacer_channel import DEFAULT, Binding, Exchange, Outgoing, Queue, Rules, Topology, refusals, rules
from pacer_sqs import names, tags
from pacer_sqs.client import DAYS_14, Client, QueueGone
from pacer_sqs.large import Bodies
from pacer_sqs.options import SqsOptions

log = logging.getLogger("pacer.transport")

BROKER = "SQS"
_MANY = 1000  # receipts, which SQS takes as the most there may be
RULES = Rules(
    BROKER,
    kept={name: kind for name, kind in rules.KEPT.items() if name != "x-max-priority"},
)
_STANDARD = (".dead", ".looking")  # read by one who holds them all: of a FIFO queue's group nobody can


@frozen
class SqsQueue(Queue):
    """A queue that is there."""

    url: str = field(default="", eq=False)
    told: bool = field(default=True, eq=False)
    """Whether its arguments are known."""

    @property
    def fifo(self) -> bool:
        """Whether it is a FIFO queue."""
        return self.url.endswith(names.FIFO)


class Place:
    """One SQS, under one prefix; any thread may use it."""

    def __init__(self, options: SqsOptions) -> None:
        self.options = options
        self.client = Client(options)
        self.bodies = Bodies(options) if options.large_bodies is not None else None
        self.visibility = int(options.visibility_timeout.total_seconds())
        self.poll = int(options.long_poll.total_seconds())
        self.consumers: dict[str, list[bool]] = {}
        """Of each queue, what consumes it in this process, and whether it has it for itself."""
        self.lock = threading.RLock()
        self.topology: Topology[SqsQueue] = Topology(0, {}, {}, {})
        self._ahead = list(options.bindings)
        for binding in options.bindings:
            self.declare_exchange(Exchange(binding.exchange, binding.type))

    def _change(self, **parts: Any) -> None:
        self.topology = evolve(self.topology, generation=self.topology.generation + 1, **parts)

    # Queues

    def sqs_names(self, name: str) -> tuple[str, ...]:
        """Give what SQS may call a queue, the likeliest first.

        Raises
        ------
        amqp.exceptions.PreconditionFailed
            406, where SQS takes no name of that length.
        """
        plain = [name]
        if self.options.fifo and not name.endswith((*_STANDARD, names.FIFO)):
            plain.insert(0, name + names.FIFO)
        encoded = tuple(self.options.queue_prefix + names.encode(one) for one in plain)
        if len(encoded[0]) > names.LONGEST:
            raise refusals.precondition(
                f"SQS takes names of at most {names.LONGEST} characters, and queue '{name}' would be "
                f"'{encoded[0]}' there, {len(encoded[0])} of them: give it a shorter name",
                refusals.QUEUE_DECLARE,
            )
        return encoded

    def find(self, name: str) -> SqsQueue | None:
        """Give a queue, or None where it is not there; SQS is asked for what this process has not seen."""
        known = self.topology.queues.get(name)
        if known is not None:
            return known
        try:
            called = self.sqs_names(name)
        except PreconditionFailed:
            return None
        for one in called:
            try:
                url = self.client.url(one)
            except QueueGone:
                continue
            try:
                arguments, auto_delete = tags.read(self.client.tags(url))
                return self._add(SqsQueue(name, True, auto_delete, arguments, url))
            except AccessRefused:  # without the right to read tags, nothing is known
                return self._add(SqsQueue(name, url=url, told=False))
            except QueueGone:
                continue
        return None

    def expect(self, name: str, method: refusals.Method) -> SqsQueue:
        """Give a queue, or raise the 404."""
        queue = self.find(name)
        if queue is None:
            raise refusals.no_queue(name, method)
        return queue

    def _add(self, queue: SqsQueue) -> SqsQueue:
        with self.lock:
            there = self.topology.queues.get(queue.name)
            if there is None:
                self._change(queues={**self.topology.queues, queue.name: queue})
                there = queue
            return there

    def forget(self, name: str) -> None:
        """Take note that a queue is gone."""
        with self.lock:
            queues = {key: one for key, one in self.topology.queues.items() if key != name}
            bindings = {
                exchange: tuple(one for one in those if one.queue != name)
                for exchange, those in self.topology.bindings.items()
            }
            self._change(queues=queues, bindings=bindings)

    def declare_queue(self, queue: Queue) -> SqsQueue:
        """Make a queue, or see that the one that is there is the same."""
        wanted = evolve(queue, arguments=tags.meant(queue.arguments))
        there = self.find(queue.name)
        if there is not None and not there.told:
            return there
        if not RULES.is_new_queue(self.topology, wanted):
            return self.topology.queues[queue.name]
        called = self.sqs_names(queue.name)
        name = called[-1] if wanted.ttl is not None else called[0]
        attributes = {"MessageRetentionPeriod": str(DAYS_14), "VisibilityTimeout": str(self.visibility)}
        if name.endswith(names.FIFO):
            if wanted.ttl is not None:
                raise refusals.not_implemented(BROKER, "delays on FIFO queues", refusals.QUEUE_DECLARE)
            attributes["FifoQueue"] = "true"
        try:
            url = self.client.create(name, attributes, tags.write(wanted))
        except QueueGone as error:
            raise refusals.precondition(str(error), refusals.QUEUE_DECLARE) from None
        return self._add(SqsQueue(queue.name, queue.durable, queue.auto_delete, wanted.arguments, url))

    def warn_of_redrive(self, queue: SqsQueue) -> None:
        """Say where SQS moves messages by its own count: orderly stops and looks count as well."""
        try:
            policy = json.loads(self.client.attributes(queue.url, "RedrivePolicy").get("RedrivePolicy", "{}"))
            most = int(policy.get("maxReceiveCount", _MANY))
        except (AccessRefused, QueueGone, ValueError):
            return
        if most < _MANY:
            log.warning(
                "SQS moves messages of %s to %s when they were received %d times, and every stop of a "
                "worker is a receipt: raise maxReceiveCount to %d, or remove the policy; PACER writes "
                "dead letters by itself",
                queue.name,
                str(policy.get("deadLetterTargetArn", "")).rpartition(":")[2],
                most,
                _MANY,
            )

    def delete_queue(self, queue: SqsQueue) -> None:
        """Remove a queue with all that is in it."""
        with contextlib.suppress(QueueGone):
            self.client.delete_queue(queue.url)
        self.forget(queue.name)

    # Exchanges

    def declare_exchange(self, exchange: Exchange) -> None:
        """Note an exchange, or see that the one that is there is the same."""
        with self.lock:
            if RULES.is_new_exchange(self.topology, exchange):
                self._change(exchanges={**self.topology.exchanges, exchange.name: exchange})

    def delete_exchange(self, name: str, *, if_unused: bool) -> None:
        """Forget an exchange with its bindings."""
        with self.lock:
            rules.may_delete_exchange(self.topology, name, if_unused=if_unused)
            exchanges = {key: one for key, one in self.topology.exchanges.items() if key != name}
            bindings = {key: those for key, those in self.topology.bindings.items() if key != name}
            self._change(exchanges=exchanges, bindings=bindings)

    def bind(self, exchange: str, binding: Binding) -> None:
        """Bind a queue to an exchange, once."""
        self.find(binding.queue)
        with self.lock:
            rules.may_bind(self.topology, binding.queue, exchange)
            there = self.topology.bindings.get(exchange, ())
            if binding not in there:
                self._change(bindings={**self.topology.bindings, exchange: (*there, binding)})

    def unbind(self, exchange: str, binding: Binding) -> None:
        """Remove a binding."""
        with self.lock:
            there = self.topology.bindings.get(exchange, ())
            kept = tuple(one for one in there if one != binding)
            self._change(bindings={**self.topology.bindings, exchange: kept})

    def _bind_ahead(self) -> None:
        """Bind what the options bind, as far as its queues are there by now."""
        for one in list(self._ahead):
            if self.find(one.queue) is not None:
                key = one.queue if one.routing_key is None else one.routing_key
                self.bind(one.exchange, Binding(one.queue, key))
                self._ahead.remove(one)

    def targets(self, message: Outgoing) -> tuple[SqsQueue, ...]:
        """Give the queues that take a message."""
        if message.exchange == DEFAULT:
            self.find(message.routing_key)
        elif self._ahead:
            self._bind_ahead()
        return rules.targets(self.topology, message)


_PLACES: dict[SqsOptions, Place] = {}
_OPENING = threading.Lock()


def place_of(options: SqsOptions) -> Place:
    """Give this process's view of an SQS; one for all connections with the same options.

    Raises
    ------
    BrokerError
        Where the options do not lead to an SQS.
    """
    with _OPENING:
        if options not in _PLACES:
            _PLACES[options] = Place(options)
        return _PLACES[options]
