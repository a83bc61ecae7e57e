"""One message: its whole life, and what was in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from attrs import frozen
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_safe

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.pages.actions import Action, offered
from pacer_dashboard.pages.difference import named, of_sights
from pacer_dashboard.pages.links import message_url
from pacer_dashboard.pages.payload import show
from pacer_dashboard.pages.present import ListRow, shown
from pacer_dashboard.query import life
from pacer_dashboard.query.errors import NotVisible
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.life import Life
from pacer_dashboard.query.rows import Row, SightView
from pacer_dashboard.query.viewer import Right, Viewer

ONE = (
    Action("again-one", Right.REINGEST, gettext_lazy("Send again…"), "again"),
    Action("acknowledge", Right.ACT, gettext_lazy("Acknowledge"), "acknowledge", post=True),
)
_IDENTIFIERS = 100


@frozen
class TaskLine:
    """A task of a sight: ``share`` is its part of the longest one's time, 0 to 100."""

    name: str
    state: str
    icon: str
    style: str
    word: str
    seconds: float | None
    share: float | None


@frozen
class Step:
    """A sight as a step of the life; ``pause`` is the time to the next one of its consumer."""

    sight: SightView
    took: float
    waited: float | None
    pause: float | None
    tasks: tuple[TaskLine, ...]
    failures: tuple[dict[str, Any], ...]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sight, name)

    @property
    def dead(self) -> bool:
        """Whether it ended in a dead queue."""
        return self.sight.outcome == "dead"


@require_safe
def message(request: HttpRequest, correlation_id: str | None = None) -> HttpResponse:
    """Show a message: what is not there and what is not for this viewer look the same."""
    viewer = viewer_of(request)
    asked = request.GET.get("id", "") if correlation_id is None else correlation_id
    try:
        found = life.life(viewer, asked)
    except NotVisible as error:
        raise Http404(str(error)) from None
    row = found.message
    kept = [one for one in found.sights if one.digest]
    return render(
        request,
        "pacer_dashboard/message.html",
        {
            "message": ListRow(row),
            "steps": [*_steps(found)],
            "origin": _origin(found),
            "again": shown(found.again),
            "identifiers": [
                (key, value, _with_identifier(key, value))
                for key, value in [*row.identifiers.items()][:_IDENTIFIERS]
            ],
            "actions": _actions(viewer, row),
            "may_read": viewer.may(Right.PERSONAL, row),
            **_payloads(request, viewer, row, kept),
        },
    )


@require_safe
def raw(request: HttpRequest) -> HttpResponse:
    """Give the body of a sight as it came, for whoever may see what is in it; always as a file to keep."""
    asked, sight = request.GET.get("id", ""), request.GET.get("sight", "")
    try:
        body = life.payload(viewer_of(request), asked, sight)
    except NotVisible as error:
        raise Http404(str(error)) from None
    # As bytes: a browser that took it for a page would run what is in it.
    answer = HttpResponse(body, content_type="application/octet-stream")
    answer["Content-Disposition"] = 'attachment; filename="payload"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _steps(found: Life) -> Iterator[Step]:
    for at, sight in enumerate(found.sights):
        later = next((one for one in found.sights[at + 1 :] if one.consumer == sight.consumer), None)
        waited = (sight.started - sight.first_seen).total_seconds() if sight.attempt == 1 else None
        yield Step(
            sight=sight,
            took=(sight.finished - sight.started).total_seconds(),
            waited=waited if waited is not None and waited >= 0 else None,
            pause=None if later is None else max((later.started - sight.finished).total_seconds(), 0.0),
            tasks=tuple(_tasks(sight)),
            failures=tuple(_failures(sight, found.message)),
        )


def _tasks(sight: SightView) -> Iterator[TaskLine]:
    """Give the tasks that ran, in their order, and those that are left."""
    failed = {one.task for one in sight.failures}
    longest = max(sight.timings.values(), default=0.0) or 1.0
    for name in dict.fromkeys([*sight.timings, *sight.done, *failed]):
        seconds = sight.timings.get(name)
        bad = name in failed
        before = seconds is None and not bad
        yield TaskLine(
            name=name,
            state="failed" if bad else "done",
            icon="dead" if bad else "acked",
            style=("warn" if sight.outcome == "retried" else "bad") if bad else "series-1",
            word=gettext("done before") if before else "",
            seconds=seconds,
            share=None if seconds is None else round(max(seconds / longest * 100, 1.0), 1),
        )
    for name in sight.pending:
        if name not in failed:
            yield TaskLine(name, "left", "pause", "none", gettext("not yet"), None, None)


def _failures(sight: SightView, row: Row) -> Iterator[dict[str, Any]]:
    for one in sight.failures:
        latest = row.group is not None and one.task == row.task and one.reason == row.reason
        yield {
            "task": one.task,
            "kind": one.kind,
            "reason": one.reason,
            "fields": [{"path": path, "message": said} for path, said in one.fields],
            "group": reverse("error", args=(row.group,)) if latest else "",
        }


def _origin(found: Life) -> dict[str, Any] | None:
    """Give what it was sent again from; one that the viewer does not see is not named."""
    if found.origin is None:
        return None
    row = found.origin
    return {
        "correlation_id": row.correlation_id,
        "arrived": row.arrived,
        "url": message_url(row.correlation_id),
    }


def _actions(viewer: Viewer, row: Row) -> list[dict[str, Any]]:
    found = offered(ONE, viewer, row)
    for one in found:
        if not one["post"]:
            one["url"] += f"?{urlencode({'id': row.correlation_id})}"
    return [one for one in found if not (one["name"] == "acknowledge" and row.acknowledged_at)]


def _with_identifier(key: str, value: str) -> str:
    return f"{reverse('messages')}?{Filter(identifiers=((key, value),)).to_query()}"


def _payloads(request: HttpRequest, viewer: Viewer, row: Row, kept: Sequence[SightView]) -> dict[str, Any]:
    """Give the different bodies there were, the one that is shown, or the difference of two."""
    different = {one.digest: one for one in kept}
    by_id = {one.id: one for one in kept}
    if not different:
        return {"bodies": [], "payload": None}
    names = [*different.values()]
    base = {"id": row.correlation_id}

    def url(**parameters: str) -> str:
        return f"{reverse('message-by-id')}?{urlencode({**base, **parameters})}#payload"

    try:
        left, right = by_id.get(request.GET.get("a", "")), by_id.get(request.GET.get("b", ""))
        diff = None if left is None or right is None else of_sights(viewer, row.correlation_id, left, right)
        one = by_id.get(request.GET.get("sight", ""), names[0])
        body = life.payload(viewer, row.correlation_id, one.id)
    except NotVisible:  # its time ended meanwhile
        return {"bodies": [], "payload": None}
    payload = show(body)
    return {
        "bodies": [
            {
                "word": named(each),
                "url": url(sight=each.id),
                "here": diff is None and each.digest == one.digest,
            }
            for each in names
        ],
        "diff_url": url(a=names[0].id, b=names[-1].id) if len(names) > 1 else "",
        "diff": diff,
        "payload": {
            "html": payload.html,
            "language": payload.language,
            "size": payload.size,
            "cut": payload.cut,
            "raw": f"{reverse('raw')}?{urlencode({**base, 'sight': one.id})}",
        },
    }
