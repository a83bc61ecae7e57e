"""Pages of saved views, and the menu of them above the list."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseForbidden, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from pacer_dashboard.access.asking import owner_of
from pacer_dashboard.again.requests import LARGEST
from pacer_dashboard.models.views import SavedView
from pacer_dashboard.pages import saving
from pacer_dashboard.query import NotVisible

_CHANGES: dict[str, dict[str, bool]] = {
    "first": {"first": True},
    "not-first": {"first": False},
    "share": {"shared": True},
    "mine": {"shared": False},
}


def context(request: HttpRequest, base: QueryDict) -> dict[str, Any]:
    """Give what the list's menu of views shows."""
    now, owner = base.urlencode(), owner_of(request)
    views = [
        {"name": one.name, "url": _url(one), "here": one.query == now, "shared": one.shared}
        for one in saving.offered(owner)
    ]
    return {
        "views": views,
        "view": next((one for one in views if one["here"]), None),
        "may_save": owner is not None,
    }


@require_http_methods(["GET", "HEAD", "POST"])
def views(request: HttpRequest) -> HttpResponse:
    """Show the views, or save one."""
    if request.method == "POST":
        return _save(request)
    owner = owner_of(request)
    listed = [
        {
            "id": one.pk,
            "name": one.name,
            "query": one.query,
            "url": _url(one),
            "shared": one.shared,
            "first": one.first and one.owner == owner,
            "mine": one.owner == owner,
            "owner": one.owner.get_username(),
        }
        for one in saving.offered(owner).select_related("owner")
    ]
    return render(request, "pacer_dashboard/views.html", {"views": listed})


@require_POST
def view(request: HttpRequest, id_: int) -> HttpResponse:
    """Change one of one's own views, or delete it."""
    try:
        one = saving.own(owner_of(request), min(id_, LARGEST))
    except NotVisible as why:
        raise Http404(str(why)) from None
    do = request.POST.get("do", "")
    if do == "delete":
        one.delete()
    elif do in _CHANGES:
        saving.change(one, **_CHANGES[do])
    return redirect("views")


def _save(request: HttpRequest) -> HttpResponse:
    owner = owner_of(request)
    if owner is None:
        return HttpResponseForbidden(gettext("Log in to save views."))
    try:
        made = saving.save(owner, request.POST.get("name", ""), request.POST.get("query", ""))
    except saving.BadView as wrong:
        messages.error(request, str(wrong))
        return redirect("views")
    return redirect(_url(made))


def _url(one: SavedView) -> str:
    return f"{reverse('messages')}?{one.query or 'all=1'}"
