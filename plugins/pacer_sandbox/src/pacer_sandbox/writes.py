"""Create, update and delete as the SOAP interface does them."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from pacer_sandbox import checks, inserts
from pacer_sandbox.beans import Bean
from pacer_sandbox.caller import Caller
from pacer_sandbox.errors import IcatError
from pacer_sandbox.inserts import FlushError
from pacer_sandbox.lexical import Value
from pacer_sandbox.rules import Authoriser
from pacer_sandbox.schema import Entity


def create(caller: Caller, bean: Bean) -> int:
    """Store one object with all below it and return its id."""
    try:
        return create_many(caller, [bean])[0]
    except IcatError as exc:
        raise IcatError(exc.type, exc.message) from exc


def create_many(caller: Caller, beans: Sequence[Bean]) -> list[int]:
    """Store objects, all or none, and return their ids; a refusal has the offset of the bean to blame."""
    try:
        with caller.transaction() as (connection, access):
            _store(caller, connection, access, beans)
            return [bean.id or 0 for bean in beans]
    except (IcatError, FlushError):
        pass  # which bean is to blame shows when they are stored one by one
    done = 0
    try:
        with caller.transaction() as (connection, access):
            for bean in beans:
                _store(caller, connection, access, [bean])
                done += 1
    except IcatError as exc:
        raise IcatError(exc.type, exc.message, done) from exc
    except FlushError as exc:
        raise _explained(caller, beans, done, exc) from exc
    return [bean.id or 0 for bean in beans]


def may_create(caller: Caller, bean: Bean) -> bool:
    """Tell whether a caller may create an object, by creating it and undoing that."""
    try:
        with caller.transaction() as (connection, access):
            checks.prepare(bean, caller.schema, connection, as_sent=True)
            inserts.insert(connection, [bean], caller.new_id, caller.stamp(), caller.zone)
            allowed = access.allowed("C", bean.entity.name, [bean.id or 0])
            raise _Undo(bool(allowed))
    except _Undo as undo:
        return undo.answer
    except FlushError as exc:
        failure = _explained(caller, [bean], 0, exc)
        raise IcatError(failure.type, failure.message) from exc


class _Undo(Exception):
    def __init__(self, answer: bool) -> None:
        super().__init__()
        self.answer = answer


def _store(caller: Caller, connection: sqlite3.Connection, access: Authoriser, beans: Sequence[Bean]) -> None:
    for bean in beans:
        checks.prepare(bean, caller.schema, connection, as_sent=True)
    inserts.insert(connection, beans, caller.new_id, caller.stamp(), caller.zone)
    if not access.is_root:
        for entity, ids in _by_entity(beans):
            access.check("C", entity, ids)


def _by_entity(beans: Iterable[Bean]) -> Iterator[tuple[str, list[int]]]:
    groups: dict[str, list[int]] = {}
    for bean in beans:
        groups.setdefault(bean.entity.name, []).append(bean.id or 0)
    yield from groups.items()


def _explained(caller: Caller, beans: Sequence[Bean], position: int, failure: FlushError) -> IcatError:
    """Return what the client is told of a refusal: only the top bean is looked at."""
    bean = beans[position]
    row = checks.as_row(bean)
    try:
        with caller.reading() as (connection, _):
            checks.prepare(bean, caller.schema, connection, as_sent=True)
            checks.diagnose(bean.entity, row, connection, unique=True)
    except IcatError as exc:
        return IcatError(exc.type, exc.message, position)
    if checks.same_key(bean.entity, row, ((b.entity, checks.as_row(b)) for b in beans[:position])):
        return IcatError("OBJECT_ALREADY_EXISTS", checks.exists_message(bean.entity, row), position)
    return IcatError("INTERNAL", f"Unexpected DB response {failure}", position)


def update(caller: Caller, bean: Bean) -> None:
    """Overwrite an object's attributes and to-one relations: what was not sent becomes null."""
    entity = bean.entity
    row: dict[str, Value] = {}
    try:
        with caller.transaction() as (connection, access):
            before = found(connection, bean)
            key = int(before["id"] or 0)
            access.check("U", entity.name, [key])
            moved = _identity_changes(bean, before)
            if moved:
                access.check("D", entity.name, [key])
            row = _merged(bean, caller, connection)
            if moved and not access.is_root:  # the check looks at the new state, so that is written before
                _overwrite(caller, connection, entity, key, row)
                access.check("C", entity.name, [key])
            checks.check_changed(entity, row, caller.schema, connection)
            _overwrite(caller, connection, entity, key, row)
    except FlushError as exc:
        with caller.reading() as (connection, _):
            checks.diagnose(entity, row, connection, unique=False)
        raise IcatError("INTERNAL", f"Unexpected DB response {exc}") from exc


def _overwrite(
    caller: Caller, connection: sqlite3.Connection, entity: Entity, key: int, row: dict[str, Value]
) -> None:
    plan = inserts.plan_for(entity)
    ready = {name: inserts.storable(plan, name, value, caller.zone) for name, value in row.items()}
    inserts.change(connection, entity, key, ready)


def _identity_changes(bean: Bean, before: dict[str, Value]) -> bool:
    """Tell whether a relation that is part of the key gets another target."""
    changes = False
    for one in bean.entity.ones:
        if one.name not in bean.entity.key:
            continue
        if bean.ones.get(one.name) is None:
            raise IcatError(
                "INTERNAL",
                "VALIDATION org.icatproject.core.IcatException: Attempt to set field "
                f"{one.name} of {bean.entity.name}:{bean.id} to null",
            )
        target = bean.reference(one.name)
        if target is None:
            raise IcatError("INTERNAL", "java.lang.NullPointerException")
        changes = changes or target != before[one.name]
    return changes


def _merged(bean: Bean, caller: Caller, connection: sqlite3.Connection) -> dict[str, Value]:
    """Return all columns that an update sets; a target that does not exist becomes null."""
    user, now = caller.stamp()
    row: dict[str, Value] = {"modId": user, "modTime": now}
    for column in bean.entity.columns[5:]:
        if column.rel_type == "ATTRIBUTE":
            row[column.name] = bean.values.get(column.name)
            continue
        other = bean.ones.get(column.name)
        if other is not None and other.id is None:
            raise IcatError(
                "INTERNAL",
                "java.lang.IllegalArgumentException: An instance of a null PK has been incorrectly"
                " provided for this find operation.",
            )
        row[column.name] = None
        if other is not None and exists(connection, column.type, other.id):
            row[column.name] = other.id
    return row


def delete_many(caller: Caller, beans: Sequence[Bean]) -> None:
    """Delete objects and all that depends on them, all or none."""
    done = 0
    try:
        with caller.transaction() as (connection, access):
            for bean in beans:
                key = bean.id
                if access.is_root:
                    _require_id(bean)
                else:
                    found(connection, bean)
                    for entity, ids in dependents(caller, connection, bean.entity, [key or 0]):
                        access.check("D", entity, ids)
                cursor = connection.execute(
                    f'DELETE FROM "{bean.entity.name}" WHERE id = ?',  # noqa: S608 - a name of our own
                    (key,),
                )
                if cursor.rowcount == 0:
                    raise _missing(bean)
                done += 1
    except IcatError as exc:
        raise IcatError(exc.type, exc.message, done) from exc


def dependents(
    caller: Caller, connection: sqlite3.Connection, entity: Entity, ids: list[int]
) -> Iterator[tuple[str, list[int]]]:
    """Yield an object's entity and id, then all that a delete would take along, level by level."""
    yield entity.name, ids
    for many in entity.manies:
        child = caller.schema[many.type]
        below: list[int] = []
        for start in range(0, len(ids), 500):
            chunk = ids[start : start + 500]
            marks = ", ".join("?" * len(chunk))
            below.extend(
                row[0]
                for row in connection.execute(
                    f'SELECT id FROM "{child.name}" WHERE "{many.inverse}" IN ({marks})',  # noqa: S608 - our names
                    chunk,
                )
            )
        if below:
            yield from dependents(caller, connection, child, below)


def found(connection: sqlite3.Connection, bean: Bean) -> dict[str, Value]:
    """Return the stored columns of the object that a bean names; NO_SUCH_OBJECT_FOUND otherwise."""
    row = inserts.stored(connection, bean.entity, _require_id(bean))
    if row is None:
        raise _missing(bean)
    return row


def exists(connection: sqlite3.Connection, entity: str, key: int | None) -> bool:
    """Tell whether an object is stored."""
    statement = f'SELECT 1 FROM "{entity}" WHERE id = ?'  # noqa: S608 - a name of our own
    return connection.execute(statement, (key,)).fetchone() is not None


def _require_id(bean: Bean) -> int:
    if bean.id is None:
        raise IcatError("NO_SUCH_OBJECT_FOUND", f"{bean.entity.name} has null primary key.")
    return bean.id


def _missing(bean: Bean) -> IcatError:
    return IcatError("NO_SUCH_OBJECT_FOUND", f"{bean.entity.name}[id:{bean.id}] not found.")
