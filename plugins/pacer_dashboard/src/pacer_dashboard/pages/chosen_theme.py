"""The colours that a person chose, in a cookie: the server writes them into the page, which never flashes."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

COOKIE = "pacer_theme"
_YEAR = 365 * 24 * 3600


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Keep the choice, and go back to where the person was."""
    next_ = request.POST.get("next", "")
    allowed = url_has_allowed_host_and_scheme(next_, {request.get_host()}, require_https=request.is_secure())
    answer = HttpResponseRedirect(next_ if allowed else reverse("messages"))
    theme = request.POST.get("theme", "")
    path = settings.SESSION_COOKIE_PATH
    if theme in ("light", "dark"):
        answer.set_cookie(
            COOKIE, theme, max_age=_YEAR, path=path, secure=request.is_secure(), httponly=True, samesite="Lax"
        )
    else:
        answer.delete_cookie(COOKIE, path=path, samesite="Lax")
    return answer
