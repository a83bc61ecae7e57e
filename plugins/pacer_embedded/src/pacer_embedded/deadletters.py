"""Dead-lettering: what becomes of messages that expire or are rejected.

As on RabbitMQ: a queue with ``x-dead-letter-exchange`` passes them on, with the routing key of
``x-dead-letter-routing-key`` or their own, and with an ``x-death`` header; any other queue drops them. With
``x-dead-letter-strategy: at-least-once`` a message for which no queue is found is kept and tried again every
second; without it, it is dropped.

One thing is kinder than RabbitMQ: a message expires when its time has come, not only when it has reached the
head of its queue.
"""

from __future__ import annotations

from collections.abc import Iterable

from pacer_channel import EXPIRED, HEADERS, REJECTED, decode_properties, encode_properties, note_death, rules
from pacer_embedded.queueing import Entry, acknowledge, enqueue, row
from pacer_embedded.schema import HELD
from pacer_embedded.store import Session

_AT_ONCE = 200
_TRY_AGAIN = 1000  # ms


def expire(session: Session) -> None:
    """Dead-letter or drop what has fallen due, the oldest first; a long list in several transactions."""
    due = session.db.execute(
        "SELECT queue, rank, id, owner, reason FROM entries"
        " WHERE expires IS NOT NULL AND owner <= 0 AND expires <= ? ORDER BY expires, id LIMIT ?",
        (session.now, _AT_ONCE),
    ).fetchall()
    for queue, rank, number, owner, reason in due:
        _bury(session, Entry(queue, rank, number), owner, reason or EXPIRED)


def next_due(session: Session) -> int | None:
    """Give when the next message falls due, in milliseconds since 1970."""
    when: int | None = session.db.execute(
        "SELECT min(expires) FROM entries WHERE expires IS NOT NULL AND owner <= 0"
    ).fetchone()[0]
    return when


def reject(session: Session, entries: Iterable[Entry], owner: int) -> None:
    """Dead-letter or drop messages that an owner has leased and does not want back."""
    for entry in entries:
        _bury(session, entry, owner, REJECTED)


def _bury(session: Session, entry: Entry, owner: int, reason: str) -> None:
    queue = session.topology.by_id.get(entry.queue)
    if queue is None:
        return
    found = session.db.execute(
        "SELECT c.exchange, c.routing_key, c.properties FROM entries e JOIN content c ON c.id = e.id"
        " WHERE e.queue = ? AND e.rank = ? AND e.id = ? AND e.owner = ?",
        (entry.queue, entry.rank, entry.id, owner),
    ).fetchone()
    if found is None:  # its lease was lost, and the message is somebody else's now
        return
    if queue.dead_letter_exchange is not None:
        exchange, routing_key, encoded = found
        new_key = queue.arguments.get("x-dead-letter-routing-key", routing_key)
        properties = note_death(
            decode_properties(encoded), queue.name, reason, exchange, routing_key, session.now
        )
        targets = session.topology.route(queue.dead_letter_exchange, new_key, properties[HEADERS])
        if not targets and queue.keeps_dead_letters:
            session.db.execute(
                "UPDATE entries SET owner = ?, reason = ?, expires = ?"
                " WHERE queue = ? AND rank = ? AND id = ?",
                (HELD, reason, session.now + _TRY_AGAIN, entry.queue, entry.rank, entry.id),
            )
            session.falls_due(session.now + _TRY_AGAIN)
            return
        for target in targets or ():
            copy = session.db.execute(
                "INSERT INTO content (exchange, routing_key, properties, body)"
                " SELECT ?, ?, ?, body FROM content WHERE id = ?",
                (queue.dead_letter_exchange, new_key, encode_properties(properties), entry.id),
            )
            enqueue(session, target, row(copy), rank=rules.rank_of(properties, target), wait=target.ttl)
    acknowledge(session, [entry], owner)
