"""The page of one's own tokens: make one, see when each was used, withdraw it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from pacer_dashboard.access.audited import note
from pacer_dashboard.access.tokens import LONGEST, make_token
from pacer_dashboard.access.viewers import roles_of
from pacer_dashboard.models.access import Role
from pacer_dashboard.models.tokens import Token

TEMPLATE = "pacer_dashboard/access/tokens.html"


class NewToken(forms.Form):
    """What a new token is called, which of one's roles it has, and for how long."""

    name = forms.CharField(label=gettext_lazy("What for"), max_length=150)
    role = forms.ModelChoiceField(Role.objects.none(), label=gettext_lazy("Role"), empty_label=None)
    days = forms.IntegerField(label=gettext_lazy("Days"), min_value=1, max_value=LONGEST.days, initial=90)

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = [role.pk for role in roles_of(owner)]
        self.fields["role"].queryset = Role.objects.filter(pk__in=mine)  # type: ignore[attr-defined] # of that field


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """Show one's tokens; make one, and show its text this once."""
    owner: Any = request.user
    form = NewToken(request.POST or None, owner=owner)
    text = ""
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        with transaction.atomic():
            made, text = make_token(owner, said["role"], said["name"], timedelta(days=said["days"]))
            note(owner.get_username(), "add", made, "")
        form = NewToken(owner=owner)
    found = Token.objects.filter(owner=owner).select_related("role")
    page = {"form": form, "text": text, "tokens": found, "now": timezone.now()}
    return render(request, TEMPLATE, page, status=422 if form.errors else 200)


@login_required
@require_POST
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Withdraw one's token; from now on it lets nobody in."""
    owner: Any = request.user
    found = get_object_or_404(Token, pk=pk, owner=owner)
    with transaction.atomic():
        note(owner.get_username(), "delete", found, "")
        found.delete()
    return redirect("tokens")
