"""Conditions as the caller writes them: `Q` objects, joined by ``&`` and ``|``, turned round by ``~``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from pacer_icat.query.errors import QueryError

Word = Literal["AND", "OR"]


Part: TypeAlias = "Q | tuple[str, Any]"


class Q:
    """Conditions that all have to be fulfilled: ``Q(name="x", datasets__complete=True)``.

    ``a & b`` is fulfilled where both are, ``a | b`` where one is, and ``~a`` exactly where ``a`` is not.
    Conditions that reach through the same to-many relation and stand in one ``Q``, or are joined by ``&``,
    are about one and the same related object.
    """

    __slots__ = ("negated", "parts", "word")

    def __init__(self, *others: Q, **conditions: Any) -> None:
        self.word: Word = "AND"
        self.negated = False
        self.parts: tuple[Part, ...] = ()
        for other in others:
            if not isinstance(other, Q):
                raise QueryError(f"conditions are Q(...) or name=value, not a {type(other).__name__}")
            self.parts += other.parts if other.is_plain("AND") else (other,)
        # What can be read once only is read now: a question may be asked several times.
        self.parts += tuple(
            (key, list(value) if isinstance(value, Iterator) else value) for key, value in conditions.items()
        )

    def is_plain(self, word: Word) -> bool:
        """Tell whether its parts can stand among others that are joined by ``word``."""
        return not self.negated and (self.word == word or len(self.parts) <= 1)

    def replaced(self, place: int, value: Any) -> Q:
        """Give the same with another value of the condition at a place."""
        key = self.parts[place][0]  # type: ignore[index]  # the caller knows that it is a pair
        return self._made(
            self.word, (*self.parts[:place], (key, value), *self.parts[place + 1 :]), self.negated
        )

    def __and__(self, other: Q) -> Q:
        return self._joined("AND", other)

    def __or__(self, other: Q) -> Q:
        return self._joined("OR", other)

    def __invert__(self) -> Q:
        return self._made(self.word, self.parts, not self.negated)

    def __repr__(self) -> str:
        # Without the values, which may be personal.
        words = [repr(part) if isinstance(part, Q) else part[0] for part in self.parts]
        return f"{'~' if self.negated else ''}Q({f' {self.word} '.join(words)})"

    def _joined(self, word: Word, other: Q) -> Q:
        if not isinstance(other, Q):
            raise QueryError(f"a Q is joined with a Q, not with a {type(other).__name__}")
        # Nothing asked is always fulfilled: it adds nothing to either word, as in Django.
        if not other.parts:
            return self
        if not self.parts:
            return other
        parts: tuple[Part, ...] = ()
        for one in (self, other):
            parts += one.parts if one.is_plain(word) else (one,)
        return self._made(word, parts, negated=False)

    @classmethod
    def _made(cls, word: Word, parts: tuple[Part, ...], negated: bool) -> Q:
        made = cls()
        made.word, made.parts, made.negated = word, parts, negated
        return made
