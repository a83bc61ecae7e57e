"""Plain data into attrs classes, strictly, with a path to every mistake: the only door to cattrs.

Configurations and messages are both structured here; they differ in the scalars they know and in what
becomes of keys that a class does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Literal, get_args, get_origin

import attrs
from attrs import frozen
from cattrs import (
    AttributeValidationNote,
    ClassValidationError,
    Converter,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn

MISTAKES = 100
"""Mistakes that are looked for in one list: nobody reads more, and each costs kilobytes and much time."""

Step = str | int
Hook = Callable[[Any, Any], Any]
Rename = Callable[[type, dict[Any, Any]], tuple[dict[str, Any], list["Bad"]]]
"""Gives the fields of a class out of a mapping, by attribute name, and the keys that are refused."""


class Bad(ValueError):
    """A value that is not what its field holds; the text never quotes it."""


class Missing(Bad):
    """A required field that is not there."""


class UnknownKey(Bad):
    """A key that its class does not have."""

    def __init__(self, key: Any, known: list[str]) -> None:
        super().__init__("is not known")
        self.key, self.known = key, known


def strict_converter(scalars: Mapping[Any, Hook], rename: Rename) -> Converter:
    """Make a converter that knows attrs classes, tuples of any length, optionals, and the given scalars."""
    converter = Converter(detailed_validation=True, structure_fallback_factory=Unknown)
    for hint, hook in scalars.items():
        converter.register_structure_hook(hint, hook)

    def class_hook(cls: type, converter: Converter) -> Hook:
        build: Hook = make_dict_structure_fn(cls, converter, _cattrs_detailed_validation=True)

        def hook(value: Any, _: Any) -> Any:
            if not isinstance(value, dict):
                raise Bad("is empty" if value is None else "is not an object with fields")
            fields, refused = rename(cls, value)
            try:
                built = build(fields, cls)
            except ClassValidationError as error:
                errors = list(error.exceptions)
                if not error.group_exceptions()[0]:  # each field is fine by itself
                    errors = list(_of_validators(cls, fields, converter)) or errors
                raise ClassValidationError("fields", [*errors, *refused], cls) from None
            if refused:
                raise ClassValidationError("fields", refused, cls)
            return built

        return hook

    converter.register_structure_hook_factory(attrs.has, class_hook)
    converter.register_structure_hook_factory(is_tuple, _tuple_hook)
    converter.register_structure_hook_factory(is_optional, _optional_hook)
    return converter


@frozen
class Unknown:
    """Stands for the hook of a type that nothing here can make."""

    hint: Any

    def __call__(self, value: Any, _: Any) -> Any:
        """Refuse any value."""
        raise Bad(f"is of a type that cannot be read ({_name(self.hint)})")


def unknown_types(converter: Converter, cls: type) -> Iterator[str]:
    """Name the attributes of a class, and of those inside it, whose types a converter cannot make."""
    seen: set[type] = set()

    def of_class(cls: type) -> Iterator[str]:
        if cls in seen:
            return
        seen.add(cls)
        attrs.resolve_types(cls)
        for attribute in attrs.fields(cls):
            for hint in of_hint(attribute.type):
                yield hint if isinstance(hint, str) else f"{cls.__qualname__}.{attribute.name}: {_name(hint)}"

    def of_hint(hint: Any) -> Iterator[Any]:
        if isinstance(hint, type) and attrs.has(hint):
            yield from of_class(hint)
        elif get_origin(hint) is not Literal and (inner := get_args(hint)):
            for one in inner:
                if one not in (Ellipsis, type(None)):
                    yield from of_hint(one)
        elif isinstance(converter.get_structure_hook(hint), Unknown):
            yield hint

    return of_class(cls)


def _of_validators(cls: type, fields: dict[str, Any], converter: Converter) -> Iterator[Exception]:
    """Give what the validators of a class have to say, each with its attribute.

    attrs runs them when the instance is made, where nobody knows any more which field it is about.
    """
    instance: Any = object.__new__(cls)
    given: list[tuple[Any, Any]] = []
    for attribute in attrs.fields(cls):
        value = attribute.default
        if attribute.name in fields:
            value = converter.structure(fields[attribute.name], attribute.type)
            value = attribute.converter(value) if callable(attribute.converter) else value
        elif isinstance(value, attrs.Factory):  # type: ignore[arg-type]  # a class, typed as a function
            value = value.factory(*([instance] if value.takes_self else []))
        object.__setattr__(instance, attribute.name, value)
        given.append((attribute, value))
    for attribute, value in given:
        try:
            if attribute.validator is not None:
                attribute.validator(instance, attribute, value)
        except Exception as error:
            note = AttributeValidationNote(attribute.name, attribute.name, attribute.type)
            error.__notes__ = [*getattr(error, "__notes__", []), note]
            yield error


def _name(hint: Any) -> str:
    return getattr(hint, "__qualname__", None) or str(hint)


def leaves(
    error: BaseException, path: tuple[Step, ...] = ()
) -> Iterator[tuple[tuple[Step, ...], BaseException]]:
    """Walk the tree of errors that structuring raised: each mistake with its path of attribute names."""
    if isinstance(error, ClassValidationError):
        named, others = error.group_exceptions()
        for inner, note in named:
            yield from leaves(inner, (*path, note.name))
    elif isinstance(error, IterableValidationError):
        items, others = error.group_exceptions()
        for inner, place in items:
            yield from leaves(inner, (*path, place.index))
    elif isinstance(error, KeyError):
        yield path, Missing("is missing")
        return
    else:
        yield path, error
        return
    for inner in others:
        yield from leaves(inner, path)


def is_tuple(hint: Any) -> bool:
    """Tell whether a type hint means any number of one type: ``tuple[X, ...]`` or ``list[X]``."""
    arguments = get_args(hint)
    if get_origin(hint) is list:
        return True
    return get_origin(hint) is tuple and len(arguments) == 2 and arguments[1] is Ellipsis


def is_optional(hint: Any) -> bool:
    """Tell whether a type hint means one type or ``None``."""
    arguments = get_args(hint)
    return len(arguments) == 2 and type(None) in arguments and get_origin(hint) is not tuple


def item_type(hint: Any) -> tuple[Any, Callable[..., Any]]:
    """Give the one type inside a tuple, list or optional, and what makes the whole of a list of it."""
    inner = next(one for one in get_args(hint) if one is not type(None))
    return inner, list if get_origin(hint) is list else tuple


def _tuple_hook(hint: Any, converter: Converter) -> Hook:
    inner, several = item_type(hint)
    build: Hook = converter.get_structure_hook(inner)

    def hook(value: Any, _: Any) -> Any:
        if value is None:
            return several()
        if not isinstance(value, list):
            raise Bad("is not a list")
        try:
            return several([build(item, inner) for item in value])
        except Exception:
            raise IterableValidationError(
                "items", list(islice(_item_errors(value, inner, build), MISTAKES)), hint
            ) from None

    return hook


def _item_errors(value: list[Any], inner: Any, build: Hook) -> Iterator[Exception]:
    """Give what is wrong with each item of a list, as far as anybody reads it."""
    for index, item in enumerate(value):
        try:
            build(item, inner)
        except Exception as error:
            error.__notes__ = [*getattr(error, "__notes__", []), IterableValidationNote("item", index, inner)]
            yield error


def _optional_hook(hint: Any, converter: Converter) -> Hook:
    inner, _ = item_type(hint)
    build: Hook = converter.get_structure_hook(inner)

    def hook(value: Any, _: Any) -> Any:
        empty = value is None or (isinstance(value, str) and not value.strip())
        return None if empty else build(value, inner)

    return hook
