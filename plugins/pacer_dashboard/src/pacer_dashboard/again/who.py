"""Who did something: by the numbers of account and token, with the name beside them for people to read."""

from __future__ import annotations

from typing import Any, Protocol

from django.db.models import Q

from pacer_dashboard.query import Viewer

_BEFORE = 255
"""Characters of a name that were kept when nothing else was."""


class Done(Protocol):
    """What somebody has done; without numbers where nobody logs in, and where it was written before them."""

    actor: str
    account: int | None
    token: int | None


def by(viewer: Viewer) -> dict[str, Any]:
    """Give the columns that say who does something."""
    return {"actor": viewer.name, "account": viewer.account, "token": viewer.token}


def own(viewer: Viewer) -> Q:
    """Give what finds all that a viewer has done himself; nobody has done anything."""
    if not viewer.name:
        return Q(pk__in=())
    named = Q(account=None, actor__in=_names(viewer))
    return named if viewer.account is None else named | Q(account=viewer.account, token=viewer.token)


def is_own(viewer: Viewer, done: Done) -> bool:
    """Tell whether a viewer has done something himself."""
    if done.account is None:
        return bool(viewer.name) and done.actor in _names(viewer)
    return (done.account, done.token) == (viewer.account, viewer.token)


def _names(viewer: Viewer) -> set[str]:
    return {viewer.name, viewer.name[:_BEFORE]}
