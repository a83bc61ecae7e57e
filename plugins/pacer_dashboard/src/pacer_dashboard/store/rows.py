"""Between records and rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import orjson
from django.db import connection, models

from pacer_dashboard.models import Life, Payload, Sight
from pacer_dashboard.records import Failure, Record

M = TypeVar("M", bound=models.Model)
_MANY = 500  # rows that SQLite takes in one statement


def sight_row(record: Record, arrived: datetime, troubled: bool) -> Sight:
    """Give the row of a record."""
    return Sight(
        arrived=arrived,
        correlation_id=record.correlation_id,
        id=record.id,
        troubled=troubled,
        consumer=record.consumer,
        type=record.type,
        queue=record.queue,
        exchange=record.exchange,
        routing_key=record.routing_key,
        outcome=record.outcome,
        attempt=record.attempt,
        redelivered=record.redelivered,
        first_seen=record.first_seen,
        started=record.started,
        finished=record.finished,
        identifiers=dict(record.identifiers),
        detail={**record.detail, **({"origin": record.origin} if record.origin else {})},
        digest=record.digest,
        payload_size=record.payload_size,
        content_type=record.content_type or "",
    )


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


def insert(model: type[models.Model], rows: Sequence[models.Model]) -> None:
    """Insert rows, by ``COPY`` where there is one."""
    if not rows:
        return
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(rows, batch_size=_MANY)
        return
    fields = [one for one in model._meta.local_concrete_fields if not isinstance(one, models.AutoField)]
    columns = ", ".join(f'"{one.column}"' for one in fields)
    names = [(one.attname, isinstance(one, models.JSONField)) for one in fields]
    statement = f'COPY "{model._meta.db_table}" ({columns}) FROM STDIN'
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([_value(getattr(row, name), as_json) for name, as_json in names])


def _value(value: Any, as_json: bool) -> Any:
    return orjson.dumps(value).decode() if as_json else value
