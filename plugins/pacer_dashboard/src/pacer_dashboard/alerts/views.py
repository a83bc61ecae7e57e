"""Pages of alerts: the rules, a form for each, a button that tries it out, and what was told."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.again.requests import LARGEST
from pacer_dashboard.alerts import rules
from pacer_dashboard.models import AlertEvent, AlertRule
from pacer_dashboard.query import NotVisible, Viewer


def _administers(request: HttpRequest) -> Viewer:
    """Give who asks, where he sees everything: a rule tells of messages that others must not see."""
    viewer = viewer_of(request)
    if not viewer.everything:
        raise PermissionDenied
    return viewer


def _rule(viewer: Viewer, id_: int) -> AlertRule:
    try:
        return rules.rule_of(viewer, min(id_, LARGEST))
    except NotVisible as why:
        raise Http404(str(why)) from None


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """Show the rules, and what was told lately."""
    _administers(request)
    events = AlertEvent.objects.select_related("rule").order_by("-id")[:50]
    return render(
        request,
        "pacer_dashboard/alerts.html",
        {"rules": AlertRule.objects.order_by("name"), "events": events},
    )


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, id_: int | None = None) -> HttpResponse:
    """Show the form of a rule, new or old, and take it."""
    viewer = _administers(request)
    rule = None if id_ is None else _rule(viewer, id_)
    form = rules.RuleForm(request.POST if request.method == "POST" else None, instance=rule)
    if request.method == "POST" and form.is_valid():
        rules.save(viewer, form)
        return HttpResponseRedirect(reverse("alerts"))
    status = 400 if form.errors else 200
    return render(request, "pacer_dashboard/alert.html", {"form": form, "rule": rule}, status=status)


@require_POST
def try_out(request: HttpRequest, id_: int) -> HttpResponse:
    """Tell people that the rule can."""
    viewer = _administers(request)
    told, trouble = rules.try_out(viewer, _rule(viewer, id_))
    if told:
        messages.success(request, gettext("Told by {ways}.").format(ways=", ".join(told)))
    if trouble:
        messages.error(request, trouble)
    return HttpResponseRedirect(reverse("alerts"))


@require_POST
def delete(request: HttpRequest, id_: int) -> HttpResponse:
    """Delete a rule, with what it told."""
    viewer = _administers(request)
    rules.delete(viewer, _rule(viewer, id_))
    return HttpResponseRedirect(reverse("alerts"))
