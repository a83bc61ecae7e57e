"""Letters: messages in a dead queue, or on the ladder of retry queues, as PACER shows and handles them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from attrs import field, frozen

from pacer_core.model.messages import Envelope, TaskFailure

Origin = Literal["pacer", "broker", "foreign", "unreadable"]


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
