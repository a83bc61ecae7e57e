"""A record: what became of one delivery of a message."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from attrs import field, frozen

OUTCOMES = ("acked", "retried", "dead")
"""From the best to the worst."""
_KINDS = ("reject", "error", "retry", "not-yet", "away", "behind")
"""Kinds of failures, those first that say most about why a message did not get through."""

Keys = Mapping[str, tuple[str, ...]]
"""By ``instrument``, ``proposal`` and ``dataset``: the identifiers that hold it, the best one first."""
DEFAULT_KEYS: Keys = {
    "instrument": ("instrument", "beamline"),
    "proposal": ("proposal", "investigation"),
    "dataset": ("dataset", "dataset_id"),
}


@frozen
class Failure:
    """Why one task did not finish: ``kind`` as in `pacer_core`, ``fields`` as pairs of path and message."""

    task: str
    kind: str
    reason: str
    fields: tuple[tuple[str, str], ...] = ()


@frozen
class Record:
    """One delivery of a message: what it was, when, and what became of it. All times are in UTC."""

    id: str
    correlation_id: str
    consumer: str
    type: str
    outcome: str
    finished: datetime
    started: datetime
    first_seen: datetime
    queue: str = ""
    exchange: str = ""
    routing_key: str = ""
    attempt: int = 1
    redelivered: bool = False
    identifiers: Mapping[str, str] = field(factory=dict)
    """Those of the message, and ``instrument``, ``proposal`` and ``dataset`` where `Keys` finds them."""
    timings: Mapping[str, float] = field(factory=dict)
    done: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    follow_ups: tuple[str, ...] = ()
    payload: str | None = None
    payload_size: int = 0
    content_type: str | None = None
    headers: Mapping[str, str | int | float] = field(factory=dict, repr=False)
    """The publisher's own."""
    origin: str = ""
    """The correlation id of the message that this one was made from, where the record says so."""

    @property
    def failed(self) -> bool:
        """Whether the message was not acknowledged with all its tasks done."""
        return self.outcome != "acked"

    @property
    def failure(self) -> Failure | None:
        """The failure that says most."""
        return min(self.failures, key=lambda one: _rank(one.kind), default=None)

    @property
    def processing(self) -> timedelta:
        """How long its tasks took."""
        return max(self.finished - self.started, timedelta(0))

    @property
    def queueing(self) -> timedelta | None:
        """How long it waited before its first attempt; ``None`` for later ones, which waited on purpose."""
        return max(self.started - self.first_seen, timedelta(0)) if self.attempt == 1 else None

    @property
    def digest(self) -> str:
        """What tells its payload from others of the same message; empty where there is none."""
        return "" if self.payload is None else blake2b(self.payload.encode(), digest_size=12).hexdigest()

    @property
    def detail(self) -> dict[str, Any]:
        """What is looked at, and never searched: timings, tasks, failures, follow-ups."""
        return {
            "timings": dict(self.timings),
            "done": list(self.done),
            "pending": list(self.pending),
            "failures": [
                {"task": one.task, "kind": one.kind, "reason": one.reason, "fields": [*map(list, one.fields)]}
                for one in self.failures
            ],
            "follow_ups": list(self.follow_ups),
            "headers": dict(self.headers),
        }


def with_keys(identifiers: Mapping[str, str], keys: Keys) -> dict[str, str]:
    """Add ``instrument``, ``proposal`` and ``dataset`` to identifiers, from those that hold them."""
    found = dict(identifiers)
    for name, candidates in keys.items():
        value = next((identifiers[one] for one in candidates if identifiers.get(one)), None)
        if value is not None:
            found.setdefault(name, value)
    return found


def _rank(kind: str) -> int:
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)
