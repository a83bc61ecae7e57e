"""What is asked for, and the texts of the query that asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from attrs import frozen

from pacer_icat.query.conditions import Q
from pacer_icat.query.operators import listed
from pacer_icat.query.paths import Tree, attribute, inclusion
from pacer_icat.query.where import Scope, joined
from pacer_icat.schema import Entity, Schema

_LONG_LIST = 1000
"""More values than this are asked for in several queries."""
_LONG_TEXT = 100_000
"""So are those of more characters than this."""


@frozen
class Plan:
    """One question: which objects, in which order, and what of them.

    Objects fulfil every one of ``where``, each for itself: conditions on a relation to many in two of them
    may be fulfilled by two related objects. ``columns`` are attributes to give instead of objects; ``order``
    are paths, with ``-`` before those that descend, and the id decides in the end; ``skip`` and ``count`` cut
    the result.
    """

    entity: str
    where: tuple[Q, ...] = ()
    order: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    skip: int = 0
    count: int | None = None


@frozen
class Statement:
    """A plan in ICAT's words; the parts are put together page by page."""

    source: str
    """What follows FROM; ``""`` where nothing can fulfil the conditions, and nobody need ask."""
    where: str
    order: tuple[tuple[str, bool], ...]
    """Paths, and whether they descend."""
    columns: tuple[str, ...]
    tree: Tree

    def text(self, select: str, *, also: str = "", order: bool = True, tail: str = "") -> str:
        """Give the query: what to select, a further condition, and what comes at the end."""
        conditions = " AND ".join(one for one in (self.where, also) if one)
        text = f"SELECT {select} FROM {self.source}"  # noqa: S608 - names of the schema, and literals
        if conditions:
            text += f" WHERE {conditions}"
        if order:
            steps = {path: " DESC" if descends else "" for path, descends in (*self.order, ("o.id", False))}
            steps.update((path, " DESC") for path, descends in self.order if descends)
            text += f" ORDER BY {', '.join(path + word for path, word in steps.items())}"
        return text + tail


def statement(plan: Plan, entity: Entity, schema: Schema, zone: tzinfo | None) -> Statement:
    """Put a plan in ICAT's words.

    Raises
    ------
    QueryError
        For names and values that cannot be.
    """
    scope = Scope(entity, schema, zone)
    where = joined("AND", [scope.where(q) for q in plan.where])
    order = [(key.removeprefix("-"), key.startswith("-")) for key in plan.order]
    ordered = tuple(
        (scope.path(attribute(schema, entity, key, "order objects")), descends) for key, descends in order
    )
    columns = tuple(scope.path(attribute(schema, entity, key, "be a value")) for key in plan.columns or ())
    tree = inclusion(schema, entity, plan.includes)
    if where is False:
        return Statement("", "", ordered, columns, tree)
    return Statement(scope.source, "" if where is True else where, ordered, columns, tree)


def included(tree: Tree) -> str:
    """Give the INCLUDE clause for a tree of relations."""
    steps: list[str] = []

    def follow(branch: Tree, name: str) -> None:
        for relation, below in branch.items():
            step = f"{name}.{relation}"
            if below:
                alias = f"i{len(steps) + 1}"
                steps.append(f"{step} {alias}")
                follow(below, alias)
            else:
                steps.append(step)

    follow(tree, "o")
    return f" INCLUDE {', '.join(steps)}" if steps else ""


def split(where: tuple[Q, ...]) -> list[tuple[Q, ...]]:
    """Give several conditions, of which an object fulfils one at least where it fulfils ``where``.

    It is ``where`` alone, unless a long ``in`` list stands there beside conditions that all have to hold.
    """
    longest: tuple[int, int] | None = None
    values: list[object] = []
    for number, q in enumerate(where):
        if q.negated or q.word != "AND":
            continue
        for place, part in enumerate(q.parts):
            if isinstance(part, tuple) and part[0].replace("__", ".").endswith(".in"):
                given = listed(*part)
                if len(given) > len(values) and _is_long(given):
                    longest, values = (number, place), given
    if longest is None:
        return [where]
    number, place = longest
    return [
        (*where[:number], where[number].replaced(place, chunk), *where[number + 1 :])
        for chunk in _chunks(values)
    ]


def _is_long(values: Sequence[object]) -> bool:
    return len(values) > _LONG_LIST or sum(_length(value) for value in values) > _LONG_TEXT


def _length(value: object) -> int:
    return len(value) + 4 if isinstance(value, str) else 20


def _chunks(values: Sequence[object]) -> list[list[object]]:
    chunks: list[list[object]] = [[]]
    characters = 0
    for value in values:
        characters += _length(value)
        if chunks[-1] and (len(chunks[-1]) == _LONG_LIST or characters > _LONG_TEXT):
            chunks.append([])
            characters = _length(value)
        chunks[-1].append(value)
    return chunks
