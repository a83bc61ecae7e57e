"""Saved views of an account: offered, saved, changed and deleted; for the pages and for the API."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext

from pacer_core import PacerError
from pacer_dashboard.models.views import SavedView
from pacer_dashboard.pages.present import COLUMNS
from pacer_dashboard.query import NotVisible
from pacer_dashboard.query.errors import BadFilter
from pacer_dashboard.query.filters import Filter

MOST = 100
"""Views that one person may have."""
LONGEST_NAME = 80


class BadView(PacerError):
    """A view cannot be saved; its text is for the person who wants it."""


def offered(owner: User | None) -> QuerySet[SavedView]:
    """Give one's own views, and those that others share; none without an account."""
    if owner is None:
        return SavedView.objects.none()
    return SavedView.objects.filter(Q(owner_id=owner.pk) | Q(shared=True))


def first_of(owner: User | None) -> SavedView | None:
    """Give the view that a person's list begins with."""
    return None if owner is None else SavedView.objects.filter(owner_id=owner.pk, first=True).first()


def save(owner: User, name: str, query: str) -> SavedView:
    """Save a filter with its columns under a name, in place of what had the name before.

    Raises
    ------
    BadView
        Where the name is empty, the filter cannot be read, or there are too many.
    """
    name, clean = name.strip()[:LONGEST_NAME], _clean(query)
    if not name or clean is None:
        raise BadView(gettext("A view has a name, and a filter that can be read."))
    mine = SavedView.objects.filter(owner_id=owner.pk)
    if mine.count() >= MOST and not mine.filter(name=name).exists():
        raise BadView(gettext("You have {most} views: delete one.").format(most=MOST))
    return SavedView.objects.update_or_create(owner_id=owner.pk, name=name, defaults={"query": clean})[0]


def own(owner: User | None, id_: int) -> SavedView:
    """Give one of one's own views.

    Raises
    ------
    NotVisible
        Where there is none.
    """
    one = None if owner is None else SavedView.objects.filter(pk=id_, owner_id=owner.pk).first()
    if one is None:
        raise NotVisible(f"view {id_}")
    return one


@transaction.atomic
def change(view: SavedView, *, first: bool | None = None, shared: bool | None = None) -> None:
    """Let a view be what its owner's list begins with, or be offered to everybody, or not any more."""
    if first is not None:
        SavedView.objects.filter(owner_id=view.owner_id).exclude(pk=view.pk).update(first=False)
        view.first = first
    if shared is not None:
        view.shared = shared
    view.save(update_fields=["first", "shared"])


def _clean(query: str) -> str | None:
    """Give the parameters of a view as the list writes them; ``None`` where they are no filter."""
    try:
        asked = QueryDict(query[:8000])
        clean = QueryDict(Filter.from_query(asked).to_query(), mutable=True)
    except (BadFilter, ValueError):
        return None
    known = {one.name for one in COLUMNS}
    clean.setlist("column", [one for one in asked.getlist("column") if one in known])
    return clean.urlencode()
