"""Deliveries read in one go are those that py-amqp reads frame by frame; all others are left to it."""

from __future__ import annotations

from struct import pack
from typing import Any

from amqp.basic_message import Message
from amqp.serialization import dumps
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer_core.transport.deliver import Contents, whole_delivery

names = st.text(max_size=20).filter(lambda name: len(name.encode()) <= 200)
properties = st.fixed_dictionaries(
    {},
    optional={
        "content_type": st.sampled_from(["application/json", "text/xml; charset=ä"]),
        "priority": st.integers(0, 9),
        "delivery_mode": st.sampled_from([1, 2]),
        "correlation_id": names,
        "message_id": names,
        "expiration": st.sampled_from(["60000"]),
        "application_headers": st.dictionaries(
            names.filter(bool), st.one_of(st.integers(-5, 5), st.text(max_size=9), st.booleans()), max_size=3
        ),
    },
)


def frame(kind: int, channel: int, payload: bytes, end: int = 0xCE) -> bytes:
    return pack(">BHI", kind, channel, len(payload)) + payload + bytes([end])


def delivery(
    body: bytes = b"{}",
    properties: dict[str, Any] | None = None,
    *,
    channel: int = 1,
    tag: int = 7,
    redelivered: bool = False,
    exchange: bytes = b"x",
    routing_key: bytes = b"k",
) -> list[bytes]:
    """Give the frames of a delivery, as RabbitMQ sends them."""
    method = pack(">HHB1sQB", 60, 60, 1, b"t", tag, redelivered)
    method += bytes([len(exchange)]) + exchange + bytes([len(routing_key)]) + routing_key
    header = pack(">HHQ", 60, 0, len(body)) + Message(**(properties or {}))._serialize_properties()
    frames = [frame(1, channel, method), frame(2, channel, header)]
    return [*frames, frame(3, channel, body)] if body else frames


def take(contents: Contents) -> None:
    """Stand for whoever takes a delivery."""


def read(buffer: bytes, at: int = 0) -> tuple[int, Contents] | None:
    found = whole_delivery(buffer, at, lambda channel, tag: take if (channel, tag) == (1, b"t") else None)
    return found and (found[0], found[2])


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=40), properties, names, names, st.booleans(), st.integers(1, 2**63))
def test_a_delivery_in_full_is_read(
    body: bytes, properties: dict[str, Any], exchange: str, routing_key: str, redelivered: bool, tag: int
) -> None:
    sent = b"".join(
        delivery(
            body,
            properties,
            tag=tag,
            redelivered=redelivered,
            exchange=exchange.encode(),
            routing_key=routing_key.encode(),
        )
    )
    found = read(b"before" + sent + b"after", 6)
    assert found is not None
    end, contents = found
    assert end == 6 + len(sent)
    assert contents.tag == tag
    assert contents.body == body
    assert contents.delivery_info == {
        "redelivered": redelivered,
        "exchange": exchange,
        "routing_key": routing_key,
    }
    assert contents.headers == properties.pop("application_headers", {})
    assert contents.properties == properties


@settings(max_examples=50, deadline=None)
@given(st.data(), properties)
def test_a_delivery_cut_anywhere_waits_for_the_rest(data: st.DataObject, properties: dict[str, Any]) -> None:
    sent = b"".join(delivery(b"body", properties))
    assert read(sent[: data.draw(st.integers(0, len(sent) - 1))]) is None


def test_what_is_not_the_plain_case_is_left_to_the_library() -> None:
    method, header, body = delivery(b"body")
    assert read(method + header + body) is not None
    assert read(method + header + frame(3, 1, b"bo") + frame(3, 1, b"dy")) is None, "a body of two frames"
    assert read(method + header + frame(3, 2, b"body")) is None, "another channel's body between"
    assert read(method + delivery(channel=2)[1] + body) is None, "another channel's header between"
    assert read(method + frame(8, 0, b"") + header + body) is None, "a heartbeat between"
    assert read(method[:-1] + b"\0" + header + body) is None, "a frame without its end"
    assert read(method + header[:-1] + b"\0" + body) is None
    assert read(method + header + body[:-1] + b"\0") is None
    assert read(b"".join(delivery(channel=2))) is None, "a consumer that nobody knows here"
    assert read(frame(1, 1, dumps("BB", (1, 2)) + b"\0" * 60)) is None, "another method"


def test_names_that_are_no_utf_8_are_shown_as_they_can() -> None:
    found = read(b"".join(delivery(exchange=b"caf\xe9", routing_key=b"\xff")))
    assert found is not None
    assert found[1].delivery_info["exchange"] == r"caf\xe9"
    assert found[1].delivery_info["routing_key"] == r"\xff"
