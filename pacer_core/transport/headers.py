"""PACER's own headers: what a copy of a message carries, and how it is read again.

All names begin with ``x-pacer-``; ``x-pacer-version`` is the format's. Together they stay under 16 KiB: a
header frame over 131,064 bytes makes RabbitMQ close the connection.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import count
from typing import Any, TypeGuard
from uuid import uuid4

import attrs
import orjson

from pacer_core.model.messages import Delivery, Envelope, Outcome
from pacer_core.pipeline.failures import TRACE_LIMIT
from pacer_core.pipeline.tasks import FACTS_LIMIT
from pacer_core.transport.header_size import DEEPEST, LIMIT, cut, nested_beyond, size, together

PREFIX = "x-pacer-"
VERSION = 1
FIELDS_SHOWN = 20

_REASON = 500  # bytes of a reason, in a header
_SHORT = 255  # what AMQP calls a short string
_LONG = LIMIT // 2  # nothing that PACER writes is longer, but for facts
_MOST = 1_000_000_000  # attempts: one a second for thirty years
# Times beyond these are nobody's, and those near the ends of the calendar exist in some time zones only.
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

_VERSION = f"{PREFIX}version"
_HARMFUL = frozenset({"expiration", "user_id", "application_headers"})
_DROPPED_PROPERTIES = ("expiration", "user_id", "delivery_mode", "application_headers")
_DROPPED_HEADERS = (
    "CC",
    "BCC",
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
)
# What quorum queues count at each return: it is true of one queue, and no publisher's.
_COUNTERS = ("x-delivery-count", "x-acquired-count")


Believe = Callable[[str, bytes, Mapping[str, Any], Mapping[str, Any]], bool]
"""Says of a queue, a body, properties and PACER's own headers whether PACER has written these."""


def read_envelope(
    body: bytes,
    queue: str,
    delivery_info: Mapping[str, Any],
    properties: Mapping[str, Any],
    headers: Mapping[str, Any],
    believe: Believe | None = None,
) -> Envelope:
    """Make an envelope of what the broker delivered: a first sight, or a copy that PACER made.

    Publishers can write any header. One that is not what PACER writes there is passed over, and where
    ``believe`` denies that a copy is PACER's it is a first sight. Only who shows it, and does nothing, may
    leave that out.
    """
    return _with_body(vars(_read_model(queue, delivery_info, properties, headers, believe, body)), body)


def reader(
    queue: str,
    delivery_info: Mapping[str, Any],
    properties: Mapping[str, Any],
    headers: Mapping[str, Any],
    believe: Believe | None = None,
) -> Callable[[bytes], Envelope]:
    """Give what makes envelopes, as `read_envelope` does, of messages that differ in their bodies alone."""
    if _VERSION in headers:  # a copy: what it says is about its own body, and its tasks may change its facts
        return lambda body: read_envelope(body, queue, delivery_info, properties, headers, believe)
    # Spread: a plain dictionary is copied faster than one that shares its keys with a class.
    return partial(_with_body, {**vars(_read_model(queue, delivery_info, properties, headers))})


def _read_model(
    queue: str,
    delivery_info: Mapping[str, Any],
    properties: Mapping[str, Any],
    headers: Mapping[str, Any],
    believe: Believe | None = None,
    body: bytes = b"",
) -> Envelope:
    """Read all but the body; the id is empty, and the time ``None``, where none is given."""
    exchange, routing_key = delivery_info.get("exchange") or "", delivery_info.get("routing_key") or ""
    redelivered = bool(delivery_info.get("redelivered"))
    if not headers and _HARMFUL.isdisjoint(properties):  # nearly every first sight
        given = first_id(properties.get("correlation_id"), properties.get("message_id"))
        return Envelope(b"", queue, exchange, routing_key, headers, properties, redelivered, given)
    own = own_headers(headers)
    plain = {name: value for name, value in properties.items() if name != "application_headers"}
    foreign = {name: value for name, value in headers.items() if not name.startswith(PREFIX)}
    # Only a copy says where it stands; what PACER sends for the first time has an id and a path.
    copy = own if own.get("version") == VERSION else {}
    # Not to be believed, and no harm: it can only end its own message the sooner.
    restarts = _count(copy.get("restarts"))
    if copy and believe is not None and not believe(queue, body, properties, own):
        copy, restarts = {}, restarts + 1
    return Envelope(
        body=b"",
        queue=queue,
        exchange=_text(copy.get("exchange"), exchange),
        routing_key=_text(copy.get("routing-key"), routing_key),
        headers=plain_headers(foreign) if copy else foreign,
        properties=plain,
        redelivered=redelivered or copy.get("renewed") is True,
        correlation_id=first_id(
            own.get("correlation-id"), plain.get("correlation_id"), plain.get("message_id")
        ),
        first_seen=_time(copy.get("first-seen")),
        attempt=_count(copy.get("attempt")) + 1,
        retries=_count(copy.get("retries")),
        waited=_count(copy.get("waited")),
        done=_texts(copy.get("done")),
        rejected=_table(copy.get("rejected")),
        facts=_json(copy.get("facts")),
        path=_texts(own.get("path")),
        original=_original(foreign, plain) if not copy else _dict(copy.get("original")),
        # Where nothing was returned yet, the header is a publisher's, or another queue's.
        returns=_count(headers.get(_COUNTERS[0])) if redelivered else 0,
        restarts=restarts,
    )


def _with_body(model: Mapping[str, Any], body: bytes) -> Envelope:
    """Make the envelope of a message like a model; seen now, with an id of its own, where that has none."""
    envelope = object.__new__(Envelope)  # past its initialisation: nearly all fields are copied in one go
    fields = envelope.__dict__
    fields.update(model)
    fields["body"] = body
    # Whatever a task may do to one of these, no other message sees it.
    fields["headers"], fields["properties"] = {**model["headers"]}, {**model["properties"]}
    fields["rejected"], fields["facts"] = {**model["rejected"]}, {**model["facts"]}
    fields["original"] = {**model["original"]}
    if not model["correlation_id"]:
        fields["correlation_id"] = fresh_id()
    if model["first_seen"] is None:
        fields["first_seen"] = datetime.now(UTC)
    return envelope


def first_id(*given: Any) -> str:
    """Give the first that can be an id; empty where none can."""
    for one in given:
        if _is_id(one):
            return one
    return ""


def fresh_id() -> str:
    """Give a UUID of our own making (RFC 9562, version 8) as text: random bits of this process, and a count.

    A random one for each message (version 4) takes four times as long, most of it in the operating system.
    """
    return f"{_process()}{next(_numbers):012x}"


_numbers = count(1)


@lru_cache(maxsize=1)
def _process() -> str:
    """Give what the ids of this process begin with; one that is forked off makes its own."""
    os.register_at_fork(after_in_child=_process.cache_clear)
    random = str(uuid4())
    return f"{random[:14]}8{random[15:24]}"


def _original(headers: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a publisher set and no copy may have."""
    given = {name: headers[name] for name in _DROPPED_HEADERS if name in headers}
    kept = {name: value for name, value in given.items() if not nested_beyond(value, DEEPEST)}
    return kept | {name: properties[name] for name in ("expiration", "user_id") if name in properties}


def copy_headers(delivery: Delivery, retries: int, waited: int = 0) -> dict[str, Any]:
    """Give the headers of a copy that waits for its next attempt: the publisher's, and where PACER stands.

    What it waits for, since when, and what it is about is for people who look at the ladder. ``waited``
    is for how long it will have waited by then for what is still to come.
    """
    return _headers(
        delivery,
        retries,
        _waited(waited)
        | {
            "waits-for": cut(delivery.error or "", 1000),
            "waits-since": datetime.now(UTC).isoformat(),
            "pending": list(delivery.pending),
            "about": _about(delivery),
        },
    )


def _about(delivery: Delivery) -> dict[str, str]:
    return {
        cut(str(name), 50): cut(str(value), 200) for name, value in list(delivery.description.items())[:10]
    }


def _waited(seconds: int) -> dict[str, Any]:
    return {"waited": seconds} if seconds else {}


def renewed_headers(envelope: Envelope, consumer: str) -> dict[str, Any]:
    """Give the headers of a copy that stands where its message stood, and counts its returns afresh."""
    still = Delivery(
        attrs.evolve(envelope, attempt=envelope.attempt - 1),  # reading a copy counts one more
        consumer,
        Outcome.RETRIED,
        done=envelope.done,
        rejected=envelope.rejected,
        facts=envelope.facts,
    )
    return _headers(still, envelope.retries, {"renewed": True})


def _headers(delivery: Delivery, retries: int, more: dict[str, Any]) -> dict[str, Any]:
    envelope = delivery.envelope
    first_seen = envelope.first_seen or datetime.now(UTC)
    shorter = min(_REASON, _LONG // 2 // max(len(delivery.rejected), 1))
    own: dict[str, Any] = {
        "version": VERSION,
        "correlation-id": envelope.correlation_id,
        "consumer": delivery.consumer,
        "queue": envelope.queue,
        "exchange": envelope.exchange,
        "routing-key": envelope.routing_key,
        "first-seen": first_seen.isoformat(),
        "attempt": envelope.attempt,
        "retries": retries,
        "done": list(delivery.done),
        "rejected": {task: cut(reason, shorter) for task, reason in delivery.rejected.items()},
        "facts": orjson.dumps(dict(delivery.facts)).decode(),
    }
    if envelope.restarts:
        own["restarts"] = envelope.restarts
    if envelope.path:
        own["path"] = list(envelope.path)
    if envelope.original:
        own["original"] = dict(envelope.original)
    return together(plain_headers(envelope.headers), own | more, PREFIX)


def own_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Give PACER's own headers, by their names without the prefix."""
    return {name.removeprefix(PREFIX): value for name, value in headers.items() if name.startswith(PREFIX)}


def new_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Give headers without what a copy alone may say: of PACER's own, the id and the path stay."""
    kept = {f"{PREFIX}correlation-id", f"{PREFIX}path"}
    return {name: value for name, value in headers.items() if name in kept or not name.startswith(PREFIX)}


def plain_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Give a publisher's headers without those that would send a copy astray, and those of the broker."""
    return {
        name: value
        for name, value in headers.items()
        if name not in _DROPPED_HEADERS and name not in _COUNTERS
    }


def dead_headers(delivery: Delivery, retries: int, reason: str) -> dict[str, Any]:
    """Give the headers of a dead copy: those of a copy, and why it is dead, within the limit."""
    fields = delivery.bad_fields
    return _headers(
        delivery,
        retries,
        _waited(delivery.envelope.waited)
        | {
            "error": cut(reason, 1000),
            "fields": [cut(str(field), 200) for field in fields[:FIELDS_SHOWN]],
            "field-count": len(fields),
            "pending": list(delivery.pending),
            "about": _about(delivery),
            "dead-at": datetime.now(UTC).isoformat(),
            "failures": [
                {"task": cut(one.task, 200), "kind": one.kind, "reason": cut(one.reason, _REASON)}
                | ({"trace": cut(one.trace, 4 * TRACE_LIMIT)} if one.trace else {})
                for one in delivery.failures[:5]
            ],
        },
    )


def copy_properties(envelope: Envelope) -> dict[str, Any]:
    """Give the properties of a copy: all that would not harm it, and persistent."""
    kept = {name: value for name, value in envelope.properties.items() if name not in _DROPPED_PROPERTIES}
    return kept | {"delivery_mode": 2}


def _text(value: Any, default: str) -> str:
    fits = isinstance(value, str) and len(value.encode(errors="surrogatepass")) <= _SHORT
    return value if fits else default


def _is_id(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value.isprintable() and bool(value.strip()) and len(value) <= _SHORT


def _texts(value: Any) -> tuple[str, ...]:
    """Read a list of names; one that is too long to be PACER's counts as none."""
    if not isinstance(value, list) or not _fits(value):
        return ()
    return tuple(item for item in value if isinstance(item, str))


def _table(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not _fits(value):
        return {}
    return {str(key): str(item) for key, item in value.items()}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) and _fits(value) else {}


def _fits(value: Any) -> bool:
    """Tell whether a value is none that is too long, or nested too deeply, to be PACER's."""
    try:
        return size(value) <= _LONG and not nested_beyond(value, DEEPEST)
    except ValueError:
        return False


def _count(value: Any) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= _MOST else 0


def _time(value: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return sane(time) if time.tzinfo is not None else None


def sane(time: datetime) -> datetime | None:
    """Give a time that is one in every time zone, and can be reckoned with; else ``None``."""
    return time if _EARLIEST <= time < _LATEST else None


def _json(value: Any) -> dict[str, Any]:
    if not isinstance(value, str):
        return {}  # a first sight: no exception for every message
    try:
        data = orjson.loads(value)
    except ValueError:
        return {}
    fits = isinstance(data, dict) and len(value) <= FACTS_LIMIT and not nested_beyond(data, DEEPEST)
    return data if fits else {}
