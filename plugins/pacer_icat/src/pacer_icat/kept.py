"""Parameters whose values PACER computes: read for many objects at once, written where they differ."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from attrs import field, frozen

from pacer_core import NotYet, Planned, Retry
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
    named = owner.lower()
    found: dict[Place, Kept] = {}
    for part in chunks(sorted(owners), IDS_IN_ONE_QUERY):
        for id_, owner_id, type_, text, number in icat.wire.search_all(
            f"SELECT p.id, p.{named}.id, p.type.id, p.stringValue, p.numericValue FROM {owner}Parameter p "  # noqa: S608 - names
            f"WHERE p.{named}.id IN (:owners) AND p.type.id IN (:types) ORDER BY p.id",
            owners=part,
            types=sorted(names),
        ):
            name = names[type_]
            value = number if types[name].value_type == "NUMERIC" else text
            found.setdefault((owner_id, name), Kept(id_, value))
    return found


@frozen
class Changes:
    """What ICAT lacks of the values that it is to hold, and what it has otherwise, each as it is sent."""

    new: Mapping[Place, Bean] = field(factory=dict)
    changed: Mapping[Place, Bean] = field(factory=dict)

    def said_of(self, id_: int) -> list[str]:
        """Say what would be written of one object, for people; nothing where all is there."""
        named = (
            (", ".join(name for owner, name in sorted(places) if owner == id_), what)
            for places, what in ((self.new, "to be added"), (self.changed, "to be replaced"))
        )
        return [f"{names} {what}" for names, what in named if names]


def compare(
    owner: str,
    wanted: Mapping[Place, Any],
    stored: Mapping[Place, Kept],
    types: Mapping[str, ParameterType],
    icat: Shared,
) -> Changes:
    """Compare values that are wanted with those that ICAT has.

    Raises
    ------
    Retry
        Where a type of ICAT is of a kind that cannot hold the value.
    """
    new: dict[Place, Bean] = {}
    changed: dict[Place, Bean] = {}
    for place, given in sorted(wanted.items()):
        id_, name = place
        kind = types[name]
        value, problem = convert(kind, given, owner=owner, schema=icat.wire.schema, zone=icat.zone)
        if value is None:
            raise Retry(f"the {owner.lower()}'s {name} {problem}: look at its parameter type in ICAT")
        there = stored.get(place)
        if there is not None and (there.value == value or (there.value is None and value == "")):
            continue
        values = {
            owner.lower(): ref(owner, id_),
            "type": parameter_type(kind.record),
            VALUE[kind.value_type]: value,
        }
        if there is None:
            new[place] = Bean(f"{owner}Parameter", values)
        else:
            changed[place] = Bean(f"{owner}Parameter", {"id": there.id, **values})
    return Changes(new, changed)


def write(changes: Changes, icat: Shared) -> bool:
    """Create what is missing, in one call or few, and change what differs, one by one, as ICAT demands.

    Tells whether there was anything to do.

    Raises
    ------
    IcatFault
        Where ICAT refuses; it `is_duplicate` where another writer was faster.
    """
    for part in chunks(changes.new.values(), _CREATED_IN_ONE_CALL):
        icat.wire.create_many(part)
    for bean in changes.changed.values():
        icat.wire.call("update", [("bean", bean)])
    return bool(changes.new or changes.changed)


def put(owner: str, wanted: Mapping[Place, Any], types: Mapping[str, ParameterType], icat: Shared) -> None:
    """Set values, whatever others write at the same time; the later writer wins.

    Raises
    ------
    Retry
        Where other writers come in between again and again.
    IcatFault
        Where ICAT refuses for another reason.
    """
    despite_others(
        lambda: write(lacking(owner, wanted, types, icat), icat),
        "others are writing the same parameters",
        tries=_TRIES,
    )


def lacking(
    owner: str, wanted: Mapping[Place, Any], types: Mapping[str, ParameterType], icat: Shared
) -> Changes:
    """Compare values that are wanted with those that ICAT has now."""
    return compare(owner, wanted, read(owner, {id_ for id_, _ in wanted}, types, icat), types, icat)


def planned(owner: str, id_: int, said: Sequence[str]) -> Planned:
    """Say that something of one object would be written, or that nothing has to be."""
    return Planned(f"{owner.lower()} {id_}", "changed" if said else "there", ", ".join(said))


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut values into lists of some length."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part
