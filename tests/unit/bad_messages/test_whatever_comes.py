"""Whatever comes: it is dead and never an error, however much is wrong with it."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.bad_messages.scans import GOOD, Scan, dead, fields


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
