"""Tokens: made once and shown once, then known by their hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone

from pacer_dashboard.models.access import Role
from pacer_dashboard.models.tokens import Token

PREFIX = "pacer_"
"""What a token begins with, so that who finds one in a log or a repository knows what it is."""
LONGEST = timedelta(days=366)
"""How long a token lasts at most."""


class BadTokenError(Exception):
    """A token that lets nobody in: unknown, withdrawn or expired. Its text does not say which."""


def make_token(
    owner: User, role: Role, name: str, lasts: timedelta, *, until: datetime | None = None
) -> tuple[Token, str]:
    """Make a token and give it with its text, which is not stored and cannot be had again.

    It lasts for a time, but not beyond ``until``.

    Raises
    ------
    ValueError
        Where it would last for ever, or for no time.
    """
    if not timedelta(0) < lasts <= LONGEST:
        raise ValueError(f"a token lasts between a moment and {LONGEST.days} days, not {lasts}")
    text = PREFIX + secrets.token_urlsafe(32)
    expires = timezone.now() + lasts
    token = Token.objects.create(
        name=name,
        owner=owner,
        role=role,
        digest=_digest(text),
        hint=text[: len(PREFIX) + 4],
        expires=expires if until is None else min(expires, until),
    )
    return token, text


def bearer_of(request: HttpRequest) -> str | None:
    """Give what a request shows in ``Authorization: Bearer`` (RFC 6750, 2.1); None where it shows nothing."""
    scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


def token_of(text: str) -> Token:
    """Give the token of a text, and note when it was used.

    Raises
    ------
    BadTokenError
        Where it lets nobody in.
    """
    now = timezone.now()
    found = Token.objects.select_related("owner").filter(digest=_digest(text)).first()
    if found is None or found.expires <= now or not found.owner.is_active:
        raise BadTokenError("this token is unknown, withdrawn or expired")
    minute = now.replace(second=0, microsecond=0)
    if found.last_used is None or found.last_used < minute:
        Token.objects.filter(pk=found.pk).update(last_used=minute)
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
