"""Who asks: ``request.viewer``, ``request.user`` and ``request.token``, anew for every request."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from pacer_dashboard.access.loopback import is_loopback
from pacer_dashboard.access.tokens import BadTokenError, bearer_of, token_of
from pacer_dashboard.access.viewers import EVERYBODY, viewer_of, viewer_of_token
from pacer_dashboard.query.viewer import NOBODY, Viewer

PUBLIC = ("/api/", "/oidc/", "/static/")
PUBLIC_PAGES = frozenset({"/login", "/logout", "/theme", "/status", "/ready"})
"""What everybody may ask for: to log in, whether the dashboard lives, and the API, which judges by itself."""
Answer = Callable[[HttpRequest], HttpResponse]


class ViewerOfRequest:
    """Middleware, after Django's authentication: sets ``viewer``, ``token`` and ``without_login``.

    A token in ``Authorization: Bearer`` is looked at below ``/api/`` alone: everywhere else a browser asks,
    which has a session. A request that shows one is judged by it, and never by a cookie that comes along: so
    what a token does needs no protection against forged requests.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request with its viewer on it; read from the database when a page first looks at it."""
        request.without_login = False  # type: ignore[attr-defined] # ours
        request.token = None  # type: ignore[attr-defined] # ours
        request.bad_token = None  # type: ignore[attr-defined] # ours
        request.viewer = self._viewer(request)  # type: ignore[attr-defined] # ours
        response = self._not_for_nobody(request) or self.get_response(request)
        if not response.has_header("Cache-Control"):
            response.headers["Cache-Control"] = "no-store, private"  # what one sees is nobody else's
        return response

    def _not_for_nobody(self, request: HttpRequest) -> HttpResponse | None:
        """Lead who has not said who they are to the login; the API says so by itself."""
        if request.path_info.startswith(PUBLIC) or request.path_info in PUBLIC_PAGES:
            return None
        if request.without_login or request.user.is_authenticated:  # type: ignore[attr-defined] # ours
            return None
        if request.method in ("GET", "HEAD") and "text/event-stream" not in request.headers.get("Accept", ""):
            return redirect_to_login(request.get_full_path(), "login")
        return HttpResponse("Log in first.", status=401, content_type="text/plain; charset=utf-8")

    def _viewer(self, request: HttpRequest) -> Viewer:
        if settings.PACER_WITHOUT_LOGIN and asks_from_here(request):
            request.without_login = True  # type: ignore[attr-defined] # ours
            return EVERYBODY
        if request.path_info.startswith("/api/") and (bearer := bearer_of(request)) is not None:
            try:
                request.token = token = token_of(bearer)  # type: ignore[attr-defined] # ours
            except BadTokenError as why:
                request.bad_token = str(why)  # type: ignore[attr-defined] # ours
                return NOBODY
            return viewer_of_token(token)
        return SimpleLazyObject(lambda: viewer_of(request.user))  # type: ignore[return-value] # acts as one


def asks_from_here(request: HttpRequest) -> bool:
    """Tell whether a request comes from this machine, by a name of this machine, and from no proxy on it.

    The name in ``Host`` counts as well: a page of elsewhere whose name was made to lead to 127.0.0.1 (DNS
    rebinding) shows its own name there.
    """
    name = request.META.get("HTTP_HOST", "")
    host = name.rpartition(":")[0] if ":" in name and not name.endswith("]") else name
    return (
        not getattr(request, "proxied", True)
        and is_loopback(request.META.get("REMOTE_ADDR", ""))
        and is_loopback(host)
    )
