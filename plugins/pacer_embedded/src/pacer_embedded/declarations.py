"""Declaring, binding and deleting, with RabbitMQ's refusals.

Arguments that change what becomes of messages are kept or refused, never ignored: those in `KEPT` work, those
in `HARMLESS` tune what the embedded broker does not have (replicas, memory, a limit of deliveries, which it
never enforces), and all others are refused with a 406 that names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amqp.exceptions import PreconditionFailed

from pacer_embedded import refusals
from pacer_embedded.codec import encode_table
from pacer_embedded.owners import remove_queue
from pacer_embedded.queueing import purge, ready
from pacer_embedded.routing import TYPES
from pacer_embedded.store import Session
from pacer_embedded.topology import DEFAULT, PREDECLARED, Queue

KEPT = {
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


def declare_exchange(
    session: Session, name: str, kind: str, *, durable: bool, auto_delete: bool, arguments: Mapping[str, Any]
) -> None:
    """Make an exchange, or see that the one that is there is the same.

    Raises
    ------
    amqp.exceptions.PreconditionFailed
        406, where it is there and not the same, or an argument is unknown.
    amqp.exceptions.AccessRefused
        403, for the default exchange, and for new names that begin with ``amq.``.
    amqp.exceptions.InvalidCommand
        503, for an unknown type.
    """
    method = refusals.EXCHANGE_DECLARE
    if name == DEFAULT:
        raise refusals.refused("operation not permitted on the default exchange", method)
    if kind not in TYPES:
        raise refusals.unknown_exchange_type(kind)
    for argument in arguments:
        raise refusals.precondition(
            f"invalid arg '{argument}' for exchange '{name}' in vhost '/': the embedded broker has none",
            method,
        )
    wanted = {"type": kind, "durable": durable, "auto_delete": auto_delete}
    there = session.topology.exchanges.get(name)
    if there is not None:
        current = {"type": there.type, "durable": there.durable, "auto_delete": there.auto_delete}
        problem = refusals.inequivalent("exchange", name, method, wanted, current)
        if problem is not None:
            raise problem
        return
    if name.startswith("amq."):
        raise refusals.refused(f"exchange name '{name}' contains reserved prefix 'amq.*'", method)
    session.db.execute(
        "INSERT INTO exchanges (name, type, durable, auto_delete, arguments) VALUES (?, ?, ?, ?, ?)",
        (name, kind, durable, auto_delete, encode_table(arguments)),
    )
    session.changed()


def expect_exchange(session: Session, name: str, method: refusals.Method) -> None:
    """See that an exchange exists, or raise the 404."""
    if name != DEFAULT and name not in session.topology.exchanges:
        raise refusals.no_exchange(name, method)


def delete_exchange(session: Session, name: str, *, if_unused: bool) -> None:
    """Remove an exchange with its bindings; one that is not there is no error."""
    method = refusals.EXCHANGE_DELETE
    if name == DEFAULT or name in PREDECLARED:
        raise refusals.refused(f"operation not permitted on the exchange '{name}'", method)
    if if_unused and session.topology.bindings.get(name):
        raise refusals.precondition(f"exchange '{name}' in vhost '/' in use", method)
    session.db.execute("DELETE FROM bindings WHERE exchange = ?", (name,))
    session.db.execute("DELETE FROM exchanges WHERE name = ?", (name,))
    session.changed()


def expect_queue(session: Session, name: str, method: refusals.Method) -> Queue:
    """Give a queue, or raise the 404."""
    queue = session.topology.queues.get(name)
    if queue is None:
        raise refusals.no_queue(name, method)
    return queue


def declare_queue(
    session: Session, name: str, *, durable: bool, auto_delete: bool, arguments: Mapping[str, Any]
) -> Queue:
    """Make a queue, or see that the one that is there is the same.

    Raises
    ------
    amqp.exceptions.PreconditionFailed
        406, where it is there and not the same, or an argument is unknown or of a wrong type.
    amqp.exceptions.AccessRefused
        403, for new names that begin with ``amq.``; those are the broker's to give.
    """
    method = refusals.QUEUE_DECLARE
    there = session.topology.queues.get(name)
    if there is not None:
        problem = refusals.inequivalent(
            "queue",
            name,
            method,
            {**arguments, "durable": durable, "auto_delete": auto_delete},
            {**there.arguments, "durable": there.durable, "auto_delete": there.auto_delete},
        )
        if problem is not None:
            raise problem
        return there
    _check_arguments(name, arguments)
    session.db.execute(
        "INSERT INTO queues (name, durable, auto_delete, arguments) VALUES (?, ?, ?, ?)",
        (name, durable, auto_delete, encode_table(arguments)),
    )
    session.changed()
    return session.topology.queues[name]


def _check_arguments(name: str, arguments: Mapping[str, Any]) -> None:
    def problem(argument: str, why: str) -> PreconditionFailed:
        text = f"invalid arg '{argument}' for queue '{name}' in vhost '/': {why}"
        return refusals.precondition(text, refusals.QUEUE_DECLARE)

    for argument, value in arguments.items():
        if argument in HARMLESS:
            continue
        if argument not in KEPT:
            raise problem(argument, "the embedded broker does not know it")
        kind = KEPT[argument]
        if type(value) is not kind:
            raise problem(argument, f"expected {kind.__name__}, got {type(value).__name__}")
        if isinstance(value, int) and value < 0:
            raise problem(argument, "it is negative")
    if "x-dead-letter-routing-key" in arguments and "x-dead-letter-exchange" not in arguments:
        raise problem("x-dead-letter-routing-key", "there is no x-dead-letter-exchange")


def delete_queue(session: Session, name: str, *, if_unused: bool, if_empty: bool) -> int:
    """Remove a queue, and give the number of ready messages in it; 0 where it is not there.

    Raises
    ------
    amqp.exceptions.PreconditionFailed
        406, where it is to be unused or empty, and is not.
    """
    queue = session.topology.queues.get(name)
    if queue is None:
        return 0
    if if_unused and queue.consumers:
        raise refusals.precondition(f"queue '{name}' in vhost '/' in use", refusals.QUEUE_DELETE)
    if if_empty and ready(session, queue):
        raise refusals.precondition(f"queue '{name}' in vhost '/' not empty", refusals.QUEUE_DELETE)
    messages = remove_queue(session, queue)
    session.changed()
    return messages


def purge_queue(session: Session, name: str) -> int:
    """Remove the ready messages of a queue, and give their number; those in somebody's hand stay."""
    return purge(session, expect_queue(session, name, refusals.QUEUE_PURGE))


def bind(session: Session, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]) -> None:
    """Bind a queue to an exchange, once.

    Raises
    ------
    amqp.exceptions.NotFound
        404, where one of them is not there.
    amqp.exceptions.AccessRefused
        403, for the default exchange: every queue is bound to it by its name already.
    """
    method = refusals.QUEUE_BIND
    expect_queue(session, queue, method)
    if exchange == DEFAULT:
        raise refusals.refused("operation not permitted on the default exchange", method)
    expect_exchange(session, exchange, method)
    added = session.db.execute(
        "INSERT OR IGNORE INTO bindings (exchange, queue, routing_key, arguments) VALUES (?, ?, ?, ?)",
        (exchange, queue, routing_key, encode_table(arguments)),
    )
    if added.rowcount:
        session.changed()


def unbind(
    session: Session, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]
) -> None:
    """Remove a binding; one that is not there is no error."""
    session.db.execute(
        "DELETE FROM bindings WHERE exchange = ? AND queue = ? AND routing_key = ? AND arguments = ?",
        (exchange, queue, routing_key, encode_table(arguments)),
    )
    session.changed()
