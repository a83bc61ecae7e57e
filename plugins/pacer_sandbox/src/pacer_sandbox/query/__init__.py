"""The query language: JPQL with ICAT's clauses, and the old concise syntax, over the sandbox's tables."""

import sqlite3
from zoneinfo import ZoneInfo

from attrs import frozen

from pacer_sandbox.errors import IcatError
from pacer_sandbox.query.access import Access, Restriction
from pacer_sandbox.query.concise import rewrite
from pacer_sandbox.query.execute import Row, run
from pacer_sandbox.query.functions import register
from pacer_sandbox.query.include import Node, Record, fill, include_tree
from pacer_sandbox.query.jpql import read_get, read_statement
from pacer_sandbox.query.links import known
from pacer_sandbox.query.select import Compiled, Item, Readable, compile_query
from pacer_sandbox.query.tree import GetStatement, Statement
from pacer_sandbox.schema import Schema


@frozen
class Answer:
    """What a search found: the type of each column, and the rows.

    A type is an attribute's (``Long``, ``Integer``, ``Double``, ``BigDecimal``, ``String``, ``boolean``,
    ``Date``), an enumeration, or an entity. Values are as stored; an object is a record.
    """

    columns: tuple[str, ...]
    rows: list[Row]


def parse(text: str, schema: Schema) -> Statement:
    """Read a search in either syntax.

    Raise ``IcatError`` BAD_PARAMETER with the position of what is not understood.
    """
    if text.strip().upper().startswith("SELECT"):
        return read_statement(text)
    return rewrite(text, schema)


def search(
    text: str,
    connection: sqlite3.Connection,
    schema: Schema,
    *,
    access: Access,
    zone: ZoneInfo,
    max_entities: int = 10000,
) -> Answer:
    """Answer a search in either syntax, with what the user may read.

    Raise ``IcatError``: BAD_PARAMETER for what is not understood, VALIDATION for more than
    ``max_entities`` objects, INTERNAL where the real server gives that.
    """
    compiled = _compiled(text, schema, zone, access)
    rows = run(compiled, connection, schema, access=access, zone=zone, max_entities=max_entities)
    return Answer(compiled.columns, rows)


def get(
    text: str,
    id: int,  # noqa: A002 - ICAT's word
    connection: sqlite3.Connection,
    schema: Schema,
    *,
    access: Access,
    max_entities: int = 10000,
) -> tuple[str, Record]:
    """Answer ``get``: return the entity and the object of that id, with what the query includes.

    Raise ``IcatError``: BAD_PARAMETER for what is not understood, NO_SUCH_OBJECT_FOUND,
    INSUFFICIENT_PRIVILEGES, VALIDATION for more than ``max_entities`` objects.
    """
    entity, nodes = _plan_get(text, schema)
    wanted = {node.field.name for node in nodes}
    names = tuple(c.name for c in schema[entity].columns if c.rel_type == "ATTRIBUTE" or c.name in wanted)
    columns = ", ".join(f'"{name}"' for name in names)
    sql = f'SELECT {columns} FROM "{entity}" WHERE id = :id'  # noqa: S608 - names of the schema
    row = connection.execute(sql, {"id": id}).fetchone()
    if row is None:
        raise IcatError("NO_SUCH_OBJECT_FOUND", f"{entity}[id:{id}] not found.")
    restriction = access.readable(entity)
    if restriction is not None and not _may_read(connection, entity, id, restriction, access):
        raise IcatError("INSUFFICIENT_PRIVILEGES", f"READ access to this {entity} is not allowed.")
    record = {name: value for name, value in zip(names, row, strict=True) if value is not None}
    fill(connection, [record], nodes, schema, access, max_entities)
    return entity, record


def _may_read(
    connection: sqlite3.Connection, entity: str, id_: int, restriction: Restriction, access: Access
) -> bool:
    if not restriction.selects:
        return False
    sql = f'SELECT 1 FROM "{entity}" WHERE id = :id AND {restriction.condition("id")}'  # noqa: S608 - ours
    parameters = {**restriction.parameters, "user": access.user, "id": id_}
    return connection.execute(sql, parameters).fetchone() is not None


def _plan_get(text: str, schema: Schema) -> tuple[str, tuple[Node, ...]]:
    words = text.split()
    if len(words) > 1 and words[1].upper() == "INCLUDE":
        statement = _concise_get(text, schema)
    else:
        statement = read_get(text)
    entity = known(statement.entity, schema)
    if statement.include is None:
        return entity.name, ()
    return entity.name, include_tree(statement.include, entity, statement.alias, schema, text)


def _concise_get(text: str, schema: Schema) -> GetStatement:
    found = rewrite(text, schema)
    select = found.select
    plain = len(select.sources) == 1 and select.where is None and not select.order and not select.distinct
    if not plain or found.offset or found.number:
        raise IcatError("BAD_PARAMETER", f"Trailing tokens at end of query {text}")
    return GetStatement(select.sources[0].path, select.sources[0].alias, found.include)


def _compiled(text: str, schema: Schema, zone: ZoneInfo, access: Access) -> Compiled:
    asked: dict[str, Restriction | None] = {}

    def readable(entity: str) -> Restriction | None:
        asked[entity] = access.readable(entity)
        return asked[entity]

    key = (text, zone.key)
    if key in _UNRESTRICTED:
        compiled, entities = _UNRESTRICTED[key]
        if all(access.readable(entity) is None for entity in entities):
            return compiled
    compiled = compile_query(parse(text, schema), schema, zone=zone, readable=readable)
    if all(restriction is None for restriction in asked.values()):
        if len(_UNRESTRICTED) > _KEPT:
            _UNRESTRICTED.clear()
        _UNRESTRICTED[key] = compiled, tuple(asked)
    return compiled


_KEPT = 1000
_UNRESTRICTED: dict[tuple[str, str], tuple[Compiled, tuple[str, ...]]] = {}
"""Queries already compiled that nothing restricts, with the entities that must be free to read."""

__all__ = [
    "Access",
    "Answer",
    "Compiled",
    "GetStatement",
    "Item",
    "Node",
    "Readable",
    "Record",
    "Restriction",
    "Row",
    "Statement",
    "compile_query",
    "get",
    "parse",
    "register",
    "run",
    "search",
]
