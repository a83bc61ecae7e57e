"""The quick way into message classes takes only what the strict way takes, and makes the same of it."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any, Literal

import pytest
from attrs import field, frozen, validators
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer_core import Reject, Scalar, Text, element
from pacer_core.parsing import structure as strict


class State(Enum):
    """What a shutter can be."""

    OPEN = "open"
    SHUT = "shut"


@frozen
class Sample:
    """What lies in the beam."""

    name: Text
    mass: float | None = None
    count: int = field(default=1, validator=validators.ge(1))


@frozen
class Scan:
    """A message with every kind of field."""

    name: Text
    start_date: datetime
    count: int
    ratio: float = 1.0
    good: bool = True
    mode: Literal["fly", "step"] = "step"
    state: State | None = None
    note: str | None = None
    value: Scalar | None = None
    sample: Sample | None = None
    samples: tuple[Sample, ...] = element("other", default=())
    points: list[int] = element("point", factory=list)
    words: tuple[str, ...] = ()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """Forget the spellings that other tests have had it learn: it keeps only so many."""
    strict._quick.cache_clear()


GOOD: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["a", " b ", "ä"]),
    "start_date": st.sampled_from(["2026-01-02T03:04:05", "2026-01-02T03:04:05+01:00"]),
    "count": st.sampled_from([1, -(2**63), "12"]),
    "ratio": st.sampled_from([1, 1.5, "1e3"]),
    "good": st.sampled_from([True, "false"]),
    "mode": st.sampled_from(["fly", "step"]),
    "state": st.sampled_from(["open", None]),
    "note": st.sampled_from(["text", "two\nlines", "", None]),
    "value": st.sampled_from([1, 1.5, True, "x"]),
    "sample": st.sampled_from([{"name": "s"}, {"name": "s", "mass": 1, "Count": 2}, None]),
    "other": st.lists(st.sampled_from([{"name": "s"}, {"name": "t", "mass": "2"}]), max_size=3),
    "point": st.lists(st.integers(-5, 5), max_size=3),
    "words": st.lists(st.sampled_from(["a", "b c"]), max_size=3),
    "unknown": st.sampled_from([1, {"deep": []}]),
}
BAD = st.sampled_from(
    [
        *(None, "", " ", "x", "\x00", "\ud800", "\u200b", "1_000", "NaN", "٣", 2**63, 1.5, -1, True),
        *([], [None], ["x"], [[1]], {}, {"name": ""}, {"name": "s", "count": 0}, [{"mass": 1}], "2026-01-02"),
    ]
)
OTHER_SPELLINGS = {"start_date": "startDate", "other": "Other", "samples": "samples", "point": "points"}


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Give a body with most of its fields, some of them wrong, some twice, some in another spelling."""
    body = {name: draw(good) for name, good in GOOD.items() if draw(st.integers(0, 9))}
    for name in draw(st.lists(st.sampled_from(sorted(GOOD)), max_size=2)):
        body[name] = draw(BAD)
    for name in draw(st.lists(st.sampled_from(sorted(OTHER_SPELLINGS)), max_size=2, unique=True)):
        if name in body:
            body[OTHER_SPELLINGS[name]] = draw(BAD) if draw(st.integers(0, 9)) == 0 else body.pop(name)
    return body


@settings(max_examples=400, deadline=None)
@given(bodies())
def test_what_the_quick_way_takes_the_strict_way_takes_alike(body: dict[str, Any]) -> None:
    try:
        message = strict._quick(Scan)(body, Scan)
    except Exception:
        return
    assert strict._converter().structure(body, Scan) == message


@settings(max_examples=100, deadline=None)
@given(st.fixed_dictionaries(GOOD))
def test_a_good_body_takes_the_quick_way(body: dict[str, Any]) -> None:
    strict._quick.cache_clear()  # each example has its keys in another order
    assert strict._quick(Scan)(body, Scan) == strict._converter().structure(body, Scan)


def test_nothing_but_good_bodies_takes_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    converter = strict._converter()

    def ask() -> Any:
        asked.append("strict")
        return converter

    body = {"name": "a", "startDate": "2026-01-02T03:04:05", "count": 1, "sample": {"name": "s"}}
    monkeypatch.setattr(strict, "_converter", ask)
    strict._quick(Scan)
    asked.clear()
    assert strict.structure(body, Scan).sample == Sample(Text("s"))
    assert asked == []
    with pytest.raises(Reject):
        strict.structure(body | {"count": "many"}, Scan)
    assert asked == ["strict"]


def test_a_flood_of_spellings_is_read_the_strict_way() -> None:
    good = {"name": "a", "start_date": "2026-01-02T03:04:05", "count": 1}
    for number in range(200):
        assert strict.structure(good | {f"unknown{number}": 1}, Scan).name == "a"
    with pytest.raises(Reject) as caught:
        strict.structure({"name": "a", "Name": "b", "start_date": "x", "count": 1}, Scan)
    assert [bad.path for bad in caught.value.fields] == ["start_date", "$"]
