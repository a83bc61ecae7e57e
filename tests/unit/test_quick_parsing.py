"""The quick way into message classes takes only what the strict way takes, and makes the same of it."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

import attrs
import pytest
from attrs import field, frozen, validators
from cattrs import override
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer_core import Reject, Scalar, Text, Texts, element
from pacer_core.parsing import fields as strict
from pacer_core.parsing.json import has_legal_text, read_json
from pacer_core.parsing.xml import read_xml


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
    """Forget the keys that other tests have had it learn: it keeps only so many."""
    forget()


def forget() -> None:
    strict._reader.cache_clear()
    strict._readers.cache_clear()


def quick(body: Any, cls: type, *, legal: bool = False) -> Any:
    """Read a body the quick way, or raise."""
    return strict._reader(cls, legal).read(body)


def both(body: Any, cls: type, *, legal: bool = False) -> Any:
    """Read a body the quick way where that takes it, and hold it against the strict way."""
    try:
        message = quick(body, cls, legal=legal)
    except Exception:
        return None
    expected: Any = strict._converter().structure(body, cls)
    assert message == expected
    assert repr(message) == repr(expected)  # 1 is no True, and no 1.0
    return message


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
        *(
            None,
            "",
            " ",
            "x",
            "\x00",
            "\ud800",
            "\u200b",
            "1_000",
            "NaN",
            "٣",
            "²",
            "9" * 19,
            2**63,
            1.5,
            -1,
            True,
        ),
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


@settings(max_examples=150, deadline=None)
@given(st.lists(bodies(), min_size=1, max_size=4))
def test_what_the_quick_way_takes_the_strict_way_takes_alike(several: list[dict[str, Any]]) -> None:
    for body in several:
        both(body, Scan)


@settings(max_examples=100, deadline=None)
@given(st.fixed_dictionaries(GOOD))
def test_a_good_body_takes_the_quick_way(body: dict[str, Any]) -> None:
    assert both(body, Scan) is not None


def test_nothing_but_good_bodies_takes_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    converter = strict._converter()

    def ask() -> Any:
        asked.append("strict")
        return converter

    body = {"name": "a", "startDate": "2026-01-02T03:04:05", "count": 1, "sample": {"name": "s"}}
    monkeypatch.setattr(strict, "_converter", ask)
    quick(body, Scan)
    asked.clear()
    assert strict.structure(body, Scan).sample == Sample(Text("s"))
    assert asked == []
    with pytest.raises(Reject):
        strict.structure(body | {"count": "many"}, Scan)
    assert asked == ["strict"]


@pytest.mark.parametrize(
    "bad",
    [{}, {"name": "a"}, {"count": "many"}, {"Name": "b"}, {"sample": {}}, {"sample": []}, [], None, "x"],
)
def test_a_good_body_takes_the_quick_way_whatever_came_before(bad: Any) -> None:
    good = {"name": "a", "start_date": "2026-01-02T03:04:05", "count": 1, "sample": {"name": "s"}}
    for body in (bad, good | bad if bad and isinstance(bad, dict) else bad):
        both(body, Scan)
        assert both(good, Scan) is not None


def test_a_flood_of_spellings_is_read_the_strict_way() -> None:
    good = {"name": "a", "start_date": "2026-01-02T03:04:05", "count": 1}
    for number in range(200):
        assert strict.structure(good | {f"unknown{number}": 1}, Scan).name == "a"
    with pytest.raises(Reject) as caught:
        strict.structure({"name": "a", "Name": "b", "start_date": "x", "count": 1}, Scan)
    assert [bad.path for bad in caught.value.fields] == ["start_date", "$"]


# By type, values that the quick way has to take.
VALUES: dict[Any, list[Any]] = {
    Text: ["a", " b ", "ä"],
    str: ["a", " ", "\u200b", "c\nd"],
    int: [1, 0, -(2**63), 2**63 - 1, "12", "-3", "+4", " 5", "9" * 18],
    float: [1.5, 1, -0.0, "1e3"],
    bool: [True, "false"],
    Scalar: [1, 2**70, 1.5, True, "x "],
    Texts: ["a", ["a", "b"]],
    datetime: ["2026-01-02T03:04:05.678+01:00", "2026-01-02", "2026-W01-1T10"],
    State: ["open"],
    Literal["fly", "step"]: ["fly"],
    dict[str, int]: [{}, {"a": 1}],
    Sample: [{"name": "s"}, {"Name": "s", "mass": 1, "unknown": 2}, {"mass": 0.5, "name": "s"}],
    str | None: ["a", "", None],
    float | None: [1.5, " ", None],
    Sample | None: [{"name": "s"}, "", None],
    tuple[Sample, ...]: [[], [{"name": "s"}, {"name": "s", "count": 2}, {"count": 2, "name": "s"}]],
    tuple[Sample, ...] | None: [[{"name": "s"}], None],
    list[float | None]: [[1.5, None, ""]],
    list[tuple[int, ...]]: [[[1], []]],
}
# Such as could be mistaken for something in what is generated.
NAMES = [
    "name",
    "type",
    "str",
    "value",
    "values",
    "other",
    "read",
    "object3",
    "_id",
    "a",
    "a_",
    "a_s",
    "a_1",
    "inf",
]


def _as_text(value: Any) -> str:
    return f"<{value}>"


def _refuse_odd(_: Any, __: Any, value: Any) -> None:
    if len(str(value)) % 2:
        raise ValueError("is odd")


def _check_all(self: Any) -> None:
    if len(str(self)) % 5 == 0:
        raise ValueError("is bad")


@st.composite
def classes(draw: st.DrawFn) -> type:
    """Give a class with fields of any kind that attrs knows."""
    fields: dict[str, Any] = {}
    hints: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True)):
        hints[name] = draw(st.sampled_from(list(VALUES)))
        default: dict[str, Any] = draw(st.sampled_from([{}, {"default": None}, {"factory": list}]))
        fields[name] = attrs.field(
            **default,
            init=draw(st.integers(0, 5)) > 0 or not default,
            kw_only=not default or draw(st.booleans()),
            alias=draw(st.sampled_from([None, None, f"{name}_alias"])),
            converter=draw(st.sampled_from([None, None, _as_text])),
            validator=draw(st.sampled_from([None, None, None, _refuse_odd])),
            metadata=draw(st.sampled_from([{}, {}, {"pacer_core.element": f"{name}Spelled"}])),
        )
    after = draw(st.sampled_from([{}, {}, {"__attrs_post_init__": _check_all}]))
    made = type("Made", (), {"__annotations__": hints, **fields, **after})
    decorate = attrs.frozen if draw(st.booleans()) else attrs.define
    return decorate(made)


@st.composite
def several_bodies(draw: st.DrawFn, cls: type) -> list[Any]:
    """Give bodies of a class, in a few spellings and orders; most values are good."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        body: dict[str, Any] = {}
        for one in draw(st.permutations(attrs.fields(cls))):
            element = one.metadata.get("pacer_core.element")
            spelling = draw(st.sampled_from([one.name, one.name, one.name.upper(), element or one.name]))
            if draw(st.integers(0, 7)):
                good = st.sampled_from(VALUES[one.type])
                body[spelling] = draw(good if draw(st.integers(0, 9)) else BAD)
        if not draw(st.integers(0, 4)):
            body[draw(st.sampled_from(["unknown", "'\n#{0}", *NAMES]))] = draw(BAD)
        found.append(draw(BAD) if not draw(st.integers(0, 20)) else body)
    return found


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_class_is_read_alike_by_both_ways(data: st.DataObject) -> None:
    cls = data.draw(classes())
    bodies = data.draw(several_bodies(cls))
    for body in bodies:
        both(body, cls)
    both({"items": bodies}, _many(cls))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_good_bodies_of_any_class_without_rules_of_its_own_take_the_quick_way(data: st.DataObject) -> None:
    hints = data.draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(list(VALUES)), min_size=1))
    cls = attrs.frozen(type("Made", (), {"__annotations__": hints}))
    body = st.fixed_dictionaries({name: st.sampled_from(VALUES[hint]) for name, hint in hints.items()})
    bodies = data.draw(st.lists(body, max_size=3))
    assert both({"items": bodies}, _many(cls)) is not None


def _many(cls: type) -> type:
    return attrs.frozen(type("Many", (), {"__annotations__": {"items": tuple[cls, ...]}}))  # type: ignore[valid-type]  # made just now


@frozen
class Tree:
    """A class that holds itself."""

    name: Text
    branches: tuple[Tree, ...] = ()
    first: Tree | None = None


def tree(name: str, *branches: Tree, first: Tree | None = None) -> Tree:
    return Tree(Text(name), branches, first)


def test_a_class_that_holds_itself_takes_the_quick_way() -> None:
    leaf = {"name": "leaf"}
    body = {"name": "a", "branches": [leaf, {"name": "b", "first": leaf}], "first": leaf}
    assert both(body, Tree) == tree("a", tree("leaf"), tree("b", first=tree("leaf")), first=tree("leaf"))


@attrs.define(init=False)
class Own:
    """A class whose own constructor takes its fields in another order."""

    first: int
    second: int = 2

    def __init__(self, second: int = 5, *, first: int) -> None:
        self.__attrs_init__(first + 100, second)


def test_a_constructor_of_its_own_is_called_by_name() -> None:
    assert both({"first": 1, "second": 3}, Own) == Own(first=1, second=3)
    assert both({"first": 1}, Own) == Own(first=1)


@frozen
class Renamed:
    """A class with a word for cattrs in a type."""

    name: Annotated[Text, override(rename="title")]


def test_what_a_type_says_to_cattrs_is_left_to_the_strict_way() -> None:
    assert both({"name": "a"}, Renamed) is None


# What XML 1.0 (section 2.2) cannot carry, and neighbours of it that it can.
ODD = st.sampled_from(
    "\x00\x08\t\n\x0b\x1f \x7f\x85\ud7ff\ue000\uf8ff\ufdd0\ufffd\ufffe\uffff\U0001f600\U0001fffe"
)


@given(st.text(ODD | st.characters(codec="utf-8"), max_size=5), st.booleans(), st.booleans())
def test_a_body_is_told_to_be_legal_only_where_all_its_text_is(
    text: str, ascii_only: bool, raw: bool
) -> None:
    body = json.dumps({"name": text}, ensure_ascii=ascii_only).encode()
    if raw:
        body = b'{"name":"%b"}' % text.encode()
    try:
        data = read_json(body)
    except Reject:
        return
    both(data, Named, legal=has_legal_text(body))


@frozen
class Named:
    """A class with any text for a name."""

    name: str


def test_most_bodies_are_told_to_be_legal() -> None:
    assert has_legal_text('{"name": "ä😀"}'.encode())
    assert not has_legal_text(b'{"name": "\\u0000"}')
    assert not has_legal_text(b'{"name": "\xef\xbf\xbf"}')


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
@pytest.mark.parametrize("place", ["<name>ä{}</name>", "<name><![CDATA[{}]]></name>", "<Named name='x{}ä'/>"])
def test_no_text_out_of_xml_is_illegal(place: str, encoding: str) -> None:
    illegal = [*range(9), 11, 12, *range(14, 32), 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xFFFE, 0xFFFF]
    errors = "ignore" if encoding == "iso-8859-1" else "surrogatepass"
    for one in illegal:
        for spelled in (chr(one), f"&#{one};", f"&#x{one:x};"):
            text = place.format(spelled)
            text = text if text.startswith("<Named") else f"<Named>{text}</Named>"
            body = f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding, errors)
            with suppress(Reject):
                data, _ = read_xml(body, Named)
                assert chr(one) not in data["name"], hex(one)
