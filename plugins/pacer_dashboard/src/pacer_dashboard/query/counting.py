"""How many messages a list has: exactly where they are few, and about so many where counting is dear."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from math import prod
from typing import Any

from attrs import frozen
from django.db import connection
from django.db.models import Q, QuerySet, Sum

from pacer_dashboard.models import Identifier, Message, Rollup
from pacer_dashboard.query import search, statistics, where
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.listing import Page
from pacer_dashboard.query.plans import along_indexes
from pacer_dashboard.query.spans import AT_ONCE, QUARTER, Span, Steps, ever
from pacer_dashboard.query.viewer import Right, Viewer
from pacer_dashboard.query.walks import Walk
from pacer_dashboard.query.where import Stream

COUNTED = 1000
"""How many messages are counted; of more than that, an estimate is given."""
COUNTED_IN_SEARCH = 250
"""How many are counted of a search in messages that have an identifier: of each, two tables are asked."""
SEARCHED = 2 * QUARTER
"""For how long back a search is counted: of what is older, an estimate is given."""
_ONE_TABLE, _JOINED = Steps(timedelta(days=16), 64), Steps(timedelta(days=16), 6, QUARTER)


@frozen
class Estimate:
    """How many there are; where it is not exact, about so many."""

    number: int
    exact: bool


def estimate(
    viewer: Viewer, filter_: Filter, right: Right = Right.VIEW, page: Page | None = None
) -> Estimate:
    """Give how many messages a list has: exactly up to `COUNTED` or `COUNTED_IN_SEARCH`, or about so many.

    Whoever has asked for a page of it gives that: where the page has all of the list, it is not asked again.
    """
    if page is not None and page.whole:
        return Estimate(len(page.rows), exact=True)
    streams = where.streams(viewer, filter_, right)
    bounds = ever(filter_.begin, filter_.end)
    most = COUNTED_IN_SEARCH if any(one.words and one.having for one in streams) else COUNTED
    counted, looked_at = _counted(streams, bounds, most)
    if counted > most:
        summed = statistics.on_sums(viewer, filter_) if right is Right.VIEW else None
        about = _planned(streams, bounds) if summed is None else _summed(summed, bounds)
        return Estimate(max(about, counted), exact=False)
    if looked_at < 1:
        return Estimate(round(counted / looked_at), exact=False)
    return Estimate(counted, exact=True)


def _counted(streams: list[Stream], bounds: Span, most: int) -> tuple[int, float]:
    """Count the messages of all streams together, each once, until there are more than ``most``.

    Give what part of the time was looked at as well: a search is not counted for longer than `SEARCHED`.
    """
    walks = [one for stream in streams for one in stream.walks()]
    searched = bounds[1] - SEARCHED if any(one.words for one in streams) else bounds[0]
    begin = max(bounds[0], searched)
    found: set[str] = set()
    with along_indexes():
        for span in _steps(walks).backward((begin, bounds[1])):
            for walk in walks:
                found |= walk.within(*span).ids(*span, most + 1)
                if len(found) > most:
                    return len(found), 1
    return len(found), (bounds[1] - begin) / (bounds[1] - bounds[0]) if begin > bounds[0] else 1


def _steps(walks: list[Walk]) -> Steps:
    if all(one.places is not None for one in walks):
        return AT_ONCE
    return _JOINED if any(one.joins and one.alone is None for one in walks) else _ONE_TABLE


def _summed(condition: Q, bounds: Span) -> int:
    """Give how many there were since the first month of which there are any still."""
    rows = Rollup.objects.filter(condition, step=Rollup.Step.MONTH, task="")
    month = statistics.bucket_of(bounds[0], statistics.Step.MONTH)
    return rows.filter(bucket__gte=month).aggregate(all=Sum("messages"))["all"] or 0


def _planned(streams: list[Stream], bounds: Span) -> int:
    """Give what PostgreSQL's planner expects of each part, as if one had nothing to do with another; or 0.

    What is found in payloads stands in identifiers and errors as well, often.
    """
    if connection.vendor != "postgresql":
        return 0
    every = _summed(Q(), bounds) or 1
    sums = {False: 0.0, True: 0.0}
    for stream in streams:
        sums[stream.in_payload] += every * prod(min(_expected(one) / every, 1) for one in _parts(stream))
    return round(max(sums.values()))


def _parts(stream: Stream) -> Iterator[QuerySet[Any]]:
    """Give a stream's conditions, each on one table: to plan for several together is dear."""
    yield Message.objects.filter(stream.of_messages())
    for key, values in stream.having:
        yield Identifier.objects.filter(key=key, value__in=values)
    if stream.in_payload:
        yield search.payloads(stream.words, stream.begin, stream.end)


def _expected(rows: QuerySet[Any]) -> int:
    plan = rows.order_by().values("correlation_id").explain(format="json")
    return int(json.loads(plan)[0]["Plan"]["Plan Rows"]) if plan else 0  # of what nothing can meet
