"""One message, written as JSON and as XML: both become the same instance."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import attrs
import orjson
import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer_core import ConsumerType, Context, Outcome, Scalar, Text, element, task
from pacer_core.testing import deliver

some = settings(max_examples=30, deadline=None)  # each is a whole message, with every kind of field


@frozen
class Sample:
    """What lies in the beam."""

    name: Text
    mass: float | None = None


@frozen
class Parameter:
    """A name, and whatever the publisher measured."""

    name: Text
    value: Scalar
    raw: str = ""


@frozen
class Scan:
    """A message with every kind of field."""

    XML_ROOT = "measurement"

    name: Text
    start_date: datetime
    count: int
    ratio: float
    good: bool
    sample: Sample
    comment: str | None = None
    other_sample: Sample | None = None
    user_orcid: str | None = None
    parameters: tuple[Parameter, ...] = element("parameter", default=())
    keywords: tuple[str, ...] = ()
    points: tuple[int, ...] = element("point", default=())


@task
def see(message: Any, ctx: Context) -> None:
    """Every message is welcome."""


SCANS = ConsumerType(name="scans", message=Scan, tasks=[see])


def scan(body: str | bytes, content_type: str | None = None) -> Scan:
    """Give the message that a body becomes."""
    delivery = deliver(SCANS, body, content_type=content_type)
    assert delivery.outcome is Outcome.ACKED, (delivery.error, delivery.bad_fields)
    assert isinstance(delivery.message, Scan)
    return delivery.message


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other[0].upper() + other[1:] for other in others)


def as_json(value: Any, spell: Any = camel) -> Any:
    """Give an instance as a publisher of JSON writes it."""
    if attrs.has(type(value)):
        return {
            spell(one.name): as_json(getattr(value, one.name), spell) for one in attrs.fields(type(value))
        }
    if isinstance(value, tuple):
        return [as_json(item, spell) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def as_xml(value: Any, name: str) -> str:
    """Give an instance as a publisher of XML writes it, with repeated elements."""
    if attrs.has(type(value)):
        inner = "".join(
            as_xml(item, one.metadata.get("pacer_core.element", camel(one.name)))
            for one in attrs.fields(type(value))
            for found in [getattr(value, one.name)]
            for item in (found if isinstance(found, tuple) else [found])
            if item is not None
        )
        return f"<{name}>\n  {inner}\n</{name}>"
    if isinstance(value, bool):
        return f"<{name}>{str(value).lower()}</{name}>"
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"<{name}>{escape(text, {chr(13): '&#13;'})}</{name}>"


# Whatever XML 1.0 may carry (section 2.2), without blanks at the ends: in XML those belong to the layout.
characters = st.characters(
    codec="utf-8",
    exclude_categories=["Cs", "Cc"],
    include_characters="\t\n\r",
    exclude_characters="\ufffe\uffff",
)
texts = st.text(characters, max_size=20).map(str.strip)
names = texts.filter(bool)
whole = st.integers(-(2**63), 2**63 - 1)
real = st.floats(allow_nan=False, allow_infinity=False)
zones = st.sampled_from([None, UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=9, minutes=30))])
samples = st.builds(Sample, names, st.none() | real)
scans = st.builds(
    Scan,
    name=names,
    start_date=st.datetimes(timezones=st.none()).flatmap(
        lambda time: zones.map(lambda zone: time.replace(tzinfo=zone))
    ),
    count=whole,
    ratio=real,
    good=st.booleans(),
    sample=samples,
    comment=st.none() | names,
    other_sample=st.none() | samples,
    user_orcid=st.none() | names,
    parameters=st.lists(st.builds(Parameter, names, names, texts), max_size=3).map(tuple),
    keywords=st.lists(texts, max_size=3).map(tuple),
    points=st.lists(whole, max_size=3).map(tuple),
)


@some
@given(scans)
def test_any_message_survives_being_written_as_json(message: Scan) -> None:
    assert scan(orjson.dumps(as_json(message)), "application/json") == message
    assert scan(orjson.dumps(as_json(message, str)), "application/json") == message, "in snake case"


@some
@given(scans)
def test_any_message_survives_being_written_as_xml(message: Scan) -> None:
    assert scan(as_xml(message, "measurement"), "application/xml") == message


@some
@given(scans, st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "iso-8859-1"]))
def test_any_message_survives_in_any_encoding_of_xml(message: Scan, encoding: str) -> None:
    declared = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16le", "utf-16-be": "utf-16be"}.get(
        encoding, encoding
    )
    text = f'<?xml version="1.0" encoding="{declared}"?>{as_xml(message, "measurement")}'
    assert scan(text.encode(encoding, "xmlcharrefreplace"), "text/xml") == message


@some
@given(scans, st.sampled_from(["json", "xml"]))
def test_any_message_survives_being_packed_into_a_json_string(message: Scan, kind: str) -> None:
    body = orjson.dumps(as_json(message)).decode()
    if kind == "xml":
        body = f'<?xml version="1.0" encoding="iso-8859-1"?>{as_xml(message, "measurement")}'
    assert scan(orjson.dumps(body)) == message


@some
@given(scans, st.from_regex(r"[a-z]{1,8}:[a-z/.]{1,20}", fullmatch=True))
def test_the_namespace_of_xml_does_not_matter(message: Scan, uri: str) -> None:
    text = as_xml(message, "measurement")
    default = text.replace("<measurement>", f"<measurement xmlns={quoteattr(uri)}>", 1)
    prefixed = text.replace("</", "</p:").replace("<", "<p:").replace("<p:/p:", "</p:")
    prefixed = prefixed.replace("<p:measurement>", f"<p:measurement xmlns:p={quoteattr(uri)}>", 1)
    assert scan(default) == scan(prefixed) == message


MINIMAL = Scan(
    Text("a"), datetime(2024, 5, 1, 12, 30, tzinfo=UTC), 1, 2.5, good=True, sample=Sample(Text("s"))
)
JSON = orjson.dumps(as_json(MINIMAL)).decode()
XML = as_xml(MINIMAL, "measurement")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (JSON, None),
        (JSON, "application/json"),
        (JSON, "Application/JSON; charset=utf-8"),
        (JSON, "application/vnd.facility+json"),
        (JSON, "text/plain"),
        (JSON, "application/octet-stream"),
        (JSON, " "),
        ("\ufeff" + JSON, None),
        ("\r\n\t " + JSON, None),
        (XML, None),
        (XML, "application/xml"),
        (XML, "text/xml; charset=utf-8"),
        (XML, "application/soap+xml"),
        (XML, "text/plain"),
        ("\ufeff" + XML, None),
        ("\n" + XML, None),
        (f"<!-- hello -->{XML}<!-- bye -->", None),
        (f"<?xml-stylesheet href='a'?>{XML}", None),
        (XML.replace("<name>a</name>", "<name>\n a \n</name>", 1), None),
        (XML.replace("<name>a</name>", "<name><![CDATA[a]]></name>", 1), None),
        (XML.replace("<count>1</count>", "<count><!-- one -->1<!-- point --></count>"), None),
        (XML.replace("<count>1", '<count unit="s">1').replace("<measurement>", '<measurement a="b">'), None),
        (XML.replace("<count>1</count>", "<colour>red</colour><count>1</count>"), None),
        (XML.replace("<name>a</name>", "", 1).replace("<measurement>", "<measurement name='a'>"), None),
        (JSON.replace("{", '{"colour": {"red": 1}, ', 1), None),
        (JSON.replace('"count":1', '"count":"1"').replace("2.5", '" 2.5 "'), None),
    ],
)
def test_publishers_may_write_the_same_in_many_ways(body: str, content_type: str | None) -> None:
    assert scan(body, content_type) == MINIMAL


def test_text_is_whole_where_a_comment_or_cdata_divides_it() -> None:
    body = XML.replace("<name>a</name>", "<name>a<!-- x -->b<![CDATA[<c>]]>&amp;&#100;<?p i?>e</name>", 1)
    assert scan(body).name == "ab<c>&de"


# How a text may be divided in XML, and what each piece says.
PIECES = {
    **{piece: piece for piece in ("a", "ä", " ", "\n  ", " b", "c ", " " * 400, "d" * 300)},
    "<!-- x -->": "",
    "<?p i?>": "",
    "<![CDATA[ ]]>": " ",
    "<![CDATA[<e>]]>": "<e>",
    "&#32;": " ",
    "&amp;": "&",
}


@given(st.lists(st.sampled_from(sorted(PIECES)), max_size=6))
def test_no_blank_inside_a_text_is_lost_however_it_is_divided(pieces: list[str]) -> None:
    expected = "".join(PIECES[piece] for piece in pieces).strip()
    body = XML.replace("<good>", f"<comment>{''.join(pieces)}</comment>\n<good>")
    assert scan(body).comment == (expected or None)


def test_threads_read_xml_at_the_same_time() -> None:
    def read(number: int) -> str:
        return scan(XML.replace("<name>a</name>", f"<name>{number}</name>", 1)).name

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(read, range(200))) == [str(number) for number in range(200)]


def test_a_broken_body_leaves_no_trace_in_the_next() -> None:
    for broken in (XML[:-3], "<a", "\x00", "<!DOCTYPE a><measurement/>"):
        assert deliver(SCANS, broken, content_type="text/xml").outcome is Outcome.DEAD
        assert scan(XML) == MINIMAL


def test_attributes_of_other_vocabularies_are_no_fields() -> None:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:comment="ns:Scan" xml:comment="x"'
    assert scan(XML.replace("<measurement>", f"<measurement {xsi}>")).comment is None


@pytest.mark.parametrize("empty", ["<comment/>", "<comment></comment>", "<comment> </comment>", ""])
def test_an_empty_optional_element_is_as_good_as_none(empty: str) -> None:
    assert scan(XML.replace("<good>", f"{empty}<good>")).comment is None


@pytest.mark.parametrize("empty", ['""', "null", '" "'])
def test_an_empty_optional_value_is_as_good_as_none(empty: str) -> None:
    assert scan(JSON.replace('"comment":null', f'"comment":{empty}')).comment is None


@frozen
class Notice:
    """A message that shares its queue with another."""

    XML_IGNORED = ("{http://example.org}greeting",)

    name: Text


NOTICES = ConsumerType(name="notices", message=Notice, tasks=[see])


@pytest.mark.parametrize("twice", [False, True])
def test_a_root_that_the_class_passes_over_is_acked_and_counted(twice: bool) -> None:
    body = '<a:greeting xmlns:a="http://example.org"><name>hello</name></a:greeting>'
    delivery = deliver(NOTICES, body, twice=twice)
    assert (delivery.outcome, delivery.message, delivery.failures) == (Outcome.ACKED, None, ())
    assert delivery.timings == {}
    assert delivery.counts == {"ignored_messages": 1}


@pytest.mark.parametrize("root", ["greeting", 'greeting xmlns="http://example.com"'])
def test_the_same_root_of_another_namespace_is_not_passed_over(root: str) -> None:
    delivery = deliver(NOTICES, f"<{root}><name>hello</name></greeting>")
    assert delivery.outcome is Outcome.DEAD
    assert delivery.counts == {}


SAMPLES = ConsumerType(name="samples", message=Sample, tasks=[see])


@pytest.mark.parametrize(
    "spell", [b'{"name": "a", "%s": 1}', b"<sample><name>a</name><%s/></sample>"], ids=["json", "xml"]
)
def test_long_names_that_never_come_again_are_not_kept(spell: bytes) -> None:
    def read(number: int) -> None:
        body = spell % (b"x%d" % number + 40_000 * b"y")
        assert deliver(SAMPLES, body).outcome is Outcome.ACKED

    read(0)
    tracemalloc.start()
    try:
        for number in range(1, 50):
            read(number)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 500_000
