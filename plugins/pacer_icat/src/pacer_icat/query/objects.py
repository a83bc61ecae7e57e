"""A lazy question to ICAT: ``icat.objects("Dataset").filter(...)``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, overload

from attrs import evolve, frozen

from pacer_core import NotYet, PacerError
from pacer_icat.query import run
from pacer_icat.query.conditions import Q
from pacer_icat.query.errors import QueryError
from pacer_icat.query.paths import known
from pacer_icat.query.plan import Plan, statement
from pacer_icat.query.run import Found
from pacer_icat.wire import Wire


class SeveralError(PacerError):
    """Something that should be one is several."""


@frozen(eq=False)
class Objects:
    """Objects of one entity, asked for when they are needed, and anew each time.

    Every method but the asking ones gives another question and asks nothing. Iterating asks page by page and
    keeps nothing; ``list(...)`` keeps what it gives. Mistakes are a `pacer_icat.query.QueryError` as soon as
    ICAT would have to be asked.
    """

    _wire: Wire
    _make: Callable[[Found], Any]
    _plan: Plan

    # --- what to ask -----------------------------------------------------------------------------------

    def filter(self, *conditions: Q, **more: Any) -> Objects:
        """Leave those that fulfil all conditions, given as ``name__startswith="x"`` or as `Q`."""
        return self._narrowed(Q(*conditions, **more))

    def exclude(self, *conditions: Q, **more: Any) -> Objects:
        """Leave those that do not fulfil all of these conditions together."""
        return self._narrowed(~Q(*conditions, **more)) if conditions or more else self

    def order_by(self, *paths: str) -> Objects:
        """Sort by attributes, ``-`` before those that descend; the id decides in the end, and alone."""
        return evolve(self, plan=evolve(self._uncut("sort"), order=paths))

    def include(self, *paths: str) -> Objects:
        """Bring related objects along: ``include("investigation", "parameters.type")``."""
        return evolve(self, plan=evolve(self._plan, includes=(*self._plan.includes, *paths)))

    def values(self, *paths: str) -> Objects:
        """Give dictionaries of these attributes instead of objects; without any, of all attributes."""
        if not paths:
            entity = known(self._wire, self._plan.entity)
            paths = tuple(field.name for field in entity.fields if field.relation == "ATTRIBUTE")
        return evolve(self, plan=evolve(self._plan, columns=paths))

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> Objects: ...

    def __getitem__(self, place: int | slice) -> Any:
        """Give one, or the question cut to a part: ``[10:20]``; counted from the start."""
        if isinstance(place, int):
            found = list(self[place : place + 1]) if place >= 0 else None
            if found is None:
                raise QueryError("objects are counted from the start: turn the order round with '-'")
            if not found:
                raise IndexError(f"there is no {self._plan.entity} at place {place}")
            return found[0]
        start, stop = place.start or 0, place.stop
        if place.step not in (None, 1) or start < 0 or (stop is not None and stop < 0):
            raise QueryError("a slice of objects has a start and a stop from 0 on, and no step")
        number = None if stop is None else max(0, stop - start)
        old = self._plan
        if old.count is not None:
            left = max(0, old.count - start)
            number = left if number is None else min(left, number)
        return evolve(self, plan=evolve(old, skip=old.skip + start, count=number))

    # --- what asks ICAT --------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        """Give the objects, or the dictionaries, one after another."""
        columns = self._plan.columns
        if columns is None:
            return map(self._make, run.objects(self._wire, self._plan))
        return (dict(zip(columns, row, strict=True)) for row in run.values(self._wire, self._plan))

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Give the values of `values` as tuples."""
        return run.values(self._wire, self._plan)

    def count(self) -> int:
        """Give how many there are."""
        return run.count(self._wire, self._plan)

    def exists(self) -> bool:
        """Tell whether there is any."""
        return run.exists(self._wire, self._plan)

    __bool__ = exists

    def first(self) -> Any:
        """Give the first one, or ``None``."""
        return next(iter(self[:1]), None)

    def one(self) -> Any:
        """Give the only one.

        Raises
        ------
        NotYet
            Where there is none.
        SeveralError
            Where there are several.
        """
        found = list(self[:2])
        words = ", ".join(_keys(self._plan.where))
        if not found:
            named = "" if self._plan.entity in _PEOPLE else ", ".join(_identifiers(self._plan.where))
            raise NotYet(
                f"ICAT has no {self._plan.entity} of this {words or 'kind'}{named and f' ({named})'}"
            )
        if len(found) > 1:
            raise SeveralError(f"ICAT has several {self._plan.entity} of this {words}: add conditions")
        return found[0]

    def query(self) -> str:
        """Give what ICAT would be asked, without the pages; for whoever wants to see it.

        It holds the values of the conditions: nothing for a log.
        """
        entity = known(self._wire, self._plan.entity)
        asked = statement(self._plan, entity, self._wire.schema, self._wire.zone)
        return asked.text("o") if asked.source else ""

    def __repr__(self) -> str:
        plan = self._plan
        return f"<Objects {plan.entity} {' & '.join(map(repr, plan.where))}>"

    def _narrowed(self, q: Q) -> Objects:
        plan = self._uncut("filter")
        return evolve(self, plan=evolve(plan, where=(*plan.where, q))) if q.parts else self

    def _uncut(self, what: str) -> Plan:
        if self._plan.skip or self._plan.count is not None:
            raise QueryError(f"{what} before taking a slice: the part that was cut out is not known")
        return self._plan


_PEOPLE = ("User", "DataPublicationUser")
_IDENTIFIERS = ("id", "name", "visitId", "doi", "pid")


def _identifiers(conditions: Iterable[Q]) -> Iterator[str]:
    """Give what is looked for, where it is a thing's identifier: that is what a message waits for."""
    for q in conditions:
        for part in q.parts:
            if not isinstance(part, Q) and part[0] in _IDENTIFIERS and isinstance(part[1], str | int):
                yield repr(part[1])


def _keys(conditions: Iterable[Q]) -> Iterator[str]:
    for q in conditions:
        for part in q.parts:
            if isinstance(part, Q):
                yield from _keys([part])
            else:
                yield part[0]
