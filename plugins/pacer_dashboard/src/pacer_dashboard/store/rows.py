"""The tables of lives: what is written, and what is there already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Protocol, TypeVar

from attrs import frozen
from django.db import connection, models

from pacer_dashboard.models import Identifier, Life, Message, Payload, Sight
from pacer_dashboard.records import Failure, Record
from pacer_dashboard.store.paper import Part

M = TypeVar("M", bound=models.Model)
_PIECE = 100  # lines that are sent to ``COPY`` at once: the server is at those when we send more


@frozen
class Table:
    """A table with the columns that rows are given for, in that order."""

    model: type[models.Model]
    columns: tuple[str, ...]


_PLACE = ("arrived", "correlation_id", "troubled")
"""What all rows of a life begin with."""
LIVES = Table(Life, _PLACE)
MESSAGES = Table(
    Message,
    (
        *_PLACE, "revision", "failed_at", "group", "origin", "acknowledged_at", "acknowledged_by",
        "acknowledged_note", "type", "consumer", "queue", "exchange", "routing_key", "state", "finished",
        "attempts", "sights", "instrument", "proposal", "dataset", "kind", "task", "reason", "text", "stages",
        "identifiers",
    ),
)  # fmt: skip
SIGHTS = Table(
    Sight,
    (
        *_PLACE, "id", "consumer", "type", "queue", "exchange", "routing_key", "outcome", "attempt",
        "redelivered", "first_seen", "started", "finished", "digest", "payload_size", "content_type",
        "identifiers", "detail",
    ),
)  # fmt: skip
PAYLOADS = Table(Payload, (*_PLACE, "digest", "body"))
IDENTIFIERS = Table(Identifier, (*_PLACE, "key", "value"))


def insert(table: Table, rows: Iterable[Part]) -> None:
    """Insert rows, by ``COPY`` where there is one; they may be made while the first ones are on their way."""
    name, columns = table.model._meta.db_table, ", ".join(f'"{one}"' for one in table.columns)
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            marks = _marks(table.columns)
            cursor.executemany(f'INSERT INTO "{name}" ({columns}) VALUES ({marks})', [*rows])  # noqa: S608 - our own names
            return
        lines = iter(rows)
        piece = "".join(islice(lines, _PIECE))
        if not piece:
            return
        with cursor.copy(f'COPY "{name}" ({columns}) FROM STDIN') as copy:
            while piece:
                copy.write(piece)
                piece = "".join(islice(lines, _PIECE))


def lives_there(correlation_ids: list[str]) -> Iterable[Life]:
    """Give those of some lives that are there already."""
    if connection.vendor != "postgresql":
        return Life.objects.filter(correlation_id__in=correlation_ids)
    # In one value: to bind hundreds of them takes longer than to look them up.
    return Life.objects.extra(where=["correlation_id = ANY(%s)"], params=[correlation_ids])


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


class Known(Protocol):
    """A life that is there: where its rows are."""

    @property
    def correlation_id(self) -> str:
        """Its message's."""
        ...

    @property
    def arrived(self) -> datetime:
        """The time that tells its partition."""
        ...


def of_lives(model: type[M], lives: Sequence[Known]) -> Iterable[M]:
    """Give the rows of lives, each from the partition that its life is in."""
    if not lives:
        return ()
    return model._default_manager.extra(where=[_of_lives(lives)], params=_where(lives))  # noqa: S610 - placeholders


def delete(model: type[models.Model], lives: Sequence[Known]) -> None:
    """Delete the rows of lives."""
    if lives:
        with connection.cursor() as cursor:
            cursor.execute(
                f'DELETE FROM "{model._meta.db_table}" WHERE {_of_lives(lives)}',  # noqa: S608
                _where(lives),
            )


def move(lives: Sequence[Known]) -> None:
    """Move what stays of lives to those in trouble."""
    if not lives:
        return
    with connection.cursor() as cursor:
        for model in (Sight, Payload):
            cursor.execute(
                f'UPDATE "{model._meta.db_table}" SET troubled = %s WHERE {_of_lives(lives)}',  # noqa: S608
                [True, *_where(lives)],
            )
    Life.objects.filter(correlation_id__in=[one.correlation_id for one in lives]).update(troubled=True)


def _of_lives(lives: Sequence[Known]) -> str:
    """Give a condition; the planner leaves out months in which none arrived."""
    return (
        "arrived BETWEEN %s AND %s AND "  # noqa: S608 - placeholders
        "(arrived, correlation_id, troubled) IN (SELECT arrived, correlation_id, troubled "
        f"FROM pacer_dashboard_life WHERE correlation_id IN ({_marks(lives)}))"
    )


def _where(lives: Sequence[Known]) -> list[Any]:
    times = [one.arrived for one in lives]
    ends = map(connection.ops.adapt_datetimefield_value, (min(times), max(times)))
    return [*ends, *(one.correlation_id for one in lives)]


def _marks(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))
