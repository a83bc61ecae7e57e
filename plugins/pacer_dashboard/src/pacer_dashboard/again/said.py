"""Addresses at which people say something: acknowledge messages; resolve, merge and split errors."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.again import acknowledging, who
from pacer_dashboard.again.requests import back, may
from pacer_dashboard.again.selection import BadSelection, Selection
from pacer_dashboard.models import Audit
from pacer_dashboard.query import BadFilter, NotVisible, Right

_STATUSES = {"resolve": "resolved", "ignore": "ignored", "reopen": "open"}
SIZE = 100
_MOST_IDS = 500


@require_POST
def acknowledge(request: HttpRequest) -> HttpResponse:
    """Acknowledge messages, or ask for a note first where a list has sent them."""
    if not may(request, Right.ACT):
        raise PermissionDenied
    try:
        selection = Selection.read(request.POST)
    except (BadSelection, BadFilter) as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(back(request, "messages"))
    form = request.POST
    if "note" not in form and (selection.filter is not None or len(selection.ids) > 1):
        carried = [(name, value) for name in ("id", "all", "query") for value in form.getlist(name)]
        return render(
            request,
            "pacer_dashboard/acknowledge.html",
            {
                "carried": carried,
                "said": selection.said,
                "several": selection.filter is not None,
                "next": back(request, "messages"),
            },
        )
    act = acknowledging.unacknowledge if form.get("undo") else acknowledging.acknowledge
    number = act(viewer_of(request), selection, form.get("note", "").strip())
    said = ngettext("{count} message.", "{count} messages.", number).format(count=number)
    word = gettext("Not acknowledged any more:") if form.get("undo") else gettext("Acknowledged:")
    messages.success(request, f"{word} {said}")
    return HttpResponseRedirect(back(request, "messages"))


@require_POST
def errors(request: HttpRequest, what: str) -> HttpResponse:
    """Resolve, ignore, open, merge or split groups of errors."""
    viewer, note = viewer_of(request), request.POST.get("note", "").strip()
    given = request.POST.getlist("group")[:_MOST_IDS]
    ids = [int(one) for one in given if one.isascii() and one.isdecimal() and len(one) < 19]
    if not ids:
        messages.error(request, gettext("No error is chosen."))
        return HttpResponseRedirect(back(request, "errors"))
    try:
        if what in _STATUSES:
            acknowledging.set_status(viewer, ids, _STATUSES[what], note)
        elif what == "merge":
            acknowledging.merge(viewer, ids, note)
        else:
            acknowledging.split(viewer, ids[0], note)
    except NotVisible as why:
        raise Http404(str(why)) from None
    except ValueError as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(back(request, "errors"))


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """Show what people have done: a person his own, and everything to who sees everything."""
    viewer = viewer_of(request)
    if not (viewer.everything or viewer.has(Right.ACT) or viewer.has(Right.REINGEST)):
        raise PermissionDenied
    found = Audit.objects.order_by("-id")
    if not viewer.everything:
        found = found.filter(who.own(viewer))
    for name in ("actor", "action"):
        if value := request.GET.get(name, ""):
            found = found.filter(**{name: value})
    page = Paginator(found, SIZE).get_page(request.GET.get("page"))
    return render(request, "pacer_dashboard/audit.html", {"page": page, "everything": viewer.everything})
