"""Who asks by a request: its viewer, and the account to which tokens and saved views belong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

from pacer_dashboard.query import NOBODY, Viewer

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def viewer_of(request: HttpRequest) -> Viewer:
    """Give who asks, as the middleware has found it; nobody where there is none."""
    viewer = getattr(request, "viewer", None)
    return viewer if isinstance(viewer, Viewer) else NOBODY


def owner_of(request: HttpRequest) -> User | None:
    """Give the account that asks: a session's own, or the one that a token is of; None without a login."""
    if (token := getattr(request, "token", None)) is not None:
        owner: User = token.owner
        return owner
    user: Any = request.user
    return user if user.is_authenticated else None
