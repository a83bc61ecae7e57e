"""Messages: lists, lives, payloads, exports and changes."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from ninja import Query, Router
from ninja.params import functions as parameters

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.access.counts import public_counts
from pacer_dashboard.api.filters import FilterIn, filter_of, only, plain
from pacer_dashboard.api.schemas import (
    ChangesOut,
    CountsOut,
    DifferenceOut,
    EstimateOut,
    LifeOut,
    MeOut,
    PageOut,
)
from pacer_dashboard.pages.difference import of_sights
from pacer_dashboard.pages.export import export_list
from pacer_dashboard.query import changes, counting, life, listing
from pacer_dashboard.query.errors import NotVisible

router = Router(tags=["messages"])
LARGEST_REVISION = 2**63 - 1
FORM = parameters.Query("jsonl", alias="format")
ID = parameters.Query(..., description="The correlation id.")
SIGHT = parameters.Query(..., description="The id of one of its sights.")


@router.get("/messages", response=PageOut, summary="A page of messages, newest first")
def messages(
    request: HttpRequest,
    filter_: Query[FilterIn],
    after: str | None = None,
    before: str | None = None,
    size: int = parameters.Query(50, ge=1, le=listing.LARGEST),
) -> Any:
    """Page by page: ``older`` of an answer is ``after`` of the next. What arrives meanwhile moves nothing."""
    asked = filter_of(request, "after", "before", "size")
    return listing.page(viewer_of(request), asked, after=after, before=before, size=size)


@router.get("/messages/estimate", response=EstimateOut, summary="How many messages a filter finds")
def estimate(request: HttpRequest, filter_: Query[FilterIn]) -> Any:
    """Count exactly up to a thousand, or to 250 where a search and an identifier are asked for together."""
    return counting.estimate(viewer_of(request), filter_of(request))


@router.get("/messages/export", summary="All that a filter finds, as a file", response={200: None})
def export(
    request: HttpRequest, filter_: Query[FilterIn], form: Literal["csv", "jsonl"] = FORM
) -> HttpResponseBase:
    """Stream a file of all messages that a filter finds."""
    filter_of(request, "format")
    return export_list(request, form)


@router.get("/message", response=LifeOut, summary="All that became of a message")
def message(request: HttpRequest, id: str = ID) -> Any:  # noqa: A002 - the parameter's name
    """Give a message with its sights and its relatives."""
    only(request, {"id"})
    return life.life(viewer_of(request), plain("id", id))


@router.get("/payload", summary="The payload of a sight", response={200: None})
def payload(request: HttpRequest, id: str = ID, sight: str = SIGHT) -> HttpResponse:  # noqa: A002 - as above
    """Give the payload as it was, as a download that no browser runs."""
    only(request, {"id", "sight"})
    body = life.payload(viewer_of(request), plain("id", id), plain("sight", sight))
    answer = HttpResponse(body, content_type="application/octet-stream")
    answer.headers["Content-Disposition"] = 'attachment; filename="payload"'
    return answer


@router.get("/difference", response=DifferenceOut, summary="How the payloads of two sights differ")
def difference(request: HttpRequest, id: str = ID, a: str = SIGHT, b: str = SIGHT) -> Any:  # noqa: A002 - as above
    """Compare them as the pages do: what is on the left is of ``a``, and what is on the right of ``b``."""
    only(request, {"id", "a", "b"})
    viewer, correlation_id = viewer_of(request), plain("id", id)
    sights = {one.id: one for one in life.life(viewer, correlation_id).sights}
    left, right = (sights.get(plain(name, value)) for name, value in (("a", a), ("b", b)))
    if left is None or right is None:
        raise NotVisible(f"sight of {correlation_id}")
    return of_sights(viewer, correlation_id, left, right)


@router.get("/changes", response=ChangesOut, summary="What is new or has changed since a revision")
def changed(
    request: HttpRequest,
    filter_: Query[FilterIn],
    revision: int = parameters.Query(..., ge=0, le=LARGEST_REVISION),
    limit: int = parameters.Query(200, ge=1, le=1000),
) -> Any:
    """Ask again with the answer's ``revision``, and no change is missed."""
    asked = filter_of(request, "revision", "limit")
    return changes.since(viewer_of(request), asked, revision, limit)


@router.get(
    "/counts", response=CountsOut, summary="Counts that everybody may see", auth=None, tags=["access"]
)
def counts(request: HttpRequest) -> Any:
    """Give counts of the last day, without a login; where that is not switched on, there is nothing here."""
    only(request, ())
    found = public_counts()
    if found is None:
        raise NotVisible("count for everybody")
    return found


@router.get("/me", response=MeOut, summary="Who you are, and what you may", tags=["access"])
def me(request: HttpRequest) -> Any:
    """Give the rules under which this call was answered."""
    only(request, ())
    viewer = viewer_of(request)
    return {
        "name": viewer.name,
        "everything": viewer.everything,
        "rules": [
            {
                "types": "*" if rule.types is None else sorted(rule.types),
                "identifiers": {key: sorted(values) for key, values in rule.identifiers.items()} or "*",
                "rights": sorted(right.value for right in rule.rights),
            }
            for rule in viewer.rules
        ],
    }
