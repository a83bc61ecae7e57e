"""PACER's own headers: what a copy of a message carries, and how it is read again.

All names begin with ``x-pacer-``; ``x-pacer-version`` is the format's. Together they stay under 16 KiB: a
header frame over 131,064 bytes makes RabbitMQ close the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson

from pacer_core.messages import Delivery, Envelope

PREFIX = "x-pacer-"
VERSION = 1
LIMIT = 16 * 1024
FIELDS_SHOWN = 20

_DROPPED_PROPERTIES = ("expiration", "user_id", "delivery_mode", "application_headers")
_DROPPED_HEADERS = (
    "CC",
    "BCC",
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
)


def read_envelope(
    body: bytes,
    queue: str,
    delivery_info: Mapping[str, Any],
    properties: Mapping[str, Any],
    headers: Mapping[str, Any],
) -> Envelope:
    """Make an envelope of what the broker delivered: a first sight, or a copy that PACER made.

    A header that is not what PACER writes there is passed over: publishers can write any.
    """
    own = {name.removeprefix(PREFIX): value for name, value in headers.items() if name.startswith(PREFIX)}
    plain = {name: value for name, value in properties.items() if name != "application_headers"}
    given = own.get("correlation-id") or plain.get("correlation_id") or plain.get("message_id")
    exchange, routing_key = (
        str(delivery_info.get("exchange") or ""),
        str(delivery_info.get("routing_key") or ""),
    )
    copy = own.get("version") == VERSION
    return Envelope(
        body=body,
        queue=queue,
        exchange=_text(own.get("exchange"), exchange) if copy else exchange,
        routing_key=_text(own.get("routing-key"), routing_key) if copy else routing_key,
        headers={name: value for name, value in headers.items() if not name.startswith(PREFIX)},
        properties=plain,
        redelivered=bool(delivery_info.get("redelivered")),
        correlation_id=given if isinstance(given, str) and given else str(uuid4()),
        first_seen=_time(own.get("first-seen")) or datetime.now(UTC),
        attempt=_count(own.get("attempt"), 0) + 1,
        retries=_count(own.get("retries"), 0),
        done=_texts(own.get("done")),
        rejected=_table(own.get("rejected")),
        facts=_json(own.get("facts")),
        path=_texts(own.get("path")),
    )


def copy_headers(delivery: Delivery, retries: int) -> dict[str, Any]:
    """Give the headers of a copy that waits for its next attempt: the publisher's, and where PACER stands."""
    envelope = delivery.envelope
    first_seen = envelope.first_seen or datetime.now(UTC)
    original = {name: envelope.headers[name] for name in _DROPPED_HEADERS if name in envelope.headers}
    original |= {
        name: envelope.properties[name] for name in ("expiration", "user_id") if name in envelope.properties
    }
    own: dict[str, Any] = {
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
        "rejected": {task: _cut(reason, 500) for task, reason in delivery.rejected.items()},
        "facts": orjson.dumps(dict(delivery.facts)).decode(),
    }
    if envelope.path:
        own["path"] = list(envelope.path)
    if original and len(repr(original)) < LIMIT // 4:
        own["original"] = original
    return plain_headers(envelope.headers) | {PREFIX + name: value for name, value in own.items()}


def plain_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Give a publisher's headers without those that would send a copy astray."""
    return {name: value for name, value in headers.items() if name not in _DROPPED_HEADERS}


def dead_headers(delivery: Delivery, retries: int, reason: str) -> dict[str, Any]:
    """Give the headers of a dead copy: those of a copy, and why it is dead, within the limit."""
    fields = delivery.bad_fields
    failures = [
        {"task": one.task, "kind": one.kind, "reason": _cut(one.reason, 500)}
        | ({"trace": one.trace} if one.trace else {})
        for one in delivery.failures[:5]
    ]
    own: dict[str, Any] = {
        "error": _cut(reason, 1000),
        "fields": [_cut(str(field), 200) for field in fields[:FIELDS_SHOWN]],
        "field-count": len(fields),
        "pending": list(delivery.pending),
        "dead-at": datetime.now(UTC).isoformat(),
        "failures": failures,
    }
    headers = copy_headers(delivery, retries)
    room = LIMIT - 1024 - sum(_size(value) for name, value in headers.items() if name.startswith(PREFIX))
    for failure in failures:
        while "trace" in failure and _size(own) > room:
            failure["trace"] = failure["trace"][-len(failure["trace"]) // 2 :]
            if len(failure["trace"]) < 200:
                del failure["trace"]
    if _size(own) > room:
        own["failures"] = []
    return headers | {PREFIX + name: value for name, value in own.items()}


def copy_properties(envelope: Envelope) -> dict[str, Any]:
    """Give the properties of a copy: all that would not harm it, and persistent."""
    kept = {name: value for name, value in envelope.properties.items() if name not in _DROPPED_PROPERTIES}
    return kept | {"delivery_mode": 2}


def _size(value: Any) -> int:
    return len(repr(value).encode())


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _text(value: Any, default: str) -> str:
    return value if isinstance(value, str) else default


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _table(value: Any) -> dict[str, str]:
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, dict) else {}


def _count(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else default


def _time(value: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo is not None else None


def _json(value: Any) -> dict[str, Any]:
    try:
        data = orjson.loads(value)
    except (TypeError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
