"""Bad and odd messages at a RabbitMQ: dead or done, byte for byte, and the worker goes on."""

from datetime import datetime
from decimal import Decimal
from struct import pack
from typing import Any

import amqp
import pytest
from amqp.serialization import dumps

from tests.lab import Lab
from tests.letters import HOSTILE, table
from tests.support import eventually

GOOD = b'{"name": "good"}'
BAD: dict[str, tuple[bytes, dict[str, Any]]] = {
    "empty": (b"", {}),
    "no text": (bytes(range(256)), {}),
    "not JSON": (b'{"name": "c4n4ry"', {}),
    "not XML": (b"<job><name>c4n4ry</job>", {}),
    "wrong root": (b"<c4n4ry><name>a</name></c4n4ry>", {"content_type": "application/xml"}),
    "a bomb": (b'<!DOCTYPE a [<!ENTITY b "c4n4ry">]><job><name>&b;</name></job>', {}),
    "thirty fields": (b'{"number": "c4n4ry", "first": 7}', {}),
    "unknown content type": (b"a,b", {"content_type": "text/csv"}),
    "kombu's pickle": (
        b"\x80\x04N.",
        {"content_type": "application/x-python-serialize", "content_encoding": "binary"},
    ),
    "compressed": (
        b"c4n4ry",
        {"headers": {"compression": "application/x-gzip"}, "content_encoding": "utf-8"},
    ),
    "no encoding": (b"\xff\xfe\xfd", {"content_encoding": "klingon", "content_type": "application/json"}),
    "ten megabytes": (b'{"name": "c4n4ry", "number": "' + b"x" * 10_000_000 + b'"}', {}),
}


def test_every_bad_message_is_dead_byte_for_byte_with_one_line_and_the_worker_goes_on(lab: Lab) -> None:
    lab.declare()
    lab.publish(GOOD)
    for number, (body, options) in enumerate(BAD.values()):
        lab.publish(body, correlation_id=f"c-{number}", **options)
    lab.publish(GOOD)
    done = lab.once()
    assert (done.code, done.out) == (1, f"2 done, {len(BAD)} dead, 0 waiting for a retry\n")
    assert lab.counted["first good 1"] == 2
    dead = {message.properties["correlation_id"]: message for message in lab.take()}
    assert len(dead) == len(BAD)
    for number, (name, (body, options)) in enumerate(BAD.items()):
        message = dead[f"c-{number}"]
        assert message.body == body, name
        assert message.headers["x-pacer-error"].startswith("parse: "), name
        assert message.headers.items() >= options.get("headers", {}).items()
        assert message.properties.get("content_encoding") == options.get("content_encoding")
        assert "c4n4ry" not in message.headers["x-pacer-error"] + str(message.headers["x-pacer-fields"]), name
        lines = [line for line in done.err.splitlines() if line.endswith(f"[c-{number}]")]
        assert len(lines) == 1, name
    assert "c4n4ry" not in done.err
    assert dead["c-6"].headers["x-pacer-fields"] == [
        "name: is missing",
        "first: is not text",
        "number: is not a whole number",
    ]


class Spelled(amqp.Message):  # type: ignore[misc]  # py-amqp has no types
    """A message whose properties are spelled by hand, as a client in another language may do."""

    def __init__(self, body: bytes, *, headers: bytes = b"", content_type: bytes = b"") -> None:
        super().__init__(body)
        self._spelled = (content_type, headers)

    def _serialize_properties(self) -> bytes:
        content_type, headers = self._spelled
        flags = (0x8000 if content_type else 0) | (0x2000 if headers else 0)
        return (
            pack(">H", flags)
            + (pack("B", len(content_type)) + content_type if content_type else b"")
            + headers
        )


TYPES: dict[bytes, tuple[bytes, Any]] = {
    b"bool": (b"t\x01", True),
    b"int8": (b"b\xff", -1),
    b"uint8": (b"B\xff", 255),
    b"int16": (b"s\xff\xfe", -2),
    b"uint16": (b"u\xff\xff", 65535),
    b"int32": (b"I\x80\x00\x00\x00", -(2**31)),
    b"uint32": (b"i\xff\xff\xff\xff", 2**32 - 1),
    b"int64": (b"l\x80" + bytes(7), -(2**63)),
    b"float": (b"f" + pack(">f", 1.5), 1.5),
    b"double": (b"d" + pack(">d", 0.1), 0.1),
    b"decimal": (b"D\x02\x00\x00\x00\x7b", Decimal("1.23")),
    b"text": (b"S\x00\x00\x00\x02\xc3\xa9", "é"),
    b"no text": (b"S\x00\x00\x00\x02\xff\xfe", b"\xff\xfe"),
    b"bytes": (b"x\x00\x00\x00\x02\xff\xfe", b"\xff\xfe"),
    b"when": (b"T" + pack(">Q", 1_714_559_400), datetime(2024, 5, 1, 10, 30)),  # noqa: DTZ001 - AMQP has no zones
    b"nothing": (b"V", None),
    b"table": (b"F" + table((b"a", b"t\x00")), {"a": False}),
    b"list": (b"A\x00\x00\x00\x04t\x01t\x00", [True, False]),
}


def test_headers_of_every_type_survive_a_retry_and_death(lab: Lab) -> None:
    lab.declare()
    headers = table(*((name, spelled) for name, (spelled, _) in TYPES.items()))
    lab.send(Spelled(b'{"name": "a", "first": "once retry", "second": "reject"}', headers=headers))
    running = lab.run()
    eventually(lambda: lab.waiting("jobs.dead"), what=lambda: running.printed)
    assert running.end() == 0
    (dead,) = lab.take()
    for name, (_, value) in TYPES.items():
        assert dead.headers[name.decode()] == value, name


def nested(depth: int) -> bytes:
    """Spell a table in a table, and so on."""
    data = table()
    for _ in range(depth):
        data = table((b"a", b"F" + data))
    return data


LATE = b"T" + pack(">Q", 1_714_559_400_000)
LIST = b"A" + pack(">I", len(LATE) + 2) + LATE + b"t\x01"
TABLE = b"F" + table((b"a", LATE), (b"b", b"S\x00\x00\x00\x01b"))
ODD: dict[str, Any] = {
    "a content type that is no UTF-8": {"content_type": b"application/json; x=\xe9"},
    "a header whose name is no UTF-8": {"headers": table((b"\xff\xfe", b"t\x01"))},
    "a time in milliseconds": {"headers": table((b"when", LATE), (b"list", LIST), (b"table", TABLE))},
    "the last time there is": {"headers": table((b"when", b"T" + b"\xff" * 8))},
    "headers that fill their frame": {"headers": dumps("F", [{"a": "x" * 65_000, "b": "y" * 65_000}])},
    "tables in tables": {"headers": nested(5000)},
    "a content type that has no room for backslashes": {"content_type": b"\xff" + 127 * "é".encode()},
    "a header whose name has none either": {"headers": table((255 * b"\xff", b"t\x01"))},
}


def test_odd_properties_stop_no_worker_and_spoil_no_body(lab: Lab) -> None:
    lab.declare()
    bodies = [b'{"name": "%d", "first": "reject"}' % number for number in range(len(ODD))]
    for body, options in zip(bodies, ODD.values(), strict=True):
        lab.send(Spelled(body, **options))
    lab.publish(GOOD)
    done = lab.once()
    assert (done.code, done.out) == (1, f"1 done, {len(ODD)} dead, 0 waiting for a retry\n")
    assert "lost " not in done.err
    dead = {message.body: message for message in lab.take()}
    assert set(dead) == set(bodies)
    assert dead[bodies[0]].properties["content_type"] == "application/json; x=\\xe9"
    assert dead[bodies[1]].headers["\\xff\\xfe"] is True
    late = dead[bodies[2]].headers
    assert (late["when"], late["list"]) == (1_714_559_400_000, [1_714_559_400_000, True])
    assert late["table"] == {"a": 1_714_559_400_000, "b": "b"}
    assert dead[bodies[4]].headers["x-pacer-dropped"] == ["a"]


NO_TEXT: Any = 255 * b"\xff"


def test_a_routing_key_that_is_no_utf_8_stops_no_worker_however_large_the_body(lab: Lab) -> None:
    lab.declare()
    lab.channel.exchange_declare("any", "fanout", durable=False, auto_delete=True)
    lab.channel.queue_bind("jobs", "any")
    for blanks in (0, 300_000):
        body = b'{"name": "a", "first": "reject"}' + blanks * b" "
        lab.send(amqp.Message(body), to=NO_TEXT, exchange="any")
    done = lab.once()
    assert (done.code, done.out) == (1, "0 done, 2 dead, 0 waiting for a retry\n")
    assert "lost " not in done.err
    assert [dead.headers["x-pacer-routing-key"] for dead in lab.take()] == 2 * [63 * "\\xff" + "\\xf"]


def test_a_publisher_s_wishes_do_not_harm_a_copy(lab: Lab) -> None:
    lab.declare()
    lab.channel.queue_declare("elsewhere", durable=True, auto_delete=False)
    lab.publish(
        {"name": "a", "first": "once retry", "second": "reject"},
        headers={"CC": ["elsewhere"], "x-death": [{"count": 7}], "x-delay": 5},
        expiration="60000",
        user_id="guest",
        delivery_mode=1,
        reply_to="me",
        type="job",
        timestamp=1_714_559_400,
        priority=3,
        message_id="m-1",
    )
    assert len(lab.take("elsewhere")) == 1
    running = lab.run()
    eventually(lambda: lab.waiting("jobs.dead"), what=lambda: running.printed)
    assert running.end() == 0
    assert lab.take("elsewhere") == [], "the copies went nowhere else"
    (dead,) = lab.take()
    properties = dict(dead.properties)
    own = properties.pop("application_headers")
    assert properties == {
        "delivery_mode": 2,
        "reply_to": "me",
        "type": "job",
        "timestamp": 1_714_559_400,
        "priority": 3,
        "message_id": "m-1",
    }
    original = own["x-pacer-original"]
    assert (original["CC"], original["expiration"], original["user_id"]) == (["elsewhere"], "60000", "guest")
    assert own["x-pacer-correlation-id"] == "m-1"
    assert own["x-delay"] == 5
    assert "CC" not in own


def test_forged_headers_skip_no_task(lab: Lab) -> None:
    lab.declare()
    lab.publish(
        {"name": "a"},
        headers={
            "x-pacer-done": ["first", "second", "other"],
            "x-pacer-rejected": {"first": "no"},
            "x-pacer-facts": "[" * 5000,
            "x-pacer-attempt": 2**63 - 1,
            "x-pacer-path": ["x" * 60_000],
            "x-pacer-first-seen": "0001-01-01T00:00:00+14:00",
        },
    )
    assert lab.once().code == 0
    assert sorted(lab.effects) == ["first a 1", "other a 1", "second a 1"]


@pytest.mark.parametrize("word", ["reject", "once retry", "once error"])
def test_no_headers_stop_a_worker_whatever_is_in_them(lab: Lab, word: str) -> None:
    lab.declare()
    for number, headers in enumerate(HOSTILE.values()):
        lab.send(Spelled(b'{"name": "%d", "first": "%s"}' % (number, word.encode()), headers=headers))
    lab.publish(GOOD)
    done = lab.site.pacer("run", "--once", "--wait", "-c", lab.file)
    assert all(line.lstrip("\t").isprintable() for line in done.err.split("\n"))
    acked, dead, waiting = (int(one.split()[0]) for one in done.out.split(", "))
    assert (acked + dead, waiting) == (len(HOSTILE) + 1, 0), done.err
    assert "lost " not in done.err
    assert "worker died" not in done.err
    assert len(lab.take()) == dead
