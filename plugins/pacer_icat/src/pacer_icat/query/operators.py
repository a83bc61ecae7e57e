"""The operators of conditions, as ICAT's query language has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import tzinfo
from typing import Any

from attrs import frozen

from pacer_icat.jpql import literal
from pacer_icat.query.errors import QueryError
from pacer_icat.schema import Field
from pacer_icat.values import WHOLE, typed

IN_ONE_LIST = 500
"""Values in one ``IN (...)``: some databases take 1 000."""
_ENUMERATIONS = "org.icatproject"
_ESCAPE = "!"
_PLAIN = ("String", "Double", "boolean", "Date", *WHOLE)


@frozen
class Test:
    """A condition on one value, as text; ``total`` where it is never unknown, whatever the value is."""

    text: str
    total: bool = False


@frozen
class Operand:
    """What stands on the left: a path in the query, and the attribute at its end."""

    path: str
    field: Field
    key: str
    """As the caller wrote it, for errors."""
    zone: tzinfo | None

    def word(self, value: Any, *, up: bool = False) -> str:
        """Give a value as the literal to compare with; ``up`` rounds a time up to the next whole second."""
        try:
            found = typed(self.field, value, self.zone, up=up)
        except ValueError as error:
            raise QueryError(f"{self.key!r} {error}") from None
        if self.field.type in _PLAIN:
            return literal(found, self.zone)
        return f"{_ENUMERATIONS}.{self.field.type}.{found}"

    def lowered(self, value: Any) -> tuple[str, str]:
        """Give the path and a text, both in small letters."""
        return f"LOWER({self.path})", self.text(value).lower()

    def text(self, value: Any) -> str:
        """Give a value that has to be text, as it is; the attribute has to be text as well."""
        if self.field.type != "String":
            raise QueryError(f"{self.key!r} compares texts, and {self.field.name!r} is none")
        if not isinstance(value, str):
            raise QueryError(f"{self.key!r} takes a text, not a {type(value).__name__}")
        self.word(value)  # for its checks
        return value

    @property
    def is_null(self) -> Test:
        """The condition that there is no value."""
        return Test(f"{self.path} IS NULL", total=True)


Write = Callable[[Operand, Any], Test]


@frozen
class Operator:
    """How an operator is written, and whether it means the opposite of that."""

    write: Write
    opposite: bool = False


def _eq(left: Operand, value: Any) -> Test:
    if value is None:
        return left.is_null
    return Test(f"{left.path} = {left.word(value)}")


def _ieq(left: Operand, value: Any) -> Test:
    if value is None:
        return left.is_null
    path, text = left.lowered(value)
    return Test(f"{path} = {literal(text)}")


def _in(left: Operand, values: Any) -> Test:
    given = listed(left.key, values)
    words = list(dict.fromkeys(left.word(value) for value in given if value is not None))
    parts = [
        f"{left.path} IN ({', '.join(words[start : start + IN_ONE_LIST])})"
        for start in range(0, len(words), IN_ONE_LIST)
    ]
    if None in given:
        parts.append(left.is_null.text)
    if not parts:
        return Test("", total=True)  # nothing is in nothing
    return Test(f"({' OR '.join(parts)})" if len(parts) > 1 else parts[0], total=None in given)


def _compared(sign: str) -> Write:
    def write(left: Operand, value: Any) -> Test:
        if left.field.type not in _PLAIN or left.field.type == "boolean":
            raise QueryError(f"{left.key!r}: values of {left.field.name!r} have no order")
        # ICAT holds whole seconds: what is below half past one second is below, or at, that second.
        return Test(f"{left.path} {sign} {left.word(value, up=sign in ('<', '>='))}")

    return write


def _between(left: Operand, values: Any) -> Test:
    pair = listed(left.key, values)
    if len(pair) != 2:
        raise QueryError(f"{left.key!r} takes two values, the least and the greatest")
    low, high = (_compared(sign)(left, value) for sign, value in zip((">=", "<="), pair, strict=True))
    return Test(f"{low.text} AND {high.text}")


def _like(left: Operand, pattern: Any) -> Test:
    return _matching(left.path, _translated(left.text(pattern)))


def _ilike(left: Operand, pattern: Any) -> Test:
    path, text = left.lowered(pattern)
    return _matching(path, _translated(text))


def _affix(before: str, after: str, *, ignoring_case: bool = False) -> Write:
    def write(left: Operand, value: Any) -> Test:
        path, text = left.lowered(value) if ignoring_case else (left.path, left.text(value))
        return _matching(path, f"{before}{_escaped(text)}{after}")

    return write


def _is_null(left: Operand, value: Any) -> Test:
    if not isinstance(value, bool):
        raise QueryError(f"{left.key!r} takes True or False, not a {type(value).__name__}")
    return left.is_null if value else Test(f"{left.path} IS NOT NULL", total=True)


OPERATORS: dict[str, Operator] = {
    "eq": Operator(_eq),
    "exact": Operator(_eq),
    "ieq": Operator(_ieq),
    "iexact": Operator(_ieq),
    "ne": Operator(_eq, opposite=True),
    "ine": Operator(_ieq, opposite=True),
    "in": Operator(_in),
    "not_in": Operator(_in, opposite=True),
    "gt": Operator(_compared(">")),
    "gte": Operator(_compared(">=")),
    "lt": Operator(_compared("<")),
    "lte": Operator(_compared("<=")),
    "between": Operator(_between),
    "like": Operator(_like),
    "ilike": Operator(_ilike),
    "contains": Operator(_affix("%", "%")),
    "icontains": Operator(_affix("%", "%", ignoring_case=True)),
    "startswith": Operator(_affix("", "%")),
    "istartswith": Operator(_affix("", "%", ignoring_case=True)),
    "endswith": Operator(_affix("%", "")),
    "iendswith": Operator(_affix("%", "", ignoring_case=True)),
    "isnull": Operator(_is_null),
}
"""By the name that a key ends with; without one it is ``eq``."""


def listed(key: str, values: Any) -> list[Any]:
    """Give the values that an operator compares with.

    Raises
    ------
    QueryError
        Where it is one value, such as a text.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise QueryError(f"{key!r} takes several values, as in [1, 2], not a {type(values).__name__}")
    return list(values)


def _matching(path: str, pattern: str) -> Test:
    # Without ESCAPE a backslash would escape; with it, whatever follows "!" stands for itself.
    special = any(one in pattern for one in (_ESCAPE, "\\"))
    return Test(f"{path} LIKE {literal(pattern)}" + (f" ESCAPE '{_ESCAPE}'" if special else ""))


def _escaped(text: str) -> str:
    for one in (_ESCAPE, "%", "_"):
        text = text.replace(one, _ESCAPE + one)
    return text


def _translated(pattern: str) -> str:
    """Give the caller's pattern, in which a backslash escapes, with our own escape."""
    parts = []
    letters = iter(pattern)
    for letter in letters:
        if letter == "\\":
            parts.append(_escaped(next(letters, "\\")))
        else:
            parts.append(_ESCAPE + letter if letter == _ESCAPE else letter)
    return "".join(parts)
