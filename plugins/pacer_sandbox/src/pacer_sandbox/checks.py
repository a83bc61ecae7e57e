"""What is checked of an object before and after the database has had its say.

Before: rules for parameters, authorisation rules and public steps. After a refusal: which of the
object's own mistakes explains it.
"""

import sqlite3
from collections.abc import Iterable, Mapping

from attrs import frozen

from pacer_sandbox import inserts
from pacer_sandbox.beans import Bean
from pacer_sandbox.errors import IcatError
from pacer_sandbox.lexical import Value
from pacer_sandbox.rules import check_public_step, check_rule
from pacer_sandbox.schema import Entity, Schema

PARAMETERS = {
    "DataCollectionParameter": ("DataCollection", "a"),
    "DatafileParameter": ("Datafile", "a"),
    "DatasetParameter": ("Dataset", "a"),
    "InvestigationParameter": ("Investigation", "an"),
    "SampleParameter": ("Sample", "a"),
}
"""The entities with parameters, and the article before the name of what they belong to."""

NOTHING = -1
"""The id that no object has."""

Row = tuple[Entity, Mapping[str, Value]]
"""An entity and columns of one of its objects."""

CHECKED = frozenset({*PARAMETERS, "Rule", "PublicStep"})


@frozen
class ParameterKind:
    """What is known of a parameter's type: from the request over SOAP, from the database otherwise."""

    id: int | None
    values: Mapping[str, Value]


def prepare(bean: Bean, schema: Schema, connection: sqlite3.Connection, *, as_sent: bool) -> None:
    """Check a new object and all below it, as the real server does before it writes.

    ``as_sent`` says that a parameter is checked against the type as the request carries it. Raises
    IcatError; what is wrong with a child is INTERNAL.
    """
    for children in bean.manies.values():
        for child in children:
            if child.manies or child.entity.name in CHECKED:
                try:
                    prepare(child, schema, connection, as_sent=as_sent)
                except IcatError as exc:
                    raise IcatError(
                        "INTERNAL", f"class org.icatproject.core.IcatException {exc.message}"
                    ) from exc
    prepare_one(bean, schema, connection, as_sent=as_sent)


def prepare_one(bean: Bean, schema: Schema, connection: sqlite3.Connection, *, as_sent: bool) -> None:
    """Check a new object without its children."""
    name = bean.entity.name
    if name in PARAMETERS:
        kind = _kind_of(bean, schema, connection, as_sent)
        check_value(bean.values, kind, connection)
        owner, article = PARAMETERS[name]
        if not kind.values.get(f"applicableTo{owner}"):
            raise IcatError(
                "VALIDATION",
                f"Parameter of type {_text(kind.values.get('name'))} is not applicable to {article} {owner}",
            )
    elif name in CHECKED:
        check_special(bean.entity, bean.values, schema)


def check_special(entity: Entity, values: dict[str, Value], schema: Schema) -> None:
    """Check a rule or a public step, and write a rule's flags as they are stored."""
    if entity.name == "Rule":
        values["crudFlags"] = check_rule(values, schema)
    elif entity.name == "PublicStep":
        check_public_step(values, schema)


def check_changed(
    entity: Entity, row: dict[str, Value], schema: Schema, connection: sqlite3.Connection
) -> None:
    """Check a changed object: a parameter against its stored type, a rule, a public step."""
    if entity.name in PARAMETERS:
        check_value(row, stored_kind(row["type"], schema, connection), connection)
    elif entity.name in CHECKED:
        check_special(entity, row, schema)


def check_value(values: Mapping[str, Value], kind: ParameterKind, connection: sqlite3.Connection) -> None:
    """Check a parameter's value against its type, if the type enforces anything."""
    if not kind.values.get("enforced"):
        return
    name = _text(kind.values.get("name"))
    value_type = kind.values.get("valueType")
    if value_type == "NUMERIC":
        number = values.get("numericValue")
        for limit, sign in (
            (kind.values.get("minimumNumericValue"), "<"),
            (kind.values.get("maximumNumericValue"), ">"),
        ):
            if limit is None:
                continue
            if not isinstance(number, int | float) or not isinstance(limit, int | float):
                raise IcatError("INTERNAL", "")
            if number < limit if sign == "<" else number > limit:
                raise IcatError(
                    "VALIDATION", f"Parameter of type {name} has value {float(number)} {sign} {float(limit)}"
                )
    elif value_type == "STRING":
        permitted = [
            row[0]
            for row in connection.execute(
                "SELECT DISTINCT value FROM PermissibleStringValue WHERE type = ?", (kind.id,)
            )
        ]
        if permitted and values.get("stringValue") not in permitted:
            raise IcatError(
                "VALIDATION",
                f"Parameter of type {name} has value {_text(values.get('stringValue'))}"
                f" not in allowed set [{', '.join(permitted)}]",
            )


def stored_kind(key: Value, schema: Schema, connection: sqlite3.Connection) -> ParameterKind:
    """Return a parameter's type as the database has it."""
    if key is None:
        raise IcatError("VALIDATION", "Type of parameter is not set")
    found = inserts.stored(connection, schema["ParameterType"], int(key))
    return ParameterKind(int(key), found or {})


def diagnose(
    entity: Entity, row: Mapping[str, Value], connection: sqlite3.Connection, *, unique: bool
) -> None:
    """Explain a refusal by the object's own mistakes: a key that exists, a null, a text too long.

    ``row`` holds columns. Returns where nothing explains it.
    """
    if unique:
        raise_if_exists(entity, row, connection)
    for column in entity.columns:
        if column.not_null and row.get(column.name) is None and not inserts.is_zero(column):
            raise IcatError("VALIDATION", f"{entity.name}: {column.name} cannot be null.")
    for column in entity.columns:
        value = row.get(column.name)
        if column.length is not None and isinstance(value, str) and _java_length(value) > column.length:
            raise IcatError(
                "VALIDATION", f"{entity.name}: {column.name} cannot have length > {column.length}"
            )


def raise_if_exists(entity: Entity, row: Mapping[str, Value], connection: sqlite3.Connection) -> None:
    """Raise OBJECT_ALREADY_EXISTS where another object has the same unique key."""
    if not entity.key or any(row.get(name) is None for name in entity.key):
        return
    where = " AND ".join(f'"{name}" = ?' for name in entity.key)
    found = connection.execute(
        f'SELECT id FROM "{entity.name}" WHERE {where}',  # noqa: S608 - names of our own
        [row[name] for name in entity.key],
    ).fetchone()
    if found is not None:
        raise IcatError("OBJECT_ALREADY_EXISTS", exists_message(entity, row))


def exists_message(entity: Entity, row: Mapping[str, Value]) -> str:
    """Return the message that names a key in use."""
    parts = []
    for name in entity.key:
        field = entity[name]
        value = f"{field.type}:{row[name]}" if field.rel_type == "ONE" else _text(row[name])
        parts.append(f"{name} = '{value}'")
    return f"{entity.name} exists with {', '.join(parts)}"


def as_row(bean: Bean) -> dict[str, Value]:
    """Return a bean's own columns as they were sent; a reference without an id is one to nothing."""
    ones = {name: None if other is None else other.id or NOTHING for name, other in bean.ones.items()}
    return {**bean.values, **ones}


def same_key(entity: Entity, row: Mapping[str, Value], others: Iterable[Row]) -> bool:
    """Tell whether one of the other objects of a request has exactly the same key."""
    key = [row.get(name) for name in entity.key]
    return bool(key) and any(
        other is entity and [told.get(name) for name in entity.key] == key for other, told in others
    )


def _kind_of(bean: Bean, schema: Schema, connection: sqlite3.Connection, as_sent: bool) -> ParameterKind:
    kind = bean.ones.get("type")
    if kind is None:
        raise IcatError("VALIDATION", "Type of parameter is not set")
    if as_sent:
        return ParameterKind(kind.id, kind.values)
    return stored_kind(kind.id, schema, connection)


def _java_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _text(value: Value) -> str:
    return "null" if value is None else str(value)
