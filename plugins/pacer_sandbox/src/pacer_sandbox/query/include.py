"""INCLUDE: which related objects travel with the ones that a query finds."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from attrs import frozen

from pacer_sandbox.errors import IcatError
from pacer_sandbox.query import tree
from pacer_sandbox.query.access import Access
from pacer_sandbox.query.reading import refuse
from pacer_sandbox.query.scope import Scope
from pacer_sandbox.schema import Entity, Field, Schema

Record = dict[str, Any]
"""An object: what is stored of it by field, without what is null, and the related records included."""


@frozen
class Node:
    """One relation to follow, and what to follow from its end."""

    origin: str
    field: Field
    nodes: "tuple[Node, ...]" = ()


def plan(statement: tree.Statement, scope: Scope) -> tuple[Node, ...]:
    """Return what a search includes. Raise ``IcatError`` BAD_PARAMETER for steps that lead nowhere."""
    include, items = statement.include, statement.select.items
    if include is None:
        return ()
    names = {path.text for item in items for path in _paths(item)}
    if len(names) != 1:
        raise refuse(statement.text, 0, "INCLUDE is only valid for one quantity in the SELECT clause")
    place, field = scope.resolve(tree.Path(names.pop(), 0), many=True)
    if field is not None and include.one and field.rel_type != "ATTRIBUTE":
        return include_tree(
            include, scope.context.schema[field.type], "", scope.context.schema, statement.text
        )
    alias = "" if field is not None else _only_path(items)
    return include_tree(include, place.entity, alias, scope.context.schema, statement.text)


def include_tree(
    include: tree.Include, entity: Entity, alias: str, schema: Schema, text: str
) -> tuple[Node, ...]:
    """Return the relations to follow from an entity that the query names ``alias``."""
    if include.one:
        return tuple(Node(entity.name, field) for field in entity.ones)
    root = _Branch(entity)
    branches = {alias.upper(): root}
    for step in include.steps:
        first, *way = step.path.split(".")
        if not way:
            raise refuse(text, step.at, f"Path {step.path} must contain a '.'")
        branch = branches.get(first.upper()) if first else None
        if branch is None:
            why = f"variable {first.upper()} mentioned in INCLUDE clause is not defined"
            raise refuse(text, step.at, why)
        for name in way:
            branch = branch.grow(name, schema, text, step.at)
        if step.alias is not None:
            if step.alias.upper() in branches:
                why = f"variable {step.alias.upper()} mentioned in INCLUDE clause is already defined"
                raise refuse(text, step.at, why)
            branches[step.alias.upper()] = branch
    return root.nodes()


def fill(
    connection: sqlite3.Connection,
    records: Sequence[Record],
    nodes: tuple[Node, ...],
    schema: Schema,
    access: Access,
    max_entities: int,
) -> None:
    """Give the records what is included, without what the user may not read.

    Raise ``IcatError`` VALIDATION where that makes more than ``max_entities`` objects.
    """
    _follow(connection, records, nodes, schema, access, max_entities)
    left = max_entities
    for record in records:
        left -= _count(record, nodes, left)
        if left < 0:
            raise too_many(max_entities)


def too_many(max_entities: int) -> IcatError:
    """Return the refusal of an answer that is too large."""
    return IcatError("VALIDATION", f"attempt to return more than {max_entities} entities")


class _Branch:
    """An entity of the tree while steps are added to it."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.fields: dict[str, _Branch] = {}

    def grow(self, name: str, schema: Schema, text: str, at: int) -> "_Branch":
        field = self.entity.by_name.get(name)
        if field is None or field.rel_type == "ATTRIBUTE":
            why = f"Problem with INCLUDE clause: {name} is not a field of {self.entity.name}"
            raise refuse(text, at, why)
        if name in self.fields:
            raise refuse(text, at, f"INCLUDE clause contains redundant path to {name}")
        self.fields[name] = _Branch(schema[field.type])
        return self.fields[name]

    def nodes(self) -> tuple[Node, ...]:
        return tuple(
            Node(self.entity.name, self.entity[name], branch.nodes()) for name, branch in self.fields.items()
        )


def _paths(item: object) -> Iterator[tree.Path]:
    if isinstance(item, tree.Path):
        yield item
    elif isinstance(item, tuple):
        for part in item:
            yield from _paths(part)
    else:
        for name in ("arguments", "left", "right", "of", "path"):
            yield from _paths(getattr(item, name, ()))


def _only_path(items: tuple[tree.Expression, ...]) -> str:
    return next(path.text for path in _paths(items))


def _follow(
    connection: sqlite3.Connection,
    records: Sequence[Record],
    nodes: tuple[Node, ...],
    schema: Schema,
    access: Access,
    max_entities: int,
) -> None:
    for node in nodes:
        if not records:
            return
        end = schema[node.field.type]
        step = _Step(connection, node, end, access, max_entities)
        found = step.many(records) if node.field.rel_type == "MANY" else step.one(records)
        _follow(connection, found, node.nodes, schema, access, max_entities)


class _Step:
    """Following one relation from many records at once."""

    def __init__(
        self, connection: sqlite3.Connection, node: Node, end: Entity, access: Access, max_entities: int
    ) -> None:
        self.connection = connection
        self.field = node.field
        self.max_entities = max_entities
        wanted = {below.field.name for below in node.nodes}
        self.names = [
            column.name for column in end.columns if column.rel_type == "ATTRIBUTE" or column.name in wanted
        ]
        self.columns = ", ".join(f'"{name}"' for name in self.names)
        self.table = end.name
        self.restricted, self.parameters = "", {"user": access.user}
        if not access.open_step(node.origin, node.field.name):
            restriction = access.readable(end.name)
            if restriction is not None:
                self.restricted = f" AND {restriction.condition('id')}" if restriction.selects else " AND 0"
                self.parameters.update(restriction.parameters)  # type: ignore[arg-type]  # str is a value too

    def one(self, records: Sequence[Record]) -> list[Record]:
        name = self.field.name
        ids = {record[name] for record in records if name in record}
        found = {row[0]: self._record(row) for row in self._rows("id", ids, "id")}
        for record in records:
            target = found.get(record.pop(name, None))
            if target is not None:
                record[name] = target
        return list(found.values())

    def many(self, records: Sequence[Record]) -> list[Record]:
        by_id: dict[int, list[Record]] = {record["id"]: [] for record in records}
        found = []
        for row in self._rows(f'"{self.field.inverse}"', by_id, "id", self.max_entities + 1):
            member = self._record(row)
            by_id[row[0]].append(member)
            found.append(member)
        if len(found) > self.max_entities:
            raise too_many(self.max_entities)
        for record in records:
            record[self.field.name] = by_id[record["id"]]
        return found

    def _rows(self, key: str, ids: Any, order: str, limit: int = -1) -> sqlite3.Cursor:
        sql = (
            f'SELECT {key}, {self.columns} FROM "{self.table}"'  # noqa: S608 - names of the schema
            f" WHERE {key} IN (SELECT value FROM json_each(:ids)){self.restricted}"
            f" ORDER BY {order} LIMIT {limit}"
        )
        return self.connection.execute(sql, {**self.parameters, "ids": json.dumps(list(ids))})

    def _record(self, row: tuple[Any, ...]) -> Record:
        return {name: value for name, value in zip(self.names, row[1:], strict=True) if value is not None}


def _count(record: Record, nodes: tuple[Node, ...], left: int) -> int:
    """Return how many objects a record is with all below it, at least as far as ``left``."""
    total = 1
    for node in nodes:
        below = record.get(node.field.name)
        if below is None:
            continue
        if isinstance(below, dict):
            total += _count(below, node.nodes, left) if node.nodes else 1
        elif not node.nodes:
            total += len(below)
        else:
            for member in below:
                total += _count(member, node.nodes, left)
                if total > left:
                    return total
    return total
