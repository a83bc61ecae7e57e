"""From conditions to the FROM and WHERE of a query.

Nothing is unknown here, as it is in SQL: what is null equals nothing, is in no list and below no number, and
the opposite of a condition is fulfilled exactly where the condition is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import count
from typing import Any

from attrs import frozen

from pacer_icat.query.conditions import Q, Word
from pacer_icat.query.errors import QueryError
from pacer_icat.query.operators import OPERATORS, Operand, listed
from pacer_icat.query.paths import ID, resolve
from pacer_icat.schema import META, Entity, Field, Schema

Where = str | bool
"""A condition as text, or what it always is."""


@frozen
class Leaf:
    """One condition: the fields that lead to its value, the operator, and what to compare with."""

    key: str
    fields: tuple[Field, ...]
    operator: str
    value: Any

    @property
    def way(self) -> tuple[Field, ...]:
        """The fields up to the first relation to many; none where there is no such relation."""
        for place, field in enumerate(self.fields):
            if field.relation == "MANY":
                return self.fields[: place + 1]
        return ()

    @property
    def may_be_null(self) -> bool:
        """Whether there may be no value."""
        return not all(field.required or field.name in META for field in self.fields)


class Scope:
    """One FROM: an entity under a name, and the joins that its conditions need.

    Parameters
    ----------
    entity
        What is asked for.
    schema
        The server's.
    zone
        That of times without an offset.
    name, names
        Its own name in the query, and where new names come from.
    """

    def __init__(
        self,
        entity: Entity,
        schema: Schema,
        zone: tzinfo | None,
        name: str = "o",
        names: Iterator[int] | None = None,
    ) -> None:
        self.entity = entity
        self.name = name
        self._schema = schema
        self._zone = zone
        self._names = count(1) if names is None else names
        self._joins: dict[tuple[str, ...], str] = {}
        self._texts: list[str] = []

    @property
    def source(self) -> str:
        """What comes after FROM."""
        return " ".join([f"{self.entity.name} {self.name}", *self._texts])

    def path(self, fields: Sequence[Field]) -> str:
        """Give the name of an attribute in this query; what may be missing on the way is joined.

        Without that, ICAT would leave out every object that lacks it, whatever else is asked.
        """
        *way, last = fields
        if all(field.required for field in way):
            return ".".join([self.name, *(field.name for field in way), last.name])
        here = self.name
        steps: tuple[str, ...] = ()
        for field in way:
            steps += (field.name,)
            if steps not in self._joins:
                self._joins[steps] = f"j{next(self._names)}"
                self._texts.append(f"LEFT JOIN {here}.{field.name} {self._joins[steps]}")
            here = self._joins[steps]
        return f"{here}.{last.name}"

    def where(self, q: Q, *, negated: bool = False) -> Where:
        """Give the condition, or its opposite, as text.

        Raises
        ------
        QueryError
            For a name that is not known, or a value that does not fit.
        """
        parts = [part if isinstance(part, Q) else self._leaf(*part) for part in q.parts]
        return self._all(parts, q.word, negated != q.negated)

    def _all(self, parts: Sequence[Q | Leaf], word: Word, negated: bool) -> Where:
        texts: list[Where] = []
        related: dict[tuple[str, ...], list[Leaf]] = {}
        for part in parts:
            if isinstance(part, Q):
                texts.append(self.where(part, negated=negated))
            elif not part.way:
                texts.append(self._test(part, negated))
            elif part.operator == "isnull" and part.way == part.fields:
                texts.append(self._exists(part.way, (), negated=part.value != negated))
            elif word == "OR":
                texts.append(self._exists(part.way, (part,), negated=negated))
            else:
                related.setdefault(tuple(field.name for field in part.way), []).append(part)
        # What is asked of one relation at once is asked of one and the same related object.
        texts += [self._exists(leaves[0].way, leaves, negated=negated) for leaves in related.values()]
        return joined("AND" if (word == "AND") != negated else "OR", texts)

    def _leaf(self, key: str, value: Any) -> Leaf:
        fields, operator = resolve(self._schema, self.entity, key, OPERATORS)
        operator = operator or "eq"
        last = fields[-1]
        if last.relation == "ATTRIBUTE":
            return Leaf(key, fields, operator, value)
        if operator == "isnull":
            if not isinstance(value, bool):
                raise QueryError(f"{key!r} takes True or False, not a {type(value).__name__}")
            return Leaf(key, fields if last.relation == "MANY" else (*fields, ID), operator, value)
        if operator in ("in", "not_in"):
            value = [_id(key, one, last) for one in listed(key, value)]
        elif operator in ("eq", "exact", "ne"):
            value = _id(key, value, last)
        else:
            raise QueryError(f"{key!r}: {last.name!r} is a relation, which has eq, ne, in, not_in and isnull")
        return Leaf(key, (*fields, ID), operator, value)

    def _test(self, leaf: Leaf, negated: bool) -> Where:
        operator = OPERATORS[leaf.operator]
        operand = Operand(self.path(leaf.fields), leaf.fields[-1], leaf.key, self._zone)
        test = operator.write(operand, leaf.value)
        negated = negated != operator.opposite
        if not test.text:
            return negated
        if not negated:
            return test.text
        if test.total or not leaf.may_be_null:
            return f"NOT ({test.text})"
        return f"(NOT ({test.text}) OR {operand.is_null.text})"

    def _exists(self, way: tuple[Field, ...], leaves: Sequence[Leaf], *, negated: bool) -> Where:
        """Give the condition that a related object fulfils all ``leaves``; ``negated``, that none does."""
        *before, relation = way
        name = f"s{next(self._names)}"
        inner = Scope(self._schema.entity(relation.type), self._schema, self._zone, name, self._names)
        rest = [Leaf(leaf.key, leaf.fields[len(way) :], leaf.operator, leaf.value) for leaf in leaves]
        asked = inner._all(rest, "AND", negated=False)
        if asked is False:
            return negated
        owner = before[-1].type if before else self.entity.name
        back = f"{name}.{self._schema.inverse(owner, relation.name)}.id = {self.path((*before, ID))}"
        found = f"{name} FROM {inner.source} WHERE {back}" + ("" if asked is True else f" AND {asked}")
        return f"{'NOT ' if negated else ''}EXISTS (SELECT {found})"


def joined(word: Word, texts: Sequence[Where]) -> Where:
    """Join conditions by a word, without those that decide nothing."""
    decides = word == "OR"
    if decides in texts:
        return decides
    left = [text for text in texts if isinstance(text, str)]
    if not left:
        return not decides
    return left[0] if len(left) == 1 else f"({f' {word} '.join(left)})"


def _id(key: str, value: Any, relation: Field) -> int | None:
    """Give the id of what a relation is compared with: an object of the entity, an id, or ``None``."""
    if value is None and relation.relation == "ONE":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if getattr(value, "BeanName", None) != relation.type:
        raise QueryError(f"{key!r} takes a {relation.type} or its id, not a {type(value).__name__}")
    if value.id is None:
        raise QueryError(f"{key!r} takes a {relation.type} that is in ICAT: create it first")
    return int(value.id)
