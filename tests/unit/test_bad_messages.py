"""Messages that cannot be accepted: each is dead, with every bad field named and no value quoted."""

import json
import math
from datetime import datetime
from enum import Enum
from typing import Any, Literal

import orjson
import pytest
from attrs import field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer_core import ConsumerType, Context, Delivery, Outcome, Reject, Scalar, Text, Texts, element, task
from pacer_core.testing import deliver

CANARY = "c4n4ry"


def _picky(_: Any, __: Any, value: str) -> None:
    if value == CANARY:
        raise ValueError(f"{value} is not liked")


@frozen
class Parameter:
    name: Text
    value: Scalar


@frozen
class Scan:
    name: Text
    start_date: datetime
    count: int
    ratio: float
    good: bool = True
    title: str = field(default="", validator=_picky)
    parameters: tuple[Parameter, ...] = element("parameter", default=())
    keywords: tuple[str, ...] = ()
    after: "Scan | None" = None


@task
def see(message: Any, ctx: Context) -> None:
    raise AssertionError("a bad message reached its tasks")


SCANS = ConsumerType(name="scans", message=Scan, tasks=[see])
GOOD = {"name": "a", "startDate": "2024-05-01T12:30:00", "count": 1, "ratio": 2.5}
XML = (
    "<scan><name>a</name><startDate>2024-05-01T12:30:00</startDate><count>1</count><ratio>2.5</ratio></scan>"
)


def dead(body: str | bytes, content_type: str | None = None) -> Delivery:
    """Give the delivery of a body that has to be refused."""
    delivery = deliver(SCANS, body, content_type=content_type)
    assert delivery.outcome is Outcome.DEAD, delivery
    assert delivery.message is None
    assert delivery.failures[0].task == "parse"
    assert delivery.failures[0].kind == "reject"
    assert CANARY not in repr(delivery.failures)
    return delivery


def fields(delivery: Delivery) -> list[str]:
    return [str(bad) for bad in delivery.bad_fields]


def changed(**values: Any) -> bytes:
    return orjson.dumps(GOOD | values)


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


XML_BOMB = (
    '<!DOCTYPE s [<!ENTITY a "c4n4ryc4n4ry">'
    + "".join(
        f'<!ENTITY {b} "&{a};&{a};&{a};&{a};&{a};&{a};&{a};&{a};">'
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><scan><name>&i;</name></scan>"
)
BAD_BODIES: dict[str, tuple[str | bytes, str | None, str]] = {
    "empty": (b"", None, "the body is empty"),
    "blank": (b" \r\n\t", "application/json", "the body is empty"),
    "a byte order mark": (b"\xef\xbb\xbf", None, "the body is empty"),
    "cut JSON": ('{"name": "c4n4ry', None, "the body is not JSON: line 1, column"),
    "cut XML": ("<scan><name>c4n4ry</name>", None, "the body is not XML: line 1, column"),
    "JSON and more": ('{"name": "c4n4ry"} c4n4ry', None, "the body is not JSON"),
    "two roots": ("<scan/><scan>c4n4ry</scan>", None, "the body is not XML"),
    "XML called JSON": (XML, "application/json", "the body is not JSON: line 1, column 1"),
    "JSON called XML": (changed(), "application/xml", "the body is not XML: line 1, column 1"),
    "plain text": ("c4n4ry", None, "the body is neither JSON nor XML, and no content type says what it is"),
    "a number": ("12", None, "the body is neither JSON nor XML"),
    "no text": (b"\x00\x01\x02\xff", None, "the body is neither JSON nor XML"),
    "gzip": (b"\x1f\x8b\x08\x00c4n4ry", "application/json", "the body is not JSON"),
    "no UTF-8": (b'{"name": "c4n4ry\xff"}', None, "the body is not JSON"),
    "UTF-16 JSON": ('{"name": "c4n4ry"}'.encode("utf-16"), "application/json", "the body is not JSON"),
    "XML of no encoding": ('<?xml version="1.0" encoding="klingon"?><scan/>', None, "the body is not XML"),
    "no latin in ASCII": (
        b'<?xml version="1.0" encoding="ascii"?><scan>\xe9</scan>',
        None,
        "the body is not XML",
    ),
    "half a surrogate": (b'{"name": "c4n4ry\\ud800"}', None, "the body is not JSON"),
    "half a surrogate in XML": ("<scan><name>c4n4ry&#xD800;</name></scan>", None, "the body is not XML"),
    "NUL in XML": ("<scan><name>c4n4ry&#0;</name></scan>", None, "the body is not XML"),
    "control in XML": (b"<scan><name>c4n4ry\x01</name></scan>", None, "the body is not XML"),
    "NaN": (json.dumps(GOOD | {"ratio": math.nan}), None, "the message has bad fields: ratio: is not a"),
    "Infinity": (json.dumps(GOOD | {"ratio": math.inf}), None, "the message has bad fields: ratio: is n"),
    "NaN and no JSON": ('{"name": "c4n4ry", NaN}', None, "the body is not JSON: line 1"),
    "NaN and no UTF-8": (b'{"name": "c4n4ry\xff", "ratio": NaN}', None, "the body is not JSON: line 1"),
    "NaN too deep": ("[" * 100_000 + "NaN", None, "the body is not JSON"),
    "a comment in JSON": ('{"name": "a" /* c4n4ry */}', None, "the body is not JSON"),
    "wrong root": (
        "<c4n4ry><name>a</name></c4n4ry>",
        None,
        "the root element is not <scan>: $: expected <scan>",
    ),
    "HTML": ("<!DOCTYPE html><html>c4n4ry</html>", None, "the body has a DOCTYPE, which is not accepted"),
    "an entity": (
        '<!DOCTYPE s [<!ENTITY a "c4n4ry">]><scan><name>&a;</name></scan>',
        None,
        "the body has a DOCTYPE",
    ),
    "an entity bomb": (XML_BOMB, None, "the body"),
    "a file": (
        '<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><scan><name>&a;</name></scan>',
        None,
        "the body has a DOCTYPE",
    ),
    "a DTD elsewhere": (
        '<!DOCTYPE s SYSTEM "http://localhost:1/s.dtd"><scan/>',
        None,
        "the body has a DOCTYPE",
    ),
    "an unknown entity": ("<scan><name>&c4n4ry;</name></scan>", None, "the body is not XML"),
    "deep JSON": ("[" * 100_000, None, "the body is not JSON"),
    "deep JSON that closes": ('{"name": ' + "[" * 2000 + "]" * 2000 + "}", None, "the body is not JSON"),
    "deep XML": ("<scan>" * 100_000, None, "the body has XML elements deeper than 256"),
    "deep XML that closes": (
        "<scan>" + "<a>" * 1000 + "</a>" * 1000 + "</scan>",
        None,
        "the body has XML elements deeper than 256",
    ),
    "a huge comment": (
        "<scan><!--" + "c4n4ry" * 2_000_000 + "--></scan>",
        None,
        "the body has a text of more",
    ),
    "a charset that is none": ("{}", "application/json; charset=c4n4", "the content type names a charset"),
    "a charset that takes long": (
        "{}",
        "application/json; charset=punycode",
        "the content type names a chars",
    ),
    "no text in its charset": (b'{"name": "\xff"}', "application/json;charset=ascii", "the body is not JSON"),
    "no text in UTF-16": (b"<scan/>", 'text/xml; charset="utf-16"', "the body is no text in utf-16"),
    "huge text": (
        "<scan><name>" + "c4n4ry" * 2_000_000 + "</name></scan>",
        None,
        "the body has a text of more than 10 MB",
    ),
    **{
        f"a DTD in {codec}": (
            '<?xml version="1.0"?><!--c--> <?p?>\n<!DOCTYPE s [<!ENTITY e "c4n4ry">]><scan/>'.encode(codec),
            "application/xml",
            "the body has a DOCTYPE",
        )
        for codec in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
    },
    "a DTD in a charset of its content type": (
        '<!DOCTYPE s [<!ENTITY e "c4n4ry">]><scan name="&e;"/>'.encode("utf-32-be"),
        "application/xml; charset=utf-32be",
        "the body has a DOCTYPE",
    ),
    "a DTD in a stateful encoding": (
        b'<?xml version="1.0" encoding="hz-gb-2312"?><~\n!DOCTYPE s [<!ENTITY e "c4n4ry">]><scan/>',
        None,
        "the body has a DOCTYPE",
    ),
    "a DTD in UTF-7": (
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE s [+ADwAIQ-ENTITY e "f"+AD4AXQA+-<scan/>',
        None,
        "the body is not XML in an encoding that is known: it declares 'UTF-7'",
    ),
    "EBCDIC": (
        '<?xml version="1.0" encoding="cp037"?><!DOCTYPE s><scan/>'.encode("cp037"),
        "text/xml",
        "the body is not XML",
    ),
    "a comment without an end before a DTD": ("<!-- <!DOCTYPE s><scan/>", None, "the body is not XML"),
    "XML with many attributes": (
        "<scan " + " ".join(f'c4n4ry{number}="1"' for number in range(257)) + "/>",
        None,
        "the body has an XML element with more than 256 attributes",
    ),
    "XML with many attributes somewhere": (
        "<scan><name>a=b</name><b c='>'"
        + " ".join(f"d{number}='>'" for number in range(100_000))
        + "/></scan>",
        None,
        "the body has an XML element with more than 256 attributes",
    ),
    "XML with many namespaces": (
        "<scan " + " ".join(f"xmlns:a{number}='u'" for number in range(257)) + "/>",
        None,
        "the body has an XML element with more than 256 attributes",
    ),
    "XML with many elements": (
        "<scan>" + "<a/>" * 1_000_001 + "</scan>",
        None,
        "the body has more than 1,000,000 tags or attributes in its XML",
    ),
    "XML with many attributes in all": (
        "<scan>" + ("<a " + " ".join(f"b{number}=''" for number in range(200)) + "/>") * 5001 + "</scan>",
        None,
        "the body has more than 1,000,000 tags or attributes in its XML",
    ),
    "JSON with many values": (
        '{"name": [' + "[]," * 600_000 + "0]}",
        None,
        "the body has more than 1,000,000 values in its JSON",
    ),
    "JSON with many keys": (
        "{" + ",".join(f'"{number}":0' for number in range(1_000_001)) + "}",
        None,
        "the body has more than 1,000,000 values in its JSON",
    ),
    "JSON with many values in a JSON string": (
        orjson.dumps("[" + "[]," * 600_000 + "0]"),
        None,
        "the body has more than 1,000,000 values in its JSON",
    ),
    "an integer without end": ('{"count": ' + "1" * 1_000_000 + "}", None, "the body is not JSON"),
    "an integer without end beside a NaN": (
        '{"ratio": NaN, "count": ' + "1" * 1_000_000 + "}",
        None,
        "the body is not JSON",
    ),
    "a list": ("[]", None, "the message has bad fields: $: is not an object with fields"),
    "null": ("null", "application/json", "the message has bad fields: $: is empty"),
    "text in a JSON string": ('"c4n4ry"', None, "the body is not JSON"),
    "nothing in a JSON string": ('""', None, "the body is not JSON"),
    "JSON in JSON in JSON": (orjson.dumps(orjson.dumps('"a"').decode()), None, "the message has bad fields"),
    "a content type nobody knows": (
        "a,b",
        "text/csv",
        "no plugin reads content type 'text/csv' for consumer type",
    ),
    "a content type that is none": (
        "{}",
        "application/",
        "no plugin reads content type 'application/' for consumer type 'scans'",
    ),
    "pickle": (b"\x80\x04c4n4ry", "application/x-python-serialize", "no plugin reads content type"),
}


@pytest.mark.parametrize(("body", "content_type", "reason"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_bad_body_is_dead_with_the_reason(body: str | bytes, content_type: str | None, reason: str) -> None:
    delivery = dead(body, content_type)
    assert str(Reject(delivery.failures[0].reason, fields=delivery.bad_fields)).startswith(reason)
    raw = body if isinstance(body, bytes) else body.encode()
    assert delivery.envelope.body == raw, "byte for byte"


def test_signs_of_equality_that_make_no_attributes_are_read() -> None:
    long, raw = "=" * 1000, "<a b='c'/>" * 500
    body = (
        f"<scan a='{long}'><!-- {long} --><?p {long}?><name>n{long}</name><raw>{raw}</raw>"
        "<startDate>2026-03-14T09:26:53</startDate><count>1</count><ratio>1</ratio></scan>"
    )
    delivery = deliver(SCANS, body)
    assert delivery.message is not None, delivery.failures
    assert delivery.message.name == f"n{long}"


@pytest.mark.parametrize(
    "body",
    [
        '{"parameters": [' + "{}," * 300_000 + "{}]}",
        '{"parameters": [' + '{"name": "a", "value": []},' * 30_000 + "{}]}",
        "<scan>" + "<parameter/>" * 300_000 + "</scan>",
        "<scan>" + "<name/>" * 300_000 + "</scan>",
        "<scan>" + "<parameter><name><b/></name><name/></parameter>" * 60_000 + "</scan>",
    ],
    ids=["JSON", "JSON of values", "XML", "XML of one field", "XML of items"],
)
def test_of_very_many_mistakes_nobody_looks_for_more_than_some_hundred(body: str) -> None:
    """Each mistake has a traceback: 300 000 took minutes and gigabytes."""
    delivery = dead(body)
    assert 100 <= len(delivery.bad_fields) < 1000


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


def test_a_message_inside_messages_without_end_is_dead_and_hurts_nobody() -> None:
    body = b'{"after":' * 1000 + b"{}" + b"}" * 1000
    assert fields(dead(body))


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200) | st.text(max_size=100).map(str.encode),
    st.sampled_from([None, "text/xml", "text/json"]),
)
def test_whatever_comes_is_dead_and_never_an_error(body: bytes, content_type: str | None) -> None:
    dead(body, content_type)


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "after"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from([*GOOD, "after", "parameters", "good"]), values, max_size=3))
def test_whatever_json_comes_the_paths_are_those_of_fields(data: dict[str, Any]) -> None:
    for bad in dead(orjson.dumps(data)).bad_fields:
        assert bad.path.partition("[")[0].split(".")[-1] in {"$", *Scan.__annotations__, "value"}


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
