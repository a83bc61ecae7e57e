"""What a block has written, in order, with what is needed to take it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field, frozen

from pacer_icat.soap import Record

Key = tuple[str, int]
"""An object: its entity and its id."""


def current(key: Key, now: Mapping[Key, int]) -> Key:
    """Give the id that counts now; ``now`` has those of what was deleted and created again."""
    while key in now:
        key = key[0], now[key]
    return key


@frozen
class Unrestored:
    """Something that a rollback could not, or would not, put back as it was."""

    entity: str
    id: int | None
    what: str
    """What is different, and why; it names fields, and quotes no values."""

    def __str__(self) -> str:
        return f"{self.entity}{'' if self.id is None else f' {self.id}'}: {self.what}"


@define(eq=False)
class Created:
    """Objects of one call that creates."""

    entities: Sequence[str]
    instances: Sequence[Any]
    ids: Sequence[int] | None = None
    """``None`` while the answer has not come."""
    children: set[Key] = field(factory=set)
    """What was created below them in the same call."""

    @property
    def keys(self) -> list[Key]:
        """The objects, as far as their ids are known."""
        return list(zip(self.entities, self.ids or (), strict=False))


@define(eq=False)
class Updated:
    """A change of one object."""

    entity: str
    id: int
    before: Record
    after: Mapping[str, Any]
    """The fields that were set, as they were sent."""


@define(eq=False)
class Deleted:
    """Objects of one call that deletes, with all that goes with them."""

    roots: Sequence[tuple[Key, Any]]
    """What was deleted, and the caller's instance of it."""
    records: Mapping[Key, Record] = field(factory=dict)
    """All of it, as it was just before."""


Entry = Created | Updated | Deleted
