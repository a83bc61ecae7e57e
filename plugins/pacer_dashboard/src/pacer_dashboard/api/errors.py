"""Error groups."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query, Router
from ninja.params import functions as parameters

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.api.bodies import id_of
from pacer_dashboard.api.filters import FilterIn, filter_of, only
from pacer_dashboard.api.schemas import GroupOut, GroupPageOut, TouchedOut
from pacer_dashboard.query import groups

router = Router(tags=["errors"])
Status = Literal["open", "resolved", "ignored"]
OPEN = parameters.Query(["open"])


@router.get("/errors", response=GroupPageOut, summary="Error groups, that with the latest failure first")
def errors(
    request: HttpRequest,
    filter_: Query[FilterIn],
    status: list[Status] = OPEN,
    offset: int = parameters.Query(0, ge=0, le=100_000),
    size: int = parameters.Query(50, ge=1, le=200),
) -> Any:
    """With a filter, counts are those of the messages that it finds."""
    asked = filter_of(request, "status", "offset", "size")
    return groups.page(viewer_of(request), asked, statuses=status, offset=offset, size=size)


@router.get("/errors/{int:group}", response=GroupOut, summary="An error group")
def error(request: HttpRequest, group: int) -> Any:
    """Give a group, or the one that it was merged into."""
    only(request, ())
    return groups.group(viewer_of(request), id_of(group))


@router.get("/errors/{int:group}/touched", response=TouchedOut, summary="Whom and what an error has touched")
def touched(request: HttpRequest, group: int) -> Any:
    """Give proposals, instruments and people, the most frequent ones first."""
    only(request, ())
    viewer = viewer_of(request)
    return groups.touched(viewer, groups.group(viewer, id_of(group)).id)
