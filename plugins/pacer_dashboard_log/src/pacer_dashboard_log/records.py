"""Records: what became of a message, in ICAT-PACER's format and in one of our own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from math import isfinite
from typing import Any
from uuid import uuid4

from pacer_core import Delivery, Outcome
from pacer_dashboard_log.options import DashboardOptions

TYPES = {
    "users": "user-sync",
    "investigations": "proposal-sync",
    "investigation-operations": "investigation-ops",
    "datasets": "dataset-ingestion",
    "reingest": "internal-dataset-ingestion",
    "dataset-statistics": "internal-statistics",
    "dataset-links": "internal-dataset-links",
    "dataset-index": "dataset-index",
}
"""By consumer type, what ICAT-PACER's dashboard calls it; what is not here goes by its own name."""
FORMAT = "pacer.delivery/1"
"""The version of the JSON format; fields may be added to it, and none changes its meaning."""
LARGEST = 4 * 1024 * 1024
"""Bytes of a body up to which it stands in a record: RabbitMQ 4 takes messages of 16 MiB, and JSON adds."""

Write = Callable[[Delivery, str, DashboardOptions], bytes]


def icat_pacer(delivery: Delivery, type_: str, options: DashboardOptions) -> bytes:
    """Give the record that ICAT-PACER's dashboard reads: a Celery message of protocol 1.

    Times are local and have no offset; ``payload_format`` is empty, as the dashboard finds it out itself.
    """
    envelope = delivery.envelope
    payload = _text(envelope.body)
    record = {
        "object_identifiers": dict(delivery.description),
        "error_message": {failure.task: failure.reason for failure in delivery.failures},
        "processing_start": _local(delivery.started),
        "processing_end": _local(delivery.finished),
        "hash": blake2b(payload.encode(), digest_size=8).hexdigest(),
        "message_type": options.message_types.get(type_) or TYPES.get(type_, type_),
        "payload_format": "",
        "payload": payload if _may_stand(envelope.body, options) else "",
        "errored": delivery.outcome is not Outcome.ACKED,
        "exchange_name": envelope.exchange,
        "routing_key": envelope.routing_key,
    }
    message = {"id": str(uuid4()), "task": options.celery_task, "args": [], "kwargs": record, "retries": 0}
    return json.dumps(message).encode()


def as_json(delivery: Delivery, type_: str, options: DashboardOptions) -> bytes:
    """Give the record in PACER's own format, `FORMAT`; times are UTC."""
    envelope = delivery.envelope
    record: dict[str, Any] = {
        "format": FORMAT,
        "id": str(uuid4()),
        "correlation_id": envelope.correlation_id,
        "consumer": delivery.consumer,
        "type": type_,
        "queue": envelope.queue,
        "exchange": envelope.exchange,
        "routing_key": envelope.routing_key,
        "outcome": delivery.outcome.value,
        "attempt": envelope.attempt,
        "redelivered": envelope.redelivered,
        "first_seen": _utc(envelope.first_seen),
        "started": _utc(delivery.started),
        "finished": _utc(delivery.finished),
        "identifiers": dict(delivery.description),
        "timings": dict(delivery.timings),
        "done": list(delivery.done),
        "pending": list(delivery.pending),
        "rejected": dict(delivery.rejected),
        "failures": [
            {
                "task": failure.task,
                "kind": failure.kind,
                "reason": failure.reason,
                "fields": [{"path": bad.path, "message": bad.message} for bad in failure.fields],
            }
            for failure in delivery.failures
        ],
        "follow_ups": [follow_up.consumer_type for follow_up in delivery.follow_ups],
        "payload": _text(envelope.body) if _may_stand(envelope.body, options) else None,
        "payload_size": len(envelope.body),
        "content_type": envelope.content_type,
        "headers": _headers(envelope.headers) if options.payload else {},
    }
    return json.dumps(record, allow_nan=False).encode()


LARGEST_HEADERS = 4096
"""Characters of all headers of a message as JSON; more than that are left out of its record."""
_BROKERS = frozenset({"CC", "BCC", "x-delivery-count", "x-acquired-count"})
_OF_DEATHS = ("x-death", "x-first-death-", "x-last-death-")

FORMATS: dict[str, Write] = {"icat-pacer": icat_pacer, "json": as_json}


def _headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Give the publisher's headers that are short texts and numbers, for when a message is sent again."""
    found = {
        name: value
        for name, value in headers.items()
        if name not in _BROKERS
        and not name.startswith(_OF_DEATHS)
        and isinstance(value, str | int | float)
        and not (isinstance(value, float) and not isfinite(value))
        and "\0" not in f"{name}{value}"
    }
    return found if len(json.dumps(found)) <= LARGEST_HEADERS else {}


def _may_stand(body: bytes, options: DashboardOptions) -> bool:
    return options.payload and len(body) <= LARGEST


def _text(body: bytes) -> str:
    """Give a body as text; PostgreSQL, where dashboards keep it, has no character 0."""
    return body.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _utc(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat()


def _local(time: datetime | None) -> str:
    return (time or datetime.now(UTC)).astimezone().replace(tzinfo=None).isoformat()
