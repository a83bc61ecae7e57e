"""Statistics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query, Router

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.api.filters import FilterIn, filter_of
from pacer_dashboard.api.schemas import SeriesOut, StatisticsOut
from pacer_dashboard.query import statistics
from pacer_dashboard.query.filters import Filter

router = Router(tags=["statistics"])
By = Literal["type", "consumer", "instrument", "task"]
WITHOUT_A_SINCE = timedelta(days=7)


@router.get("/statistics", response=StatisticsOut, summary="Counts and times of a span")
def table(request: HttpRequest, filter_: Query[FilterIn], by: By | None = None) -> Any:
    """Give the numbers from ``since`` to ``until``; of the last seven days where these are not said."""
    asked = filter_of(request, "by")
    since, until = _span(asked)
    return statistics.table(viewer_of(request), _rest(asked), since, until, by and statistics.By(by))


@router.get("/statistics/series", response=SeriesOut, summary="Counts and times over time")
def series(
    request: HttpRequest,
    filter_: Query[FilterIn],
    by: By | None = None,
    step: Literal["hour", "day", "month"] | None = None,
) -> Any:
    """Give the numbers of every hour, day or month of a span; a step that suits it where none is said."""
    asked = filter_of(request, "by", "step")
    since, until = _span(asked)
    found = statistics.series(
        viewer_of(request),
        _rest(asked),
        since,
        until,
        step=step and statistics.Step[step.upper()],
        by=by and statistics.By(by),
    )
    return {"step": found.step.name.lower(), "lines": found.lines, "complete": found.complete}


def _span(asked: Filter) -> tuple[datetime, datetime]:
    until = asked.end or datetime.now(UTC)
    return asked.begin or until - WITHOUT_A_SINCE, until


def _rest(asked: Filter) -> Filter:
    """Give a filter without its span, which is said beside it."""
    from attrs import evolve

    return evolve(asked, since=None, until=None)
