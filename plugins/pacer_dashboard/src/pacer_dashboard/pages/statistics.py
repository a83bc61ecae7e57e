"""Statistics: how many, how well and how fast; each chart with its table and its file."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from attrs import evolve
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_safe

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.pages import figures, text
from pacer_dashboard.pages.draw.chart import percent
from pacer_dashboard.pages.draw.svg import bars, curves
from pacer_dashboard.pages.export import cell
from pacer_dashboard.pages.figures import SERIES, SPANS, TABLES, Asked, Span
from pacer_dashboard.query import choices, counting
from pacer_dashboard.query import statistics as asking
from pacer_dashboard.query.errors import BadFilter
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.statistics import By, Numbers
from pacer_dashboard.query.viewer import Viewer

NOW = timedelta(minutes=5)
"""How long "now" is."""
NONE = "\N{EN DASH}"
_WORDS = {
    "hour": gettext_lazy("Hour"),
    "day": gettext_lazy("Day"),
    "week": gettext_lazy("Week"),
    "month": gettext_lazy("Month"),
    "quarter": gettext_lazy("Quarter"),
    "year": gettext_lazy("Year"),
}
_TITLES = {
    "by-type": gettext_lazy("Types"),
    "by-consumer": gettext_lazy("Consumers"),
    "by-instrument": gettext_lazy("Instruments"),
    "by-task": gettext_lazy("Tasks"),
}
_COLUMNS = {
    "messages": gettext_lazy("Messages"),
    "deliveries": gettext_lazy("Deliveries"),
    "retried": gettext_lazy("Retried"),
    "dead": gettext_lazy("Dead"),
    "failed": gettext_lazy("Failed"),
    "p50": "p50",
    "p95": "p95",
    "p99": "p99",
}
_FORMS = {"number": text.number, "share": percent, "time": text.duration}
_FILTERS = {By.TYPE: "types", By.CONSUMER: "consumers", By.INSTRUMENT: "instruments"}
_DRAW = {"outcomes": bars, "types": bars}


@require_safe
def statistics(request: HttpRequest) -> HttpResponse:
    """Show charts, the heat map and tables of a span."""
    wrong, filter_ = "", Filter()
    try:
        filter_ = _filter(request)
    except BadFilter as error:
        wrong = str(error)
    span = _span(request)
    asked = _asked(request, filter_, span)
    series = {by: asked.over_time(by) for by in (None, By.TYPE)}
    total, complete = asking.total(asked.viewer, filter_, asked.since, asked.until)
    query = urlencode({"span": span.name}) + (f"&{said}" if (said := filter_.to_query()) else "")
    charts = [
        (name, evolve(make(asked, series[by]), csv=_csv(name, query))) for name, (by, make) in SERIES.items()
    ]
    return render(
        request,
        "pacer_dashboard/statistics.html",
        {
            "since": asked.since,
            "until": asked.until,
            "bounded": not complete,
            "wrong": wrong,
            "span": span.name,
            "spans": [_choice(one, span, filter_) for one in SPANS],
            "fields": _fields(asked.viewer, filter_),
            "filtered": filter_ != Filter(),
            "figures": _figures(asked.viewer, filter_, total),
            "charts": [
                {"chart": chart, "drawing": _DRAW[name](chart) if name in _DRAW else curves(chart, log=True)}
                for name, chart in charts
            ],
            "heat": evolve(figures.failures(asked, series[By.TYPE]), csv=_csv("heat", query)),
            "tables": [_table(name, by, asked, query) for name, by in TABLES.items()],
        },
        status=400 if wrong else 200,
    )


@require_safe
def statistics_csv(request: HttpRequest, name: str) -> HttpResponse:
    """Give what a chart or a table shows as a file."""
    try:
        asked = _asked(request, _filter(request), _span(request))
    except BadFilter as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    lines: Iterable[Any]
    if name in SERIES:
        by, make = SERIES[name]
        lines = figures.csv_of_chart(make(asked, asked.over_time(by)))
    elif name == "heat":
        lines = figures.csv_of_heat(asked.over_time(By.TYPE))
    elif name in TABLES:
        lines = figures.csv_of_table(asked.lines(TABLES[name]))
    else:
        raise Http404
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    csv.writer(answer).writerows([cell(one) for one in line] for line in lines)
    return answer


def _filter(request: HttpRequest) -> Filter:
    """Read the filter; times are the span's."""
    return evolve(Filter.from_query(request.GET), since=None, until=None)


def _span(request: HttpRequest) -> Span:
    return next((one for one in SPANS if one.name == request.GET.get("span")), SPANS[1])


def _asked(request: HttpRequest, filter_: Filter, span: Span) -> Asked:
    until = timezone.now()
    return Asked(viewer_of(request), filter_, span.since(until), until, span.step)


def _csv(name: str, query: str) -> str:
    return f"{reverse('statistics-csv', args=(name,))}?{query}"


def _choice(one: Span, span: Span, filter_: Filter) -> dict[str, Any]:
    asked = filter_.to_query()
    url = f"?{urlencode({'span': one.name})}" + (f"&{asked}" if asked else "")
    return {"word": _WORDS[one.name], "on": one is span, "url": url}


def _fields(viewer: Viewer, filter_: Filter) -> list[dict[str, Any]]:
    known = choices.choices(viewer)
    return [
        {
            "name": name,
            "word": word,
            "every": every,
            "value": (values or ("",))[0],
            "choices": [*dict.fromkeys([*values, *all_])],
        }
        for name, word, every, values, all_ in (
            ("type", gettext("Type"), gettext("Every type"), filter_.types, known.types),
            ("consumer", gettext("Consumer"), gettext("Every consumer"), filter_.consumers, known.consumers),
            (
                "instrument",
                gettext("Instrument"),
                gettext("Every instrument"),
                filter_.instruments,
                known.instruments,
            ),
        )
    ]


def _figures(viewer: Viewer, filter_: Filter, total: Numbers) -> list[dict[str, Any]]:
    now = counting.estimate(viewer, evolve(filter_, since=timezone.now() - NOW))
    rate = text.number(round(now.number / (NOW / timedelta(minutes=1)), 1))
    return [
        {
            "what": gettext("now"),
            "value": gettext("{rate} / min").format(rate=rate if now.exact else f"> {rate}"),
            "more": gettext("of the last five minutes"),
        },
        {"what": gettext("messages"), "value": text.number(total.messages)},
        {
            "what": gettext("deliveries that failed"),
            "value": percent(total.error_rate),
            "more": gettext("{dead} dead, {retried} retried").format(
                dead=text.number(total.dead), retried=text.number(total.retried)
            ),
        },
        *(
            {
                "what": gettext("processing, {part}").format(part=part),
                "value": text.duration(getattr(total.processing, part)) or NONE,
                "more": gettext("{time} in the queue").format(
                    time=text.duration(getattr(total.queueing, part)) or NONE
                ),
            }
            for part in ("p50", "p95", "p99")
        ),
    ]


def _table(name: str, by: By, asked: Asked, query: str) -> dict[str, Any]:
    left_out = ("messages", "retried") if by is By.TASK else ()
    columns = [(column, of, form) for column, of, form in figures.COLUMNS if column not in left_out]
    lines = sorted(asked.lines(by).items(), key=lambda line: -line[1].sights)
    return {
        "title": _TITLES[name],
        "csv": _csv(name, query),
        "columns": [_TITLES[name], *(_COLUMNS[column] for column, _, _ in columns)],
        "rows": [
            {
                "name": line or NONE,
                "url": _list_of(by, line, asked.filter),
                "cells": [(_COLUMNS[column], _FORMS[form](of(numbers))) for column, of, form in columns],
            }
            for line, numbers in lines
        ],
    }


def _list_of(by: By, name: str, filter_: Filter) -> str:
    if by not in _FILTERS or not name:
        return ""
    narrowing: dict[str, Any] = {_FILTERS[by]: (name,)}
    narrowed = evolve(filter_, **narrowing)
    return f"{reverse('messages')}?{narrowed.to_query()}"
