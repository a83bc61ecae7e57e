"""Declaring, binding and deleting: what `Rules` lets pass, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pacer_channel import Exchange, Rules, encode_table, refusals, rules
from pacer_channel import Queue as Declared
from pacer_embedded.owners import remove_queue
from pacer_embedded.queueing import purge, ready
from pacer_embedded.store import Session
from pacer_embedded.topology import Queue

BROKER = "the embedded broker"
RULES = Rules(BROKER)


def declare_exchange(session: Session, exchange: Exchange) -> None:
    """Make an exchange, or see that the one that is there is the same."""
    if RULES.is_new_exchange(session.topology, exchange):
        session.db.execute(
            "INSERT INTO exchanges (name, type, durable, auto_delete, arguments) VALUES (?, ?, ?, ?, ?)",
            (exchange.name, exchange.type, exchange.durable, exchange.auto_delete, encode_table({})),
        )
        session.changed()


def delete_exchange(session: Session, name: str, *, if_unused: bool) -> None:
    """Remove an exchange with its bindings; one that is not there is no error."""
    rules.may_delete_exchange(session.topology, name, if_unused=if_unused)
    session.db.execute("DELETE FROM bindings WHERE exchange = ?", (name,))
    session.db.execute("DELETE FROM exchanges WHERE name = ?", (name,))
    session.changed()


def declare_queue(session: Session, queue: Declared) -> Queue:
    """Make a queue, or see that the one that is there is the same."""
    if RULES.is_new_queue(session.topology, queue):
        session.db.execute(
            "INSERT INTO queues (name, durable, auto_delete, arguments) VALUES (?, ?, ?, ?)",
            (queue.name, queue.durable, queue.auto_delete, encode_table(queue.arguments)),
        )
        session.changed()
    return session.topology.queues[queue.name]


def delete_queue(session: Session, name: str, *, if_unused: bool, if_empty: bool) -> int:
    """Remove a queue, and give the number of ready messages in it; 0 where it is not there."""
    queue = session.topology.queues.get(name)
    if queue is None:
        return 0
    rules.may_delete_queue(
        name,
        if_unused=if_unused,
        if_empty=if_empty,
        consumers=len(queue.consumers),
        ready=ready(session, queue),
    )
    messages = remove_queue(session, queue)
    session.changed()
    return messages


def purge_queue(session: Session, name: str) -> int:
    """Remove the ready messages of a queue, and give their number; those in somebody's hand stay."""
    return purge(session, rules.expect_queue(session.topology, name, refusals.QUEUE_PURGE))


def bind(session: Session, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]) -> None:
    """Bind a queue to an exchange, once."""
    rules.may_bind(session.topology, queue, exchange)
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
