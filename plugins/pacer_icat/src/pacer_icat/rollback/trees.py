"""What hangs below objects in ICAT: what a delete takes along, and how it is created again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from itertools import groupby
from typing import Any

from pacer_core import Retry
from pacer_icat.faults import IcatAway, IcatFault
from pacer_icat.query import run
from pacer_icat.query.conditions import Q
from pacer_icat.query.plan import Plan
from pacer_icat.rollback.entries import Key, Unrestored, current
from pacer_icat.soap import Bean, Record
from pacer_icat.wire import Wire, reference

_BEANS_IN_ONE_CALL = 500
_KEPT_BY_TRIGGERS = ("fileCount", "fileSize")


def below(wire: Wire, roots: Iterable[Key]) -> set[Key]:
    """Give all that a delete of some objects would take along, without them."""
    known = set(roots)
    top = frozenset(known)
    frontier = sorted(known)
    while frontier:
        found: set[Key] = set()
        for name, keys in groupby(frontier, key=lambda key: key[0]):
            ids = [number for _, number in keys]
            for field in wire.schema.entity(name).fields:
                if field.relation == "MANY":
                    back = wire.schema.inverse(name, field.name)
                    plan = Plan(field.type, (Q(**{f"{back}__in": ids}),), columns=("id",))
                    found.update((field.type, row[0]) for row in run.values(wire, plan))
        frontier = sorted(found - known)
        known |= found
    return known - top


def records(wire: Wire, keys: Iterable[Key]) -> dict[Key, Record]:
    """Give objects as they are, with what they refer to; without those that are gone."""
    found: dict[Key, Record] = {}
    for name, group in groupby(sorted(keys), key=lambda key: key[0]):
        references = [field.name for field in wire.schema.entity(name).to_one]
        for one in run.by_id(wire, name, [number for _, number in group], references):
            found[name, one.record.id] = one.record
    return found


def recreate(
    wire: Wire, lost: Mapping[Key, Record], now: dict[Key, int], absent: Iterable[Key]
) -> Iterator[Unrestored]:
    """Create objects again, those first that others refer to; ``now`` learns and tells their new ids.

    All that cannot be created is given, with the reason, as is all that refers to it, or to what is
    ``absent``.
    """
    failed: set[Key] = set(absent)
    for group in _levels(wire, lost):
        ready: list[Key] = []
        for key in group:
            missing = next((one for one in _references(wire, lost[key]) if one in failed), None)
            if missing is None:
                ready.append(key)
            else:
                failed.add(key)
                yield Unrestored(*key, f"is not there: it refers to {missing[0]} {missing[1]}, which is not")
        for start in range(0, len(ready), _BEANS_IN_ONE_CALL):
            for key, reason in _create(wire, lost, ready[start : start + _BEANS_IN_ONE_CALL], now):
                failed.add(key)
                yield Unrestored(*key, f"could not be created again: {reason}")
    yield from _recount(wire, lost, failed, now)


def referring(wire: Wire, record: Record, now: Mapping[Key, int], names: Iterable[str]) -> dict[str, Any]:
    """Give fields of an object as they are sent, its references by the ids that count now."""
    entity = wire.schema.entity(record.entity)
    values: dict[str, Any] = {}
    for name in names:
        value = record[name]
        if isinstance(value, Record):
            _, there = current((value.entity, value.id), now)
            value = reference(Record(value.entity, {**value.values, "id": there}))
        values[entity.field(name).name] = value
    return values


def _create(
    wire: Wire, lost: Mapping[Key, Record], keys: Sequence[Key], now: dict[Key, int]
) -> Iterator[tuple[Key, str]]:
    beans = [_bean(wire, lost[key], now) for key in keys]
    try:
        now.update(zip(keys, wire.create_many(beans), strict=True))
    except IcatAway:
        raise
    except (IcatFault, Retry) as error:
        if len(keys) == 1:
            yield keys[0], str(error)
            return
        for key in keys:
            yield from _create(wire, lost, [key], now)


def _bean(wire: Wire, record: Record, now: Mapping[Key, int]) -> Bean:
    entity = wire.schema.entity(record.entity)
    names = [field.name for field in (*entity.attributes, *entity.to_one)]
    # Where the database's triggers count files, they count again those that come back.
    names = [name for name in names if not (_counts(wire, record.entity) and name in _KEPT_BY_TRIGGERS)]
    return Bean(record.entity, referring(wire, record, now, names))


def _counts(wire: Wire, entity: str) -> bool:
    return any(field.name == "datafiles" for field in wire.schema.entity(entity).fields) or (
        entity == "Investigation"
    )


def _recount(
    wire: Wire, lost: Mapping[Key, Record], failed: set[Key], now: Mapping[Key, int]
) -> Iterator[Unrestored]:
    """Give datasets and investigations the numbers of files that they had, where they are not right."""
    for key, old in lost.items():
        if key in failed or not _counts(wire, key[0]):
            continue
        names = [name for name in _KEPT_BY_TRIGGERS if wire.schema.has(key[0], name)]
        new = wire.read(key[0], now[key])
        if new is not None:
            wrong = {name: old[name] for name in names if new[name] != old[name]}
            if wrong:
                try:
                    wire.update(new, **wrong)
                except IcatFault as fault:
                    yield Unrestored(key[0], now[key], f"{' and '.join(wrong)} could not be set: {fault}")


def _references(wire: Wire, record: Record) -> Iterator[Key]:
    for field in wire.schema.entity(record.entity).to_one:
        value = record[field.name]
        if value is not None:
            yield field.type, value.id


def _levels(wire: Wire, lost: Mapping[Key, Record]) -> Iterator[list[Key]]:
    """Give the objects in groups, each after those that it refers to."""
    sorter = TopologicalSorter(
        {key: [one for one in _references(wire, record) if one in lost] for key, record in lost.items()}
    )
    sorter.prepare()
    while sorter.is_active():
        ready = sorter.get_ready()
        yield sorted(ready)
        sorter.done(*ready)
