"""Properties are written as py-amqp would write them, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from amqp.basic_message import Message
from amqp.exceptions import FrameSyntaxError
from hypothesis import given
from hypothesis import strategies as st

from pacer_core.transport.amqp.properties import property_list

names = st.text(max_size=60)
times = st.integers(0, 2**40)
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "content_type": names,
        "content_encoding": names,
        "delivery_mode": st.sampled_from([1, 2]),
        "priority": st.none() | st.integers(0, 255),
        "correlation_id": names,
        "reply_to": names,
        "expiration": names,
        "message_id": names,
        "timestamp": times,
        "type": names,
        "user_id": names,
        "app_id": names,
        "cluster_id": names,
    },
)
ITEMS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.text(max_size=300),
        st.binary(max_size=9),
        st.just(Decimal("-1.25")),
        st.just(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


@given(PROPERTIES, st.dictionaries(names, ITEMS, max_size=4))
def test_properties_and_headers_are_those_of_py_amqp(
    properties: dict[str, Any], headers: dict[str, Any]
) -> None:
    theirs = Message(application_headers=headers, **properties)._serialize_properties()

    assert property_list(properties, headers) == theirs


def test_a_header_that_amqp_does_not_know_is_refused_by_its_type() -> None:
    with pytest.raises(FrameSyntaxError, match="object"):
        property_list({}, {"deep": [{"inside": object()}]})


def test_a_name_that_is_too_long_for_a_short_string_is_refused() -> None:
    with pytest.raises(ValueError, match="range"):
        property_list({"message_id": 256 * "x"}, {})
