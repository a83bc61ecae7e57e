"""Plain data into attrs messages, and the errors on the way into a list of bad fields."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar, get_args, get_origin

import attrs
from cattrs import (
    ClassValidationError,
    Converter,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn

from pacer_core.errors import BadField, Reject
from pacer_core.parsing.types import Scalar, Text, shape_of, snake

M = TypeVar("M")

# What XML 1.0 (section 2.2) cannot carry: whatever is stored in a catalogue must survive SOAP.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_INTEGER = re.compile(r"[+-]?[0-9]+")


def structure(data: Any, cls: type[M]) -> M:
    """Make a message of class ``cls`` from plain data (dictionaries, lists, scalars).

    Keys are matched in snake case; keys that the class does not know are ignored, since publishers add
    fields before their readers learn them.

    Raises
    ------
    Reject
        With every bad field of the message.
    """
    try:
        return _converter().structure(data, cls)
    except Exception as error:
        raise Reject("the message has bad fields", fields=list(bad_fields(error))) from None


def bad_fields(error: BaseException, path: str = "") -> Iterator[BadField]:
    """Walk the tree of errors that cattrs raises, and give each leaf with its path."""
    if isinstance(error, ClassValidationError):
        named, others = error.group_exceptions()
        for inner, note in named:
            yield from bad_fields(inner, f"{path}.{note.name}" if path else note.name)
        for inner in others:
            yield from bad_fields(inner, path)
    elif isinstance(error, IterableValidationError):
        items, others = error.group_exceptions()
        for inner, index in items:
            yield from bad_fields(inner, f"{path}[{index.index}]")
        for inner in others:
            yield from bad_fields(inner, path)
    elif isinstance(error, KeyError):
        yield BadField(path or "$", "is missing")
    elif isinstance(error, _Bad):
        yield BadField(path or "$", str(error))
    else:
        # A validator of the plugin's own: its text may quote the value, its type cannot.
        yield BadField(path or "$", f"is not accepted ({type(error).__name__})")


class _Bad(ValueError):
    """A value that is not what its field holds; the text never quotes it."""


@lru_cache(maxsize=1)
def _converter() -> Converter:
    converter = Converter(detailed_validation=True)
    converter.register_structure_hook(Text, _text)
    converter.register_structure_hook(Scalar, _scalar)
    converter.register_structure_hook(str, _string)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(bool, _truth)
    converter.register_structure_hook(datetime, _datetime)
    converter.register_structure_hook_factory(attrs.has, _class_hook)
    converter.register_structure_hook_factory(_is_tuple, _tuple_hook)
    converter.register_structure_hook_factory(_is_optional, _optional_hook)
    return converter


def _is_tuple(hint: Any) -> bool:
    arguments = get_args(hint)
    return get_origin(hint) is tuple and len(arguments) == 2 and arguments[1] is Ellipsis


def _is_optional(hint: Any) -> bool:
    arguments = get_args(hint)
    return len(arguments) == 2 and type(None) in arguments and get_origin(hint) is not tuple


def _class_hook(cls: type, converter: Converter) -> Callable[[Any, Any], Any]:
    shape = shape_of(cls)
    build: Callable[[Any, Any], Any] = make_dict_structure_fn(
        cls, converter, _cattrs_detailed_validation=True
    )

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise _Bad("is not an object with fields")
        if not shape.names.issuperset(value):
            renamed = {}
            for key, item in value.items():
                member = shape.members.get(key) or shape.members.get(snake(key))
                if member is not None:
                    renamed[member.name] = item
            value = renamed
        return build(value, cls)

    return hook


def _tuple_hook(hint: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    inner = get_args(hint)[0]
    build = converter.get_structure_hook(inner)

    def hook(value: Any, _: Any) -> Any:
        if value is None:
            return ()
        if not isinstance(value, list):
            raise _Bad("is not a list")
        try:
            return tuple([build(item, inner) for item in value])
        except Exception:
            errors = list(_item_errors(value, inner, build))
            raise IterableValidationError("items", errors, hint) from None

    return hook


def _item_errors(value: list[Any], inner: Any, build: Callable[[Any, Any], Any]) -> Iterator[Exception]:
    for index, item in enumerate(value):
        try:
            build(item, inner)
        except Exception as error:
            error.__notes__ = [*getattr(error, "__notes__", []), IterableValidationNote("item", index, inner)]
            yield error


def _optional_hook(hint: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    inner = next(one for one in get_args(hint) if one is not type(None))
    build = converter.get_structure_hook(inner)

    def hook(value: Any, _: Any) -> Any:
        return None if value is None or value == "" else build(value, inner)

    return hook


def _string(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise _Bad("is empty" if value is None else "is not text")
    if _ILLEGAL.search(value):
        raise _Bad("has control characters")
    return value


def _text(value: Any, _: Any) -> str:
    text = _string(value, _).strip()
    if not text:
        raise _Bad("is empty")
    return text


def _scalar(value: Any, _: Any) -> Any:
    if isinstance(value, str):
        return _text(value, _)
    if value is None:
        raise _Bad("is empty")
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise _Bad("is neither text nor a number")


def _integer(value: Any, _: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    # Longer than any 64-bit number: refused before Python spends quadratic time on it.
    if isinstance(value, str) and len(value) <= 40 and _INTEGER.fullmatch(value.strip()):
        return int(value)
    raise _Bad("is not a whole number")


def _number(value: Any, _: Any) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise _Bad("is not a number")


def _truth(value: Any, _: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "1", "false", "0"):
        return value.strip().lower() in ("true", "1")
    raise _Bad("is neither true nor false")


def _datetime(value: Any, _: Any) -> datetime:
    """Read ISO 8601 with any separator between date and time; without an offset it stays naive."""
    if isinstance(value, str) and 10 <= len(value.strip()) <= 40:
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            pass
    raise _Bad("is empty" if value in (None, "") else "is not a date and time in ISO 8601")
