"""Parameters whose values PACER computes: read for many objects at once, written where they differ."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from attrs import frozen

from pacer_core import NotYet, Retry
from pacer_icat.catalogue import ParameterType
from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.others import despite_others
from pacer_icat.parameters import VALUE, convert
from pacer_icat.soap import Bean, ref
from pacer_icat.wire import parameter_type

IDS_IN_ONE_QUERY = 500
_CREATED_IN_ONE_CALL = 250
_TRIES = 4

T = TypeVar("T")
Place = tuple[int, str]
"""Whose value, by id, and the name of its type."""


@frozen
class Kept:
    """A parameter that is in ICAT."""

    id: int
    value: str | float | datetime | None


def types_for(owner: str, names: Iterable[str], icat: Shared) -> dict[str, ParameterType]:
    """Give the types of some parameters of an ``owner`` (Dataset, Sample, Investigation), by name.

    Of several with different units it is the oldest that is applicable.

    Raises
    ------
    NotYet
        Naming all that ICAT does not have.
    """
    wanted = list(names)
    known = icat.catalogue.parameter_types(wanted)
    found: dict[str, ParameterType] = {}
    for name in wanted:
        applicable = [one for one in known.get(fold(name), ()) if owner in one.applicable_to]
        if applicable:
            found[name] = applicable[0]
    missing = [name for name in wanted if name not in found]
    if missing:
        raise NotYet(f"ICAT has no parameter type applicable to a {owner} named {', '.join(missing)}")
    return found


def read(
    owner: str, owners: Collection[int], types: Mapping[str, ParameterType], icat: Shared
) -> dict[Place, Kept]:
    """Give the values that some objects have of some types."""
    names = {kind.id: name for name, kind in types.items()}
    field = owner.lower()
    found: dict[Place, Kept] = {}
    for part in chunks(sorted(owners), IDS_IN_ONE_QUERY):
        for id_, owner_id, type_, text, number in icat.wire.search_all(
            f"SELECT p.id, p.{field}.id, p.type.id, p.stringValue, p.numericValue FROM {owner}Parameter p "  # noqa: S608 - names
            f"WHERE p.{field}.id IN (:owners) AND p.type.id IN (:types) ORDER BY p.id",
            owners=part,
            types=sorted(names),
        ):
            name = names[type_]
            value = number if types[name].value_type == "NUMERIC" else text
            found.setdefault((owner_id, name), Kept(id_, value))
    return found


def write(
    owner: str,
    wanted: Mapping[Place, Any],
    stored: Mapping[Place, Kept],
    types: Mapping[str, ParameterType],
    icat: Shared,
) -> bool:
    """Create and change values until ICAT holds what is wanted; tell whether anything was to do.

    What is missing is created in one call or few, what differs is changed one by one, as ICAT demands.

    Raises
    ------
    IcatFault
        Where ICAT refuses; it `is_duplicate` where another writer was faster.
    Retry
        Where a type of ICAT is of a kind that cannot hold the value.
    """
    new: list[Bean] = []
    changes: list[Bean] = []
    for (id_, name), given in sorted(wanted.items()):
        kind = types[name]
        value, problem = convert(kind, given, owner=owner, schema=icat.wire.schema, zone=icat.zone)
        if value is None:
            raise Retry(f"the {owner.lower()}'s {name} {problem}: look at its parameter type in ICAT")
        there = stored.get((id_, name))
        if there is not None and (there.value == value or (there.value is None and value == "")):
            continue
        values = {
            owner.lower(): ref(owner, id_),
            "type": parameter_type(kind.record),
            VALUE[kind.value_type]: value,
        }
        if there is None:
            new.append(Bean(f"{owner}Parameter", values))
        else:
            changes.append(Bean(f"{owner}Parameter", {"id": there.id, **values}))
    for part in chunks(new, _CREATED_IN_ONE_CALL):
        icat.wire.create_many(part)
    for bean in changes:
        icat.wire.call("update", [("bean", bean)])
    return bool(new or changes)


def put(owner: str, wanted: Mapping[Place, Any], types: Mapping[str, ParameterType], icat: Shared) -> None:
    """Set values, whatever others write at the same time; the later writer wins.

    Raises
    ------
    Retry
        Where other writers come in between again and again.
    IcatFault
        Where ICAT refuses for another reason.
    """
    owners = {id_ for id_, _ in wanted}
    despite_others(
        lambda: write(owner, wanted, read(owner, owners, types, icat), types, icat),
        "others are writing the same parameters",
        tries=_TRIES,
    )


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut values into lists of some length."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part
