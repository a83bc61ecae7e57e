"""The time that messages have arrived in, piece by piece, so that a question reads no more than it needs.

What many messages have is found in the first piece; what few have costs some statements more. PostgreSQL
plans for every month that a statement may look at: of one table that is little, but where two are joined it
grows with the square of the months, so that a quarter at a time is cheaper than all at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from attrs import frozen
from django.db.models import Max, Min

from pacer_dashboard.models import Life

INSTANT = timedelta(microseconds=1)
EVER = timedelta(days=36_500)
QUARTER = timedelta(days=93)
Span = tuple[datetime, datetime]
"""From a time on, and before another one."""
_NEVER = datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@frozen
class Steps:
    """How long the first span is, how many times longer each further one, and how long the longest."""

    first: timedelta
    growth: int
    longest: timedelta = EVER

    def backward(self, bounds: Span) -> Iterator[Span]:
        """Give the spans from the end of one down to its begin."""
        begin, end = bounds
        width = self.first
        while end > begin:
            yield max(end - width, begin), end
            end, width = end - width, min(width * self.growth, self.longest)

    def forward(self, bounds: Span) -> Iterator[Span]:
        """Give the spans from the begin of one up to its end."""
        begin, end = bounds
        width = self.first
        while begin < end:
            yield begin, min(begin + width, end)
            begin, width = begin + width, min(width * self.growth, self.longest)


AT_ONCE = Steps(EVER, 1)


def ever(begin: datetime | None = None, end: datetime | None = None) -> Span:
    """Give the part of a span in which messages have arrived: one that is empty where none have."""
    times = Life.objects.aggregate(first=Min("arrived"), last=Max("arrived"))
    if times["first"] is None:
        return _NEVER
    first, last = times["first"], times["last"] + INSTANT
    return max(first, begin or first), min(last, end or last)
