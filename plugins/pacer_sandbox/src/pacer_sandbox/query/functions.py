"""The functions of a query: which there are, what they give, and the ones that SQLite lacks."""

import math
import sqlite3
from collections.abc import Callable
from typing import Any

from attrs import frozen

from pacer_sandbox import collation
from pacer_sandbox.query.scope import Sql

_Python = Callable[..., str | int | float | None]

FIRST = ""
"""As a result: of the type of the first argument."""


@frozen
class Function:
    """How many arguments a function takes, its name in SQLite and the type of its result."""

    least: int
    most: int
    sql: str
    result: str

    def call(self, arguments: list[Sql]) -> Sql:
        """Return the call in SQL."""
        texts = [argument.text for argument in arguments]
        kind = self.result or next((a.kind for a in arguments if a.kind != "null"), "null")
        text = f"({' || '.join(texts)})" if self.sql == "||" else f"{self.sql}({', '.join(texts)})"
        return Sql(text, kind)


FUNCTIONS = {
    "ABS": Function(1, 1, "abs", FIRST),
    "CONCAT": Function(2, 99, "||", "String"),
    "LENGTH": Function(1, 1, "length", "Integer"),
    "LOCATE": Function(2, 3, "icat_locate", "Integer"),
    "LOWER": Function(1, 1, "icat_lower", "String"),
    "MOD": Function(2, 2, "icat_mod", "Integer"),
    "SQRT": Function(1, 1, "icat_sqrt", "Double"),
    "SUBSTRING": Function(2, 3, "icat_substring", "String"),
    "UPPER": Function(1, 1, "icat_upper", "String"),
    "COALESCE": Function(2, 99, "coalesce", FIRST),
    "NULLIF": Function(2, 2, "nullif", FIRST),
    "CEILING": Function(1, 1, "icat_ceiling", FIRST),
    "FLOOR": Function(1, 1, "icat_floor", FIRST),
    "ROUND": Function(2, 2, "round", FIRST),
    "SIGN": Function(1, 1, "icat_sign", "Integer"),
    "EXP": Function(1, 1, "icat_exp", "Double"),
    "LN": Function(1, 1, "icat_ln", "Double"),
    "POWER": Function(2, 2, "icat_power", "Double"),
}
"""Those of Jakarta Persistence 3.1, section 4.6.17.2."""

DATABASE = {"SLEEP": Function(1, 1, "icat_sleep", "Integer")}
"""What FUNCTION('name', ...) may call in the database; the sandbox does not wait."""


def register(connection: sqlite3.Connection) -> None:
    """Give a connection the functions that SQLite lacks, or has for ASCII alone."""
    for name, arities, function in _MISSING:
        for arity in arities:
            connection.create_function(name, arity, function, deterministic=True)


def _known(function: _Python) -> _Python:
    """Return NULL where an argument is NULL, and where there is no result."""

    def call(*arguments: Any) -> str | int | float | None:
        if any(argument is None for argument in arguments):
            return None
        try:
            return function(*arguments)
        except (ValueError, OverflowError, ZeroDivisionError):
            return None

    return call


def _locate(part: object, text: object, start: int = 1) -> int:
    if start < 1:
        return 0
    return collation.fold(str(text)).find(collation.fold(str(part)), start - 1) + 1


def _substring(text: object, start: int, length: int | None = None) -> str:
    text = str(text)
    if start == 0 or (length is not None and length < 1):
        return ""
    begin = start - 1 if start > 0 else len(text) + start
    if begin < 0:
        return ""
    return text[begin:] if length is None else text[begin : begin + length]


def _trim(side: str, char: str, text: object) -> str:
    text = str(text)
    while char and side != "TRAILING" and text.startswith(char):
        text = text[len(char) :]
    while char and side != "LEADING" and text.endswith(char):
        text = text[: -len(char)]
    return text


def _mod(left: int | float, right: int | float) -> int | float:
    remainder = math.fmod(left, right)
    return int(remainder) if isinstance(left, int) and isinstance(right, int) else remainder


_MISSING: tuple[tuple[str, tuple[int, ...], _Python], ...] = (
    ("icat_locate", (2, 3), _known(_locate)),
    ("icat_lower", (1,), _known(lambda text: str(text).lower())),
    ("icat_upper", (1,), _known(lambda text: str(text).upper())),
    ("icat_substring", (2, 3), _known(_substring)),
    ("icat_trim", (3,), _known(_trim)),
    ("icat_mod", (2,), _known(_mod)),
    ("icat_sqrt", (1,), _known(math.sqrt)),
    ("icat_exp", (1,), _known(math.exp)),
    ("icat_ln", (1,), _known(math.log)),
    ("icat_power", (2,), _known(math.pow)),
    ("icat_ceiling", (1,), _known(math.ceil)),
    ("icat_floor", (1,), _known(math.floor)),
    ("icat_sign", (1,), _known(lambda number: (number > 0) - (number < 0))),
    ("icat_sleep", (1,), _known(lambda seconds: 0)),
)
