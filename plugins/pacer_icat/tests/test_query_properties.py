"""Random conditions find in ICAT what a plain Python filter finds."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacer_icat import IcatClient, Q, QueryError
from pacer_icat.collation import fold
from pacer_icat.query import operators, plan, run
from plugins.pacer_icat.tests.catalogue import START, TEXTS, Row, fill

Holds = Callable[[Row], bool]
Get = Callable[[Row], Any]


@frozen
class Condition:
    """A condition twice: as it is asked, and as Python tells."""

    q: Q
    holds: Holds


def rank(value: Any) -> Any:
    """Give what a value compares by in ICAT's database."""
    return fold(value) + " " if isinstance(value, str) else value


def letters(value: str) -> str:
    """Give a text as LIKE sees it: every letter folded by itself, blanks at the end as they are."""
    return "".join(fold(letter) or " " for letter in value)


ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
PARTS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


def compared(path: str, get: Get, name: str, value: Any) -> Condition:
    def holds(row: Row) -> bool:
        found = get(row)
        return found is not None and ORDERED[name](rank(found), rank(value))

    return Condition(Q(**{f"{path}__{name}": value}), holds)


def equal(path: str, get: Get, name: str, value: Any) -> Condition:
    def holds(row: Row) -> bool:
        return bool(rank(get(row)) == rank(value)) == (name not in ("ne", "ine"))

    return Condition(Q(**{f"{path}__{name}" if name else path: value}), holds)


def among(path: str, get: Get, values: list[Any], negated: bool) -> Condition:
    def holds(row: Row) -> bool:
        return (rank(get(row)) in [rank(value) for value in values]) != negated

    return Condition(Q(**{f"{path}__{'not_in' if negated else 'in'}": values}), holds)


def between(path: str, get: Get, low: Any, high: Any) -> Condition:
    def holds(row: Row) -> bool:
        found = get(row)
        return found is not None and bool(rank(low) <= rank(found) <= rank(high))

    return Condition(Q(**{f"{path}__between": (low, high)}), holds)


def null(path: str, get: Get, wanted: bool) -> Condition:
    return Condition(Q(**{f"{path}__isnull": wanted}), lambda row: (get(row) is None) == wanted)


def part(path: str, get: Get, name: str, ignoring_case: bool, value: str) -> Condition:
    def holds(row: Row) -> bool:
        found = get(row)
        return found is not None and PARTS[name](letters(found), letters(value))

    return Condition(Q(**{f"{path}__{'i' if ignoring_case else ''}{name}": value}), holds)


def pattern(path: str, get: Get, start: str, end: str) -> Condition:
    def holds(row: Row) -> bool:
        found = get(row)
        if found is None or len(found) < len(start) + 1 + len(end):
            return False
        return letters(found).startswith(letters(start)) and letters(found).endswith(letters(end))

    escaped = [text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for text in (start, end)]
    return Condition(Q(**{f"{path}__like": "_%".join(escaped)}), holds)


PATHS: list[tuple[str, Get, st.SearchStrategy[Any]]] = [
    ("name", lambda row: row.name, st.sampled_from(TEXTS)),
    ("description", lambda row: row.description, st.sampled_from(TEXTS)),
    ("startDate", lambda row: row.start, st.integers(-1, 9).map(lambda days: START + timedelta(days=days))),
    ("sample__name", lambda row: row.sample, st.sampled_from(["s0", "S1", "s2", "s"])),
    ("sample.type.name", lambda row: row.kind, st.sampled_from(["P", "q", "x"])),
    ("investigation__visitId", lambda row: row.visit, st.sampled_from(["bm00", "BL06", "2"])),
]


def of_path(path: str, get: Get, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Condition]:
    maybe = st.none() | values
    kinds = [
        st.builds(lambda n, v: equal(path, get, n, v), st.sampled_from(["", "eq", "ne", "exact"]), maybe),
        st.builds(lambda n, v: compared(path, get, n, v), st.sampled_from(sorted(ORDERED)), values),
        st.builds(lambda v, n: among(path, get, v, n), st.lists(maybe, max_size=4), st.booleans()),
        st.builds(lambda a, b: between(path, get, a, b), values, values),
        st.builds(lambda w: null(path, get, w), st.booleans()),
    ]
    if path != "startDate":
        kinds += [
            st.builds(
                lambda n, i, v: part(path, get, n, i, v),
                st.sampled_from(sorted(PARTS)),
                st.booleans(),
                PIECES,
            ),
            st.builds(lambda a, b: pattern(path, get, a, b), PIECES, PIECES),
            st.builds(lambda n, v: equal(path, get, n, v), st.sampled_from(["ieq", "ine", "iexact"]), maybe),
        ]
    return st.one_of(kinds)


PIECES = st.sampled_from(["a", "A", "bé", "%", "_", "\\", "'", "!", "x", "100", "", "ll", "s", "\n", "☃"])


def related(number: float, both: bool) -> list[Condition]:
    """Give conditions on the parameters: of one of them, of none, of one and the same."""
    return [
        Condition(Q(parameters__numericValue=number), lambda row: number in row.numbers),
        Condition(
            Q(parameters__numericValue__ne=number), lambda row: any(one != number for one in row.numbers)
        ),
        Condition(
            Q(parameters__numericValue=number, parameters__type__name="query-gain"),
            lambda row: len(row.numbers) > 1 and row.numbers[1] == number,
        ),
        Condition(Q(parameters__isnull=both), lambda row: (not row.numbers) == both),
        Condition(Q(datafiles__name__in=["f1", "nowhere"]), lambda row: "f1" in row.files),
        Condition(
            Q(sample__datasets__complete=both, sample__isnull=False),
            lambda row: row.sample is not None and (row.sample, both) in _SAMPLES,
        ),
    ]


_SAMPLES: set[tuple[str | None, bool]] = set()

LEAVES = st.one_of(
    st.one_of([of_path(*one) for one in PATHS]),
    st.builds(
        lambda truth, name: equal("complete", lambda row: row.complete, name, truth),
        st.booleans(),
        st.sampled_from(["", "ne"]),
    ),
    st.tuples(st.sampled_from([1.0, 5.0, 7.0]), st.booleans(), st.integers(0, 5)).map(
        lambda drawn: related(drawn[0], drawn[1])[drawn[2]]
    ),
)


def joined(word: str, left: Condition, right: Condition) -> Condition:
    if word == "and":
        return Condition(left.q & right.q, lambda row: left.holds(row) and right.holds(row))
    return Condition(left.q | right.q, lambda row: left.holds(row) or right.holds(row))


def grouped(left: Condition, right: Condition) -> Condition:
    """Join so that each condition on a relation to many stays in a Q of its own."""
    return Condition(~(~left.q | ~right.q), lambda row: left.holds(row) and right.holds(row))


TREES = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        st.builds(lambda a, b: joined("or", a, b), below, below),
        st.builds(grouped, below, below),
        st.builds(lambda a: Condition(~a.q, lambda row: not a.holds(row)), below),
    ),
    max_leaves=6,
)


@pytest.fixture
def rows(icat: IcatClient) -> list[Row]:
    found = fill(icat)
    _SAMPLES.clear()
    _SAMPLES.update((row.sample, row.complete) for row in found)
    return found


relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@relaxed
@given(condition=TREES)
def test_conditions_find_what_a_filter_finds(icat: IcatClient, rows: list[Row], condition: Condition) -> None:
    wanted = [row.id for row in rows if condition.holds(row)]
    asked = icat.objects("Dataset").filter(condition.q)
    assert [values["id"] for values in asked.values("id")] == wanted
    rest = icat.objects("Dataset").exclude(condition.q)
    assert rest.count() == len(rows) - len(wanted)


@relaxed
@given(
    condition=TREES,
    order=st.lists(
        st.sampled_from(["name", "-startDate", "sample.name", "-sample__type__name", "complete", "-id"]),
        unique_by=lambda path: path.lstrip("-"),
        max_size=3,
    ),
    start=st.integers(0, 12),
    number=st.none() | st.integers(0, 12),
)
def test_order_and_slices_are_those_of_a_sorted_list(
    icat: IcatClient,
    rows: list[Row],
    condition: Condition,
    order: list[str],
    start: int,
    number: int | None,
) -> None:
    wanted = sorted((row for row in rows if condition.holds(row)), key=lambda row: row.id)
    for path in reversed(order):
        wanted.sort(key=sorting(path), reverse=path.startswith("-"))
    end = None if number is None else start + number
    asked = icat.objects("Dataset").filter(condition.q).order_by(*order)[start:end]
    assert [values["id"] for values in asked.values("id")] == [row.id for row in wanted[start:end]]
    assert asked.count() == len(wanted[start:end])
    assert asked.exists() == bool(wanted[start:end])


def sorting(path: str) -> Callable[[Row], tuple[bool, Any]]:
    gets: dict[str, Get] = {one: get for one, get, _ in PATHS} | {
        "complete": lambda row: row.complete,
        "id": lambda row: row.id,
        "sample.name": lambda row: row.sample,
        "sample__type__name": lambda row: row.kind,
    }
    get = gets[path.lstrip("-")]

    def key(row: Row) -> tuple[bool, Any]:
        found = get(row)
        return (found is not None, 0 if found is None else rank(found))

    return key


@relaxed
@given(
    condition=TREES,
    names=st.lists(st.sampled_from([*TEXTS, "béta", "ALPHA", "alpha"]), max_size=9),
    order=st.sampled_from([[], ["-description"], ["startDate", "-name"]]),
    start=st.integers(0, 5),
    number=st.none() | st.integers(0, 9),
)
def test_small_pages_and_split_lists_make_no_difference(
    icat: IcatClient,
    rows: list[Row],
    condition: Condition,
    names: list[str],
    order: list[str],
    start: int,
    number: int | None,
) -> None:
    listed = among("description", lambda row: row.description, [*names], negated=False)
    wanted = sorted(
        (row for row in rows if condition.holds(row) and listed.holds(row)), key=lambda row: row.id
    )
    for path in reversed(order):
        wanted.sort(key=sorting(path), reverse=path.startswith("-"))
    end = None if number is None else start + number
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_PAGE", 3)
        patch.setattr(plan, "_LONG_LIST", 2)
        patch.setattr(operators, "IN_ONE_LIST", 2)
        asked = icat.objects("Dataset").filter(condition.q).filter(listed.q).order_by(*order)[start:end]
        ids = [row.id for row in wanted[start:end]]
        assert [one.id for one in asked] == ids
        assert [one["id"] for one in asked.values("id")] == ids
        assert (asked.count(), asked.exists()) == (len(ids), bool(ids))


@relaxed
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    name=st.sampled_from(["eq", "contains", "istartswith", "like", "in", "gt"]),
)
def test_no_text_is_anything_but_data(icat: IcatClient, rows: list[Row], text: str, name: str) -> None:
    value: Any = [text] if name == "in" else text
    asked = icat.objects("Dataset").filter(description=None, **{f"name__{name}": value})
    if not all(letter in "\t\n\r" or letter >= " " for letter in text) or set(text) & {"\ufffe", "\uffff"}:
        with pytest.raises(QueryError, match="XML cannot carry"):
            asked.exists()
        return
    assert asked.count() <= len([row for row in rows if row.description is None])
    assert not asked.filter(description__isnull=False).exists()


def test_the_rows_differ_in_what_is_asked_for(rows: list[Row]) -> None:
    assert {row.kind for row in rows} == {"P", "Q", None}
    assert all(isinstance(row.start, datetime | None) for row in rows)
    assert len({row.visit for row in rows}) == 2
