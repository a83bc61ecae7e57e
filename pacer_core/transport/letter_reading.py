"""Letters, read: what the headers of one tell.

Three kinds lie in a dead queue. PACER's own carry why they are dead. Those that the broker dead-lettered
itself have ``x-death`` alone: https://www.rabbitmq.com/docs/dlx#effects. Somebody else's have neither.
What waits on the ladder of retry queues is read here as well: the same envelope, with what it waits for.

Whatever is in a letter, a publisher may have written it, and no letter keeps the others from being seen: what
cannot be right is passed over, and one that cannot be read at all is a letter that says so.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Self

from attrs import evolve, field, frozen

from pacer_core.config.model import Config
from pacer_core.model.messages import Envelope, TaskFailure
from pacer_core.model.queue_names import step_of
from pacer_core.transport.amqp.deliveries import Contents
from pacer_core.transport.correlation_ids import first_id
from pacer_core.transport.envelope_reading import read_envelope, sane
from pacer_core.transport.headers import FIELDS_SHOWN, VERSION, own_headers
from pacer_core.transport.letters import DeadLetter, Origin, Waiting
from pacer_core.transport.topology import dead_queue

_REASONS = {
    "rejected": "rejected",
    "expired": "its time to live was over",
    "maxlen": "the queue was full",
    "delivery_limit": "returned more often than the queue allows",
}
_ID_LENGTH = 8
_LONGEST, _FAILURES = 8192, 5  # characters of a text, and failures: PACER writes no more
_MOST = 2**53
"""What counts something is no larger, or is no count: JSON's readers know it exactly."""


@frozen
class Origins:
    """Which work queues the letters of a dead queue can have come from: those of its consumer.

    What dies in a queue of the configuration goes into its own dead queue, whether PACER puts it there or the
    broker; by a policy of its owner, what dies in another queue of the same consumer may go there as well.
    """

    queues: Mapping[str, frozenset[str]] = field(factory=dict)
    """By work queue, all those that its consumers read."""

    @classmethod
    def of(cls, config: Config) -> Self:
        """Give those of a configuration."""
        queues: dict[str, frozenset[str]] = {queue.name: frozenset((queue.name,)) for queue in config.queues}
        for plan in (*config.consumers, *config.disabled):
            for name in plan.config.queues:
                queues[name] = queues.get(name, frozenset((name,))).union(plan.config.queues)
        for one in config.partition_queues:
            inside = {name for plan in config.readers(one.name) for name in plan.config.queues}
            queues[one.name] = frozenset((one.name, *inside))
        return cls(queues)

    def __contains__(self, work_and_origin: tuple[str, str]) -> bool:
        work, origin = work_and_origin
        return origin == work or origin in self.queues.get(work, ())


NO_OTHERS = Origins()
"""Each dead queue has letters of its own queue alone."""


def read_letter(message: Contents, queue: str, origins: Origins = NO_OTHERS) -> DeadLetter:
    """Make sense of a message in a dead queue; headers that are not as PACER writes them are passed over."""
    try:
        return _read_letter(message, queue, origins)
    except Exception as error:
        return _unreadable(message, queue, queue.removesuffix(dead_queue("")), error)


def _read_letter(message: Contents, queue: str, origins: Origins) -> DeadLetter:
    own = own_headers(message.headers)
    deaths = [death for death in _list(message.headers.get("x-death")) if isinstance(death, dict)]
    origin: Origin = "pacer" if "error" in own else "broker" if deaths else "foreign"
    came_from, claimed = _came_from(origin, own, deaths, queue, origins)
    envelope = read_envelope(
        message.body, came_from, message.delivery_info, message.properties, message.headers
    )
    if not _given_correlation_id(own, message.properties):
        envelope = evolve(envelope, correlation_id="")
    if own.get("version") != VERSION:
        exchange, routing_key = _first_published(origin, deaths, envelope)
        envelope = evolve(envelope, exchange=exchange, routing_key=routing_key)
    dead_at = _time(own.get("dead-at")) or (_time(deaths[0].get("time")) if deaths else None)
    digest = _digest(message, queue, envelope.correlation_id, own.get("dead-at"), deaths)
    given = _list(own.get("fields"))
    fields = tuple(_word(one) for one in given[:FIELDS_SHOWN])
    return DeadLetter(
        id=b32encode(digest).decode().lower()[:_ID_LENGTH],
        number=int.from_bytes(digest, "big"),
        queue=queue,
        envelope=envelope,
        origin=origin,
        consumer=_word(own.get("consumer") or ""),
        error=_error(origin, own, deaths),
        claimed=claimed,
        attempts=envelope.attempt - 1,
        about=_about(own),
        fields=fields,
        field_count=_int(own.get("field-count"), len(given)),
        failures=_failures(own),
        pending=tuple(_word(task) for task in _list(own.get("pending"))),
        dead_at=dead_at,
        size=len(message.body),
        own=own,
    )


def _unreadable(
    message: Contents, queue: str, work: str, error: Exception, waiting: Waiting | None = None
) -> DeadLetter:
    """Give a letter of which nothing but the body can be told, and why that is so."""
    where = f"{queue} {work}\0".encode(errors="backslashreplace")
    digest = blake2b(where + message.body, digest_size=8).digest()
    content_type = message.properties.get("content_type")
    kept = {"content_type": content_type} if isinstance(content_type, str) else {}
    return DeadLetter(
        id=b32encode(digest).decode().lower()[:_ID_LENGTH],
        number=int.from_bytes(digest, "big"),
        queue=queue,
        envelope=Envelope(message.body, work, "", work, properties=kept),
        origin="unreadable",
        consumer="",
        error=f"its headers cannot be read ({type(error).__name__})",
        size=len(message.body),
        waiting=waiting,
    )


def read_waiting(message: Contents, queue: str) -> DeadLetter:
    """Make sense of a copy on the ladder; its work queue is in its routing key."""
    target = _word(message.delivery_info.get("routing_key") or "")
    try:
        return _read_waiting(message, queue, target)
    except Exception as error:
        waiting = Waiting(step_of(queue), None, message.headers)
        return _unreadable(message, queue, target, error, waiting)


def _read_waiting(message: Contents, queue: str, target: str) -> DeadLetter:
    own = own_headers(message.headers)
    ours = own.get("version") == VERSION
    envelope = read_envelope(message.body, target, message.delivery_info, message.properties, message.headers)
    if not _given_correlation_id(own, message.properties):
        envelope = evolve(envelope, correlation_id="")
    if not ours:  # it was seen by somebody else, who knows when
        envelope = evolve(envelope, first_seen=None)
    since = _time(own.get("waits-since"))
    digest = _digest(message, f"{queue} {target}", envelope.correlation_id, own.get("waits-since"), [])
    return DeadLetter(
        id=b32encode(digest).decode().lower()[:_ID_LENGTH],
        number=int.from_bytes(digest, "big"),
        queue=queue,
        envelope=envelope,
        origin="pacer" if ours else "foreign",
        consumer=_word(own.get("consumer") or ""),
        error=_word(own.get("waits-for") or "what it waits for was not written down"),
        attempts=envelope.attempt - 1,
        about=_about(own),
        pending=tuple(_word(task) for task in _list(own.get("pending"))),
        size=len(message.body),
        waiting=Waiting(step_of(queue), since, message.headers),
    )


def _digest(message: Contents, queue: str, correlation_id: str, dead_at: Any, deaths: list[Any]) -> bytes:
    """Give what tells a letter from others: PACER's by what it wrote, another by all that does not change.

    Each look adds to ``x-delivery-count``, so headers as a whole do not serve.
    """
    digest = blake2b(digest_size=8)
    parts = [queue, correlation_id, _word(dead_at)]
    if not isinstance(dead_at, str):
        parts += [_word(message.properties.get(name)) for name in ("message_id", "timestamp", "type")]
        parts += [f"{_word(death.get('queue'))} {_word(death.get('time'))}" for death in deaths]
        digest.update(message.body)
    digest.update("\0".join(parts).encode(errors="backslashreplace"))
    return digest.digest()


def _came_from(
    origin: Origin, own: Mapping[str, Any], deaths: list[Any], queue: str, origins: Origins
) -> tuple[str, str]:
    """Give the work queue of a letter, and the one that it claims to be from where it cannot be.

    ``x-death`` names the latest death first; the first one in a queue that it can have come from counts, as a
    letter may have died in the dead queue as well.
    """
    work = queue.removesuffix(dead_queue(""))
    claims = [death.get("queue") for death in deaths] if origin == "broker" else [own.get("queue")]
    named = [_word(one) for one in claims if isinstance(one, str) and one and one != queue]
    for one in named:
        if (work, one) in origins:
            return one, ""
    return work, named[0] if named else ""


def _first_published(origin: Origin, deaths: list[Any], envelope: Envelope) -> tuple[str, str]:
    if origin == "broker":
        keys = _list(deaths[-1].get("routing-keys"))
        return _word(deaths[-1].get("exchange") or ""), _word(keys[0]) if keys else ""
    return (envelope.exchange, envelope.routing_key) if envelope.exchange else ("", envelope.queue)


def _given_correlation_id(own: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    given = own.get("correlation-id"), properties.get("correlation_id"), properties.get("message_id")
    return bool(first_id(*given))  # else the envelope has a fresh one, another at each look


def _error(origin: Origin, own: Mapping[str, Any], deaths: list[Any]) -> str:
    if origin == "pacer":
        return _word(own["error"]) or "no reason given"
    if origin == "broker":
        reason = _word(deaths[0].get("reason"))
        return f"dead-lettered by the broker: {_REASONS.get(reason, reason)}"
    return "put here by somebody else: no PACER headers, no x-death"


def _failures(own: Mapping[str, Any]) -> tuple[TaskFailure, ...]:
    given = _list(own.get("failures"))[:_FAILURES]
    return tuple(_failure(one) for one in given if isinstance(one, dict))


def _failure(table: Mapping[str, Any]) -> TaskFailure:
    trace = table.get("trace")
    return TaskFailure(
        task=_word(table.get("task", "")),
        kind=_word(table.get("kind", "")),
        reason=_word(table.get("reason", "")),
        trace=_word(trace) if isinstance(trace, str) else None,
    )


def _time(value: Any) -> datetime | None:
    """Read a time; those of ``x-death`` are UTC and do not say so."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return sane(value if value.tzinfo is not None else value.replace(tzinfo=UTC))


def _word(value: Any) -> str:
    """Give a text, or anything else in a header as one; it may be nested deeper than Python writes out.

    What is longer than anything that PACER writes would only bury what else there is to see.
    """
    try:
        return str(value)[:_LONGEST]
    except (RecursionError, ValueError):  # ValueError: a number of more than 4300 digits
        return f"{type(value).__name__} that cannot be written out"


def _about(own: Mapping[str, Any]) -> dict[str, str]:
    return {_word(name): _word(value) for name, value in _dict(own.get("about")).items()}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _int(value: Any, default: int) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= _MOST else default
