"""One mapping of a configuration file into its attrs class, every mistake noted at its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from functools import cache
from typing import Any, Literal, NewType, TypeVar, get_args, get_origin

import attrs
from cattrs import Converter

from pacer_core.config.document import UNRESOLVED, Document, Path_
from pacer_core.config.problems import Code
from pacer_core.model.secrets import Secret, redact
from pacer_core.model.suggestions import did_you_mean, hint
from pacer_core.parsing.structuring import Bad, Hook, Missing, UnknownKey, leaves, strict_converter

T = TypeVar("T")

Positive = NewType("Positive", int)
"""A whole number from 1 on."""

Natural = NewType("Natural", int)
"""A whole number from 0 on."""

Port = NewType("Port", int)
"""A port of TCP."""

AnyPort = NewType("AnyPort", int)
"""A port of TCP, or 0 for one that is free."""

Factor = NewType("Factor", float)
"""A number from 1 on."""

Timeout = NewType("Timeout", timedelta)
"""A duration of more than nothing."""

_LONGEST = timedelta(days=3650)
_MOST = 2**53  # what JSON, RabbitMQ and PostgreSQL take alike

_UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)")


def structure(document: Document, path: Path_, data: Any, cls: type[T]) -> T | None:
    """Make an instance of ``cls`` from the plain data at ``path``, or note why not and give ``None``."""
    try:
        return _converter().structure(data, cls)
    except Exception as error:
        for steps, leaf in leaves(error):
            _note(
                document, (*path, *(camel(step) if isinstance(step, str) else step for step in steps)), leaf
            )
        return None


def own_options(
    document: Document, path: Path_, item: dict[str, Any], of: str, cls: type[T] | None
) -> T | None:
    """Make the ``options`` of an entry, of the class that its type has for them; one may have none."""
    given = item.get("options")
    if cls is not None:
        return structure(document, (*path, "options"), {} if given is None else given, cls)
    if given is not None:
        document.report((*path, "options"), f"{of} has no options", Code.UNKNOWN_KEY, key=True)
    return None


def camel(name: str) -> str:
    """Give an attribute's name as YAML writes it: ``routing_key`` -> ``routingKey``, ``for_`` -> ``for``."""
    first, *others = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in others)


def parse_duration(text: str) -> timedelta | None:
    """Read ``500ms``, ``30s``, ``15min``, ``24h`` or ``7d``; ``None`` where it is none of these."""
    match = _DURATION.fullmatch(text.strip())
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]]) if match else None


def spell_duration(span: timedelta) -> str:
    """Give a duration as one writes it in YAML: ``24h``, ``1.5s``."""
    seconds = span.total_seconds()
    for unit in ("h", "min"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:g}{unit}"
    return f"{seconds:g}s"


class _Reported(Exception):
    """The value was reported when the file was read."""


class _Value(Bad):
    """The right type, but a value that is not accepted."""


def _note(document: Document, path: Path_, leaf: BaseException) -> None:
    if isinstance(leaf, _Reported):
        return
    name = str(path[-1]) if path else "the file"
    if isinstance(leaf, UnknownKey):
        meant = hint(str(leaf.key), leaf.known)
        document.report((*path, leaf.key), f"unknown key {leaf.key!r}{meant}", Code.UNKNOWN_KEY, key=True)
    elif isinstance(leaf, Missing):
        document.report(path, f"{name!r} is missing", Code.MISSING)
    elif isinstance(leaf, Bad):
        code = Code.BAD_VALUE if isinstance(leaf, _Value) else Code.WRONG_TYPE
        *_, owner, last = ("the file", *path)
        label = f"item {last + 1} of {owner!r}" if isinstance(last, int) else repr(name)
        said = _IN_YAML.get(str(leaf), str(leaf))
        document.report(path, f"{label} {said}", code)
    else:
        # A validator of an options class: its text is the plugin author's, who is asked to name no value.
        said = re.sub(
            r"^'\w+' (?=must )", "", redact(str(leaf))
        )  # attrs' own name the attribute, as Python does
        document.report(path, f"{name!r} is not accepted: {said}", Code.BAD_VALUE)


A_LIST = "should be a list: begin each item in a line of its own with '- '"
_IN_YAML = {
    "is not an object with fields": "should be a mapping of keys to values",
    "is not a list": "should be a list: write [...], also around a single one",
}


@cache
def _converter() -> Converter:
    scalars: dict[Any, Hook] = {
        str: _unveil(_text),
        int: _unveil(_integer),
        Positive: _unveil(_from_to(1)),
        Natural: _unveil(_from_to(0)),
        Port: _unveil(_from_to(1, 65_535)),
        AnyPort: _unveil(_from_to(0, 65_535)),
        Factor: _unveil(_factor),
        Timeout: _unveil(_timeout),
        float: _unveil(_number),
        bool: _unveil(_truth),
        timedelta: _unveil(_duration),
        Secret: _secret,
        Any: lambda value, _: value,
    }
    converter = strict_converter(scalars, _rename)
    converter.register_structure_hook_factory(_is_choice, _choice_hook)
    converter.register_structure_hook_factory(_is_mapping, _mapping_hook)
    converter.register_structure_hook_factory(_is_name_or_pair, _name_or_pair_hook)
    return converter


def _is_choice(hint: Any) -> bool:
    return get_origin(hint) is Literal or (isinstance(hint, type) and issubclass(hint, Enum))


def _is_mapping(hint: Any) -> bool:
    return get_origin(hint) is dict


def _is_name_or_pair(hint: Any) -> bool:
    return bool(hint == (str | dict[str, str]))


@cache
def _keys(cls: type) -> dict[str, str]:
    return {camel(attribute.name): attribute.name for attribute in attrs.fields(cls)}


def _rename(cls: type, value: dict[Any, Any]) -> tuple[dict[str, Any], list[Bad]]:
    attrs.resolve_types(cls)
    keys = _keys(cls)
    fields = {keys[key]: item for key, item in value.items() if key in keys}
    return fields, [UnknownKey(key, sorted(keys)) for key in value if key not in keys]


def _unveil(hook: Callable[[Any], Any]) -> Hook:
    """Let ``!env`` and ``!file`` stand for any scalar, and pass over what was reported already."""
    hook_takes_text = hook in (_text, _duration, _timeout)

    def unveiled(value: Any, _: Any) -> Any:
        if value is UNRESOLVED:
            raise _Reported
        if isinstance(value, Secret):
            text = value.reveal()
            if not hook_takes_text:
                return hook({"true": True, "false": False}.get(text.lower(), _number_in(text)))
            return hook(text)
        return hook(value)

    return unveiled


def _number_in(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise Bad("is empty" if value is None else "should be text: put it in quotes")


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Bad("should be a whole number")


def _from_to(least: int, most: int = _MOST) -> Callable[[Any], int]:
    def whole(value: Any) -> int:
        number = _integer(value)
        if number < least:
            raise _Value(f"should be {least} or more" if most == _MOST else f"should be {least} to {most}")
        if number > most:
            raise _Value(f"should be {most} or less" if most == _MOST else f"should be {least} to {most}")
        return number

    return whole


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= _MOST:  # neither is what is no number at all
            raise _Value("is too large a number" if value == value else "should be a number")
        return float(value)
    raise Bad("should be a number")


def _factor(value: Any) -> float:
    if _number(value) < 1:
        raise _Value("should be 1 or more")
    return float(value)


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise Bad("should be true or false")


def _duration(value: Any) -> timedelta:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            if value < 0:
                raise _Value("should not be negative")
            found = timedelta(seconds=value)
        else:
            given = parse_duration(value) if isinstance(value, str) else None
            if given is None:
                raise Bad("should be a duration such as 500ms, 30s, 15min, 24h or 7d")
            found = given
    except (OverflowError, ValueError) as error:
        if isinstance(error, Bad):
            raise
        raise _Value("should be a duration of ten years at most") from None
    if found > _LONGEST:
        raise _Value("should be a duration of ten years at most")
    return found


def _timeout(value: Any) -> timedelta:
    if not (found := _duration(value)):
        raise _Value("should be more than 0")
    return found


def _secret(value: Any, _: Any) -> Secret:
    if value is UNRESOLVED:
        raise _Reported
    if isinstance(value, Secret):
        return value
    return Secret(_text(value))


def _choice_hook(hint: Any, _: Converter) -> Hook:
    enum = isinstance(hint, type)
    choices = {member.value: member for member in hint} if enum else {word: word for word in get_args(hint)}

    def hook(value: Any, _: Any) -> Any:
        if value is UNRESOLVED:
            raise _Reported
        word = value.reveal() if isinstance(value, Secret) else value
        try:
            return choices[word]
        except (KeyError, TypeError):
            meant = did_you_mean(value, map(str, choices)) if isinstance(value, str) else ""
            raise _Value(f"should be one of {', '.join(map(str, choices))}{meant}") from None

    return hook


def _mapping_hook(hint: Any, converter: Converter) -> Hook:
    inner = get_args(hint)[1]
    build: Hook = converter.get_structure_hook(inner)

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise Bad("should be a mapping of keys to values")
        return {key: build(item, inner) for key, item in value.items()}

    return hook


def _name_or_pair_hook(hint: Any, converter: Converter) -> Hook:
    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, Secret):
            return value.reveal()
        if isinstance(value, str):
            return value
        if isinstance(value, dict) and len(value) == 1:
            return {kind: _unveil(_text)(name, str) for kind, name in value.items()}
        raise Bad("should be the name of an integration, or one pair {type: instance}")

    return hook
