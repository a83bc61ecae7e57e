"""Texts with ``<variables>`` in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import frozen

from pacer_scicat.schemas.extensions import VariableError

_NAMED = re.compile(r"<([A-Za-z_][\w.-]*)>")


@frozen
class Value:
    """A variable that has a value: with its unit, and the source that it is from."""

    value: Any
    type: str
    unit: str | None = None
    source: str = ""


Found = Callable[[str], Value]
"""Gives a variable by its name, or raises `VariableError`."""


def names_in(template: Any) -> Iterator[str]:
    """Give the names of the variables that a template needs."""
    if isinstance(template, str):
        yield from _NAMED.findall(template)
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from names_in(value)
    elif isinstance(template, list | tuple):
        for value in template:
            yield from names_in(value)


def filled(template: Any, find: Found, quoted: Callable[[str], str] = str) -> tuple[Any, str | None]:
    """Fill a template: a variable alone keeps its type and unit, among other text it becomes text.

    ``quoted`` is applied to what becomes a part of a text.

    Raises
    ------
    VariableError
        Where a variable has no value.
    """
    if isinstance(template, str):
        alone = _NAMED.fullmatch(template)
        if alone:
            found = find(alone[1])
            return found.value, found.unit
        return _NAMED.sub(lambda match: quoted(_shown(find(match[1]).value)), template), None
    if isinstance(template, Mapping):
        return {key: filled(value, find)[0] for key, value in template.items()}, None
    if isinstance(template, list | tuple):
        return [filled(value, find)[0] for value in template], None
    return template, None


def text(template: str, find: Found, quoted: Callable[[str], str] = str) -> str:
    """Fill a template that has to become text, whole values quoted as well.

    Raises
    ------
    VariableError
        As `filled`.
    """
    return _NAMED.sub(lambda match: quoted(_shown(find(match[1]).value)), template)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        raise VariableError("a mapping cannot be a part of a text: take an item of it")
    return str(value)
