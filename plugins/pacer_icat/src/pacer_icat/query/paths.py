"""Paths through ICAT's schema: ``investigation__name__startswith``, with the operator at the end."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pacer_icat.faults import IcatFault
from pacer_icat.query.errors import QueryError, near
from pacer_icat.schema import Entity, Field, Schema
from pacer_icat.wire import Wire

_ABSTRACT = ("Parameter",)
"""What ICAT describes, and has no objects of."""
ID = Field("id", "Long", required=True)


def known(wire: Wire, entity: str) -> Entity:
    """Give an entity by its name.

    Raises
    ------
    QueryError
        Where ICAT has none of that name.
    """
    try:
        if entity.isidentifier() and entity not in _ABSTRACT:
            return wire.schema.entity(entity)
    except IcatFault as fault:
        if fault.type != "BAD_PARAMETER":
            raise
    raise QueryError(f"ICAT has no entity {entity!r}{near(entity, wire.entity_names())}")


def resolve(
    schema: Schema, entity: Entity, key: str, operators: Collection[str] = ()
) -> tuple[tuple[Field, ...], str]:
    """Give the fields that a key names one after another, and the operator at its end, or ``""``.

    The words of a key are joined by two underscores or by dots; all fields but the last are relations.

    Raises
    ------
    QueryError
        Where a word is neither.
    """
    words = key.replace("__", ".").split(".")
    fields: list[Field] = []
    here: Entity | None = entity
    for place, word in enumerate(words):
        field = here.by_name.get(word) if here is not None else None
        if field is not None:
            fields.append(field)
            here = schema.entity(field.type) if field.relation != "ATTRIBUTE" else None
            continue
        if fields and place == len(words) - 1 and word in operators:
            return tuple(fields), word
        raise _unknown(key, word, here, fields, operators if place == len(words) - 1 else ())
    return tuple(fields), ""


def attribute(schema: Schema, entity: Entity, key: str, use: str) -> tuple[Field, ...]:
    """Give the fields of a path that ends at an attribute and passes through no to-many relation.

    Raises
    ------
    QueryError
        Where it is another path; ``use`` says what it was for.
    """
    fields, _ = resolve(schema, entity, key)
    for field in fields:
        if field.relation == "MANY":
            raise QueryError(
                f"{key!r} cannot {use}: {field.name!r} is many; ask for {field.type} objects instead"
            )
    if fields[-1].relation != "ATTRIBUTE":
        raise QueryError(f"{key!r} cannot {use}: it is a relation; name an attribute, as in '{key}.id'")
    return fields


class Tree(dict[str, "Tree"]):
    """Relations to follow, and what to follow from the end of each."""


def inclusion(schema: Schema, entity: Entity, paths: Sequence[str]) -> Tree:
    """Give the relations that some paths name, as a tree.

    Raises
    ------
    QueryError
        Where a word is no relation.
    """
    tree: Tree = Tree()
    for key in paths:
        branch = tree
        fields, _ = resolve(schema, entity, key)
        for field in fields:
            if field.relation == "ATTRIBUTE":
                raise QueryError(
                    f"{key!r} cannot be included: {field.name!r} is an attribute, and always there"
                )
            branch = branch.setdefault(field.name, Tree())
    return tree


def _unknown(
    key: str, word: str, here: Entity | None, fields: Sequence[Field], operators: Collection[str]
) -> QueryError:
    where = "" if key == word else f" (in {key!r})"
    if here is None:
        if operators:
            return QueryError(f"{word!r} is no operator{where}{near(word, operators)}")
        return QueryError(f"{fields[-1].name!r} has no {word!r}{where}: it is an attribute, no relation")
    names = list(here.by_name)
    return QueryError(f"ICAT's {here.name} has no {word!r}{where}{near(word, [*names, *operators])}")
