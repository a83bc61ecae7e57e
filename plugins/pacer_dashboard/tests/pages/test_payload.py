"""Payloads, indented and coloured, and their differences."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer_dashboard.pages.difference import difference
from pacer_dashboard.pages.payload import MOST, pretty, show

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(_JSON) | st.dictionaries(st.text(), _JSON))
def test_indented_json_is_the_same_json(value: object) -> None:
    text, language = pretty(json.dumps(value))
    assert language == "json"
    assert json.loads(text) == value


def test_numbers_are_shown_as_they_were_sent() -> None:
    text, _ = pretty('{"a":1.10,"big":123456789012345678901234567890.0,"e":1e400,"a":2,"empty":[],"none":{}}')
    assert text == (
        '{\n  "a": 1.10,\n  "big": 123456789012345678901234567890.0,\n  "e": 1e400,\n  "a": 2,\n'
        '  "empty": [],\n  "none": {}\n}'
    )


@pytest.mark.parametrize(
    "body",
    [
        b'<script>alert("x")</script>',
        b'{"a": "</code><script>alert(1)</script>"}',
        b'{"cut": "off',
        b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
        b"\xff\xfe\x00<script>",
        b"[" * 100_000,
        b"",
    ],
)
def test_no_body_becomes_a_part_of_the_page(body: bytes) -> None:
    shown = show(body)
    assert "<script" not in shown.html
    assert "</code" not in shown.html
    assert "root:" not in shown.html
    assert shown.size == len(body)


def test_xml_is_indented() -> None:
    assert pretty("<a><b>1</b><c/></a>") == ("<a>\n  <b>1</b>\n  <c/>\n</a>\n", "xml")


def test_a_large_payload_shows_its_beginning() -> None:
    shown = show(b"x" * (MOST * 3))
    assert shown.cut
    assert len(shown.html) < MOST * 2


def test_a_difference_names_the_lines_that_changed() -> None:
    found = difference(("sent", b'{"a": 1, "b": 2}'), ("again", b'{"a": 1, "b": 3}'))
    assert [(one.kind, one.text.strip(), one.old, one.new) for one in found.lines if one.kind != "same"] == [
        ("minus", '"b": 2', 3, None),
        ("plus", '"b": 3', None, 3),
    ]
    assert not difference(("a", b'{"a":1}'), ("b", b'{ "a": 1 }')).lines
