"""From all records of a message to what is said of it; the order in which they came makes no difference."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from attrs import frozen

from pacer_dashboard.records import Failure, Record
from pacer_dashboard.records.record import OUTCOMES

_LONGEST = 4000


@frozen
class Folded:
    """A message, by all that is known of it."""

    first: Record
    """The first sight of its first stage."""
    state: str
    finished: datetime
    attempts: int
    sights: int
    stages: list[dict[str, Any]]
    identifiers: dict[str, str]
    failure: Failure | None
    failed_at: datetime | None
    text: str
    origin: str
    troubled: bool


def fold(records: Iterable[Record]) -> Folded:
    """Fold the records of one message, each of them once, into what is said of it.

    A stage is a consumer that the message, or a follow-up of it, came to; it is what its latest sight says.
    The message's state is that of its worst stage.
    """
    ordered = sorted(records, key=lambda one: (one.finished, one.attempt, one.id))
    first = min(ordered, key=lambda one: (one.first_seen, one.finished, one.id))
    latest = {one.consumer: one for one in ordered}
    identifiers: dict[str, str] = {}
    # The first stage names things as their sender does, follow-ups by their numbers; of a stage the latest.
    for one in sorted(ordered, key=lambda one: one.first_seen, reverse=True):
        identifiers.update(one.identifiers)
    failing = [one for one in ordered if one.failed]
    return Folded(
        first=first,
        state=max((one.outcome for one in latest.values()), key=OUTCOMES.index),
        finished=ordered[-1].finished,
        attempts=max(one.attempt for one in ordered),
        sights=len(ordered),
        stages=[_stage(one, ordered) for one in sorted(latest.values(), key=lambda one: one.first_seen)],
        identifiers=identifiers,
        failure=failing[-1].failure if failing else None,
        failed_at=failing[-1].finished if failing else None,
        text=_text(first.correlation_id, identifiers, latest.values()),
        origin=next((one.origin for one in ordered if one.origin), ""),
        troubled=bool(failing),
    )


def _stage(latest: Record, ordered: list[Record]) -> dict[str, Any]:
    return {
        "consumer": latest.consumer,
        "type": latest.type,
        "queue": latest.queue,
        "outcome": latest.outcome,
        "attempt": latest.attempt,
        "sights": [one.consumer for one in ordered].count(latest.consumer),
        "first_seen": latest.first_seen.isoformat(),
        "finished": latest.finished.isoformat(),
        "pending": list(latest.pending),
        "follow_ups": list(latest.follow_ups),
    }


def _text(correlation_id: str, identifiers: dict[str, str], latest: Iterable[Record]) -> str:
    reasons = {failure.reason for one in latest for failure in one.failures}
    parts = (correlation_id, *sorted({*identifiers.values()}), *sorted(reasons))
    return "\n".join(parts).lower()[:_LONGEST]
