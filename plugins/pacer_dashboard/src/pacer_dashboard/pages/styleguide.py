"""Every part that pages are put together from, on one page; only where DEBUG is on."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from pacer_dashboard.pages.draw.chart import Chart, Line, lengths
from pacer_dashboard.pages.draw.heat import heat
from pacer_dashboard.pages.draw.svg import bars, curves, spark

_POINTS = 48
_START = datetime(2026, 3, 2, tzinfo=UTC)


def styleguide(request: HttpRequest) -> HttpResponse:
    """Show the parts."""
    if not settings.DEBUG:
        raise Http404
    counts, times = _counts(), _lengths()
    return render(
        request,
        "pacer_dashboard/styleguide.html",
        {
            "counts": counts,
            "drawn_counts": bars(counts),
            "times": times,
            "drawn_times": curves(times, log=True),
            "spark": spark(
                [0, 0, 1, 4, 2, 0, 0, 9, 3, 1, 0, 2, 0, 5], "Failures of fourteen days, at most 9 a day"
            ),
            "heat": heat(
                "Share of failures",
                [f"2026-03-{day:02}" for day in range(1, 29)],
                {
                    name: [((day * times) % 11 * (day % 3 == 0), 80 * (day % 7 != 0)) for day in range(1, 29)]
                    for name, times in {
                        "datasets": 3,
                        "investigations": 1,
                        "users": 0,
                        "dataset-links": 7,
                    }.items()
                },
            ),
            "states": ["acked", "retried", "dead", "open", "resolved", "ignored", "unknown", "missing"],
            "hostile": "<script>alert(1)</script> \x1b[31mred\x1b[0m \u202eturned\u202c 🦀 " + "long" * 30,
        },
    )


def _times() -> tuple[datetime, ...]:
    return tuple(_START + timedelta(hours=at) for at in range(_POINTS))


def _counts() -> Chart:
    good = tuple(round(300 + 250 * math.sin(at / 5)) for at in range(_POINTS))
    return Chart(
        "Messages",
        _times(),
        timedelta(hours=1),
        (
            Line("done", good, "good"),
            Line("retried", tuple(at % 13 * 4 for at in range(_POINTS)), "warn"),
            Line("dead", tuple(at % 17 * 2 for at in range(_POINTS)), "bad"),
        ),
    )


def _lengths() -> Chart:
    median = [None if at in (20, 21) else 0.08 + 0.05 * math.sin(at / 4) for at in range(_POINTS)]
    return Chart(
        "Processing time",
        _times(),
        timedelta(hours=1),
        tuple(
            Line(name, tuple(None if one is None else one * times for one in median), style)
            for name, times, style in (
                ("p50", 1, "series-1"),
                ("p95", 6, "series-2"),
                ("p99", 40, "series-3"),
            )
        ),
        form=lengths,
    )
