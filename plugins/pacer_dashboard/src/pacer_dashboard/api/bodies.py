"""Bodies of calls: what all of them have in common, and selections of messages."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict
from ninja import Schema
from pydantic import ConfigDict, Field, field_validator

from pacer_dashboard.again.selection import MOST_IDS, Selection
from pacer_dashboard.api.filters import PARAMETERS
from pacer_dashboard.query import BadFilter, Filter

LARGEST_ID = 2**63 - 1
"""What a database has for a number."""


class In(Schema):
    """A body: what it has that is not known is a mistake, and all text in it can be stored."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and ("\0" in text or not _encodes(text)):
                raise ValueError("holds the character 0, or half of a character")
        return value


def _encodes(text: str) -> bool:
    """Tell whether a text is whole: JSON may have half of a surrogate pair alone, and databases may not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class SelectionIn(In):
    """Which messages: named one by one, or all that a filter finds."""

    ids: list[str] | None = Field(None, max_length=MOST_IDS, description="Correlation ids.")
    filter: str | None = Field(
        None, max_length=20_000, description="As in the address of a list: `state=dead`."
    )


class CountOut(Schema):
    """How many were changed."""

    count: int


def selection_of(said: SelectionIn) -> Selection:
    """Read a selection.

    Raises
    ------
    BadFilter
        Where it names no messages, or both in both ways.
    """
    if said.filter is not None and said.ids is None:
        query = QueryDict(said.filter)
        for name in query:
            if name not in PARAMETERS:
                raise BadFilter(name[:50], "is not a parameter of a filter")
        return Selection(filter=Filter.from_query(query))
    ids = tuple(dict.fromkeys(one for one in said.ids or () if one))
    if said.filter is not None or not ids or any("\0" in one for one in ids):
        raise BadFilter("selection", "should have ids, or a filter (an empty one finds everything)")
    return Selection(ids)


def id_of(number: int) -> int:
    """Give an id that a database has: nothing has another one."""
    return number if 0 <= number <= LARGEST_ID else 0
