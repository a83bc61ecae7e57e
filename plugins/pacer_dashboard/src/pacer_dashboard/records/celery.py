"""ICAT-PACER's format: a message for a Celery task, of Celery's first or second protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any

import orjson

from pacer_dashboard.records import fields
from pacer_dashboard.records.record import Failure, Keys, Record, with_keys


def read(data: Any, headers: Mapping[str, Any], zone: tzinfo, keys: Keys) -> Record:
    """Read a record of ICAT-PACER's.

    It has no correlation id, and the hash of its payload stands in: what has the same payload on the same day
    (UTC) is one message. That day makes it certain that a record which comes twice finds the same message.

    Raises
    ------
    Reject
        Where a field is wrong or missing.
    """
    id_, said = _arguments(data, headers)
    finished = fields.time(said, "processing_end", zone)
    started = fields.time(said, "processing_start", zone) or finished
    if finished is None or started is None:
        raise fields.wrong("kwargs.processing_end", "is missing")
    payload = _payload(said.get("payload"))
    type_ = fields.text(said, "message_type", "unknown") or "unknown"
    hash_ = fields.text(said, "hash", "")
    failures = tuple(_failures(said.get("error_message")))
    errored = said.get("errored", False)
    if not isinstance(errored, bool):
        raise fields.wrong("kwargs.errored", "should be true or false")
    return Record(
        id=id_,
        correlation_id=f"hash-{hash_}-{started:%Y%m%d}" if hash_ else f"celery-{id_}",
        consumer=type_,
        type=type_,
        outcome="dead" if errored else "acked",
        finished=finished,
        started=started,
        first_seen=started,
        exchange=fields.text(said, "exchange_name", ""),
        routing_key=fields.text(said, "routing_key", ""),
        identifiers=with_keys(fields.identifiers(said, "object_identifiers"), keys),
        failures=failures,
        payload=payload,
        payload_size=len((payload or "").encode()),
        content_type={"json": "application/json", "xml": "application/xml"}.get(
            str(said.get("payload_format") or "")
        ),
    )


def _arguments(data: Any, headers: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Give the id of a Celery message, and the task's arguments by their names."""
    if isinstance(data, dict) and "kwargs" in data:
        return fields.text(data, "id"), fields.mapping(data, "kwargs")
    if isinstance(data, list) and len(data) == 3 and isinstance(data[1], dict):
        return fields.text(headers, "id"), data[1]
    raise fields.wrong("$", "is neither pacer.delivery/1 nor a message of Celery with arguments by name")


def _payload(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return fields.clean(value if isinstance(value, str) else orjson.dumps(value).decode())


def _failures(said: Any) -> Iterator[Failure]:
    if not said:
        return
    if not isinstance(said, dict):
        said = {"": said}
    for task, reason in said.items():
        words = reason if isinstance(reason, str) else orjson.dumps(reason).decode()
        yield Failure(task=fields.clean(str(task))[:255], kind="error", reason=fields.clean(words))
