"""From beans to rows: how new objects and changes reach the tables."""

import math
import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from zoneinfo import ZoneInfo

from attrs import frozen

from pacer_sandbox import times
from pacer_sandbox.beans import Bean
from pacer_sandbox.lexical import Value
from pacer_sandbox.schema import Entity, Field

COUNTED = frozenset({"fileSize", "fileCount"})
"""Numbers that are 0 where none is given."""

_PERSISTENCE = "jakarta.persistence.PersistenceException Exception [EclipseLink-4002]"
_DATABASE = "org.eclipse.persistence.exceptions.DatabaseException\nInternal Exception: java.sql."
NEW_OBJECT = (
    "java.lang.IllegalStateException During synchronization a new object was found through a relationship"
    " that was not marked cascade PERSIST"
)


class FlushError(Exception):
    """The database would refuse what was written; the message is what the real server would report."""


@frozen
class Plan:
    """How an entity's beans become rows: column positions, defaults and what to check."""

    insert: str
    defaults: tuple[Value, ...]
    positions: dict[str, int]
    lengths: dict[str, int]
    dates: frozenset[str]
    zeros: frozenset[str]
    """Columns in which null means 0."""


@cache
def plan_for(entity: Entity) -> Plan:
    """Return the plan of an entity."""
    names = ", ".join(f'"{c.name}"' for c in entity.columns)
    marks = ", ".join("?" * len(entity.columns))
    zeros = frozenset(c.name for c in entity.columns if is_zero(c))
    return Plan(
        insert=f'INSERT INTO "{entity.name}" ({names}) VALUES ({marks})',  # noqa: S608 - names of our own
        defaults=tuple(0 if c.name in zeros else None for c in entity.columns),
        positions={c.name: i for i, c in enumerate(entity.columns)},
        lengths={c.name: c.length for c in entity.columns if c.length is not None},
        dates=frozenset(c.name for c in entity.columns if c.type == "Date"),
        zeros=zeros,
    )


def is_zero(column: Field) -> bool:
    """Tell whether null is stored as 0 in a column."""
    return column.type == "boolean" or column.name in COUNTED


def storable(plan: Plan, name: str, value: Value, zone: ZoneInfo) -> Value:
    """Return what the column holds for a value.

    Raises FlushError for what the database refuses: text over its length (blanks at its end are cut off
    without a word), numbers that are none, years after 9999.
    """
    if isinstance(value, str):
        length = plan.lengths.get(name)
        if length is not None and len(value) > length:
            if value[length:].strip(" "):
                raise FlushError(
                    f"class {_PERSISTENCE}: {_DATABASE}SQLDataException: Data too long for column '{name}'"
                )
            return value[:length]
    elif value is None:
        return 0 if name in plan.zeros else None
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise FlushError(
                f"class {_PERSISTENCE}: {_DATABASE}SQLException: '{value}' is not a valid number"
            )
    elif name in plan.dates and not times.storable(int(value), zone):
        raise FlushError(
            f"class {_PERSISTENCE}: {_DATABASE}SQLException: Incorrect datetime value for '{name}'"
        )
    return value


def insert(
    connection: sqlite3.Connection,
    beans: Sequence[Bean],
    new_id: Callable[[], int],
    stamp: tuple[str, int],
    zone: ZoneInfo,
) -> None:
    """Write new objects with all that hangs below them, and give each bean its id.

    ``stamp`` is the user and the time for the meta attributes; those that a bean carries in ``values``
    are kept instead. Raises FlushError when the database refuses.
    """
    level: list[tuple[Bean | None, str, Bean]] = [(None, "", bean) for bean in beans]
    user, now = stamp
    while level:
        rows: dict[str, tuple[str, list[list[Value]]]] = {}
        below: list[tuple[Bean | None, str, Bean]] = []
        for parent, inverse, bean in level:
            entity = bean.entity
            plan = plan_for(entity)
            bean.id = new_id()
            row = list(plan.defaults)
            row[0:5] = (user, now, bean.id, user, now)
            positions = plan.positions
            for name, value in bean.values.items():
                row[positions[name]] = storable(plan, name, value, zone)
            for name, other in bean.ones.items():
                if other is not None:
                    if other.id is None:
                        raise FlushError(f"class {NEW_OBJECT}: {other.entity.name}")
                    row[positions[name]] = other.id
            if parent is not None:
                row[positions[inverse]] = parent.id
            group = rows.get(entity.name)
            if group is None:
                group = rows[entity.name] = (plan.insert, [])
            group[1].append(row)
            for name, children in bean.manies.items():
                # Ids of nested objects come in no particular order; in this one nobody can rely on it.
                below.extend((bean, entity[name].inverse, child) for child in reversed(children))
        for statement, values in rows.values():
            execute(connection, statement, values)
        level = below


def execute(connection: sqlite3.Connection, statement: str, rows: list[list[Value]]) -> None:
    """Run a statement for each row; FlushError where a key, a null or a reference is wrong."""
    try:
        if len(rows) == 1:
            connection.execute(statement, rows[0])
        else:
            connection.executemany(statement, rows)
    except (sqlite3.IntegrityError, OverflowError) as exc:
        raise FlushError(_reported(exc)) from exc


def change(connection: sqlite3.Connection, entity: Entity, key: int, row: dict[str, Value]) -> None:
    """Set columns of one stored object."""
    sets = ", ".join(f'"{name}" = ?' for name in row)
    execute(
        connection,
        f'UPDATE "{entity.name}" SET {sets} WHERE id = ?',  # noqa: S608 - names of our own
        [[*row.values(), key]],
    )


def stored(connection: sqlite3.Connection, entity: Entity, key: int) -> dict[str, Value] | None:
    """Return the columns of a stored object, or ``None``."""
    found = connection.execute(
        f'SELECT * FROM "{entity.name}" WHERE id = ?',  # noqa: S608 - a name of our own
        (key,),
    ).fetchone()
    return None if found is None else dict(zip((c.name for c in entity.columns), found, strict=True))


def _reported(exc: Exception) -> str:
    text = str(exc)
    if text.startswith("UNIQUE"):
        columns = text.removeprefix("UNIQUE constraint failed: ")
        return (
            f"class {_PERSISTENCE}: {_DATABASE}SQLIntegrityConstraintViolationException: "
            f"Duplicate entry for key '{columns}'\nError Code: 1062"
        )
    if text.startswith("NOT NULL"):
        column = text.rpartition(".")[2]
        return (
            f"class {_PERSISTENCE}: {_DATABASE}SQLIntegrityConstraintViolationException: "
            f"Column '{column}' cannot be null\nError Code: 1048"
        )
    if text.startswith("FOREIGN KEY"):
        return f"class {NEW_OBJECT}"
    return f"class {_PERSISTENCE}: {_DATABASE}SQLException: {text}"
