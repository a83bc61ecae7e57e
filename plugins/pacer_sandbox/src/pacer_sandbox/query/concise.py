"""Reading ICAT's old, concise syntax and rewriting it into the tree of the new one.

The relations between the entities that a query names are found in the schema; where there are two ways,
the query is refused.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from attrs import frozen

from pacer_sandbox.errors import IcatError
from pacer_sandbox.query import tree
from pacer_sandbox.query.jpql import at, moment, path, real_value, text_value
from pacer_sandbox.query.links import alias_of, include_steps, joins, known
from pacer_sandbox.query.reading import Builder, Children, read
from pacer_sandbox.schema import Entity, Schema

Condition = Callable[[Entity, Schema], tree.Expression]
"""A condition that waits for the entity whose fields it names."""

_OPERANDS = tree.Text | tree.Number | tree.Parameter | tree.Moment
META = ("createTime", "createId", "modTime", "modId")


@frozen
class _Words:
    """What a concise query says, before the schema is asked."""

    result: tree.Path
    function: str | None = None
    distinct: bool = False
    offset: int = 0
    number: int | None = None
    order: tuple[tuple[tree.Path, bool], ...] = ()
    include: tuple[str, ...] | int = ()
    condition: Condition | None = None
    links: tuple[tuple[str, Condition | None], ...] = ()


@lru_cache(maxsize=1024)
def read_concise(text: str) -> Any:
    """Read a concise query as far as that goes without a schema."""
    return read("concise", text, BUILDERS, "query")


def rewrite(text: str, schema: Schema) -> tree.Statement:
    """Read a concise query and return the search that it means.

    Raise ``IcatError`` BAD_PARAMETER for what is not understood, for unknown entities and fields, and
    for entities that are not linked in exactly one way.
    """
    words: _Words = read_concise(text)
    name, *attribute = words.result.text.split(".", 1)
    entity = known(name, schema)
    include = None
    if isinstance(words.include, int):
        include = tree.Include((), one=True)
    elif words.include:
        include = include_steps(entity, words.include, schema)
    ends = [(known(end, schema), condition) for end, condition in words.links]
    sources = [tree.Source(entity.name, alias_of(entity), "FROM", words.result.at)]
    sources += joins(entity, [end for end, _ in ends], schema)
    conditions = [
        condition(end, schema)
        for end, condition in [(entity, words.condition), *ends]
        if condition is not None
    ]
    result: tree.Expression = tree.Path(".".join([alias_of(entity), *attribute]), words.result.at)
    if words.function is not None:
        result = tree.Call(words.function, (result,), words.result.at)
    order = tuple((_of(entity, by), downwards) for by, downwards in words.order)
    where = tree.And(tuple(conditions)) if conditions else None
    select = tree.Select((result,), tuple(sources), words.distinct, where, order=order)
    return tree.Statement(text, select, include, words.offset, words.number)


def _of(entity: Entity, name: tree.Path) -> tree.Path:
    return tree.Path(f"{alias_of(entity)}.{name.text}", name.at)


def _names_field(operand: tree.Expression, entity: Entity) -> bool:
    """Tell whether a word is a field, or begins with one.

    The real server looks into an entity's own class and the one above it; ``id`` is one further up for
    the parameters, and unknown there.
    """
    if not isinstance(operand, tree.Path):
        return False
    first = operand.text.split(".")[0]
    if first == "id" and "numericValue" in entity:
        return False
    return first in entity or first in META


def _shown(operand: object) -> str:
    return str(getattr(operand, "text", getattr(operand, "value", getattr(operand, "name", ""))))


def _compare(parts: Children) -> Condition:
    left, operator, right = parts

    def build(entity: Entity, schema: Schema) -> tree.Expression:
        if _names_field(left, entity):
            name, other = left, right
        elif _names_field(right, entity):
            name, other = right, left
        else:
            raise IcatError(
                "BAD_PARAMETER",
                "Attribute comparisons require one attribute name and one value: "
                f"{_shown(left)} {operator} {_shown(right)}",
            )
        value = _value(other, name, entity, schema)
        if str(operator).upper() == "LIKE":
            return tree.Like(_of(entity, name), value, None, False)
        return tree.Compare(str(operator), _of(entity, name), value)

    return build


def _value(operand: Any, name: tree.Path, entity: Entity, schema: Schema) -> tree.Expression:
    """Return an operand; a bare word is TRUE, FALSE, or a value of the enumeration on the other side."""
    if not isinstance(operand, tree.Path):
        value: tree.Expression = operand
        return value
    if operand.text.upper() in ("TRUE", "FALSE"):
        return tree.Truth(operand.text.upper() == "TRUE")
    kind = ""
    for part in name.text.split("."):
        if part not in entity:
            raise IcatError("BAD_PARAMETER", f"Field {part} not found in class {entity.name}")
        kind = entity[part].type
        entity = schema.entities.get(kind, entity)
    return tree.Path(f"org.icatproject.{kind}.{operand.text}", operand.at)


def _among(parts: Children) -> Condition:
    of, *items = parts

    def build(entity: Entity, schema: Schema) -> tree.Expression:
        return tree.Among(_left(of, entity, "IN"), tuple(items), False)

    return build


def _between(parts: Children) -> Condition:
    of, low, high = parts

    def build(entity: Entity, schema: Schema) -> tree.Expression:
        return tree.Between(_left(of, entity, "BETWEEN"), low, high, False)

    return build


def _left(of: tree.Expression, entity: Entity, operator: str) -> tree.Path:
    if isinstance(of, tree.Path) and _names_field(of, entity):
        return _of(entity, of)
    raise IcatError("BAD_PARAMETER", f'"{operator}" comparisons require a name on the LHS')


def _joined(kind: Any) -> Builder:
    def build(parts: Children) -> Condition:
        return lambda entity, schema: kind(tuple(part(entity, schema) for part in parts))

    return build


def _negation(parts: Children) -> Condition:
    return lambda entity, schema: tree.Not(parts[0](entity, schema))


def _aggregate(parts: Children) -> dict[str, Any]:
    function, name = parts
    return {"function": function, "result": path(name)}


def _selection(parts: Children) -> dict[str, Any]:
    limits, distinct, name = parts
    offset, number = limits or (0, None)
    return {"result": path(name), "distinct": distinct is not None, "offset": offset, "number": number}


def _limits(parts: Children) -> tuple[int, int | None]:
    offset, number = (None if part is None else int(part) for part in parts)
    if (offset or 0) < 0:
        raise IcatError("INTERNAL", "startPosition cannot be negative")
    if (number or 0) < 0:
        raise IcatError("INTERNAL", "maxResult cannot be negative")
    return offset or 0, number


def _query(parts: Children) -> _Words:
    chosen, *rest = parts
    order, include = (), ()
    if rest and isinstance(rest[0], dict):
        modifiers = rest.pop(0)
        order, include = modifiers["order"] or (), modifiers["include"] or ()
        if include and "." in chosen["result"].text:
            raise IcatError("BAD_PARAMETER", "INCLUDE is only possible where whole objects are selected")
    condition, *links = rest
    return _Words(**chosen, order=order, include=include, condition=condition, links=tuple(links))


def _include_one(parts: Children) -> int:
    if parts[0] != "1":
        raise IcatError("BAD_PARAMETER", "Only integer value allowed in the INCLUDE list is 1")
    return 1


BUILDERS: dict[str, Builder] = {
    "query": _query,
    "aggregate": _aggregate,
    "aggregate_name": lambda parts: str(parts[0]).upper(),
    "selection": _selection,
    "limits": _limits,
    "modifiers": lambda parts: {"order": parts[0], "include": parts[1]},
    "modifiers_swapped": lambda parts: {"order": parts[1], "include": parts[0]},
    "order": tuple,
    "sort": lambda parts: (path(parts[0]), False),
    "sort_desc": lambda parts: (path(parts[0]), True),
    "include": lambda parts: tuple(str(part) for part in parts),
    "include_one": _include_one,
    "link": lambda parts: (str(parts[0]), parts[1]),
    "condition": lambda parts: parts[0],
    "or": _joined(tree.Or),
    "and": _joined(tree.And),
    "negation": _negation,
    "compare": _compare,
    "among": _among,
    "between": _between,
    "name": lambda parts: path(parts[0]),
    "text": lambda parts: text_value(parts[0]),
    "integer": lambda parts: tree.Number(int(parts[0])),
    "real": lambda parts: real_value(parts[0]),
    "parameter": lambda parts: tree.Parameter(parts[0][1:], at(parts[0])),
    "timestamp": lambda parts: moment(parts[0]),
}
"""How each rule of ``concise.lark`` becomes a part of the query."""
