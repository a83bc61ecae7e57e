"""Whether somebody who is connected for long may still see what they saw: for the live stream.

A request is judged once, when it comes. A stream lasts for hours, in which roles are taken, sessions end and
tokens expire: whoever serves it keeps the :class:`Standing` of each and asks :func:`viewers_now` every few
seconds about all of them together, which is a handful of queries however many there are.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from attrs import frozen
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone

from pacer_dashboard.access.viewers import EVERYBODY, viewer_of_token, viewers_of
from pacer_dashboard.models.tokens import Token
from pacer_dashboard.query.viewer import NOBODY, Viewer


@frozen
class Standing:
    """By what a request was let in: a session, a token, or logins being switched off; nothing for nobody."""

    session: str = ""
    token: int = 0
    without_login: bool = False


def standing_of(request: HttpRequest) -> Standing:
    """Give by what a request was let in; the middleware has to have seen it."""
    if getattr(request, "without_login", False):
        return Standing(without_login=True)
    if token := getattr(request, "token", None):
        return Standing(token=token.pk)
    if request.user.is_authenticated:
        return Standing(session=request.session.session_key or "")
    return Standing()


def viewers_now(standings: Iterable[Standing]) -> dict[Standing, Viewer]:
    """Give what each sees now; one that is not in the answer has ended, and so has to its stream.

    A session ends by a logout, a change of its password, its time or an account that was switched off.
    """
    asked = set(standings)
    found = {one: NOBODY for one in asked if one == Standing()}
    found |= {one: EVERYBODY for one in asked if one.without_login and settings.PACER_WITHOUT_LOGIN}

    users = _users_of({one.session for one in asked if one.session})
    viewers = viewers_of(users.values())
    found |= {
        one: viewers[users[one.session]]
        for one in asked
        if one.session in users and users[one.session] in viewers
    }

    live = Token.objects.filter(pk__in={one.token for one in asked if one.token}, expires__gt=timezone.now())
    tokens = {token.pk: viewer_of_token(token) for token in live.select_related("owner")}
    return found | {one: tokens[one.token] for one in asked if one.token in tokens}


def _users_of(sessions: set[str]) -> dict[str, int]:
    """Give whose each session is, of those that would be let in by :func:`django.contrib.auth.get_user`."""
    if not sessions:
        return {}
    stored = Session.objects.filter(session_key__in=sessions, expire_date__gt=timezone.now())
    store = SessionStore()
    said = {one.session_key: store.decode(one.session_data) for one in stored}
    users = {str(user.pk): user for user in User.objects.filter(pk__in=set(map(_pk, said.values())))}
    return {
        key: user.pk
        for key, one in said.items()
        if (user := users.get(str(one.get(SESSION_KEY)))) is not None and _is_of(one, user)
    }


def _pk(session: dict[str, Any]) -> int:
    said = str(session.get(SESSION_KEY, ""))
    return int(said) if said.isdigit() else 0


def _is_of(session: dict[str, Any], user: User) -> bool:
    """Tell whether a session was made with the password that the account has."""
    return session.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS and secrets.compare_digest(
        str(session.get(HASH_SESSION_KEY, "")), user.get_session_auth_hash()
    )
