"""Letters as plain data, for JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pacer_core.transport.letters import DeadLetter


def summary(letter: DeadLetter) -> dict[str, Any]:
    """Give a letter as plain data, without its body, headers and properties."""
    envelope, waiting = letter.envelope, letter.waiting
    state: dict[str, Any]
    if waiting is None:
        state = {"dead_at": _iso(letter.dead_at)}
        why = {"error": letter.error, "fields": list(letter.fields), "field_count": letter.field_count}
    else:
        state = {"delay": waiting.step, "waits_since": _iso(waiting.since), "due": _iso(waiting.due)}
        why = {"waits_for": letter.error}
    return {
        "id": letter.id,
        "queue": letter.queue,
        "came_from": None if letter.doubt else envelope.queue,
        "claims_to_come_from": letter.claimed or None,
        "put_here_by": letter.origin,
        **state,
        "first_seen": _iso(envelope.first_seen) if letter.origin == "pacer" else None,
        "consumer": letter.consumer or None,
        "about": dict(letter.about),
        **why,
        "attempts": letter.attempts,
        "retries": envelope.retries,
        "correlation_id": envelope.correlation_id or None,
        "done": list(envelope.done),
        "pending": list(letter.pending),
        "rejected": dict(envelope.rejected),
        "content_type": envelope.properties.get("content_type"),
        "size": letter.size,
    }


def whole(letter: DeadLetter) -> dict[str, Any]:
    """Give a letter as plain data, with all but its body."""
    envelope = letter.envelope
    return summary(letter) | {
        "exchange": envelope.exchange,
        "routing_key": envelope.routing_key,
        "path": list(envelope.path),
        "facts": dict(envelope.facts),
        "failures": [
            {"task": one.task, "kind": one.kind, "reason": one.reason, "trace": one.trace}
            for one in letter.failures
        ],
        "properties": dict(envelope.properties),
        "headers": dict(envelope.headers),
        "original": dict(envelope.original),
    }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
