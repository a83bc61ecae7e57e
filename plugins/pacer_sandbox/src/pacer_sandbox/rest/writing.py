"""Write over REST: create with children, change single fields, and touch all that is referred to."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from attrs import define, field

from pacer_sandbox import checks, inserts
from pacer_sandbox.beans import Bean
from pacer_sandbox.caller import Caller
from pacer_sandbox.errors import IcatError
from pacer_sandbox.inserts import FlushError
from pacer_sandbox.lexical import Value
from pacer_sandbox.rest.reading import BreakdownError, attribute, whole
from pacer_sandbox.rules import Authoriser
from pacer_sandbox.schema import META, Entity
from pacer_sandbox.writes import found


def write(caller: Caller, told: Any) -> list[int]:
    """Create and change what a JSON array (or a single object) says, all or nothing.

    Returns the ids of the top objects that were created. Raises IcatError with the offset of the object
    to blame, or BreakdownError.
    """
    objects = told if isinstance(told, list) else [told]
    created = []
    done = 0
    earlier: list[checks.Row] = []
    try:
        with caller.transaction() as (connection, access):
            for one in objects:
                work = _WriteOne(caller, connection, access)
                key = work.run(one)
                if key is not None:
                    created.append(key)
                earlier.extend((bean.entity, work.row_of(bean)) for bean in work.creates)
                done += 1
    except IcatError as exc:
        raise IcatError(exc.type, exc.message, done) from exc
    except _RefusedError as exc:
        with caller.reading() as (connection, _):
            raise exc.explained(connection, earlier, done) from exc
    return created


@define
class _Change:
    """An object that is stored already and is changed, or only referred to."""

    entity: Entity
    id: int
    row: dict[str, Value]
    changes: dict[str, Value] = field(factory=dict)
    moved: bool = False
    children: dict[str, list[Bean]] = field(factory=dict)


class _RefusedError(Exception):
    """The checks or the database refused what was written."""

    def __init__(self, work: "_WriteOne", reason: Exception) -> None:
        super().__init__(str(reason))
        self._work = work

    def explained(self, connection: sqlite3.Connection, earlier: list[checks.Row], offset: int) -> IcatError:
        """Return what the client is told: the first mistake found, be it the cause or not.

        ``earlier`` are the objects that the same request has created before.
        """
        try:
            for bean in self._work.creates:
                _blame(bean.entity, self._work.row_of(bean), connection)
            for change in self._work.changes.values():
                _blame(change.entity, change.row, connection)
        except IcatError as exc:
            return IcatError(exc.type, exc.message, offset)
        before = list(earlier)
        for bean in self._work.creates:
            row = self._work.row_of(bean)
            if checks.same_key(bean.entity, row, before):
                return IcatError("OBJECT_ALREADY_EXISTS", checks.exists_message(bean.entity, row), offset)
            before.append((bean.entity, row))
        return IcatError("INTERNAL", f"Unexpected DB response {self}", offset)


def _blame(entity: Entity, row: Mapping[str, Value], connection: sqlite3.Connection) -> None:
    checks.diagnose(entity, row, connection, unique=False)
    checks.raise_if_exists(entity, row, connection)


class _WriteOne:
    """One top object of a request and all that hangs on it."""

    def __init__(self, caller: Caller, connection: sqlite3.Connection, access: Authoriser) -> None:
        self._caller = caller
        self._connection = connection
        self._access = access
        self.creates: list[Bean] = []
        self.changes: dict[tuple[str, int], _Change] = {}
        self._parents: dict[int, tuple[str, Bean]] = {}

    def run(self, told: Any) -> int | None:
        """Do it; return the id if the top object is new."""
        entity, contents = self._top(told)
        if "id" in contents:
            key = contents["id"]
            if isinstance(key, str):
                raise IcatError("BAD_PARAMETER", f"Badly formatted id: {key}")
            change = self._find(entity, whole(key))
            self._change(change, contents)
            self._flush(None, change)
            return None
        bean = self._create(entity, contents)
        self._flush(bean, None)
        return bean.id

    def row_of(self, bean: Bean) -> dict[str, Value]:
        """Return the columns of a new object, with its parent where that has been set."""
        row = checks.as_row(bean)
        parent = self._parents.get(id(bean))
        if parent is not None:
            row[parent[0]] = parent[1].id or checks.NOTHING
        return row

    def _top(self, told: Any) -> tuple[Entity, dict[str, Any]]:
        if not isinstance(told, dict):
            raise BreakdownError
        if len(told) != 1:
            raise IcatError(
                "BAD_PARAMETER", f"Entity must have one keyword followed by its values in json {told}"
            )
        ((name, contents),) = told.items()
        if name not in self._caller.schema:
            raise IcatError("BAD_PARAMETER", f"{name} is not an ICAT entity")
        if not isinstance(contents, dict):
            raise IcatError("BAD_PARAMETER", f"Unexpected array found in JSON {contents}")
        return self._caller.schema[name], contents

    def _find(self, entity: Entity, key: int) -> _Change:
        known = self.changes.get((entity.name, key))
        if known is None:
            row = found(self._connection, Bean(entity, key))
            known = _Change(entity, key, row)
        return known

    def _create(self, entity: Entity, contents: dict[str, Any]) -> Bean:
        bean = Bean(entity)
        for name, told in contents.items():
            f = self._field(entity, name)
            if f.rel_type == "ATTRIBUTE":
                bean.values[name] = attribute(entity, f, told, self._caller.zone)
            elif f.rel_type == "ONE":
                bean.ones[name] = self._reference(self._caller.schema[f.type], told)
            else:
                bean.manies[name] = self._children(self._caller.schema[f.type], told)
        self.creates.append(bean)
        return bean

    def _change(self, change: _Change, contents: dict[str, Any]) -> None:
        entity = change.entity
        names = [name for name in contents if name != "id"]
        self._access.check_update(entity.name, change.id, names)
        for name in names:
            f = self._field(entity, name)
            if f.rel_type == "MANY":
                change.children[name] = self._children(self._caller.schema[f.type], contents[name])
                continue
            if f.rel_type == "ONE":
                target = self._reference(self._caller.schema[f.type], contents[name])
                change.changes[name] = None if target is None else target.id
                change.moved = change.moved or (target is not None and name in entity.key)
            else:
                change.changes[name] = attribute(entity, f, contents[name], self._caller.zone)
            change.row[name] = change.changes[name]
        if change.moved and not self._access.allowed("D", entity.name, [change.id]):
            raise IcatError(
                "INSUFFICIENT_PRIVILEGES",
                f"DELETE access implied by UPDATE to this {entity.name} is not allowed.",
            )
        self.changes[entity.name, change.id] = change

    def _field(self, entity: Entity, name: str) -> Any:
        if name in META:
            raise BreakdownError
        if name not in entity:
            raise IcatError("BAD_PARAMETER", f"Field {name} not found in {entity.name}")
        return entity[name]

    def _reference(self, entity: Entity, told: Any) -> Bean | None:
        if told is None:
            return None
        if not isinstance(told, dict):
            shown = f'"{told}"' if isinstance(told, str) else told
            raise IcatError("BAD_PARAMETER", f"Badly formatted relationship object {shown}")
        if "id" not in told:
            raise IcatError(
                "BAD_PARAMETER", f"One to many related objects should not have the id value set: {told}"
            )
        if isinstance(told["id"], str) or told["id"] is None:
            raise IcatError("BAD_PARAMETER", f"Badly formatted relationship object {told}")
        change = self._find(entity, whole(told["id"]))
        self._change(change, told)
        return Bean(entity, change.id)

    def _children(self, entity: Entity, told: Any) -> list[Bean]:
        if not isinstance(told, list):
            raise BreakdownError
        children = []
        for one in told:
            if not isinstance(one, dict):
                raise BreakdownError
            if "id" in one:
                raise IcatError(
                    "BAD_PARAMETER", f"Many to one related objects should have the id value set: {one}"
                )
            children.append(self._create(entity, one))
        return children

    def _flush(self, bean: Bean | None, change: _Change | None) -> None:
        caller, connection = self._caller, self._connection
        try:
            self._store_changes()
            if bean is not None:
                self._prepare(bean)
                inserts.insert(connection, [bean], caller.new_id, caller.stamp(), caller.zone)
            elif change is not None:
                self._add_children(change)
            self._check_changes()
        except (IcatError, FlushError) as exc:
            raise _RefusedError(self, exc) from exc
        for new in self.creates:
            self._access.check("C", new.entity.name, [new.id or 0])
        for done in self.changes.values():
            if done.moved:
                self._access.check("C", done.entity.name, [done.id])

    def _store_changes(self) -> None:
        user, now = self._caller.stamp()
        for change in self.changes.values():
            if change.entity.name in checks.CHECKED and change.entity.name not in checks.PARAMETERS:
                checks.check_special(change.entity, change.row, self._caller.schema)
                change.changes = {name: change.row[name] for name in change.changes}
            plan = inserts.plan_for(change.entity)
            ready = {
                name: inserts.storable(plan, name, value, self._caller.zone)
                for name, value in change.changes.items()
            }
            inserts.change(
                self._connection, change.entity, change.id, {**ready, "modId": user, "modTime": now}
            )

    def _check_changes(self) -> None:
        for change in self.changes.values():
            if change.entity.name in checks.PARAMETERS:
                kind = checks.stored_kind(change.row["type"], self._caller.schema, self._connection)
                checks.check_value(change.row, kind, self._connection)

    def _prepare(self, bean: Bean) -> None:
        """Check a new object and its children; a child knows its parent only when it has passed."""
        for name, children in bean.manies.items():
            for child in children:
                self._prepare(child)
                self._parents[id(child)] = (bean.entity[name].inverse, bean)
        checks.prepare_one(bean, self._caller.schema, self._connection, as_sent=False)

    def _add_children(self, change: _Change) -> None:
        for name, children in change.children.items():
            inverse = change.entity[name].inverse
            for child in children:
                self._prepare(child)
                parent = Bean(change.entity, change.id)
                self._parents[id(child)] = (inverse, parent)
                child.ones[inverse] = parent
        for children in change.children.values():
            inserts.insert(
                self._connection, children, self._caller.new_id, self._caller.stamp(), self._caller.zone
            )
