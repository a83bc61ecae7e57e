"""The quick way into message classes, for bodies with nothing wrong: functions written for each set of keys.

It takes nothing that the strict way (`pacer_core.parsing.fields`) refuses, and makes the same of what it
takes. Whatever makes it hesitate stops it without a reason; the strict way then says what is wrong, or that
nothing is. What it saves is the search for each key, a call for each value, and cattrs' bookkeeping of where
a mistake is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from inspect import Parameter, signature
from math import inf
from typing import Annotated, Any, get_origin

import attrs
from attrs import field, frozen
from cattrs import Converter

from pacer_core.parsing.field_types import Scalar, Text, shape_of
from pacer_core.parsing.structuring import is_optional, is_tuple, item_type

_LONGEST = 4096  # characters of the keys of one dictionary
_LAYOUTS = 64  # sets of keys of one class that are remembered: publishers have a few, an attacker any number

Read = Callable[[Any], Any]


class HesitatedError(Exception):
    """The strict way has to look at this."""


@frozen
class Readers:
    """The readers of message classes, each made when it is first asked for.

    They leave all but the commonest values to the hooks of the ``strict`` converter for their types.
    ``legal`` says that no text which they meet holds characters that the strict way refuses in any text.
    """

    strict: Converter
    legal: bool = False
    made: dict[type, Reader] = field(factory=dict)

    def of(self, cls: type) -> Reader:
        """Give the reader of an attrs class."""
        return self.made.get(cls) or self.made.setdefault(cls, Reader(cls, self))


class Reader:
    """Reads dictionaries into one message class, by a function for each set of keys that it has met.

    Attributes
    ----------
    read
        Makes a message of a dictionary, and raises anything at all where the strict way has to look. It is
        the function for the keys met last, which the next message is likely to have; that passes on others.
    """

    __slots__ = ("_cls", "_layouts", "_readers", "read")

    def __init__(self, cls: type, readers: Readers) -> None:
        self._cls, self._readers = cls, readers
        self._layouts: dict[frozenset[str], Read | None] = {}  # None: with these keys it always hesitates
        self.read: Read = self._other

    def _other(self, value: Any) -> Any:
        """Read what has other keys than those met last."""
        if type(value) is not dict:
            raise HesitatedError
        keys = frozenset(value)
        read = self._layouts[keys] if keys in self._layouts else self._learn(keys)
        if read is None:
            raise HesitatedError
        self.read = read
        return read(value)

    def _learn(self, keys: frozenset[str]) -> Read | None:
        if len(self._layouts) >= _LAYOUTS or sum(map(len, keys)) > _LONGEST:
            raise HesitatedError
        source = Source(self._readers, self._other)
        try:
            text = source.of_class(self._cls, sorted(keys))
        except HesitatedError:
            return self._layouts.setdefault(keys, None)
        exec(text, source.names)  # noqa: S102 - `Source` says what may be in it
        return self._layouts.setdefault(keys, source.names["read"])


@frozen
class Source:
    """Writes a function that reads dictionaries with certain keys; ``names`` are the objects in it.

    For a class with ``name: Text``, ``file_size: int`` and ``md5: str | None = None``, and the keys
    ``colour``, ``fileSize`` and ``name``, it is::

        def read(value):
            if type(value) is not dict:
                raise HesitatedError
            if len(value) != 3:
                return other(value)
            try:
                value['colour']
                file_size_ = value['fileSize']
                name_ = value['name']
            except KeyError:
                return other(value)
            if not (type(name_) is str and name_.isprintable() and (name_ := name_.strip())):
                name_ = object4(name_, object5)
            if not (type(file_size_) is int and -9223372036854775808 <= file_size_ < 9223372036854775808):
                file_size_ = object6(file_size_, object7)
            return object8(name_, file_size_)

    where the class is ``object8``, and ``object4`` the strict converter's hook for ``object5``, ``Text``. Of
    what a body says it holds the keys alone, as literals; field names are identifiers by themselves.
    """

    readers: Readers
    other: Read
    names: dict[str, Any] = field(init=False)

    @names.default
    def _names(self) -> dict[str, Any]:
        return {"other": self.other, "HesitatedError": HesitatedError, "inf": inf, "datetime": datetime}

    def of_class(self, cls: type, keys: list[str]) -> str:
        """Write the function for a class and all the keys of a dictionary.

        Raises
        ------
        HesitatedError
            Where a required field is missing, one is spelled twice, or a type has more to say to cattrs.
        """
        spelled = _spelled(cls, keys)
        fields = [one for one in attrs.fields(cls) if one.init]
        for one in fields:
            missing = one.default is attrs.NOTHING and one.name not in spelled
            if missing or get_origin(one.type) is Annotated:
                raise HesitatedError
        given = [one for one in fields if one.name in spelled]
        wanted = {spelled[one.name]: f"{one.name}_ = " for one in given}
        return "\n".join(
            [
                "def read(value):",
                "    if type(value) is not dict:",
                "        raise HesitatedError",
                f"    if len(value) != {len(keys)}:",
                "        return other(value)",
                "    try:",
                *([f"        {wanted.get(key, '')}value[{key!r}]" for key in keys] or ["        pass"]),
                "    except KeyError:",
                "        return other(value)",
                *(f"    {line}" for one in given for line in self.of_value(f"{one.name}_", one.type)),
                f"    return {self._name(cls)}({', '.join(_arguments(cls, given))})",
            ]
        )

    def of_value(self, it: str, hint: Any) -> Iterator[str]:
        """Write how the value in the variable ``it`` is checked and becomes what a type hint says."""
        if is_optional(hint):
            yield f"if {it} is None or isinstance({it}, str) and not {it}.strip():"
            yield f"    {it} = None"
            yield "else:"
            yield from _indented(self.of_value(it, item_type(hint)[0]))
        elif is_tuple(hint):
            inner, several = item_type(hint)
            yield f"if type({it}) is not list:"
            yield "    raise HesitatedError"
            yield f"{it}s = []"
            yield f"for {it}1 in {it}:"
            yield from _indented(self.of_value(f"{it}1", inner))
            yield f"    {it}s.append({it}1)"
            yield f"{it} = {it}s" if several is list else f"{it} = tuple({it}s)"
        elif isinstance(hint, type) and attrs.has(hint):
            yield f"{it} = {self._name(self.readers.of(hint))}.read({it})"
        else:
            strict = self._name(self.readers.strict.get_structure_hook(hint))
            if hint in _PLAIN:
                printable = "" if self.readers.legal else f" and {it}.isprintable()"
                yield f"if not ({_PLAIN[hint].format(it, printable)}):"
                yield f"    {it} = {strict}({it}, {self._name(hint)})"
            else:
                yield f"{it} = {strict}({it}, {self._name(hint)})"

    def _name(self, thing: Any) -> str:
        name = f"object{len(self.names)}"
        self.names[name] = thing
        return name


_PLAIN = {
    # Whether {0} is a plain value of a type, and what the type's own hook makes of it is in {0} by then.
    # {1} asks for text that is printable, which has no control character and no half of a surrogate pair.
    str: "type({0}) is str{1}",
    Text: "type({0}) is str{1} and ({0} := {0}.strip())",
    int: f"type({{0}}) is int and {-(2**63)} <= {{0}} < {2**63} or type({{0}}) is str "
    "and len({0}) <= 18 and {0}.isascii() and {0}.isdecimal() and ({0} := int({0})) >= 0",
    float: "type({0}) is float and -inf < {0} < inf",
    bool: "{0} is True or {0} is False",
    Scalar: "type({0}) is str{1} and ({0} := {0}.strip()) "
    "or type({0}) is int or type({0}) is float and -inf < {0} < inf",
    datetime: "type({0}) is str and 10 <= len({0}) <= 40 and ({0} := datetime.fromisoformat({0}))",
}


def _spelled(cls: type, keys: list[str]) -> dict[str, str]:
    """Give by field name the key that stands for it."""
    shape = shape_of(cls)
    spelled: dict[str, str] = {}
    for key in keys:
        member = shape.members.get(key) or shape.member(key)
        if member is not None and spelled.setdefault(member.name, key) != key:
            raise HesitatedError  # two spellings of one field
    return spelled


def _arguments(cls: type, given: Iterable[attrs.Attribute[Any]]) -> Iterator[str]:
    """Write the arguments of a class's constructor: by position as far as it goes, which is quicker."""
    positions = (one.name for one in signature(cls).parameters.values() if one.kind is _BY_POSITION)
    by_position = True
    for one in given:
        by_position = by_position and next(positions, None) == one.alias
        yield f"{one.name}_" if by_position else f"{one.alias}={one.name}_"


_BY_POSITION = Parameter.POSITIONAL_OR_KEYWORD


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)
