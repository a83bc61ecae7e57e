"""What the server says about its entities: their fields, lengths, and unique keys (``getEntityInfo``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from threading import Lock
from typing import Literal

from attrs import frozen

from pacer_core import PacerError

Relation = Literal["ATTRIBUTE", "ONE", "MANY"]

META = frozenset({"id", "createId", "createTime", "modId", "modTime"})


_INVERSE = {
    ("DataCollection", "jobsAsInput"): "inputDataCollection",
    ("DataCollection", "jobsAsOutput"): "outputDataCollection",
    ("Datafile", "sourceDatafiles"): "destDatafile",
    ("Datafile", "destDatafiles"): "sourceDatafile",
}
"""The relations that two references could be the other side of (entity classes of icat.server 6.2)."""


class UnknownFieldError(PacerError):
    """A name that the server's schema does not have: a mistake in PACER or a plugin, or another version."""


@frozen
class Field:
    """One attribute of, or one relation from, an entity."""

    name: str
    type: str
    """``String``, ``Long``, ``Integer``, ``Double``, ``Date``, ``boolean``, an enum, or an entity."""
    relation: Relation = "ATTRIBUTE"
    required: bool = False
    length: int | None = None
    """The number of characters that a text may have."""


@frozen(slots=False)
class Entity:
    """One entity of ICAT's schema; ``fields`` stand in the order in which they travel."""

    name: str
    fields: tuple[Field, ...]
    key: tuple[str, ...] = ()
    """The fields whose values together are unique."""

    @property
    def bean(self) -> str:
        """Its name in XML: ``datasetParameter``."""
        return bean_name(self.name)

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """Its fields by name."""
        return {field.name: field for field in self.fields}

    @cached_property
    def attributes(self) -> tuple[Field, ...]:
        """What it holds itself: no relation, and not what the server alone sets."""
        return tuple(
            field for field in self.fields if field.relation == "ATTRIBUTE" and field.name not in META
        )

    @cached_property
    def to_one(self) -> tuple[Field, ...]:
        """Its references."""
        return tuple(field for field in self.fields if field.relation == "ONE")

    def field(self, name: str) -> Field:
        """Give a field by name.

        Raises
        ------
        UnknownFieldError
            Where there is none; ICAT itself would pass it over in silence.
        """
        try:
            return self.by_name[name]
        except KeyError:
            raise UnknownFieldError(f"ICAT's {self.name} has no field {name!r}") from None


class Schema:
    """The server's entities, each asked for once; shared by all threads of a process."""

    def __init__(self, ask: Callable[[str], Entity]) -> None:
        self._ask = ask
        self._entities: dict[str, Entity] = {}
        self._lock = Lock()

    def entity(self, name: str) -> Entity:
        """Give an entity by its name (``Dataset``)."""
        found = self._entities.get(name)
        if found is None:
            with self._lock:
                found = self._entities.get(name)
                if found is None:
                    found = self._entities[name] = self._ask(name)
        return found

    def length(self, entity: str, field: str) -> int | None:
        """Give how many characters a text field may have."""
        return self.entity(entity).field(field).length

    def has(self, entity: str, field: str) -> bool:
        """Tell whether this server's version knows a field."""
        return field in self.entity(entity).by_name

    def inverse(self, entity: str, field: str) -> str:
        """Give the reference of the related entity that a to-many relation is the other side of.

        Raises
        ------
        UnknownFieldError
            Where the server's schema does not tell.
        """
        relation = self.entity(entity).field(field)
        back = [one.name for one in self.entity(relation.type).to_one if one.type == entity]
        if len(back) > 1:
            back = [name for name in back if name == _INVERSE.get((entity, field))]
        if len(back) != 1:
            raise UnknownFieldError(f"nothing tells which {relation.type} reference {entity}.{field} means")
        return back[0]

    def learn(self, entities: Iterable[Entity]) -> None:
        """Take entities that are known already, instead of asking for them."""
        with self._lock:
            self._entities.update({entity.name: entity for entity in entities})


def bean_name(entity: str) -> str:
    """Give an entity's name in XML: ``DatasetParameter`` -> ``datasetParameter``."""
    return entity[0].lower() + entity[1:]


def entity_name(bean: str) -> str:
    """Give the entity of an XML type: ``datasetParameter`` -> ``DatasetParameter``."""
    return bean[0].upper() + bean[1:]
