"""python-icat's instances on their way to ICAT, with every value checked before it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pacer_core import PacerError
from pacer_icat.collation import fold
from pacer_icat.schema import META, Entity, Field, entity_name
from pacer_icat.soap import Bean, Record, ref
from pacer_icat.values import typed
from pacer_icat.wire import Wire, parameter_type


class EntityError(PacerError, ValueError):
    """An object that ICAT would refuse, or misunderstand, as it is."""


def entity_of(instance: Any, wire: Wire) -> Entity:
    """Give the schema of what an instance is."""
    return wire.schema.entity(entity_name(type(instance).__name__))


def id_of(instance: Any, use: str) -> int:
    """Give the id of an instance.

    Raises
    ------
    EntityError
        Where it has none; ``use`` says what it was for.
    """
    found = getattr(instance, "id", None)
    if found is None:
        raise EntityError(f"a {entity_name(type(instance).__name__)} that is not in ICAT cannot {use}")
    return int(found)


def bean(instance: Any, wire: Wire, parent: Any = None, back: str = "") -> Bean:
    """Give an instance with all its children, to be created in one call.

    ICAT names what is wrong with the top object alone, and lets unreadable values vanish; so all are checked
    here. ``back`` is a child's reference to its ``parent``, which ICAT sets.

    Raises
    ------
    EntityError
        For a value that is missing, or that its field cannot have, for a reference to what is not in ICAT,
        and for two children with one unique key.
    """
    entity = entity_of(instance, wire)
    values: dict[str, Any] = {}
    missing: list[str] = []
    for field in entity.fields:
        value = getattr(instance, field.name, None)
        if value is None or field.name in META or value is parent:
            if value is None and field.required and field.name != back and field.type != "boolean":
                missing.append(field.name)
        elif field.relation != "MANY":
            values[field.name] = sent(entity, field, value, wire)
        elif value:
            inverse = wire.schema.inverse(entity.name, field.name)
            children = [bean(child, wire, instance, inverse) for child in value]
            _check_keys(entity, field, children, wire.schema.entity(field.type), inverse)
            values[field.name] = children
    if missing:
        raise EntityError(f"a {entity.name} lacks what ICAT needs: {', '.join(missing)}")
    return Bean(entity.name, values)


def _check_keys(entity: Entity, field: Field, children: list[Bean], child: Entity, inverse: str) -> None:
    names = [name for name in child.key if name != inverse]
    if not names:
        return
    seen: set[tuple[Any, ...]] = set()
    for one in children:
        key = tuple(_compared(one.values.get(name)) for name in names)
        if key in seen:
            raise EntityError(
                f"two of {entity.name}.{field.name} are one to ICAT, which compares their "
                f"{' and '.join(names)} without regard to case, accents and blanks at the end"
            )
        seen.add(key)


def _compared(value: Any) -> Any:
    if isinstance(value, Bean):
        return value.values["id"]
    return fold(value) if isinstance(value, str) else value


def changes(instance: Any, names: Iterable[str], wire: Wire) -> dict[str, Any]:
    """Give the values of some fields of an instance as an update sends them; ``None`` takes a value away.

    Raises
    ------
    EntityError
        As for `bean`.
    """
    entity = entity_of(instance, wire)
    found: dict[str, Any] = {}
    for name in names:
        value = getattr(instance, name, None)
        found[name] = None if value is None else sent(entity, entity.field(name), value, wire)
    return found


def sent(entity: Entity, field: Field, value: Any, wire: Wire) -> Any:
    """Give the value of one attribute, or of one reference, as it is sent."""
    if field.relation == "ONE":
        return _reference(field, value, wire)
    try:
        found = typed(field, value, wire.zone)
    except ValueError as error:
        raise EntityError(f"{entity.name}.{field.name} {error}") from None
    if isinstance(found, str) and field.length is not None and len(found) > field.length:
        raise EntityError(f"{entity.name}.{field.name} takes at most {field.length} characters")
    return found


def _reference(field: Field, value: Any, wire: Wire) -> Bean:
    number = id_of(value, f"be referred to as {field.name!r}: create it first")
    if field.type != "ParameterType":
        return ref(field.type, number)
    # ICAT checks a parameter against the type as it is sent: with all its flags, or it is refused.
    if getattr(value, "valueType", None) is None:
        record = wire.read(field.type, number)
        if record is None:
            raise EntityError(f"the {field.type} that {field.name!r} refers to is not in ICAT any more")
    else:
        names = [one.name for one in wire.schema.entity(field.type).attributes]
        record = Record(field.type, {"id": number, **{name: getattr(value, name, None) for name in names}})
    return parameter_type(record)
