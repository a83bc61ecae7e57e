"""Parameter values, checked as ICAT checks them, or should: kinds, ranges, permitted values, lengths."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Any, Protocol

from attrs import field, frozen

from pacer_core import BadField, read_number
from pacer_icat.catalogue import ParameterType
from pacer_icat.collation import fold
from pacer_icat.schema import Schema
from pacer_icat.soap import Bean, Record
from pacer_icat.times import storable, stored
from pacer_icat.wire import parameter_type

log = logging.getLogger("pacer.icat.parameters")

VALUE = {"STRING": "stringValue", "NUMERIC": "numericValue", "DATE_AND_TIME": "dateTimeValue"}
"""Which field of a parameter holds the value, by the kind of its type."""

UNKNOWN_PARAMETERS = "unknown_parameters"
"""What consumers count that leave parameters out, since ICAT has no type for them."""


_NO_NUMBER = re.compile(r"[+-]?(nan|nat|inf|infinity)", re.IGNORECASE)
"""What Python, NumPy, JavaScript and XML Schema write for numbers and times that are none, or not finite."""


class Given(Protocol):
    """A parameter as a message gives it."""

    @property
    def name(self) -> str:
        """The name of its type."""
        ...

    @property
    def value(self) -> Any:
        """Its value; ``None`` where it is empty."""
        ...

    @property
    def units(self) -> str | None:
        """The units of its type, where the name alone does not tell."""
        ...


@frozen
class Parameter:
    """A parameter that ICAT will accept."""

    type: ParameterType
    value: str | float | datetime

    @property
    def field(self) -> str:
        """The field that holds the value."""
        return VALUE[self.type.value_type]

    def bean(self, owner: str, **more: Any) -> Bean:
        """Give it as a child of an ``owner``: a Dataset, Sample, Investigation, ..."""
        return Bean(
            f"{owner}Parameter", {"type": parameter_type(self.type.record), self.field: self.value, **more}
        )

    def differs(self, stored_value: Any) -> bool:
        """Tell whether ICAT holds another value; line breaks and runs of blanks in text are no difference."""
        if isinstance(self.value, str):
            return not isinstance(stored_value, str) or self.value.split() != stored_value.split()
        return bool(stored_value != self.value)


@frozen
class Checked:
    """What the check of a message's parameters has found."""

    good: tuple[Parameter, ...]
    bad: tuple[BadField, ...]
    unknown: tuple[tuple[int, str], ...] = field(default=())
    """Place and name of the parameters whose type ICAT does not know."""
    empty: tuple[tuple[int, str], ...] = field(default=())
    """Place and name of those that have no value which ICAT could hold."""

    def unknown_as_bad(self, path: str = "parameters") -> list[BadField]:
        """Give the parameters without a type as bad fields, for those who take no others."""
        return [
            BadField(f"{path}[{place}].name", f"{name!r} is no parameter type in ICAT")
            for place, name in self.unknown
        ]


def check(
    given: Iterable[Given],
    types: Mapping[str, tuple[ParameterType, ...]],
    *,
    owner: str,
    schema: Schema,
    zone: tzinfo | None,
    path: str = "parameters",
) -> Checked:
    """Check all parameters of a message against their types.

    ``types`` are those of `pacer_icat.catalogue.Catalogue.parameter_types`, by folded name; ``owner`` is the
    entity that will have the parameters, ``zone`` that of times without offset, ``path`` the message's field.
    """
    good: dict[int, Parameter] = {}
    places: dict[int, int] = {}
    bad: list[BadField] = []
    unknown: list[tuple[int, str]] = []
    empty: list[tuple[int, str]] = []
    for place, one in enumerate(given):
        where = f"{path}[{place}]"
        candidates = types.get(fold(one.name), ())
        if not candidates:
            unknown.append((place, one.name))
            continue
        if one.value is None:
            empty.append((place, one.name))
            continue
        kind = _choose(candidates, one.units, owner)
        if isinstance(kind, str):
            bad.append(BadField(f"{where}.name", f"{one.name!r} {kind}"))
            continue
        if _is_none(kind, one.value):
            empty.append((place, one.name))
            continue
        if kind.id in places:
            bad.append(
                BadField(
                    f"{where}.name", f"{one.name!r} is given more than once: see {path}[{places[kind.id]}]"
                )
            )
            continue
        places[kind.id] = place
        value, problem = convert(kind, one.value, owner=owner, schema=schema, zone=zone)
        if value is None:
            bad.append(BadField(f"{where}.value", f"of {one.name!r} {problem}"))
        else:
            good[place] = Parameter(kind, value)
    return Checked(tuple(good.values()), tuple(bad), tuple(unknown), tuple(empty))


def log_empty(checked: Checked, whose: str) -> None:
    """Say which parameters ``whose`` message leaves empty."""
    if checked.empty:
        log.info(
            "%s: %d parameters without a value are left out: %s",
            whose,
            len(checked.empty),
            ", ".join(name for _, name in checked.empty[:20]),
        )


def convert(
    kind: ParameterType, given: Any, *, owner: str, schema: Schema, zone: tzinfo | None
) -> tuple[str | float | datetime | None, str]:
    """Give a value in the kind of its type, or ``None`` and what is wrong with it."""
    if kind.value_type == "NUMERIC":
        return _number(kind, given)
    if kind.value_type == "DATE_AND_TIME":
        return _time(given, zone)
    text = _text(given)
    longest = schema.length(f"{owner}Parameter", "stringValue")
    if longest is not None and len(text) > longest:
        return None, f"is longer than {longest} characters"
    if kind.enforced and kind.permissible and text not in kind.permissible:
        return None, "is none of the values that ICAT permits"
    return text, ""


def value_in(record: Record) -> Any:
    """Give the value of a parameter that was read with its type."""
    kind = record.related("type")["valueType"]
    return record[VALUE[kind]]


def _choose(candidates: tuple[ParameterType, ...], units: str | None, owner: str) -> ParameterType | str:
    if units is not None:
        candidates = tuple(one for one in candidates if fold(one.units) == fold(units))
        if not candidates:
            return "has no type with these units in ICAT"
    applicable = tuple(one for one in candidates if owner in one.applicable_to)
    if not applicable:
        return f"is not applicable to a {owner}"
    if len(applicable) > 1:
        return f"has {len(applicable)} types in ICAT, with different units: give the units"
    return applicable[0]


def _is_none(kind: ParameterType, given: Any) -> bool:
    """Tell whether a text says that there is no value: what programs write for a number that is none."""
    if kind.value_type == "STRING" or not isinstance(given, str):
        return False
    return _NO_NUMBER.fullmatch(given.strip()) is not None


def _number(kind: ParameterType, given: Any) -> tuple[float | None, str]:
    number = read_number(given)
    if number is None:
        return None, "is not a number"
    if kind.enforced:
        if kind.minimum is not None and number < kind.minimum:
            return None, f"is below {kind.minimum:g}, the smallest that ICAT permits"
        if kind.maximum is not None and number > kind.maximum:
            return None, f"is above {kind.maximum:g}, the largest that ICAT permits"
    return number, ""


def _time(given: Any, zone: tzinfo | None) -> tuple[datetime | None, str]:
    try:
        time = datetime.fromisoformat(given.strip()) if isinstance(given, str) else None
    except ValueError:
        time = None
    if time is None:
        return None, "is not a date and time in ISO 8601"
    if not storable(time):
        return None, "is a date that ICAT cannot store"
    return stored(time, zone), ""


def _text(given: Any) -> str:
    if isinstance(given, bool):
        return "true" if given else "false"
    return given if isinstance(given, str) else str(given)
