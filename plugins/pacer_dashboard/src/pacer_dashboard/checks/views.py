"""Pages of the checks: every investigation that is looked after, and the history of one."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.again.requests import LARGEST
from pacer_dashboard.checks.schedule import trouble
from pacer_dashboard.models import CheckRun, InvestigationCheck
from pacer_dashboard.query import Right, Viewer

SIZE = 100
_TYPE = "investigation-operations"


class _About:
    """What a role is asked about for an investigation: the type of its operations, and its name."""

    def __init__(self, check: InvestigationCheck) -> None:
        self.type = _TYPE
        self.identifiers = {
            "investigation": check.investigation,
            "proposal": check.investigation,
            "visit": check.visit_id,
        }


def may_see(viewer: Viewer, check: InvestigationCheck) -> bool:
    """Tell whether a viewer may see the checks of an investigation: as he does messages about it."""
    return viewer.may(Right.VIEW, _About(check))


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """Show the investigations that are looked after, and the last runs."""
    viewer = viewer_of(request)
    if not viewer.has(Right.VIEW):
        raise PermissionDenied
    wanted = request.GET.get("show", "lacking")
    found = InvestigationCheck.objects.order_by("-ended", "-id")
    if wanted == "lacking":
        found = found.filter(settled=False)
    rows = found if viewer.everything else [one for one in found if may_see(viewer, one)]
    return render(
        request,
        "pacer_dashboard/checks.html",
        {
            "page": Paginator(rows, SIZE).get_page(request.GET.get("page")),
            "wanted": wanted,
            "runs": CheckRun.objects.order_by("-id")[:10],
            "trouble": trouble(),
        },
    )


@require_safe
def shown(request: HttpRequest, id_: int) -> HttpResponse:
    """Show the history of an investigation's checks."""
    check = InvestigationCheck.objects.filter(id=min(id_, LARGEST)).first()
    if check is None or not may_see(viewer_of(request), check):
        raise Http404(f"check {id_}")
    looks = check.looks.order_by("-id")[:500]
    return render(request, "pacer_dashboard/check.html", {"check": check, "looks": looks})
