"""Random conditions find what a plain Python filter finds."""

import operator
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer_sandbox import collation
from pacer_sandbox.query import Restriction, search
from pacer_sandbox.schema import Schema
from pacer_sandbox.store import Store

SCHEMA = Schema.load()
UTC = ZoneInfo("UTC")
DAY = 86400
FIRST = 1_735_689_600
"""2025-01-01T00:00:00Z"""

Row = dict[str, Any]
Holds = Callable[[Row], bool | None]
"""A condition in Python; ``None`` where SQL does not know."""


@frozen
class Condition:
    """The same condition twice: as JPQL and as Python."""

    text: str
    holds: Holds


class Everything:
    """A user who may read all."""

    user = "simple/root"

    def readable(self, entity: str) -> Restriction | None:
        return None

    def open_step(self, origin: str, field: str) -> bool:
        return True


ROWS: list[Row] = [
    {
        "name": f"{letter}{number}",
        "description": (None, "Alpha", "alpha ", "béta", "Gamma_1", "100%")[number % 6],
        "fileSize": (None, 0, 1, 5, 10, 2**40)[(number + ord(letter)) % 6],
        "complete": number % 2 == 0,
        "startDate": None if number % 4 == 0 else FIRST + number * DAY,
        "visit": "1" if letter < "c" else "2",
    }
    for letter in "abcd"
    for number in range(6)
]


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    store = Store(SCHEMA)

    def add(entity: str, **values: Any) -> int:
        id_ = store.new_id()
        row = {"id": id_, "createId": "r", "createTime": 0, "modId": "r", "modTime": 0, **values}
        names = ", ".join(f'"{name}"' for name in row)
        store.connection.execute(
            f'INSERT INTO "{entity}" ({names}) VALUES ({", ".join("?" * len(row))})', tuple(row.values())
        )
        return id_

    facility = add("Facility", name="f")
    kind = add("InvestigationType", name="t", facility=facility)
    raw = add("DatasetType", name="raw", facility=facility)
    parents = {
        visit: add("Investigation", name="i", visitId=visit, title="t", facility=facility, type=kind)
        for visit in ("1", "2")
    }
    for row in ROWS:
        stored = {name: value for name, value in row.items() if name != "visit"}
        add("Dataset", **stored, type=raw, investigation=parents[row["visit"]])
    yield store.connection
    store.close()


def negate(known: bool | None) -> bool | None:
    return None if known is None else not known


def both(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def comparable(value: Any) -> Any:
    return collation.key(value) if isinstance(value, str) else value


def quoted(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def moment(days: int) -> str:
    return f"{{ts 2025-01-{days + 1:02} 00:00:00}}"


TEXTS = st.sampled_from(["a1", "A1 ", "b", "béta", "BETA", "Alpha", "gamma_1", "100%", "", "d5", "it's"])
NUMBERS = st.integers(-2, 12) | st.just(2**40)
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
COLUMNS = st.one_of(
    st.tuples(st.sampled_from(["name", "description"]), TEXTS, TEXTS),
    st.tuples(st.just("fileSize"), NUMBERS, NUMBERS),
    st.tuples(st.just("startDate"), st.integers(0, 6), st.integers(0, 6)),
    st.tuples(st.just("visit"), st.sampled_from("123"), st.sampled_from("123")),
)


def path(name: str) -> str:
    return "d.investigation.visitId" if name == "visit" else f"d.{name}"


def literal(name: str, value: Any) -> str:
    return moment(value) if name == "startDate" else quoted(value)


def stored(name: str, value: Any) -> Any:
    return FIRST + value * DAY if name == "startDate" else comparable(value)


def compare(name: str, sign: str, value: Any, swapped: bool) -> Condition:
    mirrored = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(sign, sign)
    left, right = path(name), literal(name, value)
    text = f"{right} {mirrored} {left}" if swapped else f"{left} {sign} {right}"

    def holds(row: Row) -> bool | None:
        return None if row[name] is None else OPERATORS[sign](comparable(row[name]), stored(name, value))

    return Condition(text, holds)


def between(name: str, low: Any, high: Any, negated: bool) -> Condition:
    def holds(row: Row) -> bool | None:
        if row[name] is None:
            return None
        inside = bool(stored(name, low) <= comparable(row[name]) <= stored(name, high))
        return inside != negated

    word = "NOT BETWEEN" if negated else "BETWEEN"
    return Condition(f"{path(name)} {word} {literal(name, low)} AND {literal(name, high)}", holds)


def among(name: str, values: list[Any], negated: bool) -> Condition:
    def holds(row: Row) -> bool | None:
        if row[name] is None:
            return None
        return (comparable(row[name]) in [stored(name, value) for value in values]) != negated

    items = ", ".join(literal(name, value) for value in values)
    return Condition(f"{path(name)} {'NOT IN' if negated else 'IN'} ({items})", holds)


def like(name: str, start: str, negated: bool) -> Condition:
    def holds(row: Row) -> bool | None:
        if row[name] is None:
            return None
        return collation.fold(row[name]).startswith(collation.fold(start)) != negated

    return Condition(f"d.{name} {'NOT LIKE' if negated else 'LIKE'} '{start}%'", holds)


def is_null(name: str, negated: bool) -> Condition:
    return Condition(
        f"{path(name)} IS {'NOT ' if negated else ''}NULL", lambda row: (row[name] is None) != negated
    )


def of_column(column: tuple[str, Any, Any]) -> st.SearchStrategy[Condition]:
    name, one, other = column
    return st.one_of(
        st.builds(lambda o, s: compare(name, o, one, s), st.sampled_from(sorted(OPERATORS)), st.booleans()),
        st.builds(lambda n: between(name, one, other, n), st.booleans()),
        st.builds(lambda n: among(name, [one, other], n), st.booleans()),
        st.builds(lambda n: is_null(name, n), st.booleans()),
    )


LEAVES = st.one_of(
    COLUMNS.flatmap(of_column),
    st.builds(like, st.sampled_from(["name", "description"]), st.sampled_from("aAbgé1"), st.booleans()),
    st.builds(
        lambda truth: Condition(f"d.complete = {quoted(truth)}", lambda row: row["complete"] is truth),
        st.booleans(),
    ),
)


def joined(word: str, parts: list[Condition]) -> Condition:
    def holds(row: Row) -> bool | None:
        known: bool | None = parts[0].holds(row)
        for part in parts[1:]:
            if word == "AND":
                known = both(known, part.holds(row))
            else:
                known = negate(both(negate(known), negate(part.holds(row))))
        return known

    return Condition("(" + f" {word} ".join(part.text for part in parts) + ")", holds)


TREES = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        st.builds(joined, st.sampled_from(["AND", "OR"]), st.lists(below, min_size=1, max_size=3)),
        st.builds(lambda c: Condition(f"NOT ({c.text})", lambda row: negate(c.holds(row))), below),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(condition=TREES)
def test_a_where_clause_finds_what_a_filter_finds(
    connection: sqlite3.Connection, condition: Condition
) -> None:
    answer = search(
        f"SELECT d.name FROM Dataset d WHERE {condition.text} ORDER BY d.name",
        connection,
        SCHEMA,
        access=Everything(),
        zone=UTC,
    )

    assert [row[0] for row in answer.rows] == [row["name"] for row in ROWS if condition.holds(row)]


@settings(max_examples=100, deadline=None)
@given(condition=TREES)
def test_a_sub_select_and_a_restriction_find_the_same(
    connection: sqlite3.Connection, condition: Condition
) -> None:
    inner = f"SELECT d FROM Dataset d WHERE {condition.text}"
    wanted = sum(1 for row in ROWS if condition.holds(row))
    for text in (
        f"SELECT COUNT(e) FROM Dataset e WHERE e IN ({inner})",
        f"SELECT COUNT(d) FROM Investigation i JOIN i.datasets d WHERE {condition.text}",
        f"SELECT COUNT(e) FROM Dataset e WHERE EXISTS ({inner} AND d = e)",
    ):
        answer = search(text, connection, SCHEMA, access=Everything(), zone=UTC)
        assert answer.rows == [(wanted,)]
