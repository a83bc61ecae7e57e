"""Pages of login and logout."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from pacer_dashboard.access.accounts import account_of
from pacer_dashboard.access.counts import public_counts
from pacer_dashboard.access.sign_in import ID_TOKEN, SignInError, provider

log = logging.getLogger("pacer.dashboard.access")

BACK = "pacer_back"
"""Where the session keeps the page to show after the sign-in."""
BACKEND = "pacer_dashboard.access.backend.Accounts"


class Login(LoginView):
    """A name and a password of a local account, and the way to the sign-in service."""

    template_name = "pacer_dashboard/access/login.html"
    redirect_authenticated_user = False

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add whether there is a sign-in service."""
        back = self.get_redirect_url()
        return super().get_context_data(
            **kwargs,
            sign_in=settings.PACER_SIGN_IN is not None,
            counts=public_counts(),
            sign_in_url=_with_back(reverse("oidc-login"), back),
        )

    def get_default_redirect_url(self) -> str:
        """Lead to the list."""
        return reverse("messages")


@never_cache
@require_GET
def sign_in(request: HttpRequest) -> HttpResponse:
    """Lead to the sign-in service."""
    try:
        answer = provider().begin(request, request.build_absolute_uri(reverse("oidc-callback")))
    except SignInError as why:
        return _refused(request, why, 503)
    back = request.GET.get("next", "")
    request.session[BACK] = back if _is_ours(request, back) else reverse("messages")
    return answer


@never_cache
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    """Let in who comes back from the sign-in service."""
    try:
        claims, id_token = provider().finish(request)
        user = account_of(claims, settings.PACER_SIGN_IN.groups_claim)
    except SignInError as why:
        return _refused(request, why, 403)
    back = request.session.pop(BACK, reverse("messages"))
    login(request, user, backend=BACKEND)  # a new session key, so that nobody can have prepared it
    request.session[ID_TOKEN] = id_token
    return redirect(back)


@never_cache
@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """End the session here, and at the sign-in service if it came from there."""
    id_token = request.session.get(ID_TOKEN)
    logout(request)
    home = request.build_absolute_uri(reverse("login"))
    if id_token and settings.PACER_SIGN_IN is not None:
        try:
            if there := provider().end_session(id_token, home):
                return HttpResponseRedirect(there)
        except SignInError as why:
            log.warning("left here, but not at the sign-in service: %s (%s)", why, why.reason)
    return redirect("login")


def locked_out(request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
    """Answer who has guessed too often."""
    minutes = round(settings.AXES_COOLOFF_TIME * 60)
    answer = render(request, "pacer_dashboard/access/locked.html", {"minutes": minutes}, status=429)
    answer.headers["Retry-After"] = str(minutes * 60)
    return answer


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that did not come from one of our pages, or from one that was too old."""
    return render(request, "pacer_dashboard/access/forged.html", status=403)


def _refused(request: HttpRequest, why: SignInError, status: int) -> HttpResponse:
    log.warning("sign-in refused: %s (%s)", why, why.reason)
    return render(request, "pacer_dashboard/access/refused.html", {"why": str(why)}, status=status)


def _is_ours(request: HttpRequest, url: str) -> bool:
    return bool(url) and url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )


def _with_back(url: str, back: str) -> str:
    return f"{url}?{urlencode({'next': back})}" if back else url
