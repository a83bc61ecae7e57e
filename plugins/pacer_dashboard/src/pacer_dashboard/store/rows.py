"""Between records and rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import orjson
from attrs import frozen
from django.db import connection, models

from pacer_dashboard.models import Identifier, Life, Message, Payload, Sight
from pacer_dashboard.records import Failure, Record

M = TypeVar("M", bound=models.Model)
_MANY = 500  # rows that SQLite takes in one statement


@frozen
class Table:
    """A table with the columns that rows are given for, in that order; rows are plain, as there are many."""

    model: type[models.Model]
    columns: tuple[str, ...]
    documents: tuple[int, ...] = ()
    """Which columns are of JSON."""


LIVES = Table(Life, ("arrived", "correlation_id", "troubled"))
MESSAGES = Table(
    Message,
    (
        "arrived", "correlation_id", "troubled", "revision", "type", "consumer", "queue", "exchange",
        "routing_key", "state", "finished", "attempts", "sights", "instrument", "proposal", "dataset",
        "group", "kind", "task", "reason", "failed_at", "origin", "text", "acknowledged_at",
        "acknowledged_by", "acknowledged_note", "stages", "identifiers",
    ),
    (26, 27),
)  # fmt: skip
SIGHTS = Table(
    Sight,
    (
        "arrived", "correlation_id", "troubled", "id", "consumer", "type", "queue", "exchange", "routing_key",
        "outcome", "attempt", "redelivered", "first_seen", "started", "finished", "digest", "payload_size",
        "content_type", "identifiers", "detail",
    ),
    (18, 19),
)  # fmt: skip
PAYLOADS = Table(Payload, ("arrived", "correlation_id", "troubled", "digest", "body"))
IDENTIFIERS = Table(Identifier, ("arrived", "correlation_id", "troubled", "key", "value"))
Place = tuple[datetime, str, bool]
"""What all rows of a life begin with: ``arrived``, ``correlation_id``, ``troubled``."""


def sight_row(record: Record, place: Place) -> tuple[Any, ...]:
    """Give the row of a record, for `SIGHTS`."""
    detail = record.detail
    if record.origin:
        detail["origin"] = record.origin
    return (
        *place, record.id, record.consumer, record.type, record.queue, record.exchange,
        record.routing_key, record.outcome, record.attempt, record.redelivered, record.first_seen,
        record.started, record.finished, record.digest, record.payload_size, record.content_type or "",
        dict(record.identifiers), detail,
    )  # fmt: skip


def record_of(sight: Sight) -> Record:
    """Give the record that a row was made of, without its payload."""
    detail = sight.detail
    return Record(
        id=sight.id,
        correlation_id=sight.correlation_id,
        consumer=sight.consumer,
        type=sight.type,
        outcome=sight.outcome,
        finished=sight.finished,
        started=sight.started,
        first_seen=sight.first_seen,
        queue=sight.queue,
        exchange=sight.exchange,
        routing_key=sight.routing_key,
        attempt=sight.attempt,
        redelivered=sight.redelivered,
        identifiers=sight.identifiers,
        timings=detail["timings"],
        done=tuple(detail["done"]),
        pending=tuple(detail["pending"]),
        failures=tuple(
            Failure(
                one["task"], one["kind"], one["reason"], tuple((path, text) for path, text in one["fields"])
            )
            for one in detail["failures"]
        ),
        follow_ups=tuple(detail["follow_ups"]),
        payload_size=sight.payload_size,
        content_type=sight.content_type or None,
        origin=detail.get("origin", ""),
    )


def of_lives(model: type[M], correlation_ids: Sequence[str]) -> Iterable[M]:
    """Give the rows of lives, each from the partition that its life is in."""
    if not correlation_ids:
        return ()
    return model._default_manager.extra(where=[_of_lives(correlation_ids)], params=[*correlation_ids])  # noqa: S610 - placeholders


def delete(model: type[models.Model], correlation_ids: Sequence[str]) -> None:
    """Delete the rows of lives."""
    if correlation_ids:
        with connection.cursor() as cursor:
            cursor.execute(
                f'DELETE FROM "{model._meta.db_table}" WHERE {_of_lives(correlation_ids)}',  # noqa: S608
                correlation_ids,
            )


def move(correlation_ids: Sequence[str]) -> None:
    """Move what stays of lives to those in trouble."""
    if not correlation_ids:
        return
    with connection.cursor() as cursor:
        for model in (Sight, Payload):
            cursor.execute(
                f'UPDATE "{model._meta.db_table}" SET troubled = %s '  # noqa: S608
                f"WHERE {_of_lives(correlation_ids)}",
                [True, *correlation_ids],
            )
    Life.objects.filter(correlation_id__in=correlation_ids).update(troubled=True)


def _of_lives(correlation_ids: Sequence[str]) -> str:
    return (
        "(arrived, correlation_id, troubled) IN (SELECT arrived, correlation_id, troubled "  # noqa: S608
        f"FROM pacer_dashboard_life WHERE correlation_id IN ({_marks(correlation_ids)}))"
    )


def _marks(values: Sequence[str]) -> str:
    return ", ".join(["%s"] * len(values))


def insert(table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, by ``COPY`` where there is one."""
    if not rows:
        return
    if connection.vendor != "postgresql":
        made = (table.model(**dict(zip(table.columns, row, strict=True))) for row in rows)
        table.model._default_manager.bulk_create(made, batch_size=_MANY)
        return
    columns = ", ".join(f'"{one}"' for one in table.columns)
    plain = min(table.documents, default=len(table.columns))  # documents are the last ones
    with (
        connection.cursor() as cursor,
        cursor.copy(f'COPY "{table.model._meta.db_table}" ({columns}) FROM STDIN') as copy,
    ):
        for row in rows:
            copy.write_row((*row[:plain], *map(_json, row[plain:])))


def _json(document: Any) -> str:
    return orjson.dumps(document).decode()
