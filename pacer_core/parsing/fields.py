"""Plain data into attrs messages, and the mistakes in it into a list of bad fields."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import EnumType
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin

from cattrs import Converter

from pacer_core.model.errors import BadField, Reject
from pacer_core.parsing.field_types import Scalar, Text, Texts, shape_of
from pacer_core.parsing.generated import Reader, Readers
from pacer_core.parsing.numbers import read_integer, read_number, read_truth
from pacer_core.parsing.structuring import (
    MISTAKES,
    Bad,
    Hook,
    Step,
    is_optional,
    item_type,
    leaves,
    strict_converter,
    unknown_types,
)

M = TypeVar("M")

# What XML 1.0 (section 2.2) cannot carry: whatever is stored in a catalogue must survive SOAP.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def structure(data: Any, cls: type[M], problems: Sequence[BadField] = (), *, legal: bool = False) -> M:
    """Make a message of class ``cls`` from plain data (dictionaries, lists, scalars).

    ``problems`` are those that are known already; with any, the message is rejected with all of them.
    ``legal`` says that all text in the data is known to hold nothing but characters that XML 1.0 can carry.

    Keys are matched in snake case; keys that the class does not know are ignored, since publishers add
    fields before their readers learn them.

    Raises
    ------
    Reject
        With every bad field of the message.
    """
    if not problems:
        kind: type = cls
        try:
            message: M = _reader(kind, legal).read(data)
        except Exception:  # noqa: S110 - the strict way says what is wrong, or that nothing is
            pass
        else:
            return message
    try:
        message = _converter().structure(data, cls)
    except Exception as error:
        raise Reject("the message has bad fields", fields=[*problems, *_bad_fields(error)]) from None
    if problems:
        raise Reject("the message has bad fields", fields=problems)
    return message


def unreadable(cls: type) -> list[str]:
    """Name the attributes of a message class whose types no message can be read into: ``Scan.day: date``."""
    return list(unknown_types(_converter(), cls))


def _bad_fields(error: BaseException) -> Iterator[BadField]:
    for path, leaf in leaves(error):
        # A validator of the plugin's own may quote the value; its type cannot.
        message = str(leaf) if isinstance(leaf, Bad) else f"is not accepted ({type(leaf).__name__})"
        yield BadField(_spell(path), message)


def _spell(path: tuple[Step, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "$"


@cache
def _converter() -> Converter:
    converter = strict_converter(_scalars(), _rename)
    converter.register_structure_hook_factory(_is_choice, _choice_hook)
    converter.register_structure_hook_factory(_may_be_no_scalar, lambda _: _scalar_or_none)
    return converter


@cache
def _reader(cls: type, legal: bool) -> Reader:
    """Give the quick way into a class."""
    return _readers(legal).of(cls)


@cache
def _readers(legal: bool) -> Readers:
    return Readers(_converter(), legal)


def _scalars() -> dict[Any, Hook]:
    return {
        Text: _text,
        Scalar: _scalar,
        Texts: _texts,
        str: _string,
        int: _integer,
        float: _number,
        bool: _truth,
        datetime: _datetime,
    }


def _is_choice(hint: Any) -> bool:
    return get_origin(hint) is Literal or isinstance(hint, EnumType)


def _choice_hook(hint: Any) -> Hook:
    """Read one of a few values; XML writes all of them as text."""
    choices: list[Any] = list(hint) if isinstance(hint, EnumType) else list(get_args(hint))
    by_text = {str(getattr(one, "value", one)): one for one in choices}

    def hook(value: Any, _: Any) -> Any:
        found = by_text.get(str(value).strip()) if isinstance(value, str | int | float) else None
        if found is None:
            raise Bad(f"is not one of {', '.join(by_text)}")
        return found

    return hook


def _rename(cls: type, value: dict[Any, Any]) -> tuple[dict[str, Any], list[Bad]]:
    shape = shape_of(cls)
    if shape.names.issuperset(value):
        return value, []
    fields: dict[str, Any] = {}
    refused: list[Bad] = []
    for key, item in value.items():
        member = shape.members.get(key) or shape.member(key)
        if member is not None:
            if member.name in fields and len(refused) < MISTAKES:
                refused.append(Bad(f"has {member.name} in two spellings"))
            fields[member.name] = item
    return fields, refused


def _string(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise Bad("is empty" if value is None else "is not text")
    if _ILLEGAL.search(value):
        raise Bad("has control characters")
    return value


def _text(value: Any, _: Any) -> str:
    text = _string(value, _).strip()
    if not text:
        raise Bad("is empty")
    return text


def _texts(value: Any, _: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return (_text(value, _),)
    if not value:
        raise Bad("is empty")
    found = []
    for place, item in enumerate(value):
        try:
            found.append(_text(item, _))
        except Bad as bad:
            raise Bad(f"holds at {place} what {bad}") from None
    return tuple(found)


def _scalar(value: Any, _: Any) -> Any:
    if isinstance(value, str):
        return _text(value, _)
    if value is None:
        raise Bad("is empty")
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise Bad("is neither text nor a number")


def _may_be_no_scalar(hint: Any) -> bool:
    return is_optional(hint) and item_type(hint)[0] is Scalar


def _scalar_or_none(value: Any, _: Any) -> Any:
    empty = value is None or value in ([], [None]) or (isinstance(value, float) and not math.isfinite(value))
    return None if empty or (isinstance(value, str) and not value.strip()) else _scalar(value, _)


def _integer(value: Any, _: Any) -> int:
    number = read_integer(value)
    if number is None:
        raise Bad("is not a whole number")
    return number


def _number(value: Any, _: Any) -> float:
    number = read_number(value)
    if number is None:
        raise Bad("is not a number")
    return number


def _truth(value: Any, _: Any) -> bool:
    truth = read_truth(value)
    if truth is None:
        raise Bad("is neither true nor false")
    return truth


def _datetime(value: Any, _: Any) -> datetime:
    """Read ISO 8601 with any separator between date and time; without an offset it stays naive."""
    if isinstance(value, str) and 10 <= len(value.strip()) <= 40:
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            pass
    raise Bad("is empty" if value in (None, "") else "is not a date and time in ISO 8601")
