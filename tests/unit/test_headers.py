"""What copies of a message carry: everything that is needed, nothing that harms, and never too much."""

import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import RFC_4122, UUID

import pytest
from amqp.serialization import dumps, loads
from attrs import evolve
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pacer_core import BadField, Delivery, Envelope, Outcome
from pacer_core.model.messages import TaskFailure
from pacer_core.transport.copies import copy_headers, copy_properties, dead_headers
from pacer_core.transport.envelope_reading import read_envelope, reader

FRAME = 131_064  # what RabbitMQ takes in one header frame
SEEN = datetime(2024, 5, 1, 12, tzinfo=UTC)
FORGED: dict[str, Any] = {"x-pacer-version": 1}


def wired(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Give headers as they come out at the other end of the wire."""
    ((table,), _) = loads("F", dumps("F", [headers]), 0)
    assert isinstance(table, dict)
    return table


def size(headers: Mapping[str, Any]) -> int:
    return len(dumps("F", [headers]))


def ours(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if name.startswith("x-pacer-")}


def seen_again(headers: Mapping[str, Any], properties: Mapping[str, Any] | None = None) -> Envelope:
    """Give the envelope that is made of a copy."""
    delivered = {"exchange": "", "routing_key": "parcels", "redelivered": False}
    return read_envelope(b"body", "parcels", delivered, properties or {}, wired(headers))


def delivery(**values: Any) -> Delivery:
    envelope = Envelope(
        b"body", queue="parcels", exchange="post", routing_key="sent", correlation_id="c-1", first_seen=SEEN
    )
    return evolve(Delivery(envelope, "parcels", Outcome.RETRIED), **values)


texts = st.text(max_size=30)
tables = st.dictionaries(st.text(min_size=1, max_size=10), texts, max_size=4)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts.filter(lambda text: text.isprintable()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(
    done=st.lists(texts, max_size=5).map(tuple),
    rejected=tables,
    facts=st.dictionaries(texts, json, max_size=4),
    path=st.lists(st.text(min_size=1, max_size=30), max_size=4).map(tuple),
    attempt=st.integers(1, 10**6),
    retries=st.integers(0, 10**6),
)
def test_the_next_sight_of_a_copy_knows_what_the_last_one_left(
    done: tuple[str, ...],
    rejected: dict[str, str],
    facts: dict[str, Any],
    path: tuple[str, ...],
    attempt: int,
    retries: int,
) -> None:
    before = delivery(done=done, rejected=rejected, facts=facts)
    before = evolve(before, envelope=evolve(before.envelope, path=path, attempt=attempt))
    after = seen_again(copy_headers(before, retries))
    assert (after.done, after.rejected, after.facts, after.path) == (done, rejected, facts, path)
    assert (after.attempt, after.retries) == (attempt + 1, retries)
    assert (after.exchange, after.routing_key) == ("post", "sent"), "those of the first sight"
    assert (after.correlation_id, after.first_seen, after.headers) == ("c-1", SEEN, {})


long = st.text(max_size=50).map(lambda text: text * 400)
failures = st.builds(
    TaskFailure,
    task=texts,
    kind=st.sampled_from(["error", "reject"]),
    reason=texts | long,
    fields=st.lists(st.builds(BadField, texts | long, texts | long), max_size=50).map(tuple),
    trace=st.none() | long,
)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(failures, max_size=20).map(tuple),
    st.text(max_size=8000),
    st.dictionaries(texts, texts | long, max_size=8),
    texts | long,
    st.dictionaries(texts, texts | long, max_size=5),
)
@example(
    (
        TaskFailure(
            "a",
            "error",
            "\U0001f600" * 2000,
            (BadField("\U0001f600" * 500, "b"),) * 30_000,
            "\U0001f600" * 4096,
        ),
    )
    * 20,
    "x" * 8100,
    {str(number): "\U0001f600" * 2000 for number in range(20)},
    "\U0001f600" * 20_000,
    {"CC": "\U0001f600" * 2000},
)
def test_all_headers_of_ours_stay_below_their_limit_and_can_be_sent(
    failed: tuple[TaskFailure, ...],
    facts: str,
    rejected: dict[str, str],
    reason: str,
    original: dict[str, Any],
) -> None:
    dead = delivery(failures=failed, facts={"a": facts[:8100]}, rejected=rejected)
    dead = evolve(dead, envelope=evolve(dead.envelope, headers=original))
    headers = dead_headers(dead, 3, reason)
    assert size(ours(headers)) <= 16 * 1024
    assert wired(headers)["x-pacer-field-count"] == len(dead.bad_fields)
    assert len(headers["x-pacer-fields"]) == min(20, len(dead.bad_fields))


def test_a_dead_copy_says_what_was_wrong() -> None:
    fields = tuple(BadField(f"files[{number}]", "is too long") for number in range(30))
    failed = (
        TaskFailure("parse", "reject", "bad fields", fields),
        TaskFailure("b", "error", "no", trace="trace"),
    )
    headers = dead_headers(delivery(failures=failed, pending=("b",), done=("a",)), 2, "why")
    assert headers["x-pacer-error"] == "why"
    assert headers["x-pacer-fields"] == [f"files[{number}]: is too long" for number in range(20)]
    assert headers["x-pacer-field-count"] == 30
    assert headers["x-pacer-failures"] == [
        {"task": "parse", "kind": "reject", "reason": "bad fields"},
        {"task": "b", "kind": "error", "reason": "no", "trace": "trace"},
    ]
    assert (headers["x-pacer-pending"], headers["x-pacer-done"], headers["x-pacer-retries"]) == (
        ["b"],
        ["a"],
        2,
    )


HARMFUL = {"CC": ["a"], "BCC": ["b"], "x-death": [{"count": 3}], "x-first-death-queue": "c"}


def test_what_would_harm_a_copy_is_kept_aside_and_not_set() -> None:
    properties = {
        "expiration": "5000",
        "user_id": "ada",
        "message_id": "m",
        "priority": 3,
        "delivery_mode": 1,
    }
    first = read_envelope(b"", "parcels", {}, properties, HARMFUL | {"colour": "red"})
    headers = copy_headers(evolve(delivery(), envelope=first), 0)
    assert set(headers) - set(ours(headers)) == {"colour"}
    assert headers["x-pacer-original"] == HARMFUL | {"expiration": "5000", "user_id": "ada"}
    assert copy_properties(first) == {"message_id": "m", "priority": 3, "delivery_mode": 2}


def test_what_is_kept_aside_is_so_through_every_copy() -> None:
    first = read_envelope(b"", "parcels", {}, {"expiration": "5000"}, {"CC": ["a"]})
    second = seen_again(copy_headers(evolve(delivery(), envelope=first), 0) | {"x-death": [{"count": 1}]})
    dead = dead_headers(evolve(delivery(), envelope=second), 0, "why")
    assert dead["x-pacer-original"] == {"CC": ["a"], "expiration": "5000"}
    assert "x-death" not in dead


def test_headers_of_a_publisher_travel() -> None:
    given: dict[str, Any] = {
        "a": "b", "n": 7, "big": 2**40, "f": 2.5, "t": True, "d": Decimal("1.5"), "none": None,
        "when": datetime(2024, 5, 1), # noqa: DTZ001 "list": [1, "a", [2]], "table": {"a": {"b": 1}}, "bytes": b"\xff",
    }  # fmt: skip
    first = read_envelope(b"", "parcels", {}, {}, given)
    assert wired(copy_headers(evolve(delivery(), envelope=first), 0)).items() >= given.items()


@settings(deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1), st.integers(0, 70_000), max_size=8))
def test_headers_of_a_publisher_leave_room_for_ours(sizes: dict[str, int]) -> None:
    given = {name: "x" * length for name, length in sizes.items()}
    first = read_envelope(b"", "parcels", {}, {}, given)
    dead = evolve(delivery(facts={"a": "x" * 8000}), envelope=first)
    headers = dead_headers(dead, 0, "x" * 5000)
    assert size(headers) < FRAME - 3000, "properties travel in the same frame"
    kept = {name for name in headers if not name.startswith("x-pacer-")}
    assert sorted(set(given) - kept) == sorted(headers.get("x-pacer-dropped", []))
    assert size(given) > 100_000 or kept == set(given)


def test_a_correlation_id_is_kept_from_the_first_sight_on() -> None:
    assert read_envelope(b"", "q", {}, {"correlation_id": "p"}, {}).correlation_id == "p"
    assert read_envelope(b"", "q", {}, {"message_id": "m"}, {}).correlation_id == "m"
    assert (
        read_envelope(b"", "q", {}, {"correlation_id": "p"}, {"x-pacer-correlation-id": "h"}).correlation_id
        == "h"
    )
    assert len(read_envelope(b"", "q", {}, {}, {}).correlation_id) == 36


@pytest.mark.parametrize("given", ["a\nb", "a\x1b[2J", "x" * 1000, "\u2028", 7, ["a"], "", " "])
def test_a_correlation_id_that_would_spoil_a_log_is_replaced(given: Any) -> None:
    for headers, properties in (({"x-pacer-correlation-id": given}, {}), ({}, {"correlation_id": given})):
        assert read_envelope(b"", "q", {}, properties, headers).correlation_id != given


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | texts
    | st.binary(max_size=10)
    | st.sampled_from(
        ["9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00", "x" * 50_000, '{"a":' * 2000, '["a"]']
    )
    | st.just('{"a": "' + "x" * 50_000 + '"}'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
STANDING = ["first-seen", "attempt", "retries", "done", "rejected", "facts", "original", "version"]
NAMES = [*STANDING, "correlation-id", "exchange", "routing-key", "path", "error", "about"]


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), anything, max_size=5), st.booleans())
def test_forged_headers_do_no_harm(forged: dict[str, Any], versioned: bool) -> None:
    headers = {f"x-pacer-{name}": value for name, value in forged.items()} | (FORGED if versioned else {})
    envelope = seen_again(headers)
    again = evolve(
        delivery(), envelope=envelope, done=envelope.done, rejected=envelope.rejected, facts=envelope.facts
    )
    assert size(ours(dead_headers(again, envelope.retries, "why"))) <= 16 * 1024
    assert seen_again(copy_headers(again, envelope.retries)).facts == envelope.facts


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from(NAMES), anything, max_size=5),
    st.dictionaries(st.sampled_from(["message_id", "expiration", "priority"]), texts),
)
def test_messages_that_differ_in_their_bodies_alone_have_envelopes_that_do(
    forged: dict[str, Any], properties: dict[str, Any]
) -> None:
    headers = FORGED | {"colour": "red"} | {f"x-pacer-{name}": value for name, value in forged.items()}
    place: tuple[Any, ...] = ("parcels", {"exchange": "post", "redelivered": True}, properties, headers)
    envelope = reader(*place)
    for body in (b"one", b"two"):
        one, same = envelope(body), read_envelope(body, *place)
        assert one.first_seen is not None
        assert one == evolve(same, correlation_id=one.correlation_id, first_seen=one.first_seen)


def test_what_one_message_does_with_its_properties_headers_and_facts_no_other_sees() -> None:
    kept: dict[str, Any] = FORGED | {"colour": "red", "x-pacer-facts": '{"a":[]}'}
    for headers in (kept, {"colour": "red"}):
        envelope = reader("parcels", {}, {"priority": 1}, headers)
        one, other = envelope(b""), envelope(b"")
        one.headers["colour"] = one.properties["priority"] = "blue"  # type: ignore[index]  # not typed code
        for fact in one.facts.values():
            fact.append("b")
        assert (other.headers, other.properties) == ({"colour": "red"}, {"priority": 1})
        assert not any(other.facts.values())


@pytest.mark.parametrize("headers", [{}, {"colour": "red"}, {"x-first-death-queue": "q"}])
def test_no_mapping_of_an_envelope_is_another_message_s_as_well(headers: dict[str, Any]) -> None:
    envelope = reader("parcels", {}, {"priority": 1}, headers)
    one = envelope(b"")
    for name in ("headers", "properties", "facts", "rejected", "original"):
        getattr(one, name)["spoilt"] = True
        assert "spoilt" not in getattr(envelope(b""), name), name


def test_messages_without_an_id_have_one_each() -> None:
    envelope = reader("parcels", {}, {}, {})
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda _: envelope(b"").correlation_id, range(2000)))
    assert len(set(ids)) == 2000
    for one in ids:
        read = UUID(one)
        assert (str(read), read.version, read.variant) == (one, 8, RFC_4122)


FORKING = """
import os
from pacer_core.transport.correlation_ids import fresh_id
fresh_id()
child = os.fork()
os.write(1, b"%a " % fresh_id())  # in one piece, as print does not
if child:
    os.waitpid(child, 0)
"""


def test_processes_that_are_forked_off_give_other_ids() -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], check=True, capture_output=True, text=True)
    one, other = done.stdout.split()
    assert one[:24] != other[:24]


@pytest.mark.parametrize("name", ["done", "rejected", "facts", "attempt", "retries", "first-seen"])
def test_a_publisher_that_knows_no_version_cannot_say_what_is_done(name: str) -> None:
    value: Any = {
        "done": ["weigh"],
        "rejected": {"weigh": "no"},
        "facts": '{"a":1}',
        "first-seen": SEEN.isoformat(),
    }
    envelope = seen_again({f"x-pacer-{name}": value.get(name, 7)})
    assert (envelope.done, envelope.rejected, envelope.facts) == ((), {}, {})
    assert (envelope.attempt, envelope.retries) == (1, 0)
    assert envelope.first_seen != SEEN


@pytest.mark.parametrize(
    ("stamp", "published"),
    [
        (1_777_680_000, datetime(2026, 5, 2, tzinfo=UTC)),
        (1_777_680_000_250, datetime(2026, 5, 2, 0, 0, 0, 250_000, tzinfo=UTC)),
        (99_999_999_999, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        (datetime(2026, 5, 2), datetime(2026, 5, 2, tzinfo=UTC)),  # noqa: DTZ001 - as a transport may give it
        (0, None),
        (-1, None),
        (2**63, None),
        (True, None),
        ("1777680000", None),
        (None, None),
    ],
)
def test_a_publisher_s_time_is_read_in_seconds_and_in_milliseconds(
    stamp: object, published: datetime | None
) -> None:
    assert Envelope(b"", queue="q", properties={"timestamp": stamp}).published == published
