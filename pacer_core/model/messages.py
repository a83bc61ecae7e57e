"""A message on its way: `Envelope` as it came, `Context` as a task sees it, `Delivery` as it ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import field, frozen

from pacer_core.model.errors import BadField, PacerError

if TYPE_CHECKING:
    from pacer_core.model.integrations import IntegrationType

C = TypeVar("C")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_SECONDS = 100_000_000_000
IGNORED = "ignored_messages"
"""What is counted of messages that their class passes over."""


@frozen(slots=False)  # one for each message: with slots, setting frozen fields takes twice as long
class Envelope:
    """A message as the broker delivered it: raw bytes, and everything known about its way so far.

    ``properties`` are AMQP 0-9-1 basic properties (``content_type``, ``priority``, ...), ``headers`` the
    publisher's own headers; PACER's ``x-pacer-`` headers are read into the other attributes.
    ``exchange`` and ``routing_key`` are those of the message's first sight, whichever copy this is.
    """

    body: bytes
    queue: str
    exchange: str = ""
    routing_key: str = ""
    headers: Mapping[str, Any] = field(factory=dict)
    properties: Mapping[str, Any] = field(factory=dict)
    redelivered: bool = False
    """Whether it was delivered before; true of the copy as well that counts its returns afresh."""
    correlation_id: str = ""
    first_seen: datetime | None = None
    attempt: int = 1
    """Which sight of the message this is, from 1."""
    retries: int = 0
    """How many copies failed with a `Retry` or an error; waiting for something (`NotYet`) does not count."""
    done: tuple[str, ...] = ()
    """Tasks that earlier copies of this message have finished; they do not run again."""
    rejected: Mapping[str, str] = field(factory=dict)
    """Tasks that rejected an earlier copy, with their reasons; they do not run again either."""
    facts: Mapping[str, Any] = field(factory=dict)
    path: tuple[str, ...] = ()
    """The brokers that this message has been at, for the detection of loops."""
    original: Mapping[str, Any] = field(factory=dict)
    """What the publisher set and a copy may not have: ``expiration``, ``user_id``, ``CC``, ``x-death``."""
    waited: int = 0
    """For how many seconds its copies have waited for what is still to come (`NotYet`)."""
    returns: int = 0
    """How often a quorum queue has had it back, where the broker counts (``x-delivery-count``)."""
    restarts: int = 0
    """How often what a copy said was dropped, since its signature did not fit: it began anew each time."""
    partition: str = ""
    """The queue of a partition that it was read from; ``queue`` is the one that it was published to."""
    key: str | None = None
    """In a partition, its key, as the intake has found it: ``""`` for none, ``None`` where nobody knows."""

    @property
    def home(self) -> str:
        """The queue that its copies go back to: its partition, where it is in one."""
        return self.partition or self.queue

    @property
    def content_type(self) -> str | None:
        """The media type that the publisher gave, without parameters and in lower case, or ``None``."""
        value = self.properties.get("content_type")
        return _media_type(value) if isinstance(value, str) else None

    @property
    def published(self) -> datetime | None:
        """When its publisher says that it was published: the property ``timestamp``, or ``None``.

        On the wire that is a whole number since 1970: of seconds by AMQP's rules, and of milliseconds from
        publishers that know no seconds. Numbers that would be seconds after the year 5138 count as those.
        """
        value = self.properties.get("timestamp")
        if isinstance(value, datetime):  # of a transport other than AMQP
            return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1000 * _MOST_SECONDS:
            return None
        return _EPOCH + (timedelta(seconds=value) if value < _MOST_SECONDS else timedelta(milliseconds=value))


@lru_cache(maxsize=256)
def _media_type(value: str) -> str | None:
    return value.partition(";")[0].strip().lower() if value.strip() else None


@frozen
class FollowUp:
    """A message for another consumer type, emitted by a task; published before its parent is settled."""

    consumer_type: str
    body: bytes
    content_type: str = "application/json"


class Outcome(Enum):
    """The three ways in which a message ends."""

    ACKED = "acked"
    RETRIED = "retried"
    DEAD = "dead"

    __hash__ = object.__hash__  # members are themselves alone; an enumeration's own hash is Python, and slow


@frozen
class TaskFailure:
    """What one task had to say when it did not finish.

    ``kind`` is ``retry``, ``not-yet``, ``reject`` or ``error`` (an exception that nobody expected; ``trace``
    is its traceback, shortened). ``away`` is a task whose system says so itself, or that was not even tried
    since it is; ``behind`` one that was not tried either (an earlier message of its key still waits for it).
    """

    task: str
    kind: str
    reason: str
    fields: tuple[BadField, ...] = ()
    trace: str | None = None
    after: float | None = None


@frozen(slots=False)  # as the envelope
class Delivery:
    """One message with what became of it: the pipeline's result, and what settlement acts on."""

    envelope: Envelope
    consumer: str
    outcome: Outcome
    message: Any = None
    """The typed message, or ``None`` where the body could not be parsed."""
    done: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    rejected: Mapping[str, str] = field(factory=dict)
    failures: tuple[TaskFailure, ...] = ()
    facts: Mapping[str, Any] = field(factory=dict)
    follow_ups: tuple[FollowUp, ...] = ()
    description: Mapping[str, str] = field(factory=dict)
    """The identifiers by which people look for the message (proposal, dataset, user)."""
    delay: float | None = None
    """The wished delay of a retry in seconds, before it is rounded up to a step of the ladder."""
    started: datetime | None = None
    finished: datetime | None = None
    timings: Mapping[str, float] = field(factory=dict)
    """Seconds spent in each task that ran."""
    counts: Mapping[str, int] = field(factory=dict)
    """What tasks have counted with `Context.count`, in this sight of the message."""

    @property
    def error(self) -> str | None:
        """The failures in one line, or ``None``."""
        return "; ".join(f"{failure.task}: {failure.reason}" for failure in self.failures) or None

    @property
    def bad_fields(self) -> tuple[BadField, ...]:
        """Every bad field that any task, or the parser, named."""
        return tuple(bad for failure in self.failures for bad in failure.fields)


class Clients:
    """The clients that one delivery may use, by the name of their integration type."""

    def __init__(self, clients: Mapping[str, Any]) -> None:
        self._clients = clients

    def get(self, integration: IntegrationType[C]) -> C:
        """Give the client of an integration type.

        Raises
        ------
        PacerError
            Where the consumer does not enable that integration.
        Retry
            Where it cannot be opened just now.
        """
        try:
            client: C = self._clients[integration.name]
        except KeyError:
            raise PacerError(
                f"integration {integration.name!r} is not enabled for this consumer: "
                f"add it to the consumer's 'integrations', or to the task's needs="
            ) from None
        return client


class Context:
    """What a task sees beside its message; made anew for every delivery, used by one thread at a time."""

    def __init__(
        self,
        envelope: Envelope,
        consumer: str,
        *,
        options: Any = None,
        clients: Clients | None = None,
        facts: dict[str, Any] | None = None,
        emit: Callable[[str, Any], bool] | None = None,
    ) -> None:
        self.envelope = envelope
        self.consumer = consumer
        self.options = options
        """The consumer's options, or those of the task where it has its own."""
        self._facts: dict[str, Any] = dict(envelope.facts) if facts is None else facts
        self._clients = Clients({}) if clients is None else clients
        self._emit = emit
        self.counts: dict[str, int] = {}
        """What has been counted so far, by name."""

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose records carry the message's correlation id."""
        logger = logging.getLogger(f"pacer.task.{self.consumer}")
        return logging.LoggerAdapter(logger, {"correlation_id": self.envelope.correlation_id})

    @property
    def facts(self) -> dict[str, Any]:
        """A small JSON dictionary that later tasks and retries of this message see; 8 KiB at most."""
        return self._facts

    @facts.setter
    def facts(self, facts: Mapping[str, Any]) -> None:
        given = dict(facts)
        self._facts.clear()
        self._facts.update(given)

    def __getitem__(self, integration: IntegrationType[C]) -> C:
        """Give the opened client of an integration: ``ctx[ICAT]``."""
        return self._clients.get(integration)

    def emit(self, consumer_type: str, payload: Any) -> bool:
        """Send a follow-up message to another consumer type; give whether a consumer takes it.

        It is published and confirmed when this message settles, in whichever way, before the copy and the
        ack. Where no consumer of that type is configured nothing is sent. ``payload`` is an attrs instance,
        or anything JSON has a word for.
        """
        return self._emit is not None and self._emit(consumer_type, payload)

    def count(self, what: str, number: int = 1) -> None:
        """Count something for the metrics: one of the names in the task's ``counts=``.

        It is counted in each sight of a message, when that is settled.
        """
        if number:
            self.counts[what] = self.counts.get(what, 0) + number

    def for_task(self, options: Any) -> Context:
        """Give the same context with the options of one task."""
        if options is self.options:
            return self
        twin = object.__new__(Context)
        twin.__dict__.update(self.__dict__)
        twin.options = options
        return twin


def names(fields: Sequence[BadField]) -> list[str]:
    """Give the paths of bad fields, each once, in order."""
    return list(dict.fromkeys(bad.path for bad in fields))
