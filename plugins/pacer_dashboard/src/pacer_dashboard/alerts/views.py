"""Pages of alerts: the rules, a form for each, a button that tries it out, and what was told."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.validators import validate_email
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from pacer_dashboard.again.audit import note
from pacer_dashboard.again.requests import LARGEST, viewer_of
from pacer_dashboard.alerts import watch
from pacer_dashboard.models import AlertEvent, AlertRule
from pacer_dashboard.query import Viewer
from pacer_http import is_url

_FIELDS = (
    "name", "kind", "type", "match", "window_minutes", "raise_at", "clear_at", "for_minutes", "repeat_hours",
    "mail", "webhook", "enabled",
)  # fmt: skip


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # it takes none when it runs
    """A rule, as a person writes it."""

    class Meta:
        model = AlertRule
        fields = _FIELDS

    def clean_mail(self) -> str:
        """Give the addresses, one a line."""
        addresses = [one.strip() for one in str(self.cleaned_data["mail"]).splitlines() if one.strip()]
        for one in addresses:
            validate_email(one)
        return "\n".join(addresses)

    def clean_webhook(self) -> str:
        """Give the address, where it is one."""
        url = str(self.cleaned_data["webhook"]).strip()
        if url:
            try:
                is_url(None, None, url)
            except ValueError as error:
                raise forms.ValidationError(str(error)) from None
        return url

    def clean(self) -> dict[str, object]:
        """Refuse limits in the wrong order, and times that are none."""
        data = super().clean() or {}
        raised, cleared = data.get("raise_at"), data.get("clear_at")
        if raised is not None and cleared is not None and cleared > raised:
            self.add_error("clear_at", gettext("It has to be the limit above, or lower."))
        for name, least in (("window_minutes", 1), ("for_minutes", 0), ("repeat_hours", 1)):
            if (value := data.get(name)) is not None and value < least:
                self.add_error(name, gettext("It has to be {least} or more.").format(least=least))
        return data


def _administers(request: HttpRequest) -> Viewer:
    """Give who asks, where he sees everything: a rule tells of messages that others must not see."""
    viewer = viewer_of(request)
    if not viewer.everything:
        raise PermissionDenied
    return viewer


def _rule(id_: int) -> AlertRule:
    rule = AlertRule.objects.filter(id=min(id_, LARGEST)).first()
    if rule is None:
        raise Http404(f"rule {id_}")
    return rule


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
    rule = None if id_ is None else _rule(id_)
    form = RuleForm(request.POST if request.method == "POST" else None, instance=rule)
    if request.method == "POST" and form.is_valid():
        saved = form.save()
        note(viewer, "alert-change" if rule else "alert-new", f"alert {saved.name}", fields=form.changed_data)
        return HttpResponseRedirect(reverse("alerts"))
    status = 400 if form.errors else 200
    return render(request, "pacer_dashboard/alert.html", {"form": form, "rule": rule}, status=status)


@require_POST
def try_out(request: HttpRequest, id_: int) -> HttpResponse:
    """Tell people that the rule can."""
    viewer, rule = _administers(request), _rule(id_)
    told, trouble = watch.test(rule)
    note(viewer, "alert-test", f"alert {rule.name}", told=told)
    if told:
        messages.success(request, gettext("Told by {ways}.").format(ways=", ".join(told)))
    if trouble:
        messages.error(request, trouble)
    return HttpResponseRedirect(reverse("alerts"))


@require_POST
def delete(request: HttpRequest, id_: int) -> HttpResponse:
    """Delete a rule, with what it told."""
    viewer, rule = _administers(request), _rule(id_)
    note(viewer, "alert-delete", f"alert {rule.name}")
    rule.delete()
    return HttpResponseRedirect(reverse("alerts"))
