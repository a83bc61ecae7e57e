"""Messages with bad fields: each is dead, with every bad field named and no value quoted."""

from enum import Enum
from typing import Any, Literal

import orjson
import pytest
from attrs import field, frozen

from pacer_core import ConsumerType, Texts
from pacer_core.testing import deliver
from tests.unit.bad_messages.scans import CANARY, XML, changed, dead, fields, see


class Mode(Enum):
    STEP = "step"
    FLY = "fly"


def _later(self: Any, _: Any, value: int) -> None:
    if value < self.first:
        raise ValueError(f"{CANARY}: {value} is too early")


@frozen
class Run:
    mode: Mode
    axis: Literal["x", "y"]
    level: Literal[1, 2] = 1
    first: int = 0
    last: int = field(default=9, validator=_later)
    inner: "tuple[Run, ...]" = ()

    def __attrs_post_init__(self) -> None:
        if self.level == 2 and self.axis == "y":
            raise ValueError(CANARY)


RUNS = ConsumerType(name="runs", message=Run, tasks=[see])


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ('{"mode": "c4n4ry", "axis": 1}', ["mode: is not one of step, fly", "axis: is not one of x, y"]),
        ('{"mode": "fly", "axis": "x", "level": 3}', ["level: is not one of 1, 2"]),
        ('{"mode": "fly", "axis": "x", "first": 10}', ["last: is not accepted (ValueError)"]),
        ('{"mode": "fly", "axis": "y", "level": "2"}', ["$: is not accepted (ValueError)"]),
        (
            '{"mode": "fly", "axis": "x", "inner": [{"mode": "step", "axis": "x", "last": -1}]}',
            ["inner[0].last: is not accepted (ValueError)"],
        ),
        (
            "<run><mode>fly</mode><axis>z</axis><level>2</level></run>",
            ["axis: is not one of x, y"],
        ),
    ],
)
def test_choices_and_validators_name_their_field(body: str, problems: list[str]) -> None:
    delivery = deliver(RUNS, body)
    assert fields(delivery) == problems
    assert CANARY not in repr(delivery.failures)


def test_choices_are_read_from_what_json_and_xml_write() -> None:
    runs = ConsumerType(name="runs", message=Run, tasks=[])
    read = deliver(runs, "<run><mode>fly</mode><axis> x </axis><level>2</level></run>").message
    assert read == Run(Mode.FLY, "x", 2)
    assert deliver(runs, '{"mode": "fly", "axis": "x", "level": 2}').message == read


BAD_VALUES: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name: is empty"),
    ({"name": " \t"}, "name: is empty"),
    ({"name": None}, "name: is empty"),
    ({"name": 7}, "name: is not text"),
    ({"name": [CANARY]}, "name: is not text"),
    ({"name": {"a": CANARY}}, "name: is not text"),
    ({"name": f"{CANARY}\x00"}, "name: has control characters"),
    ({"name": f"{CANARY}\x1b[2J"}, "name: has control characters"),
    ({"title": f"{CANARY}\uffff"}, "title: has control characters"),
    ({"title": None}, "title: is empty"),
    ({"title": CANARY}, "title: is not accepted (ValueError)"),
    ({"startDate": CANARY}, "start_date: is not a date and time in ISO 8601"),
    ({"startDate": "2024-02-30T10:00:00"}, "start_date: is not a date and time in ISO 8601"),
    ({"startDate": "01/05/2024 10:00"}, "start_date: is not a date and time in ISO 8601"),
    ({"startDate": "2024-05-01T25:00:00"}, "start_date: is not a date and time in ISO 8601"),
    ({"startDate": "10000-01-01T00:00:00"}, "start_date: is not a date and time in ISO 8601"),
    ({"startDate": 1714559400}, "start_date: is not a date and time in ISO 8601"),
    ({"startDate": ""}, "start_date: is empty"),
    ({"startDate": None}, "start_date: is empty"),
    ({"count": CANARY}, "count: is not a whole number"),
    ({"count": ""}, "count: is not a whole number"),
    ({"count": None}, "count: is not a whole number"),
    ({"count": 1.5}, "count: is not a whole number"),
    ({"count": True}, "count: is not a whole number"),
    ({"count": "1_000"}, "count: is not a whole number"),
    ({"count": "\u0661\u0662"}, "count: is not a whole number"),
    ({"count": "9" * 19}, "count: is not a whole number"),
    ({"count": "9" * 100_000}, "count: is not a whole number"),
    ({"count": "0x1F"}, "count: is not a whole number"),
    ({"count": "7.0"}, "count: is not a whole number"),
    ({"count": "7e0"}, "count: is not a whole number"),
    ({"count": "\xa07"}, "count: is not a whole number"),
    ({"count": 1e300}, "count: is not a whole number"),
    ({"ratio": CANARY}, "ratio: is not a number"),
    ({"ratio": "nan"}, "ratio: is not a number"),
    ({"ratio": "inf"}, "ratio: is not a number"),
    ({"ratio": "-Infinity"}, "ratio: is not a number"),
    ({"ratio": "1e999"}, "ratio: is not a number"),
    ({"ratio": "INF"}, "ratio: is not a number"),
    ({"ratio": "NaN"}, "ratio: is not a number"),
    ({"ratio": "0x1p3"}, "ratio: is not a number"),
    ({"ratio": "\xa07"}, "ratio: is not a number"),
    ({"ratio": "."}, "ratio: is not a number"),
    ({"ratio": "1e"}, "ratio: is not a number"),
    ({"ratio": "1_0.5"}, "ratio: is not a number"),
    ({"ratio": "1,5"}, "ratio: is not a number"),
    ({"ratio": "\u0661"}, "ratio: is not a number"),
    ({"ratio": "9" * 100_000}, "ratio: is not a number"),
    ({"ratio": False}, "ratio: is not a number"),
    ({"ratio": [1]}, "ratio: is not a number"),
    ({"good": "yes"}, "good: is neither true nor false"),
    ({"good": 2}, "good: is neither true nor false"),
    ({"good": -1}, "good: is neither true nor false"),
    ({"good": "on"}, "good: is neither true nor false"),
    ({"good": "\u0661"}, "good: is neither true nor false"),
    ({"good": None}, "good: is neither true nor false"),
    ({"good": []}, "good: is neither true nor false"),
    ({"good": CANARY}, "good: is neither true nor false"),
    ({"parameters": {"name": CANARY}}, "parameters: is not a list"),
    ({"parameters": [CANARY]}, "parameters[0]: is not an object with fields"),
    ({"parameters": [None]}, "parameters[0]: is empty"),
    ({"parameters": [{"name": "a", "value": 1}, {"name": CANARY}]}, "parameters[1].value: is missing"),
    ({"parameters": [{"name": "a", "value": [CANARY]}]}, "parameters[0].value: is neither text nor a number"),
    ({"parameters": [{"name": "a", "value": " "}]}, "parameters[0].value: is empty"),
    ({"keywords": CANARY}, "keywords: is not a list"),
    ({"keywords": ["a", 5]}, "keywords[1]: is not text"),
    ({"start_date": "2024-05-01T12:30:00"}, "$: has start_date in two spellings"),
]


@pytest.mark.parametrize(("values", "problem"), BAD_VALUES, ids=[repr(one)[:50] for one, _ in BAD_VALUES])
def test_a_bad_value_is_named_by_its_path_and_never_quoted(values: dict[str, Any], problem: str) -> None:
    assert fields(dead(changed(**values))) == [problem]


def test_every_bad_field_is_named_at_once() -> None:
    body = orjson.dumps({"count": "x", "ratio": "y", "parameters": [{"name": ""}, 3, {"value": 1}]})
    assert fields(dead(body)) == [
        "name: is missing",
        "start_date: is missing",
        "count: is not a whole number",
        "ratio: is not a number",
        "parameters[0].name: is empty",
        "parameters[0].value: is missing",
        "parameters[1]: is not an object with fields",
        "parameters[2].name: is missing",
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("<count>1</count>", "<count>1</count><count>2</count>", "count: is given more than once"),
        ("<scan>", '<scan count="2">', "count: is given more than once"),
        ("<name>a</name>", "<name>c<b>4n4ry</b></name>", "name: holds elements where text is expected"),
        ("<name>a</name>", "<name/>", "name: is empty"),
        ("<count>1</count>", "<count/>", "count: is not a whole number"),
        ("<count>1</count>", "<Count>\u0663</Count>", "count: is not a whole number"),
        ("</scan>", "<parameter/></scan>", "parameters[0].name: is missing"),
        ("</scan>", "<parameter>c4n4ry</parameter></scan>", "parameters[0].name: is missing"),
        (
            "</scan>",
            "<parameter><name>a</name><name>b</name><value>1</value></parameter></scan>",
            "parameters[0].name: is given more than once",
        ),
    ],
)
def test_a_bad_element_is_named_by_its_path(old: str, new: str, problem: str) -> None:
    assert problem in fields(dead(XML.replace(old, new, 1)))


def test_bad_elements_are_named_along_with_bad_values() -> None:
    body = XML.replace("<count>1</count>", "<count>1</count><count>2</count>").replace("2.5", "c4n4ry")
    assert set(fields(dead(body))) == {"count: is given more than once", "ratio: is not a number"}


@frozen
class Note:
    """About one folder or several."""

    folders: Texts


@pytest.mark.parametrize(
    ("folders", "problem"),
    [
        (" /a ", ("/a",)),
        (["/a", "/b"], ("/a", "/b")),
        ([], "folders: is empty"),
        ("", "folders: is empty"),
        (None, "folders: is empty"),
        (7, "folders: is not text"),
        (["/a", 7], "folders: holds at 1 what is not text"),
    ],
)
def test_one_text_is_as_good_as_a_list_of_texts(folders: Any, problem: Any) -> None:
    delivery = deliver(
        ConsumerType(name="notes", message=Note, tasks=[see]), orjson.dumps({"folders": folders})
    )
    if isinstance(problem, str):
        assert fields(delivery) == [problem]
    else:
        assert delivery.message == Note(Texts(problem))
