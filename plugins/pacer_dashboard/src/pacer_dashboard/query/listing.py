"""Lists of messages, newest first, page by page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from attrs import frozen
from django.db.models import Q

from pacer_dashboard.query import where
from pacer_dashboard.query.errors import BadFilter
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.plans import along_indexes
from pacer_dashboard.query.rows import Row
from pacer_dashboard.query.spans import AT_ONCE, INSTANT, QUARTER, Span, Steps, ever
from pacer_dashboard.query.viewer import Right, Viewer
from pacer_dashboard.query.walks import Found, Walk
from pacer_dashboard.query.where import Stream

LARGEST = 500
"""Rows of a page."""
_CHUNK = 500
_ONE_TABLE, _JOINED = Steps(timedelta(days=31), 12), Steps(timedelta(days=31), 3, QUARTER)
_SEARCHED = Steps(timedelta(hours=6), 16, QUARTER)


@frozen
class Page:
    """Some messages, newest first, and the cursors of the pages beside it: ``None`` where there is none."""

    rows: tuple[Row, ...]
    older: str | None
    newer: str | None
    whole: bool = False
    """Whether these are all the messages that the list has."""


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
        return Page(
            tuple(rows),
            older=str(_place(rows[-1])) if rows else before,
            newer=str(_place(rows[0])) if more else None,
        )
    start = None if after is None else Cursor.read("after", after)
    rows = _merged(found, size + 1, older_than=start)
    more, rows = len(rows) > size, rows[:size]
    return Page(
        tuple(rows),
        older=str(_place(rows[-1])) if more else None,
        newer=str(_place(rows[0])) if rows and start is not None else None,
        whole=start is None and not more,
    )


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


def _merged(
    streams: list[Stream], size: int, *, older_than: Cursor | None = None, newer_than: Cursor | None = None
) -> list[Row]:
    """Give the first messages of all streams together, each once; the newest first, or the oldest one."""
    found: dict[Cursor, Row] = {}
    walks = [one for stream in streams for one in stream.walks()]
    newest = newer_than is None
    with along_indexes():
        for span in _spans(streams, walks, older_than, newer_than):
            for walk_ in (one.within(*span) for one in walks):
                for message in walk_.first(
                    _beyond(walk_, older_than, newer_than), *span, size, newest=newest
                ):
                    row = Row.of(message)
                    found[_place(row)] = row
            if len(found) >= size:
                break
    places = sorted(found, reverse=newest)
    return [found[one] for one in places[:size]]


def _beyond(walk_: Walk | Found, older_than: Cursor | None, newer_than: Cursor | None) -> Q:
    """Give the condition that a message of a walk comes after a place in its list."""
    cursor, comparison = (older_than, "lt") if newer_than is None else (newer_than, "gt")
    if cursor is None:
        return Q()
    return Q(**{f"{walk_.arrived}__{comparison}": cursor.arrived}) | Q(
        **{walk_.arrived: cursor.arrived, f"{walk_.correlation_id}__{comparison}": cursor.correlation_id}
    )


def _steps(streams: list[Stream], walks: list[Walk]) -> Steps:
    if all(one.places is not None for one in walks):
        return AT_ONCE
    if any(one.words for one in streams):
        return _SEARCHED
    return _JOINED if any(one.joins for one in walks) else _ONE_TABLE


def _spans(
    streams: list[Stream], walks: list[Walk], older_than: Cursor | None, newer_than: Cursor | None
) -> Iterator[Span]:
    """Give the time that messages have arrived in, piece by piece from where a list begins."""
    asked = next(iter(streams), Stream(Q()))
    begin, end = ever(asked.begin, asked.end)
    steps = _steps(streams, walks)
    if newer_than is not None:
        return steps.forward((max(begin, newer_than.arrived), end))
    return steps.backward((begin, end if older_than is None else min(end, older_than.arrived + INSTANT)))


def _place(row: Row) -> Cursor:
    return Cursor(row.arrived, row.correlation_id)
