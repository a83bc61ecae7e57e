"""The quick way into message classes, for bodies with nothing wrong: a third of the strict way's time.

It takes nothing that the strict way (`pacer_core.parsing.structure`) refuses, and makes the same of what it
takes. Whatever makes it hesitate stops it without a reason; the strict way then says what is wrong, or that
nothing is. What it saves is cattrs' bookkeeping of where a mistake is, and the search for each key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from pacer_core.parsing.types import Scalar, Text, shape_of, snake
from pacer_core.structuring import Hook, is_optional, is_tuple, item_type

_LONGEST = 4096  # characters of the keys of one
_LAYOUTS = 64  # spellings of one class that are remembered: publishers have a few, and an attacker any number
_LARGEST = 2**63


class HesitatedError(Exception):
    """The strict way has to look at this."""


def quick_converter(strict: Converter, scalars: Iterable[Any]) -> Converter:
    """Make a converter that raises anything at all where ``strict`` has to look.

    It leaves all but the commonest values to the strict one's hooks for their types, those of ``scalars``
    and all others.
    """
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook_factory(lambda _: True, strict.get_structure_hook)
    for hint in scalars:
        quick = _QUICK.get(hint, _as_it_is)
        converter.register_structure_hook(hint, quick(strict.get_structure_hook(hint)))
    converter.register_structure_hook_factory(attrs.has, _class_hook)
    converter.register_structure_hook_factory(is_tuple, _tuple_hook)
    converter.register_structure_hook_factory(is_optional, _optional_hook)
    return converter


def _class_hook(cls: type, converter: Converter) -> Hook:
    """Give a function that looks its class's fields up in one go, generated for each set of spellings."""
    layouts: dict[tuple[str, ...], Callable[[Any, Any], Any]] = {}

    def learn(keys: tuple[str, ...]) -> Callable[[Any, Any], Any]:
        if len(layouts) == _LAYOUTS or sum(map(len, keys)) > _LONGEST:
            raise HesitatedError
        members = shape_of(cls).members
        spelled: dict[str, str] = {}
        for key in keys:
            member = members.get(key) or members.get(snake(key))
            if member is not None and spelled.setdefault(member.name, key) != key:
                raise HesitatedError  # two spellings of one field
        renamed: dict[str, Any] = {name: override(rename=key) for name, key in spelled.items()}
        build: Hook = make_dict_structure_fn(cls, converter, _cattrs_detailed_validation=False, **renamed)
        return layouts.setdefault(keys, build)

    def hook(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise HesitatedError
        keys = tuple(value)
        return (layouts.get(keys) or learn(keys))(value, cls)

    return hook


def _tuple_hook(hint: Any, converter: Converter) -> Hook:
    inner, several = item_type(hint)
    build: Hook = converter.get_structure_hook(inner)

    def hook(value: Any, _: Any) -> Any:
        if type(value) is not list:
            raise HesitatedError
        return several([build(item, inner) for item in value])

    return hook


def _optional_hook(hint: Any, converter: Converter) -> Hook:
    inner, _ = item_type(hint)
    build: Hook = converter.get_structure_hook(inner)

    def hook(value: Any, _: Any) -> Any:
        if value is None or (type(value) is str and not value.strip()):
            return None
        return build(value, inner)

    return hook


def _string(strict: Hook) -> Hook:
    def hook(value: Any, hint: Any) -> Any:
        if type(value) is str and value.isprintable():  # no control character, no half of a surrogate pair
            return value
        return strict(value, hint)

    return hook


def _text(strict: Hook) -> Hook:
    def hook(value: Any, hint: Any) -> Any:
        if type(value) is str and value.isprintable() and (text := value.strip()):
            return text
        return strict(value, hint)

    return hook


def _integer(strict: Hook) -> Hook:
    def hook(value: Any, hint: Any) -> Any:
        if type(value) is int and -_LARGEST <= value < _LARGEST:
            return value
        return strict(value, hint)

    return hook


def _as_it_is(strict: Hook) -> Hook:
    return strict


_QUICK = {str: _string, Text: _text, Scalar: _text, int: _integer}
