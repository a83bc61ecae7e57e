"""Copies of a message: the headers and properties that one carries, for a retry, renewed or dead."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import orjson

from pacer_core.model.messages import Delivery, Envelope, Outcome
from pacer_core.pipeline.failures import TRACE_LIMIT
from pacer_core.transport.header_size import cut, together
from pacer_core.transport.header_types import CopyHeaders
from pacer_core.transport.headers import FIELDS_SHOWN, LONGEST, PREFIX, VERSION, plain_headers

_REASON = 500  # bytes of a reason, in a header
_DROPPED_PROPERTIES = ("expiration", "user_id", "delivery_mode", "application_headers")


def copy_headers(delivery: Delivery, retries: int, waited: int = 0) -> dict[str, Any]:
    """Give the headers of a copy that waits for its next attempt: the publisher's, and where PACER stands.

    What it waits for, since when, and what it is about is for people who look at the ladder. ``waited``
    is for how long it will have waited by then for what is still to come.
    """
    return _headers(
        delivery,
        retries,
        _waited(waited)
        | {
            "waits-for": cut(delivery.error or "", 1000),
            "waits-since": datetime.now(UTC).isoformat(),
            "pending": list(delivery.pending),
            "about": _about(delivery),
        },
    )


def _about(delivery: Delivery) -> dict[str, str]:
    return {
        cut(str(name), 50): cut(str(value), 200) for name, value in list(delivery.description.items())[:10]
    }


def _waited(seconds: int) -> CopyHeaders:
    return {"waited": seconds} if seconds else {}


def renewed_headers(envelope: Envelope, consumer: str) -> dict[str, Any]:
    """Give the headers of a copy that stands where its message stood, and counts its returns afresh."""
    return _headers(_still(envelope, consumer), envelope.retries, {"renewed": True})


def partition_headers(envelope: Envelope, consumer: str, partition: str, key: str) -> dict[str, Any]:
    """Give the headers of a message that goes into a partition: all that is known of it goes with it."""
    state = (
        envelope.headers,
        envelope.original,
        envelope.path,
        envelope.done,
        envelope.rejected,
        envelope.facts,
    )
    counts = (envelope.attempt - 1, envelope.retries, envelope.waited, envelope.restarts)
    if not any(state) and not any(counts):
        return _first_sight(envelope, consumer, partition, key)  # nearly all of them, and small by themselves
    inside = attrs.evolve(envelope, partition=partition, key=key)
    return _headers(_still(inside, consumer), envelope.retries, _waited(envelope.waited))


def _first_sight(envelope: Envelope, consumer: str, partition: str, key: str) -> dict[str, Any]:
    own: CopyHeaders = {
        "version": VERSION,
        "correlation-id": envelope.correlation_id,
        "consumer": consumer,
        "queue": envelope.queue,
        "exchange": envelope.exchange,
        "routing-key": envelope.routing_key,
        "partition": partition,
        "key": key,
    }
    if envelope.first_seen is not None:
        own["first-seen"] = envelope.first_seen.isoformat()
    return {PREFIX + name: value for name, value in own.items()}


def _still(envelope: Envelope, consumer: str) -> Delivery:
    """Give a delivery of which nothing has become, for a copy that stands where its message stood."""
    return Delivery(
        attrs.evolve(envelope, attempt=envelope.attempt - 1),  # reading a copy counts one more
        consumer,
        Outcome.RETRIED,
        done=envelope.done,
        rejected=envelope.rejected,
        facts=envelope.facts,
    )


def _headers(delivery: Delivery, retries: int, more: CopyHeaders, *, dead: bool = False) -> dict[str, Any]:
    envelope = delivery.envelope
    first_seen = envelope.first_seen or datetime.now(UTC)
    shorter = min(_REASON, LONGEST // 2 // max(len(delivery.rejected), 1))
    own: CopyHeaders = {
        "version": VERSION,
        "correlation-id": envelope.correlation_id,
        "consumer": delivery.consumer,
        "queue": envelope.queue,
        "exchange": envelope.exchange,
        "routing-key": envelope.routing_key,
        "first-seen": first_seen.isoformat(),
        "attempt": envelope.attempt,
        "retries": retries,
        "done": list(delivery.done),
        "rejected": {task: cut(reason, shorter) for task, reason in delivery.rejected.items()},
        "facts": orjson.dumps(dict(delivery.facts)).decode(),
    }
    if envelope.restarts:
        own["restarts"] = envelope.restarts
    if envelope.path:
        own["path"] = list(envelope.path)
    if envelope.partition and not dead:
        own["partition"] = envelope.partition
        if envelope.key is not None:
            own["key"] = envelope.key
    if envelope.original:
        own["original"] = dict(envelope.original)
    return together(plain_headers(envelope.headers), own | more, PREFIX)


def dead_headers(delivery: Delivery, retries: int, reason: str) -> dict[str, Any]:
    """Give the headers of a dead copy: those of a copy, and why it is dead, within the limit."""
    fields = delivery.bad_fields
    return _headers(
        delivery,
        retries,
        _waited(delivery.envelope.waited)
        | {
            "error": cut(reason, 1000),
            "fields": [cut(str(field), 200) for field in fields[:FIELDS_SHOWN]],
            "field-count": len(fields),
            "pending": list(delivery.pending),
            "about": _about(delivery),
            "dead-at": datetime.now(UTC).isoformat(),
            "failures": [
                {"task": cut(one.task, 200), "kind": one.kind, "reason": cut(one.reason, _REASON)}
                | ({"trace": cut(one.trace, 4 * TRACE_LIMIT)} if one.trace else {})
                for one in delivery.failures[:5]
            ],
        },
        dead=True,
    )


def copy_properties(envelope: Envelope) -> dict[str, Any]:
    """Give the properties of a copy: all that would not harm it, and persistent."""
    kept = {name: value for name, value in envelope.properties.items() if name not in _DROPPED_PROPERTIES}
    return kept | {"delivery_mode": 2}
