"""Tokens: those of the account that asks, made and withdrawn.

A program that shows a token has no more by it than the token gives: it sees, makes and withdraws tokens of
its own role alone, and none that would last longer than it does itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from pacer_dashboard.access.asking import owner_of, viewer_of
from pacer_dashboard.access.audited import note
from pacer_dashboard.access.tokens import LONGEST, make_token
from pacer_dashboard.access.viewers import roles_of
from pacer_dashboard.api.bodies import In, id_of
from pacer_dashboard.api.filters import only
from pacer_dashboard.api.problems import NotPossible
from pacer_dashboard.models.tokens import Token
from pacer_dashboard.query import NotVisible

router = Router(tags=["access"])


class TokenIn(In):
    """A token to make."""

    name: str = Field(min_length=1, max_length=150, description="What it is for.")
    role: str = Field(max_length=150, description="The name of a role of yours.")
    days: int = Field(90, ge=1, le=LONGEST.days)


class TokenOut(Schema):
    """A token, of which only the beginning is known."""

    id: int
    name: str
    role: str
    hint: str = Field(description="its first characters")
    created: datetime
    expires: datetime
    last_used: datetime | None = Field(description="to the minute")


class NewTokenOut(TokenOut):
    """A token that was just made: its text is given this once."""

    token: str


@router.get("/tokens", response=list[TokenOut], summary="Your tokens")
def tokens(request: HttpRequest) -> Any:
    """Give the tokens of your account; who shows a token is given those of its role."""
    only(request, ())
    return [_told(one) for one in _mine(request)]


@router.post("/tokens", response=NewTokenOut, summary="Make a token")
def make(request: HttpRequest, said: TokenIn) -> Any:
    """Make a token of one of your roles; by a token, one of its role that does not outlast it."""
    only(request, ())
    owner, shown = owner_of(request), _shown(request)
    if owner is None:
        raise NotPossible("tokens are an account's: log in to make them")
    role = next((one for one in _roles(owner, shown) if one.name == said.role), None)
    if role is None:
        raise NotPossible("you have no such role: /api/v1/tokens and the page of tokens name yours")
    until = None if shown is None else shown.expires
    name, lasts = said.name.strip() or "token", timedelta(days=said.days)
    with transaction.atomic():
        made, text = make_token(owner, role, name, lasts, until=until)
        note(viewer_of(request).name, "add", made, "")
    return {**_told(made), "token": text}


@router.delete("/tokens/{int:token}", response={204: None}, summary="Withdraw a token")
def withdraw(request: HttpRequest, token: int) -> Any:
    """Withdraw one of those that you are given; from now on it lets nobody in."""
    only(request, ())
    found = _mine(request).filter(pk=id_of(token)).first()
    if found is None:
        raise NotVisible(f"token {token}")
    with transaction.atomic():
        note(viewer_of(request).name, "delete", found, "")
        found.delete()
    return Status(204, None)


def _shown(request: HttpRequest) -> Token | None:
    found: Token | None = getattr(request, "token", None)
    return found


def _mine(request: HttpRequest) -> QuerySet[Token]:
    owner, shown = owner_of(request), _shown(request)
    if owner is None:
        return Token.objects.none()
    found = Token.objects.filter(owner=owner).select_related("role")
    return found if shown is None else found.filter(role_id=shown.role_id)


def _roles(owner: User, shown: Token | None) -> Any:
    return [one for one in roles_of(owner) if shown is None or one.pk == shown.role_id]


def _told(one: Token) -> dict[str, Any]:
    plain = {name: getattr(one, name) for name in TokenOut.model_fields if name != "role"}
    return {**plain, "role": one.role.name}
