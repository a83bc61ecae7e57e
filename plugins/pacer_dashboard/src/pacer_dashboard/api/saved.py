"""Saved views: a filter of the list with its columns, under a name."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from pacer_dashboard.access.asking import owner_of
from pacer_dashboard.api.bodies import In, id_of
from pacer_dashboard.api.filters import only
from pacer_dashboard.api.problems import NotPossible
from pacer_dashboard.models.views import SavedView
from pacer_dashboard.pages import saving

router = Router(tags=["views"])


class ViewIn(In):
    """A view to save, in place of the one that has the name."""

    name: str = Field(min_length=1, max_length=saving.LONGEST_NAME)
    query: str = Field(max_length=8000, description="As in the address of a list: `state=dead&column=type`.")


class ViewChangeIn(In):
    """What is to be different about a view."""

    first: bool | None = Field(None, description="Whether your list begins with it.")
    shared: bool | None = Field(None, description="Whether it is offered to everybody.")


class ViewOut(Schema):
    """A view of yours, or one that somebody shares."""

    id: int
    name: str
    query: str
    owner: str
    mine: bool
    first: bool = Field(description="whether your list begins with it")
    shared: bool


@router.get("/views", response=list[ViewOut], summary="Saved views")
def views(request: HttpRequest) -> Any:
    """Give yours (those of the account that a token is of), and those that others share."""
    only(request, ())
    owner = owner_of(request)
    return [_told(one, owner) for one in saving.offered(owner).select_related("owner")]


@router.post("/views", response=ViewOut, summary="Save a view")
def save(request: HttpRequest, said: ViewIn) -> Any:
    """Save a filter with its columns."""
    only(request, ())
    owner = owner_of(request)
    if owner is None:
        raise NotPossible("views are an account's: log in to save them")
    return _told(saving.save(owner, said.name, said.query), owner)


@router.patch("/views/{int:view}", response=ViewOut, summary="Change a view")
def change(request: HttpRequest, view: int, said: ViewChangeIn) -> Any:
    """Change one of yours."""
    only(request, ())
    owner = owner_of(request)
    one = saving.own(owner, id_of(view))
    saving.change(one, first=said.first, shared=said.shared)
    return _told(one, owner)


@router.delete("/views/{int:view}", response={204: None}, summary="Delete a view")
def delete(request: HttpRequest, view: int) -> Any:
    """Delete one of yours."""
    only(request, ())
    saving.own(owner_of(request), id_of(view)).delete()
    return Status(204, None)


def _told(one: SavedView, owner: User | None) -> dict[str, Any]:
    mine = one.owner == owner
    plain = {name: getattr(one, name) for name in ("id", "name", "query", "shared")}
    return {**plain, "owner": one.owner.get_username(), "mine": mine, "first": mine and one.first}
