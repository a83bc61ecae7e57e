"""From all records of a message to what is said of it; the order in which they came makes no difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen

from pacer_dashboard.records import Failure, Record
from pacer_dashboard.records.record import OUTCOMES
from pacer_dashboard.store.paper import iso

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


def fold(records: Sequence[Record]) -> Folded:
    """Fold the records of one message, each of them once, into what is said of it.

    A stage is a consumer that the message, or a follow-up of it, came to; it is what its latest sight says.
    The message's state is that of its worst stage.
    """
    return fold_one(*records) if len(records) == 1 else fold_many(records)


def fold_one(record: Record) -> Folded:
    """Say what `fold_many` does where a record is the only one of its message, as most are."""
    return Folded(
        first=record,
        state=record.outcome,
        finished=record.finished,
        attempts=record.attempt,
        sights=1,
        stages=[_stage(record, 1)],
        identifiers={**record.identifiers},
        failure=record.failure if record.failed else None,
        failed_at=record.finished if record.failed else None,
        text=_text(record.correlation_id, record.identifiers, (record,)),
        origin=record.origin,
        troubled=record.failed,
    )


def fold_many(records: Iterable[Record]) -> Folded:
    """Fold any number of records of one message."""
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
        stages=[
            _stage(one, [each.consumer for each in ordered].count(one.consumer))
            for one in sorted(latest.values(), key=lambda one: one.first_seen)
        ],
        identifiers=identifiers,
        failure=failing[-1].failure if failing else None,
        failed_at=failing[-1].finished if failing else None,
        text=_text(first.correlation_id, identifiers, latest.values()),
        origin=next((one.origin for one in ordered if one.origin), ""),
        troubled=bool(failing),
    )


def _stage(latest: Record, sights: int) -> dict[str, Any]:
    return {
        "consumer": latest.consumer,
        "type": latest.type,
        "queue": latest.queue,
        "outcome": latest.outcome,
        "attempt": latest.attempt,
        "sights": sights,
        "first_seen": iso(latest.first_seen),
        "finished": iso(latest.finished),
        "pending": list(latest.pending),
        "follow_ups": list(latest.follow_ups),
    }


def _text(correlation_id: str, identifiers: Mapping[str, str], latest: Iterable[Record]) -> str:
    reasons = {failure.reason for one in latest for failure in one.failures}
    parts = (correlation_id, *sorted({*identifiers.values()}), *sorted(reasons))
    return "\n".join(parts).lower()[:_LONGEST]
