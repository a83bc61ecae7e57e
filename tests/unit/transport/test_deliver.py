"""Deliveries read in one go are those that py-amqp reads frame by frame; all others are left to it."""

from __future__ import annotations

from collections.abc import Mapping
from struct import pack
from typing import Any
from weakref import WeakSet

import pytest
from amqp.basic_message import Message
from amqp.serialization import dumps, loads
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer_core.transport.amqp.deliveries import Contents, Deliveries, Opener, Take
from pacer_core.transport.amqp.properties import property_list
from pacer_core.transport.amqp.undecodable import frame_handler

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
    consumer: bytes = b"t",
    tag: int = 7,
    redelivered: int = 0,
    exchange: bytes = b"x",
    routing_key: bytes = b"k",
) -> list[bytes]:
    """Give the frames of a delivery, as RabbitMQ sends them."""
    method = pack(">HHB1sQB", 60, 60, 1, consumer, tag, redelivered)
    method += bytes([len(exchange)]) + exchange + bytes([len(routing_key)]) + routing_key
    header = pack(">HHQ", 60, 0, len(body)) + Message(**(properties or {}))._serialize_properties()
    frames = [frame(1, channel, method), frame(2, channel, header)]
    return [*frames, frame(3, channel, body)] if body else frames


@frozen
class Sent:
    """A delivery, and what has to be read from it."""

    body: bytes = b"{}"
    properties: Mapping[str, Any] = {}
    channel: int = 1
    consumer: bytes = b"t"
    redelivered: bool = False
    exchange: str = "x"
    routing_key: str = "k"

    def frames(self, tag: int) -> list[bytes]:
        return delivery(
            self.body,
            dict(self.properties),
            channel=self.channel,
            consumer=self.consumer,
            tag=tag,
            redelivered=self.redelivered,
            exchange=self.exchange.encode(),
            routing_key=self.routing_key.encode(),
        )

    def wire(self, tag: int) -> bytes:
        return b"".join(self.frames(tag))

    def contents(self, tag: int) -> Contents:
        properties = dict(self.properties)
        headers = properties.pop("application_headers", {})
        info = {"redelivered": self.redelivered, "exchange": self.exchange, "routing_key": self.routing_key}
        return Contents(tag, self.body, info, properties, headers)


class Reader:
    """Reads deliveries on channels 1 and 2 of the consumers ``t`` and ``u``."""

    def __init__(self) -> None:
        self.got: list[tuple[tuple[int, bytes], Contents]] = []
        self.openers = {key: self.opener(key) for key in ((1, b"t"), (1, b"u"), (2, b"t"))}
        self.deliveries = Deliveries(lambda channel, consumer: self.openers.get((channel, consumer)))

    def opener(self, key: tuple[int, bytes]) -> Opener:
        def open_(info: Mapping[str, Any], properties: Mapping[str, Any], headers: Mapping[str, Any]) -> Take:
            return lambda tag, body: self.got.append((key, Contents(tag, body, info, properties, headers)))

        return open_

    def read(self, buffer: bytes, at: int = 0) -> tuple[int, Contents] | None:
        """Give where the delivery ends, and what it holds."""
        found = self.deliveries.read(buffer, at)
        if found is None:
            return None
        end, take, tag, body = found
        take(tag, body)
        return end, self.got[-1][1]


def read(buffer: bytes, at: int = 0) -> tuple[int, Contents] | None:
    return Reader().read(buffer, at)


sent = st.builds(
    Sent,
    body=st.binary(max_size=40),
    properties=properties,
    exchange=names,
    routing_key=names,
    redelivered=st.booleans(),
)
tags = st.integers(1, 2**63)


@settings(max_examples=150, deadline=None)
@given(sent, tags)
def test_a_delivery_in_full_is_read(one: Sent, tag: int) -> None:
    wire = one.wire(tag)
    assert read(b"before" + wire + b"after", 6) == (6 + len(wire), one.contents(tag))


few = st.builds(  # few of each, so that most deliveries are like the last one in all but a thing or two
    Sent,
    body=st.sampled_from([b"", b"{}", b"[]", b"\xce" * 9]),
    properties=st.sampled_from(
        [{}, {"priority": 1}, {"priority": 2}, {"message_id": "a"}, {"application_headers": {"a": 1}},
         {"application_headers": {"a": [1]}}, {"application_headers": {"a": [2]}, "priority": 1}]
    ),
    channel=st.sampled_from([1, 1, 1, 2]),
    redelivered=st.booleans(),
    exchange=st.sampled_from(["", "x", "xx"]),
    routing_key=st.sampled_from(["k", "kk"]),
) | st.just(Sent(consumer=b"u"))  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(few, st.integers(1, 3)), max_size=12))
def test_deliveries_that_differ_in_anything_from_those_before_are_read_as_they_are(
    runs: list[tuple[Sent, int]],
) -> None:
    all_ = [one for one, times in runs for _ in range(times)]
    buffer = b"".join(one.wire(tag) for tag, one in enumerate(all_, 1))
    reader, at = Reader(), 0
    while at < len(buffer):
        found = reader.read(buffer, at)
        assert found is not None
        at = found[0]
    assert reader.got == [((one.channel, one.consumer), one.contents(tag)) for tag, one in enumerate(all_, 1)]


def test_what_never_comes_again_is_not_kept_for_ever() -> None:
    reader, takes = Reader(), WeakSet[Take]()
    for number in range(300):
        one = Sent(properties={"message_id": f"{number:03}"})
        found = reader.deliveries.read(one.wire(number), 0)
        assert found is not None
        takes.add(found[1])
    assert len(takes) < 100


def test_bits_beside_the_one_for_a_redelivery_say_nothing() -> None:
    found = read(b"".join(delivery(redelivered=2)))
    assert found is not None
    assert found[1].delivery_info["redelivered"] is False


@settings(max_examples=50, deadline=None)
@given(sent, sent)
def test_a_delivery_cut_anywhere_waits_for_the_rest(one: Sent, before: Sent) -> None:
    wire = one.wire(7)
    for learnt in ([], [one], [before]):
        reader = Reader()
        for other in learnt:
            reader.read(other.wire(6))
        assert not any(reader.read(b"before" + wire[:size], 6) for size in range(len(wire)))
        assert reader.read(wire) == (len(wire), one.contents(7))


@pytest.mark.parametrize("learnt", [False, True], ids=["at first", "after one of its kind"])
def test_what_is_not_the_plain_case_is_left_to_the_library(learnt: bool) -> None:
    method, header, body = delivery(b"body")
    empty = delivery(b"")
    reader = Reader()
    if learnt:
        assert reader.read(method + header + body) is not None
    read = reader.read
    assert read(method + header + frame(3, 1, b"bo") + frame(3, 1, b"dy")) is None, "a body of two frames"
    assert read(method + header + frame(3, 1, b"body more")) is None, "a body that is longer than it says"
    assert read(method + header + frame(3, 2, b"body")) is None, "another channel's body between"
    assert read(method + delivery(b"body", channel=2)[1] + body) is None, "another channel's header between"
    assert read(method + frame(8, 0, b"") + header + body) is None, "a heartbeat between"
    assert read(method[:-1] + b"\0" + header + body) is None, "a frame without its end"
    assert read(method + header[:-1] + b"\0" + body) is None
    assert read(method + header + body[:-1] + b"\0") is None
    assert read(b"".join(delivery(channel=3))) is None, "a consumer that nobody knows here"
    assert read(frame(1, 1, dumps("BB", (1, 2)) + b"\0" * 60)) is None, "another method"
    assert read(method + frame(2, 1, pack(">HHQ", 60, 0, 0)) + b"\0" * 60) is None, "no flags"
    bare = len(b"".join(empty))
    assert read(b"".join(empty) + frame(3, 1, b""))[0] == bare, "a frame for no body"  # type: ignore[index]
    assert read(method + header + body) is not None


@pytest.mark.parametrize("strings", [b"", b"\5", b"\0", b"\1x\2k", b"\1x\1k\0", b"\xff\1k"])
def test_names_that_do_not_fill_their_frame_are_left_to_the_library(strings: bytes) -> None:
    _, header, body = delivery()
    method = frame(1, 1, pack(">HHB1sQB", 60, 60, 1, b"t", 7, 0) + strings)
    assert read(method + header + body) is None


@pytest.mark.parametrize("value", [0x00, 0x01, 0x7F, 0xCE, 0xFF])
def test_what_is_remembered_changes_nothing_whatever_comes(value: int) -> None:
    one = Sent(properties={"content_type": "text/plain", "application_headers": {"a": 1}}, body=b"body")
    wire = one.wire(7) + one.wire(8)
    reader = Reader()
    for place in range(len(wire)):
        hostile = wire[:place] + bytes([value]) + wire[place + 1 :]
        reader.read(one.wire(6))
        assert outcome(reader, hostile) == outcome(Reader(), hostile), place


def outcome(reader: Reader, buffer: bytes) -> object:
    try:
        return reader.read(buffer)
    except Exception as error:  # what cannot be decoded at all
        return type(error)


def test_a_consumer_that_is_gone_or_another_takes_nothing_meant_for_the_one_before() -> None:
    reader, one = Reader(), Sent()
    assert reader.read(one.wire(1)) is not None
    before = reader.openers.pop((1, b"t"))
    assert reader.read(one.wire(2)) is None
    reader.openers[1, b"t"] = reader.opener((1, b"another"))
    assert reader.read(one.wire(3)) is not None
    assert reader.read(one.wire(4)) is not None
    reader.openers[1, b"t"] = before
    assert reader.read(one.wire(5)) is not None
    assert [(who, contents.tag) for (_, who), contents in reader.got] == [
        (b"t", 1),
        (b"another", 3),
        (b"another", 4),
        (b"t", 5),
    ]


def test_lists_and_tables_among_headers_belong_to_one_message() -> None:
    reader = Reader()
    one = Sent(properties={"application_headers": {"a": [1], "b": {"c": "d"}}})
    for tag in range(3):
        found = reader.read(one.wire(tag))
        assert found == (len(one.wire(tag)), one.contents(tag))
        found[1].headers["a"].append(2)


def test_names_that_are_no_utf_8_are_shown_as_they_can() -> None:
    found = read(b"".join(delivery(exchange=b"caf\xe9", routing_key=b"\xff")))
    assert found is not None
    assert found[1].delivery_info["exchange"] == r"caf\xe9"
    assert found[1].delivery_info["routing_key"] == r"\xff"


@pytest.mark.parametrize(
    "name", [b"k", b"caf\xe9", 255 * b"\xff", b"\xff" + 127 * "é".encode(), b"\xed\xa0\x80"]
)
def test_names_are_the_same_and_short_whichever_way_a_delivery_is_read(name: bytes) -> None:
    spelled = Message(content_type=name, application_headers={name: True})
    frames = delivery(exchange=name, routing_key=name, properties=dict(spelled.properties))
    found = read(b"".join(frames))
    assert found is not None
    contents = found[1]
    names = [contents.delivery_info["exchange"], contents.delivery_info["routing_key"]]
    assert names[0] == names[1]
    assert len(names[0].encode()) <= 255
    assert property_list(contents.properties, contents.headers), "a copy can be written"

    handed: list[Any] = []
    handle = frame_handler(Counting(), lambda *call: handed.append(call))
    for one in frames:
        handle((one[0], 1, one[7:-1]))

    ((_, _, arguments, message),) = handed
    assert loads("sLbss", arguments, 4)[0][3:] == names
    assert message.properties["content_type"] == contents.properties["content_type"]


class Counting:
    """What a frame handler needs of a connection."""

    bytes_recv = 0
