"""What ICAT will take for a field: Python values brought to the kind that the server's schema names."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from numbers import Real
from typing import Any

from pacer_core import read_integer, read_number, read_truth
from pacer_icat.schema import Field
from pacer_icat.times import storable, stored

Scalar = str | int | float | bool | datetime

WHOLE = {"Long": 2**63, "Integer": 2**31}
"""The kinds of whole numbers, and the first number beyond each."""
_UNSENDABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What is no character of XML 1.0."""
_LEAST_SIGNIFICANT = 2**53


def typed(field: Field, value: Any, zone: tzinfo | None, *, up: bool = False) -> Scalar:
    """Give a value in the kind of an attribute; times as ICAT stores them, in UTC and whole seconds.

    Numbers and truth values may be texts that say them, times may be dates or ISO 8601; without an offset
    they are of ``zone``. An enumeration's value is its name. ``up`` rounds a time up instead of cutting it.

    Raises
    ------
    ValueError
        Where there is no such value; the text says what would do, and quotes nothing.
    """
    if field.type == "String":
        return _text(value)
    if field.type in WHOLE:
        return _whole(value, WHOLE[field.type])
    if field.type == "Double":
        return _real(value)
    if field.type == "boolean":
        return _truth(value)
    if field.type == "Date":
        return moment(value, zone, up=up)
    if isinstance(value, str) and value.isidentifier():
        return value
    raise _unfit("the name of an enumeration's value", value)


def moment(value: Any, zone: tzinfo | None, *, up: bool = False) -> datetime:
    """Give a time as ICAT stores it, from a datetime, a date (midnight) or a text in ISO 8601.

    Raises
    ------
    ValueError
        Where it is none, or one that ICAT cannot store.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("takes a time, not a text that is none in ISO 8601") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise _unfit("a time", value)
    if not storable(value):
        raise ValueError("takes a time that ICAT can store, in the years 1583 to 9998")
    if up and value.microsecond:
        value += timedelta(seconds=1)
    return stored(value, zone)


def _text(value: Any) -> str:
    if isinstance(value, str):
        if _UNSENDABLE.search(value):
            raise ValueError("takes a text without control characters: XML cannot carry them")
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _unfit("a text", value)


def _whole(value: Any, limit: int) -> int:
    if isinstance(value, str):
        found = read_integer(value)
        if found is None:
            raise ValueError(f"takes a whole number below {limit}, not a text that is none")
        number = found
    elif isinstance(value, Real) and not isinstance(value, bool) and value == (number := _cut(value)):
        pass
    else:
        raise _unfit("a whole number", value)
    if not -limit <= number < limit:
        raise ValueError(f"takes a whole number below {limit}")
    return number


def _cut(value: Any) -> int:
    # A float of more digits is whole, and may still not be the number that was meant.
    if isinstance(value, float) and not abs(value) <= _LEAST_SIGNIFICANT:
        return 0
    return int(value)


def _real(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real | Decimal | str):
        raise _unfit("a number", value)
    if isinstance(value, str) and (value := read_number(value)) is None:
        raise ValueError("takes a number, not a text that is none")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("takes a number that ICAT can store") from None
    if not math.isfinite(number):
        raise ValueError("takes a finite number")
    return number


def _truth(value: Any) -> bool:
    truth = read_truth(value)
    if truth is not None:
        return truth
    raise _unfit("True or False", value)


def _unfit(wanted: str, value: Any) -> ValueError:
    return ValueError(f"takes {wanted}, not {'None' if value is None else 'a ' + type(value).__name__}")
