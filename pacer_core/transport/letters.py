"""Letters: what the headers of one tell, which are wanted, and the fresh copy that a replay sends.

Three kinds lie in a dead queue. PACER's own carry why they are dead. Those that the broker dead-lettered
itself have ``x-death`` alone: https://www.rabbitmq.com/docs/dlx#effects. Somebody else's have neither.
What waits on the ladder of retry queues is read here as well: the same envelope, with what it waits for.

Whatever is in a letter, a publisher may have written it, and no letter keeps the others from being seen: what
cannot be right is passed over, and one that cannot be read at all is a letter that says so.
"""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal, Self

import orjson
from attrs import evolve, field, frozen

from pacer_core.config.model import Config
from pacer_core.model.messages import Envelope, TaskFailure
from pacer_core.model.queue_names import step_of
from pacer_core.transport.amqp.deliveries import Contents
from pacer_core.transport.header_size import DEEPEST, nested_beyond, together
from pacer_core.transport.headers import (
    FIELDS_SHOWN,
    PREFIX,
    VERSION,
    copy_properties,
    first_id,
    plain_headers,
    read_envelope,
    sane,
)
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.signing import Signer
from pacer_core.transport.topology import dead_queue

Origin = Literal["pacer", "broker", "foreign", "unreadable"]

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
class Waiting:
    """What a copy on the ladder has that a dead letter has not."""

    step: int
    """For how many seconds the queue that it lies in keeps it."""
    since: datetime | None
    """When it was put there; ``None`` where an older release of PACER, or somebody else, has done it."""
    headers: Mapping[str, Any] = field(repr=False)
    """All of them, as they came: PACER's own, which the envelope has in other words, among them."""

    @property
    def due(self) -> datetime | None:
        """When the broker puts it back into its queue."""
        return None if self.since is None else self.since + timedelta(seconds=self.step)


@frozen
class DeadLetter:
    """One message in a dead queue, or on the ladder of retry queues."""

    id: str
    """Eight letters and digits: the same at every look, and on every machine."""
    number: int
    """What ``id`` is the beginning of, as 64 bits."""
    queue: str
    """The queue it lies in."""
    envelope: Envelope
    """As the message came; ``queue`` is the work queue it came from. ``correlation_id`` may be empty."""
    origin: Origin
    """Who put it here: PACER, the broker by itself, somebody else, or nobody knows: it cannot be read."""
    consumer: str
    error: str
    """Why it is dead, or what it waits for."""
    claimed: str = ""
    """Where it says to have come from, and cannot have; the envelope names its dead queue's own queue."""
    attempts: int = 0
    about: Mapping[str, str] = field(factory=dict)
    """What its consumer says it is about: proposal, dataset, user. Empty where it could not be parsed."""
    fields: tuple[str, ...] = ()
    """The first bad fields, as ``path: what is wrong``."""
    field_count: int = 0
    """How many bad fields there are in all."""
    failures: tuple[TaskFailure, ...] = ()
    pending: tuple[str, ...] = ()
    dead_at: datetime | None = None
    size: int = 0
    """Bytes of the body."""
    waiting: Waiting | None = None
    """Where it waits on the ladder; ``None`` where it is dead."""
    own: Mapping[str, Any] = field(factory=dict, repr=False)
    """PACER's own headers as they came, without their prefix: its signature is over these."""

    @property
    def doubt(self) -> str:
        """Why nobody knows where it came from; empty where that is known."""
        if self.origin == "unreadable":
            return "has headers that cannot be read"
        return "says to have come from a queue that its consumer does not read" if self.claimed else ""

    @property
    def since(self) -> datetime | None:
        """Since when it is dead; of one that waits, since when PACER has known the message."""
        return self.dead_at if self.waiting is None else self.envelope.first_seen


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
    own = {
        name.removeprefix(PREFIX): value for name, value in message.headers.items() if name.startswith(PREFIX)
    }
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


@frozen
class Wanted:
    """Which letters are meant; everything that is given has to fit."""

    ids: tuple[str, ...] = ()
    """Beginnings of ids, or whole correlation ids: one of them has to fit."""
    consumer: str | None = None
    error: str | None = None
    """A text or a regular expression, in the error or in one of its fields, whatever the case."""
    correlation_id: str | None = None
    about: str | None = None
    """What the consumer type says that it is about: ``name=value``, or the value alone, whatever the case."""
    before: datetime | None = None
    after: datetime | None = None

    def __call__(self, letter: DeadLetter) -> bool:
        """Say whether a letter is meant. One whose time is unknown fits no limit of time."""
        if self.ids and not any(_named(letter, one) for one in self.ids):
            return False
        if self.consumer is not None and letter.consumer != self.consumer:
            return False
        if self.correlation_id is not None and letter.envelope.correlation_id != self.correlation_id:
            return False
        if self.about is not None and not _is_about(letter, self.about.casefold()):
            return False
        if self.before is not None and not (letter.since and letter.since < self.before):
            return False
        if self.after is not None and not (letter.since and letter.since >= self.after):
            return False
        return self.error is None or any(_says(line, self.error) for line in (letter.error, *letter.fields))


def believed(letter: DeadLetter, signer: Signer) -> Envelope:
    """Give the envelope of a letter that is to be acted on: without state that PACER has not written there.

    Where its signature does not fit it is a message that somebody has published to its queue itself.
    """
    envelope = letter.envelope
    if letter.own.get("version") != VERSION or signer.believes(
        envelope.queue, envelope.body, envelope.properties, letter.own
    ):
        return envelope
    return evolve(
        envelope, exchange="", routing_key=envelope.queue, done=(), rejected={}, facts={}, original={}
    )


def replayed(envelope: Envelope, *, pending_only: bool = False, queue: str | None = None) -> Outgoing:
    """Give the copy of a dead letter that starts anew in the queue it came from.

    Attempts and retries count from the start, and the time it may wait for something (`NotYet`) begins when
    it is next seen: a person has looked and wants it tried like a new one. Correlation id, path, exchange and
    routing key of the first sight stay. With ``pending_only`` tasks that are done do not run again, and the
    facts that they left are there; tasks that rejected it do run again. It is to be signed (`Signer.signed`).
    """
    own: dict[str, Any] = {
        "version": VERSION,
        "exchange": envelope.exchange,
        "routing-key": envelope.routing_key,
    }
    if envelope.correlation_id:
        own["correlation-id"] = envelope.correlation_id
    if envelope.path:
        own["path"] = list(envelope.path)
    if envelope.original:
        own["original"] = dict(envelope.original)
    if pending_only:
        own["done"] = list(envelope.done)
        own["facts"] = orjson.dumps(dict(envelope.facts)).decode()
    return Outgoing(
        exchange="",
        routing_key=envelope.queue if queue is None else queue,
        body=envelope.body,
        headers=together(plain_headers(envelope.headers), own, PREFIX),
        properties=copy_properties(envelope),
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
    own = {
        name.removeprefix(PREFIX): value for name, value in message.headers.items() if name.startswith(PREFIX)
    }
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


def hastened(letter: DeadLetter) -> Outgoing:
    """Give the message that the broker itself would put into the work queue once its time is over."""
    headers = {} if letter.waiting is None else plain_headers(letter.waiting.headers)
    return Outgoing(
        exchange="",
        routing_key=letter.envelope.queue,
        body=letter.envelope.body,
        headers={name: value for name, value in headers.items() if not nested_beyond(value, DEEPEST)},
        properties=copy_properties(letter.envelope),
    )


def _is_about(letter: DeadLetter, wanted: str) -> bool:
    return any(
        wanted in (value.casefold(), f"{name}={value}".casefold()) for name, value in letter.about.items()
    )


def _named(letter: DeadLetter, name: str) -> bool:
    return letter.id.startswith(name.lower()) or letter.envelope.correlation_id == name


def _says(line: str, wanted: str) -> bool:
    if wanted.casefold() in line.casefold():
        return True
    try:
        return re.search(wanted, line, re.IGNORECASE) is not None
    except re.error:
        return False


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
