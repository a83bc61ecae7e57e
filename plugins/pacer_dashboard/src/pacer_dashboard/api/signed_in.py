"""Who may call: a token, or a browser's session, which has to show that the call is its page's own."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from ninja.errors import AuthenticationError
from ninja.security import APIKeyCookie, HttpBearer

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.query.viewer import Viewer


class ByToken(HttpBearer):
    """``Authorization: Bearer``. The middleware has looked at it already."""

    openapi_bearerFormat = "pacer_..."  # noqa: N815 - ninja's name

    def authenticate(self, request: HttpRequest, token: str) -> Viewer | None:
        """Give the token's viewer; a token that is not good is an error, whatever else comes with it."""
        if request.token is None:  # type: ignore[attr-defined] # the middleware's
            raise AuthenticationError
        return viewer_of(request)


class BySession(APIKeyCookie):
    """The session of a browser; what changes anything needs ``X-CSRFToken`` as well (ninja looks at it)."""

    param_name = "pacer_session"

    def __init__(self) -> None:
        super().__init__()
        self.param_name = settings.SESSION_COOKIE_NAME

    def authenticate(self, request: HttpRequest, key: str | None) -> Viewer | None:
        """Give the session's viewer."""
        if request.user.is_authenticated or request.without_login:  # type: ignore[attr-defined] # the middleware's
            return viewer_of(request)
        return None
