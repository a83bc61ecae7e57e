"""What people may do with messages, where the rooms that do it are there: names of addresses, and words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import frozen
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy

from pacer_dashboard.query.rows import Row
from pacer_dashboard.query.viewer import Right, Viewer


@frozen
class Action:
    """Something to do: its address's name, its right, word and icon; ``post`` where it acts at once."""

    name: str
    right: Right
    word: Any
    icon: str
    post: bool = False


BULK = (
    Action("again-new", Right.REINGEST, gettext_lazy("Send again…"), "again"),
    Action("acknowledge", Right.ACT, gettext_lazy("Acknowledge…"), "acknowledge"),
)
"""With messages that were chosen in the list, or all that a filter finds."""


def offered(actions: Iterable[Action], viewer: Viewer, row: Row | None = None) -> list[dict[str, Any]]:
    """Give those that a viewer may do, with this message or with any."""
    found = []
    for action in actions:
        allowed = viewer.has(action.right) if row is None else viewer.may(action.right, row)
        if not allowed:
            continue
        try:
            url = reverse(action.name)
        except NoReverseMatch:
            continue
        found.append(
            {"name": action.name, "url": url, "word": action.word, "icon": action.icon, "post": action.post}
        )
    return found
