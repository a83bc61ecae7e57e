"""PACER's own format, ``pacer.delivery/1``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pacer_dashboard.records import fields
from pacer_dashboard.records.record import OUTCOMES, Failure, Keys, Record, with_keys

FORMAT = "pacer.delivery/1"


def read(data: Mapping[str, Any], keys: Keys) -> Record:
    """Read a record in PACER's format; fields that are not known are passed over.

    Raises
    ------
    Reject
        Where a field is wrong or missing.
    """
    if data["format"] != FORMAT:
        raise fields.wrong("format", f"is not {FORMAT}: install a newer pacer-dashboard")
    outcome = fields.text(data, "outcome")
    if outcome not in OUTCOMES:
        raise fields.wrong("outcome", f"should be one of {', '.join(OUTCOMES)}")
    finished = fields.time(data, "finished")
    if finished is None:
        raise fields.wrong("finished", "is missing")
    started = fields.time(data, "started") or finished
    payload = data.get("payload")
    if payload is not None and not isinstance(payload, str):
        raise fields.wrong("payload", "should be a text or null")
    return Record(
        id=_id(data, "id"),
        correlation_id=_id(data, "correlation_id"),
        consumer=fields.text(data, "consumer"),
        type=fields.text(data, "type"),
        outcome=outcome,
        finished=finished,
        started=started,
        first_seen=fields.time(data, "first_seen") or started,
        queue=fields.text(data, "queue", ""),
        exchange=fields.text(data, "exchange", ""),
        routing_key=fields.text(data, "routing_key", ""),
        attempt=fields.whole(data, "attempt", 1),
        redelivered=data.get("redelivered") is True,
        identifiers=with_keys(fields.identifiers(data, "identifiers"), keys),
        timings=_timings(data),
        done=fields.texts(data, "done"),
        pending=fields.texts(data, "pending"),
        failures=tuple(_failures(data)),
        follow_ups=fields.texts(data, "follow_ups"),
        payload=None if payload is None else fields.clean(payload),
        payload_size=fields.whole(data, "payload_size", 0),
        content_type=fields.text(data, "content_type", "") or None,
        headers=_headers(data),
        origin=fields.text(data, "origin", ""),
    )


def _id(data: Mapping[str, Any], name: str) -> str:
    value = fields.text(data, name)
    if not value:
        raise fields.wrong(name, "is empty")
    return value


def _timings(data: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for task, seconds in fields.mapping(data, "timings").items():
        if type(seconds) not in (int, float) or not 0 <= seconds < 1e9:
            raise fields.wrong(f"timings.{task}", "should be seconds")
        found[fields.clean(task)] = float(seconds)
    return found


def _headers(data: Mapping[str, Any]) -> dict[str, str | int | float]:
    return {
        fields.clean(name): fields.clean(value) if isinstance(value, str) else value
        for name, value in fields.mapping(data, "headers").items()
        if isinstance(value, str | int | float)
    }


def _failures(data: Mapping[str, Any]) -> Iterator[Failure]:
    """Give the failures, and after them what had rejected earlier copies."""
    said = data.get("failures") or []
    if not isinstance(said, list):
        raise fields.wrong("failures", "should be a list")
    tasks: set[str] = set()
    for number, one in enumerate(said):
        path = f"failures[{number}]"
        if not isinstance(one, dict):
            raise fields.wrong(path, "should be an object")
        bad = one.get("fields") or []
        if not isinstance(bad, list) or not all(isinstance(each, dict) for each in bad):
            raise fields.wrong(f"{path}.fields", "should be a list of objects")
        task = str(one.get("task", ""))
        tasks.add(task)
        yield Failure(
            task=fields.clean(task)[:255],
            kind=fields.clean(str(one.get("kind", "error")))[:32],
            reason=fields.clean(str(one.get("reason", ""))),
            fields=tuple(
                (fields.clean(str(each.get("path", "$"))), fields.clean(str(each.get("message", ""))))
                for each in bad
            ),
        )
    for task, reason in fields.mapping(data, "rejected").items():
        if task not in tasks:
            yield Failure(task=fields.clean(task)[:255], kind="reject", reason=fields.clean(str(reason)))
