"""Saved views: whose they are, and what is done with them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseForbidden, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from pacer_dashboard.models.views import SavedView
from pacer_dashboard.pages.present import COLUMNS
from pacer_dashboard.query.errors import BadFilter
from pacer_dashboard.query.filters import Filter

MOST = 100
"""Views that one person may have."""


def first_of(request: HttpRequest) -> SavedView | None:
    """Give the view that a person's list begins with."""
    if not request.user.is_authenticated:
        return None
    return SavedView.objects.filter(owner_id=request.user.pk, first=True).first()


def context(request: HttpRequest, base: QueryDict) -> dict[str, Any]:
    """Give what the list's menu of views shows."""
    now = base.urlencode()
    views = [
        {"name": one.name, "url": _url(one), "here": one.query == now, "shared": one.shared}
        for one in _offered(request)
    ]
    return {
        "views": views,
        "view": next((one for one in views if one["here"]), None),
        "may_save": request.user.is_authenticated,
    }


@require_http_methods(["GET", "HEAD", "POST"])
def views(request: HttpRequest) -> HttpResponse:
    """Show the views, or save one."""
    if request.method == "POST":
        return _save(request)
    listed = [
        {
            "id": one.pk,
            "name": one.name,
            "query": one.query,
            "url": _url(one),
            "shared": one.shared,
            "first": one.first and one.owner_id == request.user.pk,
            "mine": one.owner_id == request.user.pk,
            "owner": one.owner.get_username(),
        }
        for one in _offered(request).select_related("owner")
    ]
    return render(request, "pacer_dashboard/views.html", {"views": listed})


@require_POST
def view(request: HttpRequest, id_: int) -> HttpResponse:
    """Change one of one's own views, or delete it."""
    one = SavedView.objects.filter(pk=id_, owner_id=request.user.pk).first()
    if one is None:
        raise Http404
    do = request.POST.get("do")
    if do == "delete":
        one.delete()
    elif do in ("first", "not-first"):
        with transaction.atomic():
            SavedView.objects.filter(owner_id=request.user.pk).update(first=False)
            SavedView.objects.filter(pk=one.pk).update(first=do == "first")
    elif do in ("share", "mine"):
        SavedView.objects.filter(pk=one.pk).update(shared=do == "share")
    return redirect("views")


def _save(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return HttpResponseForbidden(gettext("Log in to save views."))
    name, query = request.POST.get("name", "").strip()[:80], _clean(request.POST.get("query", ""))
    mine = SavedView.objects.filter(owner_id=request.user.pk)
    if not name or query is None:
        messages.error(request, gettext("A view has a name, and a filter that can be read."))
    elif mine.count() >= MOST:
        messages.error(request, gettext("You have {most} views: delete one.").format(most=MOST))
    else:
        SavedView.objects.update_or_create(owner_id=request.user.pk, name=name, defaults={"query": query})
        return redirect(f"{reverse('messages')}?{query or 'all=1'}")
    return redirect("views")


def _clean(query: str) -> str | None:
    """Give the parameters of a view as the list writes them; ``None`` where they are no filter."""
    try:
        asked = QueryDict(query[:8000])
        clean = QueryDict(Filter.from_query(asked).to_query(), mutable=True)
    except (BadFilter, ValueError):
        return None
    known = {one.name for one in COLUMNS}
    clean.setlist("column", [one for one in asked.getlist("column") if one in known])
    return clean.urlencode()


def _offered(request: HttpRequest) -> QuerySet[SavedView]:
    if not request.user.is_authenticated:
        return SavedView.objects.none()
    return SavedView.objects.filter(Q(owner_id=request.user.pk) | Q(shared=True))


def _url(one: SavedView) -> str:
    return f"{reverse('messages')}?{one.query or 'all=1'}"
