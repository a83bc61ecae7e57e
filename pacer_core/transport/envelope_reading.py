"""Envelopes, read from what the broker delivered: a first sight, or a copy that PACER made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from pacer_core.model.messages import Envelope
from pacer_core.pipeline.tasks import FACTS_LIMIT
from pacer_core.transport.correlation_ids import first_id, fresh_id
from pacer_core.transport.header_size import DEEPEST, nested_beyond, size
from pacer_core.transport.headers import (
    COUNTERS,
    DROPPED_HEADERS,
    LONGEST,
    PREFIX,
    SHORT_STRING,
    VERSION,
    own_headers,
    plain_headers,
)

_MOST = 1_000_000_000  # attempts: one a second for thirty years
# Times beyond these are nobody's, and those near the ends of the calendar exist in some time zones only.
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
_VERSION = f"{PREFIX}version"
_HARMFUL = frozenset({"expiration", "user_id", "application_headers"})

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
    # Where a message of a partition was published is no state, and nothing is gained by a lie about it.
    partition = queue if own.get("version") == VERSION and own.get("partition") == queue else ""
    key = copy.get("key") if partition else None
    return Envelope(
        body=b"",
        queue=_text(own.get("queue"), queue) if partition else queue,
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
        returns=_count(headers.get(COUNTERS[0])) if redelivered else 0,
        restarts=restarts,
        partition=partition,
        key=key if isinstance(key, str) else None,
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


def _original(headers: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a publisher set and no copy may have."""
    given = {name: headers[name] for name in DROPPED_HEADERS if name in headers}
    kept = {name: value for name, value in given.items() if not nested_beyond(value, DEEPEST)}
    return kept | {name: properties[name] for name in ("expiration", "user_id") if name in properties}


def _text(value: Any, default: str) -> str:
    fits = isinstance(value, str) and len(value.encode(errors="surrogatepass")) <= SHORT_STRING
    return value if fits else default


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
        return size(value) <= LONGEST and not nested_beyond(value, DEEPEST)
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
