"""The page for the wall: each PACER, its workers, queues and breakers, and what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.query import Right
from pacer_dashboard.system import watching


@require_safe
def system(request: HttpRequest) -> HttpResponse:
    """Show how PACER is; a part of the page asks for itself every few seconds."""
    viewer = viewer_of(request)
    if not viewer.has(Right.VIEW):
        raise PermissionDenied
    pacers = watching.look()
    part = "HX-Request" in request.headers
    return render(
        request,
        "pacer_dashboard/system_part.html" if part else "pacer_dashboard/system.html",
        {
            "pacers": pacers,
            "now": datetime.now(UTC),
            "variable": watching.PACERS,
            "dead": sum(one.dead for one in pacers),
            "troubled": sum(not one.answers or not one.said.get("ready") for one in pacers),
        },
    )
