"""A plan's questions to ICAT, page by page, and in several queries where a list is long."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from attrs import evolve, frozen

from pacer_icat.collation import fold
from pacer_icat.faults import IcatFault
from pacer_icat.query.conditions import Q
from pacer_icat.query.paths import Tree, known
from pacer_icat.query.plan import Plan, Statement, included, split, statement
from pacer_icat.schema import Schema
from pacer_icat.soap import Record
from pacer_icat.wire import Wire

Row = tuple[Any, ...]

_PAGE = 2000
"""Objects, or rows, that one answer is asked to hold; ICAT's ``maxEntities`` is 10 000 by default."""
_IDS_IN_ONE_QUERY = 500
_TOO_MANY = re.compile(r"more than \d+ entities")


@frozen
class Found:
    """An object as ICAT gave it, and the relations that came with it."""

    record: Record
    tree: Tree


def objects(wire: Wire, plan: Plan) -> Iterator[Found]:
    """Give the objects of a plan one after another; a page is asked for when it is needed.

    The caller may change them meanwhile: what comes next is told by ids, never by a place in an order that
    may have changed. A relation to many whose members are too many for one answer stays behind, as
    `Found.tree` tells.

    Raises
    ------
    QueryError
        For names and values that cannot be; before ICAT is asked.
    """
    parts = _prepared(wire, plan)
    if len(parts) > 1:
        ids = [row[0] for row in _merged(wire, plan, parts)]
    elif plan.order:
        size = _page(parts[0].tree)
        first = list(_pages(wire, evolve(plan, count=_least(size, plan.count)), parts[0]))
        left = None if plan.count is None else plan.count - len(first)
        rest = evolve(plan, skip=plan.skip + len(first), count=left)
        ids = [] if len(first) < size else [row[0] for row in _rows(wire, rest, parts[0])]
        yield from first
    else:
        yield from _pages(wire, plan, parts[0])
        return
    for start in range(0, len(ids), _IDS_IN_ONE_QUERY):
        yield from by_id(wire, plan.entity, ids[start : start + _IDS_IN_ONE_QUERY], plan.includes)


def by_id(wire: Wire, entity: str, ids: Sequence[int], includes: Sequence[str] = ()) -> Iterator[Found]:
    """Give objects by their ids, in that order, without those that are gone."""
    found: dict[int, Found] = {}
    for start in range(0, len(ids), _IDS_IN_ONE_QUERY):
        part = list(ids[start : start + _IDS_IN_ONE_QUERY])
        plan = Plan(entity, (Q(id__in=part),), includes=tuple(includes))
        for asked in _prepared(wire, plan):
            found.update((one.record.id, one) for one in _pages(wire, plan, asked))
    return (found[one] for one in ids if one in found)


def values(wire: Wire, plan: Plan) -> Iterator[Row]:
    """Give the attributes that a plan names, a row for each object."""
    parts = _prepared(wire, plan)
    if len(parts) > 1:
        return (row[1 + len(plan.order) :] for row in _merged(wire, plan, parts))
    found = _rows(wire, plan, parts[0])
    # Sorted ones are read to the end first: the order may change while the caller looks at them.
    return (row[1:] for row in (list(found) if plan.order else found))


def count(wire: Wire, plan: Plan) -> int:
    """Give how many objects there are."""
    parts = _prepared(wire, plan)
    if len(parts) > 1:
        # An object may be found by two lists: by "a" in one, and by "A" in the other.
        return len(_merged(wire, evolve(plan, order=(), columns=()), parts))
    if not parts[0].source:
        return 0
    (total,) = wire.search(parts[0].text("COUNT(o)", order=False))
    left = max(0, int(total) - plan.skip)
    return left if plan.count is None else min(left, plan.count)


def exists(wire: Wire, plan: Plan) -> bool:
    """Tell whether there is any object."""
    if plan.count == 0:
        return False
    return any(True for _ in values(wire, evolve(plan, order=(), columns=(), count=1)))


def _prepared(wire: Wire, plan: Plan) -> list[Statement]:
    entity = known(wire, plan.entity)
    return [
        statement(evolve(plan, where=where), entity, wire.schema, wire.zone) for where in split(plan.where)
    ]


def _pages(wire: Wire, plan: Plan, asked: Statement) -> Iterator[Found]:
    """Give objects page by page."""
    for page, tree in _answers(wire, plan, asked, "o", lambda record: int(record.id)):
        for record in page:
            yield Found(record, tree)


def _rows(wire: Wire, plan: Plan, asked: Statement, *, hidden: Sequence[str] = ()) -> Iterator[Row]:
    """Give rows page by page; the id is the first column, and ``hidden`` ones follow it."""
    # The id comes first for another reason too: ICAT cannot answer with a date alone that is null.
    columns = ["o.id", *hidden, *asked.columns]
    selected = list(dict.fromkeys(columns))
    places = [selected.index(column) for column in columns]
    alone = len(selected) == 1
    asked = evolve(asked, tree=Tree())
    for page, _ in _answers(wire, plan, asked, ", ".join(selected), lambda row: row if alone else row[0]):
        for row in page:
            yield (row,) * len(columns) if alone else tuple(row[place] for place in places)


def _answers(
    wire: Wire, plan: Plan, asked: Statement, select: str, id_of: Callable[[Any], int]
) -> Iterator[tuple[list[Any], Tree]]:
    """Give the answers to a statement: after the last id, or where there is an order, after so many.

    What is too much for one answer is asked for in smaller ones, in the end without relations to many.
    """
    if not asked.source:
        return
    size = full = _page(asked.tree)
    left = plan.count
    skip, last = plan.skip, None
    while left is None or left > 0:
        number = _least(size, left)
        tree = asked.tree
        also = "" if last is None else f"o.id > {last}"
        tail = f" LIMIT {skip}, {number}"
        try:
            page = wire.search(asked.text(select, also=also, tail=included(tree) + tail))
        except IcatFault as fault:
            if fault.type != "VALIDATION" or not _TOO_MANY.search(fault.message):
                raise
            if number > 1:
                size = number // 2
                continue
            tree = _to_one(wire.schema, plan.entity, asked.tree)
            if tree == asked.tree:
                raise
            page = wire.search(asked.text(select, also=also, tail=included(tree) + tail))
            size = full
        yield page, tree
        if len(page) < number:
            return
        left = None if left is None else left - len(page)
        if asked.order:
            skip += len(page)
        else:
            skip, last = 0, id_of(page[-1])


def _merged(wire: Wire, plan: Plan, parts: Sequence[Statement]) -> list[Row]:
    """Give the rows of several statements in the plan's order: ids, what they are sorted by, and values."""
    whole = evolve(plan, skip=0, count=None)
    found: dict[int, Row] = {}
    for asked in parts:
        rows = _rows(wire, whole, asked, hidden=[path for path, _ in asked.order])
        found.update((row[0], row) for row in rows)
    ordered = sorted(found.values(), key=lambda row: int(row[0]))
    for place, (_, descends) in reversed(list(enumerate(parts[0].order, start=1))):
        ordered.sort(key=lambda row, place=place: _rank(row[place]), reverse=descends)  # type: ignore[misc]
    end = None if plan.count is None else plan.skip + plan.count
    return list(islice(ordered, plan.skip, end))


def _rank(value: Any) -> tuple[bool, Any]:
    """Give what ICAT's database sorts by: null first, and texts as they compare."""
    if value is None:
        return False, 0
    return True, fold(value) if isinstance(value, str) else value


def _page(tree: Tree) -> int:
    return max(1, _PAGE // (1 + _steps(tree)))


def _least(number: int, other: int | None) -> int:
    return number if other is None else min(number, other)


def _steps(tree: Tree) -> int:
    return sum(1 + _steps(below) for below in tree.values())


def _to_one(schema: Schema, entity: str, tree: Tree) -> Tree:
    """Give a tree without relations to many."""
    left = Tree()
    for relation, below in tree.items():
        field = schema.entity(entity).field(relation)
        if field.relation == "ONE":
            left[relation] = _to_one(schema, field.type, below)
    return left
