"""Reading JPQL with ICAT's own clauses INCLUDE and LIMIT."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pacer_sandbox.errors import IcatError
from pacer_sandbox.query import tree
from pacer_sandbox.query.reading import Builder, Children, read

if TYPE_CHECKING:
    from lark import Token

_MOMENT = re.compile(r"\{\s*ts\s+(\d{4}-\d\d-\d\d)\s+(\d\d:\d\d:\d\d)\s*\}")


@lru_cache(maxsize=1024)
def read_statement(text: str) -> tree.Statement:
    """Read a search that begins with SELECT.

    Raise ``IcatError`` BAD_PARAMETER with the position of what is not understood.
    """
    select, (include, limit) = read("jpql", text, BUILDERS, "statement")
    offset, number = limit or (0, None)
    return tree.Statement(text, select, include, offset, number)


@lru_cache(maxsize=1024)
def read_get(text: str) -> tree.GetStatement:
    """Read the query of ``get``: an entity, and behind a variable what to include.

    Raise ``IcatError`` BAD_PARAMETER with the position of what is not understood.
    """
    entity, alias, include = read("jpql", text, BUILDERS, "got")
    return tree.GetStatement(str(entity), str(alias or ""), include)


def moment(token: "Token") -> tree.Moment:
    """Return a timestamp, or refuse what is not of its form."""
    found = _MOMENT.fullmatch(token)
    if found is None:
        raise IcatError("BAD_PARAMETER", f"Timestamp {token} is not of form {{ts yyyy-mm-dd hh:mm:ss}}.")
    return tree.Moment(f"{found[1]} {found[2]}", at(token))


def text_value(token: "Token") -> tree.Text:
    """Return a quoted string without its quotes."""
    return tree.Text(token[1:-1].replace("''", "'"))


def real_value(token: "Token") -> tree.Number:
    """Return a real number, or refuse what only begins like one."""
    try:
        return tree.Number(float(token))
    except ValueError:
        raise IcatError("BAD_PARAMETER", f"'{token}' at character {at(token) + 1} is no number") from None


def at(token: "Token") -> int:
    """Return where a token stands."""
    return token.start_pos or 0


def path(token: "Token") -> tree.Path:
    """Return a name as a path."""
    return tree.Path(str(token), at(token))


def either(kind: Any, parts: Children) -> tree.Expression:
    """Return the parts joined by AND or OR."""
    joined: tree.Expression = kind(tuple(parts))
    return joined


def _select(parts: Children) -> tree.Select:
    distinct, items, sources, where, group, having, order = parts
    return tree.Select(
        items=tuple(items),
        sources=tuple(sources),
        distinct=distinct is not None,
        where=where,
        group=tuple(group or ()),
        having=having,
        order=tuple(order or ()),
    )


def _source(how: Any) -> Builder:
    def build(parts: Children) -> tree.Source:
        name, alias = parts
        return tree.Source(str(name), str(alias), how, at(name))

    return build


def _fetch(parts: Children) -> tree.Source:
    raise IcatError("BAD_PARAMETER", "The FETCH keyword is not permitted")


def _call(parts: Children) -> tree.Call:
    (name, where), *arguments = parts
    return tree.Call(name, tuple(arguments), where)


def _named_call(parts: Children) -> tree.Call:
    name, *arguments = parts
    return tree.Call(str(name).upper(), tuple(arguments), at(name), keyword=False)


def _aggregate(parts: Children) -> tree.Call:
    (name, where), distinct, of = parts
    return tree.Call(name, (of,), where, distinct is not None)


def _word(parts: Children) -> tuple[str, int]:
    return str(parts[0]).upper(), at(parts[0])


def _compare_with(parts: Children) -> tree.CompareWith:
    left, operator, (quantifier, _), select = parts
    return tree.CompareWith(str(operator), left, "ALL" if quantifier == "ALL" else "ANY", select)


def _trim(parts: Children) -> tree.Trim:
    *rest, of = parts
    side = "BOTH"
    if rest and isinstance(rest[0], tuple):
        side = rest.pop(0)[0]
    return tree.Trim(side, rest[0] if rest else None, of)


def _case(parts: Children) -> tree.Case:
    operand, *branches, otherwise = parts
    return tree.Case(operand, tuple(branches), otherwise)


def _step(parts: Children) -> tree.Step:
    name, alias = parts
    return tree.Step(str(name), None if alias is None else str(alias), at(name))


def _step_one(parts: Children) -> str:
    if parts[0] != "1":
        raise IcatError("BAD_PARAMETER", "Only integer value allowed in the INCLUDE list is 1")
    return "1"


def _include(parts: Children) -> tree.Include:
    one = parts[0] == "1"
    steps = tuple(part for part in parts if part != "1")
    if len(steps) + one != len(parts) or (one and any(step.alias is None for step in steps)):
        raise IcatError("BAD_PARAMETER", '"INCLUDE 1" must not be followed by other things to include.')
    return tree.Include(() if one else steps, one)


def _limit(parts: Children) -> tuple[int, int | None]:
    offset, *number = parts
    if offset < 0:
        raise IcatError("INTERNAL", "startPosition cannot be negative")
    if number and number[0] < 0:
        raise IcatError("INTERNAL", "maxResult cannot be negative")
    return offset, number[0] if number and isinstance(number[0], int) else None


def _same(parts: Children) -> Any:
    return parts[0]


BUILDERS: dict[str, Builder] = {
    "statement": tuple,
    "got": tuple,
    "tail": tuple,
    "tail_swapped": lambda parts: (parts[1], parts[0]),
    "select": _select,
    "items": tuple,
    "sources": tuple,
    "range": _source("FROM"),
    "join": _source("JOIN"),
    "left_join": _source("LEFT JOIN"),
    "join_word": tuple,
    "fetch_join": _fetch,
    "where": _same,
    "group": tuple,
    "having": _same,
    "order": tuple,
    "sort": lambda parts: (parts[0], False),
    "sort_desc": lambda parts: (parts[0], True),
    "include": _include,
    "step": _step,
    "step_one": _step_one,
    "limit": _limit,
    "whole": lambda parts: int(parts[0]),
    "negative_whole": lambda parts: -int(parts[0]),
    "or": lambda parts: either(tree.Or, parts),
    "and": lambda parts: either(tree.And, parts),
    "negation": lambda parts: tree.Not(parts[0]),
    "compare": lambda parts: tree.Compare(str(parts[1]), parts[0], parts[2]),
    "compare_with": _compare_with,
    "quantifier": _word,
    "like": lambda parts: tree.Like(parts[0], parts[2], parts[3], parts[1] is not None),
    "between": lambda parts: tree.Between(parts[0], parts[2], parts[3], parts[1] is not None),
    "among": lambda parts: tree.Among(parts[0], tuple(parts[2:]), parts[1] is not None),
    "among_selected": lambda parts: tree.Among(parts[0], parts[2], parts[1] is not None),
    "member": lambda parts: tree.Member(parts[0], path(parts[2]), parts[1] is not None),
    "is_null": lambda parts: tree.IsNull(parts[0], parts[1] is not None),
    "is_empty": lambda parts: tree.IsEmpty(parts[0], parts[1] is not None),
    "exists": lambda parts: tree.Exists(parts[0]),
    "arithmetic": lambda parts: tree.Arithmetic(str(parts[1]), parts[0], parts[2]),
    "negative": lambda parts: tree.Negative(parts[1] if len(parts) > 1 else parts[0]),
    "scalar": lambda parts: tree.Scalar(parts[0]),
    "path": lambda parts: path(parts[0]),
    "text": lambda parts: text_value(parts[0]),
    "integer": lambda parts: tree.Number(int(parts[0])),
    "real": lambda parts: real_value(parts[0]),
    "true": lambda parts: tree.Truth(True),
    "false": lambda parts: tree.Truth(False),
    "null": lambda parts: tree.Null(),
    "parameter": lambda parts: tree.Parameter(parts[0][1:], at(parts[0])),
    "timestamp": lambda parts: moment(parts[0]),
    "now": lambda parts: tree.Now(str(parts[0]).upper()),
    "call": _call,
    "named_call": _named_call,
    "function": _word,
    "aggregate": _aggregate,
    "aggregate_name": _word,
    "size": lambda parts: tree.Size(path(parts[0])),
    "object": lambda parts: path(parts[0]),
    "trim": _trim,
    "trim_side": _trim,
    "trim_side_char": _trim,
    "trim_char": _trim,
    "side": _word,
    "case": _case,
    "when": tuple,
}
"""How each rule of ``jpql.lark`` becomes a part of the tree."""
