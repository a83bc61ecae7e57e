"""Lists of messages, newest first, page by page."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from attrs import frozen
from django.db import connection
from django.db.models import Max, Min, Q, QuerySet

from pacer_dashboard import models
from pacer_dashboard.models import Message
from pacer_dashboard.query import where
from pacer_dashboard.query.errors import BadFilter
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.plans import along_indexes
from pacer_dashboard.query.rows import Row
from pacer_dashboard.query.viewer import Right, Viewer
from pacer_dashboard.query.where import Stream, Walk

LARGEST = 500
"""Rows of a page."""
COUNTED = 1000
"""How many messages are counted; of more than that, an estimate is given."""
_CHUNK = 500
_INSTANT = timedelta(microseconds=1)
_LISTED, _SEARCHED, _COUNTED = (timedelta(days=31), 12), (timedelta(hours=6), 16), (timedelta(days=16), 64)
"""How long the first span of time is that is looked at, and how many times longer each further one."""
_EVER = timedelta(days=36_500)
Span = tuple[datetime, datetime]
"""From a time on, and before another one."""


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
    found = where.streams(viewer, filter_)
    if before is not None:
        cursor = Cursor.read("before", before)
        rows = _merged(found, size + 1, newer_than=cursor)
        more, rows = len(rows) > size, rows[:size][::-1]
        older = str(_place(rows[-1])) if rows else before
        return Page(tuple(rows), older, str(_place(rows[0])) if more else None)
    start = None if after is None else Cursor.read("after", after)
    rows = _merged(found, size + 1, older_than=start)
    more, rows = len(rows) > size, rows[:size]
    newer = str(_place(rows[0])) if rows and start is not None else None
    return Page(tuple(rows), str(_place(rows[-1])) if more else None, newer)


def walk(viewer: Viewer, filter_: Filter, right: Right = Right.VIEW) -> Iterator[Row]:
    """Give all messages of a list on which a viewer has a right, newest first, a few hundred at a time."""
    streams = where.streams(viewer, filter_, right)
    cursor: Cursor | None = None
    while rows := _merged(streams, _CHUNK, older_than=cursor):
        yield from rows
        cursor = _place(rows[-1])


def ids(viewer: Viewer, filter_: Filter, right: Right) -> Iterator[str]:
    """Give the correlation ids of all messages of a list on which a viewer has a right, newest first."""
    for row in walk(viewer, filter_, right):
        yield row.correlation_id


def estimate(viewer: Viewer, filter_: Filter, right: Right = Right.VIEW) -> Estimate:
    """Give how many messages a list has: exactly up to `COUNTED`, and about so many beyond."""
    counted = len(_merged_places(where.streams(viewer, filter_, right), COUNTED + 1))
    if counted <= COUNTED:
        return Estimate(counted, exact=True)
    return Estimate(max(about(where.visible(viewer, filter_, right)), counted), exact=False)


def about(condition: Q) -> int:
    """Give how many messages meet a condition, as PostgreSQL's planner has it; 0 where nobody knows."""
    if connection.vendor != "postgresql":
        return 0
    plan = Message.objects.filter(condition).order_by().values("correlation_id").explain(format="json")
    return int(json.loads(plan)[0]["Plan"]["Plan Rows"])


def _merged(
    streams: list[Stream], size: int, *, older_than: Cursor | None = None, newer_than: Cursor | None = None
) -> list[Row]:
    """Give the first messages of all streams together, each once; the newest first, or the oldest one."""
    found: dict[Cursor, Row] = {}
    walks = [one for stream in streams for one in stream.walks()]
    widths = _SEARCHED if any(one.words for one in streams) else _LISTED
    with along_indexes():
        for span in _spans(widths, older_than, newer_than):
            for walk_ in walks:
                for message in _within(walk_, span, older_than, newer_than)[:size]:
                    row = Row.of(message)
                    found[_place(row)] = row
            if len(found) >= size:
                break
    places = sorted(found, reverse=newer_than is None)
    return [found[one] for one in places[:size]]


def _merged_places(streams: list[Stream], size: int) -> set[Cursor]:
    """Give the places of the first messages of all streams together."""
    found: set[Cursor] = set()
    walks = [one for stream in streams for one in stream.walks()]
    with along_indexes():
        for span in _spans(_COUNTED, None, None):
            for walk_ in walks:
                found.update(Cursor(*place) for place in walk_.places(*span)[:size])
                if len(found) >= size:
                    return found
    return found


def _within(
    walk_: Walk, span: Span, older_than: Cursor | None, newer_than: Cursor | None
) -> QuerySet[Message]:
    """Give the part of a walk within a span and beyond a place, in its order."""
    condition = Q()
    sign, cursor = ("-", older_than) if newer_than is None else ("", newer_than)
    if cursor is not None:
        comparison = "lt" if newer_than is None else "gt"
        condition = Q(**{f"{walk_.arrived}__{comparison}": cursor.arrived}) | Q(
            **{walk_.arrived: cursor.arrived, f"{walk_.correlation_id}__{comparison}": cursor.correlation_id}
        )
    return walk_.messages(condition, *span).order_by(sign + walk_.arrived, sign + walk_.correlation_id)


def _spans(
    widths: tuple[timedelta, int], older_than: Cursor | None, newer_than: Cursor | None
) -> Iterator[Span]:
    """Give the time that messages have arrived in, piece by piece from where a list begins, each longer.

    What many messages have is found in the first one, and the database sorts no more than that; what few have
    costs some questions.
    """
    times = models.Life.objects.aggregate(first=Min("arrived"), last=Max("arrived"))
    if times["first"] is None:
        return
    first, end = times["first"], times["last"] + _INSTANT
    width, growth = widths
    if newer_than is not None:
        begin = max(newer_than.arrived, first)
        while begin < end:
            yield begin, min(begin + width, end)
            begin, width = begin + width, min(width * growth, _EVER)
        return
    if older_than is not None:
        end = min(older_than.arrived + _INSTANT, end)
    while end > first:
        yield max(end - width, first), end
        end, width = end - width, min(width * growth, _EVER)


def _place(row: Row) -> Cursor:
    return Cursor(row.arrived, row.correlation_id)
