"""The catalogue's schema as data: 53 entities of ICAT 6.2, their fields, keys and relations."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from attrs import field, frozen

RelType = Literal["ATTRIBUTE", "ONE", "MANY"]

_REL_TYPES: dict[str, RelType] = {"ATTRIBUTE": "ATTRIBUTE", "ONE": "ONE", "MANY": "MANY"}

META = ("createId", "createTime", "modId", "modTime")
"""Attributes that the catalogue sets itself."""


@frozen(eq=False)
class Field:
    """One field of an entity.

    ``type`` is ``String``, ``Long``, ``Integer``, ``Double``, ``boolean``, ``Date``, the name of an
    enumeration, or the name of the entity at the other end. ``inverse``, of a to-many field, names the
    to-one field at the other end.
    """

    name: str
    type: str
    rel_type: RelType
    not_null: bool = False
    length: int | None = None
    inverse: str = ""


@frozen(eq=False)
class Entity:
    """One entity: its fields in the order in which they travel, and its unique key, if it has one."""

    name: str
    bean: str
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    by_name: Mapping[str, Field] = field(repr=False)
    columns: tuple[Field, ...] = field(repr=False)
    """What is stored in the entity's table: attributes and to-one fields, in the order of the wire."""

    @property
    def ones(self) -> tuple[Field, ...]:
        """The to-one fields."""
        return tuple(f for f in self.fields if f.rel_type == "ONE")

    @property
    def manies(self) -> tuple[Field, ...]:
        """The to-many fields."""
        return tuple(f for f in self.fields if f.rel_type == "MANY")

    def __getitem__(self, name: str) -> Field:
        return self.by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self.by_name


@frozen
class Schema:
    """All entities by name, and the values of each enumeration."""

    version: str
    entities: Mapping[str, Entity]
    enums: Mapping[str, tuple[str, ...]]
    by_bean: Mapping[str, Entity] = field(repr=False)

    @staticmethod
    def load() -> "Schema":
        """Return the schema of ICAT 6.2; it is read once per process."""
        return _load()

    def __getitem__(self, name: str) -> Entity:
        return self.entities[name]

    def __contains__(self, name: object) -> bool:
        return name in self.entities

    def __iter__(self) -> Iterator[Entity]:
        return iter(self.entities.values())


@cache
def _load() -> Schema:
    data = json.loads(files("pacer_sandbox").joinpath("schema.json").read_text("utf-8"))
    entities = {name: _entity(name, told) for name, told in data["entities"].items()}
    return Schema(
        version=data["version"],
        entities=entities,
        enums={name: tuple(values) for name, values in data["enums"].items()},
        by_bean={entity.bean: entity for entity in entities.values()},
    )


def _entity(name: str, told: Mapping[str, list[Mapping[str, object]]]) -> Entity:
    fields = tuple(_field(f) for f in told["fields"])
    return Entity(
        name=name,
        bean=name[0].lower() + name[1:],
        key=tuple(str(k) for k in told["key"]),
        fields=fields,
        by_name={f.name: f for f in fields},
        columns=tuple(f for f in fields if f.rel_type != "MANY"),
    )


def _field(told: Mapping[str, object]) -> Field:
    length = told.get("length")
    return Field(
        name=str(told["name"]),
        type=str(told["type"]),
        rel_type=_REL_TYPES[str(told["rel"])],
        not_null=bool(told.get("notNull", False)),
        length=length if isinstance(length, int) else None,
        inverse=str(told.get("inverse", "")),
    )
