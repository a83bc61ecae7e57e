"""Lists of messages, newest first, page by page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import UTC, datetime

from attrs import frozen
from django.db.models import Q

from pacer_dashboard.models import Message
from pacer_dashboard.query import where
from pacer_dashboard.query.errors import BadFilter
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.rows import Row
from pacer_dashboard.query.viewer import Right, Viewer

LARGEST = 500
"""Rows of a page."""
COUNTED = 10_000
"""How many messages are counted; of more than that, an estimate is given."""
_CHUNK = 500


@frozen
class Page:
    """Some messages, newest first, and the cursors of the pages beside it: ``None`` where there is none."""

    rows: tuple[Row, ...]
    older: str | None
    newer: str | None


@frozen
class Estimate:
    """How many there are; where it is not exact, about so many."""

    number: int
    exact: bool


@frozen(order=True)
class Cursor:
    """A place in a list, between two messages."""

    arrived: datetime
    correlation_id: str

    def __str__(self) -> str:
        text = f"{self.arrived.astimezone(UTC):%Y%m%d%H%M%S%f} {self.correlation_id}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, parameter: str, text: str) -> Cursor:
        """Read what a page has given."""
        try:
            plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            time, _, correlation_id = plain.partition(" ")
            return cls(datetime.strptime(time, "%Y%m%d%H%M%S%f").replace(tzinfo=UTC), correlation_id)
        except (ValueError, binascii.Error):
            raise BadFilter(parameter, "is no place in a list: begin at its top") from None


def page(
    viewer: Viewer, filter_: Filter, *, after: str | None = None, before: str | None = None, size: int = 50
) -> Page:
    """Give a page of a list: the newest messages, those ``after`` a cursor (older) or ``before`` it (newer).

    Messages that arrive meanwhile move nothing: whoever goes from page to page sees each one once.

    Raises
    ------
    BadFilter
        Where a cursor is none.
    """
    size = min(max(size, 1), LARGEST)
    conditions = where.streams(viewer, filter_)
    if before is not None:
        cursor = Cursor.read("before", before)
        rows = _merged(conditions, size + 1, newer_than=cursor)
        more, rows = len(rows) > size, rows[:size][::-1]
        older = str(_place(rows[-1])) if rows else before
        return Page(tuple(rows), older, str(_place(rows[0])) if more else None)
    start = None if after is None else Cursor.read("after", after)
    rows = _merged(conditions, size + 1, older_than=start)
    more, rows = len(rows) > size, rows[:size]
    newer = str(_place(rows[0])) if rows and start is not None else None
    return Page(tuple(rows), str(_place(rows[-1])) if more else None, newer)


def walk(viewer: Viewer, filter_: Filter, right: Right = Right.VIEW) -> Iterator[Row]:
    """Give all messages of a list on which a viewer has a right, newest first, a few hundred at a time."""
    conditions = where.streams(viewer, filter_, right)
    cursor: Cursor | None = None
    while rows := _merged(conditions, _CHUNK, older_than=cursor):
        yield from rows
        cursor = _place(rows[-1])


def ids(viewer: Viewer, filter_: Filter, right: Right) -> Iterator[str]:
    """Give the correlation ids of all messages of a list on which a viewer has a right, newest first."""
    for row in walk(viewer, filter_, right):
        yield row.correlation_id


def estimate(viewer: Viewer, filter_: Filter, right: Right = Right.VIEW) -> Estimate:
    """Give how many messages a list has: exactly up to `COUNTED`, and about so many beyond."""
    conditions = where.streams(viewer, filter_, right)
    if not conditions:
        return Estimate(0, exact=True)
    asked = Message.objects.filter(where.any_of(conditions))
    counted = asked.order_by()[: COUNTED + 1].count()
    if counted <= COUNTED:
        return Estimate(counted, exact=True)
    return Estimate(counted, exact=False)


def _merged(
    conditions: list[Q], size: int, *, older_than: Cursor | None = None, newer_than: Cursor | None = None
) -> list[Row]:
    """Give the first messages of all streams together, each once."""
    order = ("arrived", "correlation_id") if newer_than is not None else ("-arrived", "-correlation_id")
    found: dict[Cursor, Row] = {}
    for condition in conditions:
        if older_than is not None:
            condition &= _beyond("lt", older_than)
        if newer_than is not None:
            condition &= _beyond("gt", newer_than)
        for message in Message.objects.filter(condition).order_by(*order)[:size]:
            row = Row.of(message)
            found[_place(row)] = row
    places = sorted(found, reverse=newer_than is None)
    return [found[one] for one in places[:size]]


def _beyond(comparison: str, cursor: Cursor) -> Q:
    """Give: beyond a place; said so that an index on both columns begins there."""
    return Q(**{f"arrived__{comparison}e": cursor.arrived}) & (
        Q(**{f"arrived__{comparison}": cursor.arrived})
        | Q(**{f"correlation_id__{comparison}": cursor.correlation_id})
    )


def _place(row: Row) -> Cursor:
    return Cursor(row.arrived, row.correlation_id)
