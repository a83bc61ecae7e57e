"""What may be declared, bound, deleted and published, with RabbitMQ's refusals.

Arguments that change what becomes of messages are kept or refused, never ignored: those in `KEPT` work, those
in `HARMLESS` tune what such a broker does not have (replicas, memory, a limit of deliveries, which it never
enforces), and all others are refused with a 406 that names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from amqp.exceptions import PreconditionFailed
from attrs import frozen

from pacer_channel import refusals
from pacer_channel.codec import EXPIRATION, HEADERS
from pacer_channel.messages import Outgoing
from pacer_channel.routing import TYPES
from pacer_channel.topology import DEFAULT, PREDECLARED, Exchange, Queue, Topology

KEPT: Mapping[str, type] = {
    "x-message-ttl": int,
    "x-dead-letter-exchange": str,
    "x-dead-letter-routing-key": str,
    "x-dead-letter-strategy": str,
    "x-max-priority": int,
    "x-single-active-consumer": bool,
}
HARMLESS = frozenset(
    {
        "x-queue-type",
        "x-overflow",  # says what to do at a length limit, and there is none
        "x-delivery-limit",
        "x-consumer-timeout",
        "x-queue-mode",
        "x-queue-version",
        "x-queue-leader-locator",
        "x-quorum-initial-group-size",
        "x-max-in-memory-length",
        "x-max-in-memory-bytes",
    }
)

Q = TypeVar("Q", bound=Queue)


@frozen
class Rules:
    """The rules of one kind of broker.

    Attributes
    ----------
    broker
        What its refusals call it: "the embedded broker".
    kept
        The arguments of queues that it honours, and their types.
    harmless
        Those that it takes and does not need.
    """

    broker: str
    kept: Mapping[str, type] = KEPT
    harmless: frozenset[str] = HARMLESS

    def is_new_exchange(self, topology: Topology[Q], exchange: Exchange) -> bool:
        """Tell whether an exchange is to be made; False where the same one is there.

        Raises
        ------
        amqp.exceptions.PreconditionFailed
            406, where it is there and not the same, or has arguments.
        amqp.exceptions.AccessRefused
            403, for the default exchange, and for new names that begin with ``amq.``.
        amqp.exceptions.InvalidCommand
            503, for an unknown type.
        """
        method, name = refusals.EXCHANGE_DECLARE, exchange.name
        if name == DEFAULT:
            raise refusals.refused("operation not permitted on the default exchange", method)
        if exchange.type not in TYPES:
            raise refusals.unknown_exchange_type(exchange.type)
        for argument in exchange.arguments:
            raise refusals.precondition(
                f"invalid arg '{argument}' for exchange '{name}' in vhost '/': {self.broker} has none", method
            )
        there = topology.exchanges.get(name)
        if there is not None:
            problem = refusals.inequivalent("exchange", name, method, _kind(exchange), _kind(there))
            if problem is not None:
                raise problem
            return False
        if name.startswith("amq."):
            raise refusals.refused(f"exchange name '{name}' contains reserved prefix 'amq.*'", method)
        return True

    def is_new_queue(self, topology: Topology[Q], queue: Queue) -> bool:
        """Tell whether a queue is to be made; False where the same one is there.

        Raises
        ------
        amqp.exceptions.PreconditionFailed
            406, where it is there and not the same, or an argument is unknown or of a wrong type.
        """
        there = topology.queues.get(queue.name)
        if there is None:
            self._check_arguments(queue)
            return True
        problem = refusals.inequivalent("queue", queue.name, refusals.QUEUE_DECLARE, _all(queue), _all(there))
        if problem is not None:
            raise problem
        return False

    def _check_arguments(self, queue: Queue) -> None:
        def problem(argument: str, why: str) -> PreconditionFailed:
            text = f"invalid arg '{argument}' for queue '{queue.name}' in vhost '/': {why}"
            return refusals.precondition(text, refusals.QUEUE_DECLARE)

        for argument, value in queue.arguments.items():
            if argument in self.harmless:
                continue
            if argument not in self.kept:
                raise problem(argument, f"{self.broker} does not know it")
            kind = self.kept[argument]
            if type(value) is not kind:
                raise problem(argument, f"expected {kind.__name__}, got {type(value).__name__}")
            if isinstance(value, int) and value < 0:
                raise problem(argument, "it is negative")
        if "x-dead-letter-routing-key" in queue.arguments and "x-dead-letter-exchange" not in queue.arguments:
            raise problem("x-dead-letter-routing-key", "there is no x-dead-letter-exchange")


def _kind(exchange: Exchange) -> dict[str, object]:
    return {"type": exchange.type, "durable": exchange.durable, "auto_delete": exchange.auto_delete}


def _all(queue: Queue) -> dict[str, object]:
    return {**queue.arguments, "durable": queue.durable, "auto_delete": queue.auto_delete}


def expect_exchange(topology: Topology[Q], name: str, method: refusals.Method) -> None:
    """See that an exchange exists, or raise the 404."""
    if name != DEFAULT and name not in topology.exchanges:
        raise refusals.no_exchange(name, method)


def expect_queue(topology: Topology[Q], name: str, method: refusals.Method) -> Q:
    """Give a queue, or raise the 404."""
    queue = topology.queues.get(name)
    if queue is None:
        raise refusals.no_queue(name, method)
    return queue


def may_delete_exchange(topology: Topology[Q], name: str, *, if_unused: bool) -> None:
    """See that an exchange may be deleted, or raise: a 403 for the broker's own, a 406 for one in use."""
    method = refusals.EXCHANGE_DELETE
    if name == DEFAULT or name in PREDECLARED:
        raise refusals.refused(f"operation not permitted on the exchange '{name}'", method)
    if if_unused and topology.bindings.get(name):
        raise refusals.precondition(f"exchange '{name}' in vhost '/' in use", method)


def may_delete_queue(name: str, *, if_unused: bool, if_empty: bool, consumers: int, ready: int) -> None:
    """See that a queue may be deleted: 406 where it is to be unused or empty, and is not."""
    if if_unused and consumers:
        raise refusals.precondition(f"queue '{name}' in vhost '/' in use", refusals.QUEUE_DELETE)
    if if_empty and ready:
        raise refusals.precondition(f"queue '{name}' in vhost '/' not empty", refusals.QUEUE_DELETE)


def may_bind(topology: Topology[Q], queue: str, exchange: str) -> None:
    """See that a queue may be bound: 404 where one of them is not there, 403 for the default exchange.

    Every queue is bound to the default exchange by its name already.
    """
    method = refusals.QUEUE_BIND
    expect_queue(topology, queue, method)
    if exchange == DEFAULT:
        raise refusals.refused("operation not permitted on the default exchange", method)
    expect_exchange(topology, exchange, method)


def may_subscribe(queue: str, *, exclusive: bool, others: int, taken: bool) -> None:
    """See that a queue may be consumed: 403 where somebody has it for himself, or shall not.

    `others` counts the consumers that are there, and `taken` tells whether one of them is exclusive.
    """
    if taken or (exclusive and others):
        raise refusals.refused(f"queue '{queue}' in vhost '/' in exclusive use", refusals.BASIC_CONSUME)


def targets(topology: Topology[Q], message: Outgoing) -> tuple[Q, ...]:
    """Give the queues that take a message.

    Raises
    ------
    amqp.exceptions.NotFound
        404, where the exchange does not exist.
    amqp.exceptions.PreconditionFailed
        406, where its `expiration` is no number of milliseconds.
    """
    headers = message.properties.get(HEADERS) or {}
    queues = topology.route(message.exchange, message.routing_key, headers)
    if queues is None:
        raise refusals.no_exchange(message.exchange, refusals.BASIC_PUBLISH)
    expiration = message.properties.get(EXPIRATION)
    if expiration is not None and not (str(expiration).isascii() and str(expiration).isdecimal()):
        raise refusals.precondition(f"invalid expiration '{expiration}'", refusals.BASIC_PUBLISH)
    return queues


def wait_of(message: Outgoing, queue: Queue) -> int | None:
    """Give how many milliseconds a message may wait in a queue, by its own wish or the queue's."""
    expiration = message.properties.get(EXPIRATION)
    waits = [
        limit for limit in (queue.ttl, None if expiration is None else int(expiration)) if limit is not None
    ]
    return min(waits) if waits else None


def rank_of(properties: Mapping[str, object], queue: Queue) -> int:
    """Give the priority by which a message overtakes others in a queue: 0 to the highest that it knows."""
    priority = properties.get("priority")
    return min(priority if isinstance(priority, int) else 0, queue.max_priority)
