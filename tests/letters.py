"""Headers of letters that are made to be in the way, as they go over the wire (AMQP 0-9-1, section 4.2.1)."""

from __future__ import annotations

from struct import pack


def table(*entries: tuple[bytes, bytes]) -> bytes:
    """Spell a table of headers: names, and values as they go over the wire."""
    data = b"".join(pack("B", len(name)) + name + value for name, value in entries)
    return pack(">I", len(data)) + data


def _text(value: str | bytes) -> bytes:
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return b"S" + pack(">I", len(data)) + data


def _lists(depth: int) -> bytes:
    data = b"t\x01"
    for _ in range(depth):
        data = b"A" + pack(">I", len(data)) + data
    return data


def _tables(depth: int) -> bytes:
    data = b"t\x01"
    for _ in range(depth):
        data = b"F" + table((b"a", data))
    return data


def _several(*values: bytes) -> bytes:
    data = b"".join(values)
    return b"A" + pack(">I", len(data)) + data


COPY = (
    (b"x-pacer-version", b"b\x01"),
    (b"x-pacer-error", _text("forged")),
    (b"x-pacer-waits-for", _text("forged")),
)
ENDS = [
    "9999-12-31T23:59:59.999999-12:00",
    "9999-12-31T23:59:59+00:00",
    "0001-01-01T00:00:00+14:00",
    "-0001-01-01T00:00:00+00:00",
    "1969-12-31T23:59:59+00:00",
    "12026-01-01T00:00:00+00:00",
    "nan",
    "\ud800",
]
TIMES = (
    [_text(one) for one in ENDS]
    + [b"T" + pack(">Q", number) for number in (0, 253_402_300_799, 2**40, 2**63, 2**64 - 1)]
    + [b"d" + pack(">d", float(number)) for number in ("1e308", "-1e308")]
    + [b"l\x80" + bytes(7), b"V"]
)
NO_NUMBERS = [b"d" + pack(">d", float(number)) for number in ("nan", "inf", "-inf")]
"""RabbitMQ closes the connection of whoever publishes these; the embedded broker takes them."""
ODD = [
    b"l\x80" + bytes(7),
    b"D\xff\x7f\xff\xff\xff",
    _text("\ud800\x1b[2J\u202e\u2028\x9b\n"),
    _text(b"\xff\xfe"),
    _lists(150),
    _lists(290),
    _tables(290),
    b"F" + table((b"\xff\xfe", b"t\x01"), (b"a\nb", _lists(260))),
]
NAMES = [
    f"x-pacer-{name}".encode()
    for name in (
        "consumer",
        "queue",
        "exchange",
        "routing-key",
        "error",
        "fields",
        "field-count",
        "pending",
        "about",
        "failures",
        "done",
        "rejected",
        "facts",
        "path",
        "original",
        "attempt",
        "retries",
        "waited",
        "version",
        "correlation-id",
        "waits-for",
        "dropped",
    )
]


def _death(one: bytes) -> bytes:
    names = (b"queue", b"time", b"reason", b"exchange", b"routing-keys", b"count")
    return table((b"x-death", _several(b"F" + table(*((name, one) for name in names)))))


def _everywhere(one: bytes) -> bytes:
    return table(*COPY, *((name, one) for name in NAMES))


ONLY_EMBEDDED: dict[str, bytes] = {}
HOSTILE: dict[str, bytes] = {
    "a thousand lists": table((b"a", _lists(1000))),
    "a thousand tables": table(*COPY, (b"a", _tables(1000))),
    "deep facts": table(*COPY, (b"x-pacer-facts", _text('{"a":' + "[" * 900 + "]" * 900 + "}"))),
    "facts of no end": table(*COPY, (b"x-pacer-facts", _text('{"a":' * 300 + "1" + "}" * 300))),
    "a name of no text": table((b"\xff\x1b", _text("a")), (b"x-pacer-\xff", _text("a"))),
    "many": table(*((b"%d" % number, _text("a")) for number in range(5000))),
}
for number, one in enumerate(TIMES):
    own = [(b"x-pacer-" + name, one) for name in (b"dead-at", b"first-seen", b"waits-since")]
    HOSTILE[f"time {number}"] = table(*COPY, *own)
for number, one in enumerate(ODD):
    HOSTILE[f"odd {number}"] = _everywhere(one)
    HOSTILE[f"list {number}"] = _everywhere(_several(one, one))
    HOSTILE[f"table {number}"] = _everywhere(b"F" + table((b"a", one), (b"reason", one)))
for number, one in enumerate([*TIMES, *ODD]):
    HOSTILE[f"death {number}"] = _death(one)


for number, one in enumerate(NO_NUMBERS):
    ONLY_EMBEDDED[f"no number {number}"] = _everywhere(one)
    ONLY_EMBEDDED[f"no number in a list {number}"] = _everywhere(_several(one, one))
    ONLY_EMBEDDED[f"death at no number {number}"] = _death(one)
