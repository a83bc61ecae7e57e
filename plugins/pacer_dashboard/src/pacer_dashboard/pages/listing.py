"""The list of messages: what its address says is the whole of its state."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from pacer_dashboard.access.asking import owner_of, viewer_of
from pacer_dashboard.pages import saved, saving
from pacer_dashboard.pages.actions import BULK, offered
from pacer_dashboard.pages.fields import chips, fields, unshown
from pacer_dashboard.pages.present import COLUMNS, chosen_columns, shown
from pacer_dashboard.query import changes, counting, listing
from pacer_dashboard.query.errors import BadFilter
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.viewer import Right

SIZE = 50
_PLACES = ("after", "before")


@require_safe
def messages(request: HttpRequest) -> HttpResponse:
    """Show a page of the list."""
    if any(not value for _, value in _pairs(request.GET)):  # a form sends its empty fields as well
        return HttpResponseRedirect(_without_blanks(request.GET))
    if not request.GET and (first := saving.first_of(owner_of(request))) is not None:
        return HttpResponseRedirect(f"{reverse('messages')}?{first.query}")
    viewer = viewer_of(request)
    revision = changes.newest()  # before the rows: what changes meanwhile is told twice rather than never
    wrong, filter_ = "", Filter()
    page = listing.Page((), None, None)
    try:
        filter_ = Filter.from_query(request.GET)
        after, before = (request.GET.get(one) for one in _PLACES)
        page = listing.page(viewer, filter_, after=after, before=before, size=SIZE)
    except BadFilter as error:
        wrong = str(error)
    columns = chosen_columns(request.GET.getlist("column"))
    base = _base(request, filter_)
    in_form = fields(viewer, filter_)
    context = {
        "rows": shown(page.rows),
        "columns": [column.name for column in columns],
        "shown": columns,
        "choosable": [
            {"name": one.name, "word": one.word, "on": one in columns}
            for one in COLUMNS
            if one.name != "type"
        ],
        "may_act": bool(actions := offered(BULK, viewer)),
        "actions": actions,
        "wrong": wrong,
        "query": base.urlencode(),
        "kept": [(name, value) for name, value in _pairs(base) if name != "column"],
        "unshown": unshown(base, in_form),
        "chips": chips(filter_, base),
        "fields": in_form,
        "field": {"text": {"name": "q", "value": filter_.text}},
        "states": _states(filter_, base),
        "spans": _spans(filter_, base),
        "count": None if wrong else counting.estimate(viewer, filter_, page=page),
        "sees_nothing": not viewer.has(Right.VIEW),
        "revision": revision,
        "first": not wrong and not any(request.GET.get(one) for one in _PLACES),
        "size": SIZE,
        "live_url": f"{reverse('live')}?{base.urlencode()}" if _streams(request) else "",
        "older_url": _at(base, "after", page.older),
        "newer_url": _at(base, "before", page.newer),
        "newest_url": f"?{base.urlencode()}" if base else "?all=1",
        "csv_url": f"{reverse('export', args=('csv',))}?{base.urlencode()}",
        "jsonl_url": f"{reverse('export', args=('jsonl',))}?{base.urlencode()}",
        **saved.context(request, base),
    }
    return render(request, "pacer_dashboard/list.html", context, status=400 if wrong else 200)


def _streams(request: HttpRequest) -> bool:
    """Tell whether there is a live stream: not under WSGI, and not for whoever sees nothing."""
    return isinstance(request, ASGIRequest) and viewer_of(request).has(Right.VIEW)


def _base(request: HttpRequest, filter_: Filter) -> QueryDict:
    """Give the filter and the columns as parameters, without the place in the list."""
    base = QueryDict(filter_.to_query(), mutable=True)
    for column in request.GET.getlist("column"):
        base.appendlist("column", column)
    return base


def _without_blanks(query: QueryDict) -> str:
    clean = QueryDict(mutable=True)
    for name, value in _pairs(query):
        if value:
            clean.appendlist(name, value)
    return f"{reverse('messages')}?{clean.urlencode() or 'all=1'}"


def _pairs(query: QueryDict) -> Iterator[tuple[str, str]]:
    for name, values in query.lists():
        for value in values:
            yield name, str(value)


def _at(base: QueryDict, parameter: str, place: str | None) -> str:
    if place is None:
        return ""
    query = base.copy()
    query[parameter] = place
    return f"?{query.urlencode()}"


def with_(base: QueryDict, filter_: Filter) -> str:
    """Give the address of another filter, with the columns that are shown."""
    query = QueryDict(filter_.to_query(), mutable=True)
    query.setlist("column", base.getlist("column"))
    return f"?{query.urlencode()}" if query.urlencode() else "?all=1"


def _states(filter_: Filter, base: QueryDict) -> list[dict[str, Any]]:
    words = (
        ((), gettext("All")),
        (("acked",), gettext("Done")),
        (("retried",), gettext("Retrying")),
        (("dead",), gettext("Dead")),
    )
    return [
        {"word": word, "on": set(filter_.states) == set(one), "url": with_(base, evolve(filter_, states=one))}
        for one, word in words
    ]


def _spans(filter_: Filter, base: QueryDict) -> list[dict[str, Any]]:
    now = timezone.localtime().replace(second=0, microsecond=0)
    today = now.date()
    words = (
        (None, gettext("Any time")),
        (today - timedelta(days=6), gettext("7 days")),
        (today, gettext("Today")),
        (now - timedelta(hours=1), gettext("Hour")),
    )
    return [
        {
            "word": word,
            "on": filter_.until is None
            and (filter_.since == one or (isinstance(one, datetime) and isinstance(filter_.since, datetime))),
            "url": with_(base, evolve(filter_, since=one, until=None)),
        }
        for one, word in words
    ]
