"""Owners hold leases and subscriptions; each connection is one."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pacer_channel import refusals, rules
from pacer_embedded.queueing import purge, row
from pacer_embedded.store import Session, Store
from pacer_embedded.topology import Queue


def register(store: Store, address: str) -> int:
    """Make an owner that lives until `retire`, or until its process ends; give its number."""
    with store.transaction() as session:
        owner = row(
            session.db.execute("INSERT INTO owners (pid, address) VALUES (?, ?)", (os.getpid(), address))
        )
        store.locks.hold(owner)  # before the commit: nobody sees an owner that seems dead
    return owner


def retire(store: Store, owner: int) -> None:
    """End an owner: what it has leased goes back, its subscriptions end."""
    try:
        with store.transaction() as session:
            _bury(session, owner)
    finally:
        store.locks.let_go(owner)  # where that failed, another process will see it dead


def reap(store: Store) -> bool:
    """End the owners whose process has died; tell whether there were any."""
    dead = store.dead()
    if not dead:
        return False
    with store.transaction() as session:
        for owner in dead:
            _bury(session, owner)
    return True


def _bury(session: Session, owner: int) -> None:
    queues = [
        queue
        for (number,) in session.db.execute("SELECT DISTINCT queue FROM entries WHERE owner = ?", (owner,))
        if (queue := session.topology.by_id.get(number)) is not None
    ]
    session.db.execute("UPDATE entries SET owner = 0, redelivered = 1 WHERE owner = ?", (owner,))
    numbers = [
        number for (number,) in session.db.execute("SELECT id FROM consumers WHERE owner = ?", (owner,))
    ]
    unsubscribe(session, numbers)
    session.db.execute("DELETE FROM owners WHERE id = ?", (owner,))
    for queue in queues:
        session.wake(session.topology.by_id.get(queue.id, queue))


def subscribe(session: Session, queue: str, owner: int, *, exclusive: bool) -> int:
    """Add a consumer to a queue; give its number.

    Raises
    ------
    amqp.exceptions.NotFound
        404, where there is no such queue.
    amqp.exceptions.AccessRefused
        403, where another consumer has the queue for itself, or this one wants it so and is not the first.
    """
    there = rules.expect_queue(session.topology, queue, refusals.BASIC_CONSUME)
    rules.may_subscribe(
        queue,
        exclusive=exclusive,
        others=len(there.consumers),
        taken=any(one.exclusive for one in there.consumers),
    )
    number = row(
        session.db.execute(
            "INSERT INTO consumers (owner, queue, exclusive) VALUES (?, ?, ?)", (owner, there.id, exclusive)
        )
    )
    session.changed()
    return number


def unsubscribe(session: Session, consumers: Iterable[int]) -> None:
    """End subscriptions; the next single active consumer wakes, an auto-delete queue goes with its last."""
    numbers = set(consumers)
    touched = [
        queue
        for queue in session.topology.queues.values()
        if any(one.id in numbers for one in queue.consumers)
    ]
    if not touched:
        return
    session.db.executemany("DELETE FROM consumers WHERE id = ?", [(number,) for number in numbers])
    for queue in touched:
        if queue.auto_delete and all(one.id in numbers for one in queue.consumers):
            remove_queue(session, queue)
        else:
            session.wake(queue)
    session.changed()


def remove_queue(session: Session, queue: Queue) -> int:
    """Remove a queue with its messages, bindings and subscriptions; give the number of ready messages.

    The caller calls `Session.changed` afterwards.
    """
    messages = purge(session, queue, leased=True)
    session.db.execute("DELETE FROM bindings WHERE queue = ?", (queue.name,))
    session.db.execute("DELETE FROM consumers WHERE queue = ?", (queue.id,))
    session.db.execute("DELETE FROM queues WHERE id = ?", (queue.id,))
    session.wake(queue)
    return messages
