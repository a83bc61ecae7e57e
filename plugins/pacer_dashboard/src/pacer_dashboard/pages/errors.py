"""Errors: failures that are the same one, and what people think of them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from attrs import evolve
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.pages.actions import Action, offered
from pacer_dashboard.pages.draw.chart import Chart, Line
from pacer_dashboard.pages.draw.svg import bars, spark
from pacer_dashboard.pages.present import COLUMNS, shown
from pacer_dashboard.query import groups, listing
from pacer_dashboard.query.errors import BadFilter, NotVisible
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.groups import Group
from pacer_dashboard.query.viewer import Right

SIZE = 50
_STATUSES = (
    ("open", gettext_lazy("Open")),
    ("resolved", gettext_lazy("Resolved")),
    ("ignored", gettext_lazy("Ignored")),
)
_ROWS = 20
_LARGEST = 2**63 - 1  # what a database has for a number
_COLUMNS = tuple(one for one in COLUMNS if one.name in ("state", "arrived", "type", "what", "error"))
ACTIONS = tuple(
    Action(f"errors-{name}", Right.ACT, word, icon)
    for name, word, icon in (
        ("resolve", gettext_lazy("Resolve"), "acked"),
        ("ignore", gettext_lazy("Ignore"), "ignored"),
        ("reopen", gettext_lazy("Open again"), "errors"),
        ("merge", gettext_lazy("Merge"), "follow"),
    )
)
SPLIT = (Action("errors-split", Right.ACT, gettext_lazy("Split off"), "follow"),)


@require_safe
def errors(request: HttpRequest) -> HttpResponse:
    """Show the groups of a status, of the messages that a filter finds."""
    viewer = viewer_of(request)
    status = request.GET.get("status", "open")
    if status not in dict(_STATUSES):
        status = "open"
    place = request.GET.get("offset", "0")
    offset = int(place) if place.isascii() and place.isdecimal() and len(place) < 7 else 0
    filter_, wrong = Filter(), ""
    try:
        filter_ = Filter.from_query(request.GET)
    except BadFilter as error:
        wrong = str(error)
    page = groups.page(viewer, filter_, statuses=(status,), offset=offset, size=SIZE)

    def at(**parameters: Any) -> str:
        asked = filter_.to_query()
        return f"?{urlencode({'status': status, **parameters})}" + (f"&{asked}" if asked else "")

    return render(
        request,
        "pacer_dashboard/errors.html",
        {
            "groups": [_listed(one) for one in page.groups],
            "statuses": [
                {"word": word, "on": name == status, "url": at(status=name)} for name, word in _STATUSES
            ],
            "wrong": wrong,
            "days": groups.DAYS,
            "actions": (actions := offered(ACTIONS, viewer)),
            "may_act": bool(actions),
            "newer_url": at(offset=max(offset - SIZE, 0)) if offset else "",
            "older_url": at(offset=offset + SIZE) if page.more else "",
        },
        status=400 if wrong else 200,
    )


@require_safe
def error(request: HttpRequest, id_: int) -> HttpResponse:
    """Show a group: how often it came, whom it touched, its latest messages."""
    viewer = viewer_of(request)
    try:
        group = groups.group(viewer, min(id_, _LARGEST))
    except NotVisible as why:
        raise Http404(str(why)) from None
    mine = Filter(group=group.id)
    chart = _days(group)
    list_url = f"{reverse('messages')}?{mine.to_query()}"
    return render(
        request,
        "pacer_dashboard/error.html",
        {
            "group": group,
            "chart": chart,
            "drawing": bars(chart),
            "rows": shown(listing.page(viewer, mine, size=_ROWS).rows),
            "columns": [one.name for one in _COLUMNS],
            "shown": _COLUMNS,
            "list_url": list_url,
            "touched": [*_touched(groups.touched(viewer, group.id), mine)],
            "merged": group.merged,
            "actions": (actions := offered(ACTIONS[:3], viewer)),
            "split": offered(SPLIT, viewer),
            "may_act": bool(actions),
        },
    )


def _listed(group: Group) -> dict[str, Any]:
    about = ngettext("{count} failure in {days} days", "{count} failures in {days} days", sum(group.days))
    return {
        "group": group,
        "url": reverse("error", args=(group.id,)),
        "spark": spark(group.days, about.format(count=sum(group.days), days=groups.DAYS)),
    }


def _days(group: Group) -> Chart:
    today = datetime.combine(datetime.now(UTC).date(), time.min, UTC)
    times = tuple(today - timedelta(days=back) for back in reversed(range(groups.DAYS)))
    days = Line(gettext("failures"), group.days, "bad")
    return Chart(gettext("Each day"), times, timedelta(days=1), (days,))


def _touched(touched: groups.Touched, mine: Filter) -> Any:
    """Give the proposals, instruments and people, each with the list of their messages."""
    messages = reverse("messages")
    for title, values, name_of in (
        (gettext("Proposals"), touched.proposals, "proposal"),
        (gettext("Instruments"), touched.instruments, "instrument"),
        (gettext("People"), touched.users, "user"),
    ):
        if values:
            yield {
                "title": title,
                "about": len(values),
                "names": [
                    (name, count, f"{messages}?{evolve(mine, identifiers=((name_of, name),)).to_query()}")
                    for name, count in values
                ],
            }
