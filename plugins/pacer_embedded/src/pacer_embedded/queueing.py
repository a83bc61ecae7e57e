"""Messages in queues: in, leased, back, out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from attrs import frozen

from pacer_channel import Leased, Outgoing, decode_properties, rules
from pacer_embedded.schema import READY
from pacer_embedded.store import Session
from pacer_embedded.topology import Queue

_MOST_BYTES = 1 << 20  # leased in one step: a prefetch of 50 large messages is not all held in memory


@frozen
class Entry:
    """The place of a message in a queue; messages are delivered in the order of (rank, id)."""

    queue: int
    rank: int
    id: int


@frozen
class Row:
    """A message as it stands in the file, leased to an owner."""

    entry: Entry
    redelivered: bool
    exchange: str
    routing_key: str
    properties: bytes
    body: bytes

    def leased(self) -> Leased:
        """Give it as a channel knows it; outside of a transaction, as decoding takes a while."""
        return Leased(
            self.entry,
            self.redelivered,
            self.exchange,
            self.routing_key,
            decode_properties(self.properties),
            self.body,
        )


def publish(session: Session, message: Outgoing) -> int:
    """Put a message into every queue that takes it, and tell how many those are, or refuse it."""
    queues = rules.targets(session.topology, message)
    for queue in queues:
        stored = session.db.execute(
            "INSERT INTO content (exchange, routing_key, properties, body) VALUES (?, ?, ?, ?)",
            (message.exchange, message.routing_key, message.encoded, message.body),
        )
        enqueue(
            session,
            queue,
            row(stored),
            rank=rules.rank_of(message.properties, queue),
            wait=rules.wait_of(message, queue),
        )
    return len(queues)


def row(inserted: sqlite3.Cursor) -> int:
    """Give the number of a row that was inserted; RETURNING is younger than the SQLite of some systems."""
    assert inserted.lastrowid is not None  # noqa: S101 - for the type checker
    return inserted.lastrowid


def enqueue(session: Session, queue: Queue, number: int, *, rank: int, wait: int | None) -> None:
    """Put content that is stored at the end of a queue."""
    expires = None if wait is None else session.now + wait
    session.db.execute(
        "INSERT INTO entries (queue, rank, id, owner, redelivered, expires) VALUES (?, ?, ?, 0, 0, ?)",
        (queue.id, -rank, number, expires),
    )
    session.wake(queue)
    if expires is not None:
        session.falls_due(expires)


def claim(session: Session, queue: Queue, owner: int, limit: int) -> list[Row]:
    """Lease the next messages of a queue to an owner, at most `limit` and about a megabyte of them."""
    leased: list[Row] = []
    size = 0
    for rank, number, redelivered, exchange, routing_key, properties, body in session.db.execute(
        "SELECT e.rank, e.id, e.redelivered, c.exchange, c.routing_key, c.properties, c.body"
        " FROM entries e JOIN content c ON c.id = e.id"
        " WHERE e.queue = ? AND e.owner = 0 AND (e.expires IS NULL OR e.expires > ?)"
        " ORDER BY e.rank, e.id LIMIT ?",
        (queue.id, session.now, limit),
    ):
        entry = Entry(queue.id, rank, number)
        leased.append(Row(entry, bool(redelivered), exchange, routing_key, properties, body))
        size += len(body)
        if size >= _MOST_BYTES:
            break
    session.db.executemany(
        "UPDATE entries SET owner = ? WHERE queue = ? AND rank = ? AND id = ?",
        [(owner, one.entry.queue, one.entry.rank, one.entry.id) for one in leased],
    )
    return leased


def acknowledge(session: Session, entries: Iterable[Entry], owner: int) -> None:
    """End messages that this owner has leased; one that was taken from it meanwhile stays."""
    for entry in entries:
        gone = session.db.execute(
            "DELETE FROM entries WHERE queue = ? AND rank = ? AND id = ? AND owner = ?",
            (entry.queue, entry.rank, entry.id, owner),
        )
        if gone.rowcount:
            session.db.execute("DELETE FROM content WHERE id = ?", (entry.id,))


def give_back(session: Session, entries: Sequence[Entry], owner: int, *, seen: bool) -> None:
    """Put leased messages back where they were; ``seen`` marks them as redelivered from now on."""
    session.db.executemany(
        "UPDATE entries SET owner = 0, redelivered = max(redelivered, ?)"
        " WHERE queue = ? AND rank = ? AND id = ? AND owner = ?",
        [(seen, entry.queue, entry.rank, entry.id, owner) for entry in entries],
    )
    for number in {entry.queue for entry in entries}:
        queue = session.topology.by_id.get(number)
        if queue is not None:
            session.wake(queue)


def ready(session: Session, queue: Queue) -> int:
    """Count the messages of a queue that nobody has leased."""
    number: int = session.db.execute(
        "SELECT count(*) FROM entries WHERE queue = ? AND owner <= 0", (queue.id,)
    ).fetchone()[0]
    return number


def held(session: Session, queue: Queue) -> int:
    """Count the messages of a queue that somebody has leased."""
    number: int = session.db.execute(
        "SELECT count(*) FROM entries WHERE queue = ? AND owner > 0", (queue.id,)
    ).fetchone()[0]
    return number


def purge(session: Session, queue: Queue, *, leased: bool = False) -> int:
    """Remove the messages of a queue that nobody has leased, or all of them; give their number."""
    which = "queue = ?" if leased else f"queue = ? AND owner <= {READY}"
    number = ready(session, queue)
    session.db.execute(
        f"DELETE FROM content WHERE id IN (SELECT id FROM entries WHERE {which})",  # noqa: S608 - two constants
        (queue.id,),
    )
    session.db.execute(f"DELETE FROM entries WHERE {which}", (queue.id,))  # noqa: S608 - two constants
    return number
