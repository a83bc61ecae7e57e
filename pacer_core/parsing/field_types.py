"""Field types for message classes, and how XML elements find the fields they belong to."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from types import UnionType
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import field, frozen

Text = NewType("Text", str)
"""Text that is not empty once blanks at both ends are cut off; a required name, for instance."""

Scalar = NewType("Scalar", object)
"""One value as the publisher wrote it: text that is not empty, a finite number, or a truth value.

``Scalar | None`` takes an empty value as well, in whatever form publishers write one: ``null``, blank text,
an empty list or one of ``null`` alone, and a number that is not finite.
"""

Texts = NewType("Texts", tuple[str, ...])
"""One `Text`, or a JSON list of at least one: for publishers who write a single one without the list."""

LONGEST = 512
"""Characters of a publisher's name that is remembered: thousands of longer ones would fill the memory."""

_ELEMENT = "pacer_core.element"
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def element(name: str, **arguments: Any) -> Any:
    """Make an attrs field that XML writes as an element of another name.

    ``parameters: tuple[Parameter, ...] = element("parameter", default=())`` collects repeated
    ``<parameter>`` elements. Further arguments go to ``attrs.field``.
    """
    return field(metadata={_ELEMENT: name}, **arguments)


def snake(name: str) -> str:
    """Give a publisher's name as a Python name: ``startDate`` -> ``start_date``, ``ORCID`` -> ``orcid``."""
    return _snake(name) if len(name) <= LONGEST else _snake.__wrapped__(name)


def _squashed(name: str) -> str:
    """Give what all spellings of a name have in common."""
    return name.replace("-", "").replace("_", "").lower()


@lru_cache(maxsize=4096)
def _snake(name: str) -> str:
    return _HUMP.sub("_", name).replace("-", "_").lower()


@frozen
class Member:
    """One field of a message class: its name, the class of its items or itself, and whether it repeats."""

    name: str
    inner: type | None
    many: bool


@frozen(eq=False)
class Shape:
    """What a body must look like to become a message class."""

    root: str
    members: dict[str, Member]
    """By the name in snake case, in the spelling of JSON as well as of XML."""
    names: frozenset[str]
    ignored: frozenset[str] = frozenset()
    """Other roots, in Clark notation, of messages that come the same way and are passed over."""
    tags: dict[str, Member | None] = field(factory=dict)
    """What `pacer_core.parsing.xml` has learnt: members by an element's tag with its namespace."""
    _letters: frozenset[str] = field(init=False)

    @_letters.default
    def _of_members(self) -> frozenset[str]:
        return frozenset(map(_squashed, self.members))

    def member(self, name: str) -> Member | None:
        """Give the field that a publisher's name stands for; at little cost where it stands for none."""
        return self.members.get(snake(name)) if _squashed(name) in self._letters else None


@cache
def shape_of(cls: type) -> Shape:
    """Give the shape of an attrs class; computed once."""
    attrs.resolve_types(cls)
    hints = get_type_hints(cls)
    members: dict[str, Member] = {}
    for attribute in attrs.fields(cls):
        inner, many = _inner(hints[attribute.name])
        member = Member(attribute.name, inner if inner is not None and attrs.has(inner) else None, many)
        members[attribute.name] = member
        members.setdefault(snake(attribute.metadata.get(_ELEMENT, attribute.name)), member)
    root = getattr(cls, "XML_ROOT", cls.__name__)
    return Shape(
        snake(root),
        members,
        frozenset(attribute.name for attribute in attrs.fields(cls)),
        frozenset(getattr(cls, "XML_IGNORED", ())),
    )


def _inner(hint: Any) -> tuple[Any, bool]:
    """Give the type of one item, and whether the field holds several."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        real = [one for one in get_args(hint) if one is not type(None)]
        return _inner(real[0]) if len(real) == 1 else (None, False)
    if origin in (tuple, list):
        return get_args(hint)[0], True
    return (hint if isinstance(hint, type) else None), False
