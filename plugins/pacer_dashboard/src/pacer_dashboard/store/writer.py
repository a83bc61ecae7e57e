"""Storing records: each once, many in one transaction, with all that is counted of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import define, field, frozen
from django.db import transaction

from pacer_dashboard.models import Identifier, Life, Lineage, Message, Sight
from pacer_dashboard.records import Record
from pacer_dashboard.store import clock, errors
from pacer_dashboard.store.fold import Folded, fold
from pacer_dashboard.store.rollups import Rollups
from pacer_dashboard.store.rows import (
    IDENTIFIERS,
    LIVES,
    MESSAGES,
    PAYLOADS,
    SIGHTS,
    Place,
    delete,
    insert,
    move,
    of_lives,
    record_of,
    sight_row,
)


@frozen
class Stored:
    """What became of a batch."""

    new: int
    duplicates: int
    fresh: set[tuple[str, str]]
    """The correlation ids and ids of those that are new."""


@define
class _Life:
    """A message of this batch: what was known of it, and what is new."""

    correlation_id: str
    arrived: datetime
    row: Life | None = None
    before: Message | None = None
    old: list[Record] = field(factory=list)
    new: list[Record] = field(factory=list)
    digests: set[str] = field(factory=set)


def store(records: Sequence[Record]) -> Stored:
    """Store records in one transaction; those that are there already change nothing.

    Raises
    ------
    django.db.Error
        Where the database does not take them; none is stored then.
    """
    once = {(one.correlation_id, one.id): one for one in reversed(records)}
    with transaction.atomic():
        revision = clock.take(len(once))
        lives = _lives([*once.values()][::-1])
        changed = [one for one in lives if one.new]
        _write(changed, revision)
    fresh = {(one.correlation_id, record.id) for one in changed for record in one.new}
    return Stored(len(fresh), len(records) - len(fresh), fresh)


def _lives(records: Iterable[Record]) -> list[_Life]:
    """Give the messages that records are of, with what is known of them."""
    lives: dict[str, _Life] = {}
    for record in records:
        life = lives.setdefault(record.correlation_id, _Life(record.correlation_id, record.first_seen))
        life.new.append(record)
    for row in Life.objects.filter(correlation_id__in=[*lives]):
        life = lives[row.correlation_id]
        life.row, life.arrived = row, row.arrived
    known = {one.correlation_id: one for one in lives.values() if one.row is not None}
    for life in lives.values():
        if life.row is None:
            life.arrived = min(one.first_seen for one in life.new)
    for sight in of_lives(Sight, [*known]):
        known[sight.correlation_id].old.append(record_of(sight))
        known[sight.correlation_id].digests.add(sight.digest)
    for message in of_lives(Message, [*known]):
        known[message.correlation_id].before = message
    for life in known.values():
        seen = {one.id for one in life.old}
        life.new = [one for one in life.new if one.id not in seen]
    return [*lives.values()]


def _write(lives: Sequence[_Life], revision: int) -> None:
    groups = errors.count(record for life in lives for record in life.new)
    origins = dict(
        Lineage.objects.filter(correlation_id__in=[one.correlation_id for one in lives]).values_list(
            "correlation_id", "origin"
        )
    )
    rollups = Rollups()
    rows = _Rows()
    for number, life in enumerate(lives):
        folded = fold([*life.old, *life.new])
        place = life.arrived, life.correlation_id, _is_troubled(life, folded)
        rows.add(life, place, folded.identifiers)
        rows.messages.append((*place, revision + number, *_message(life, folded, groups, origins)))
        _count(rollups, life, folded)
    rows.write()
    rollups.write()


@define
class _Rows:
    """The rows of a batch, table by table."""

    lives: list[tuple[Any, ...]] = field(factory=list)
    messages: list[tuple[Any, ...]] = field(factory=list)
    sights: list[tuple[Any, ...]] = field(factory=list)
    payloads: list[tuple[Any, ...]] = field(factory=list)
    identifiers: list[tuple[Any, ...]] = field(factory=list)
    gone: list[str] = field(factory=list)
    """Messages whose row is written anew."""
    moved: list[str] = field(factory=list)
    """Messages that are in trouble for the first time."""

    def add(self, life: _Life, place: Place, identifiers: Mapping[str, str]) -> None:
        """Add the rows of a message, but for its own."""
        if life.row is None:
            self.lives.append(place)
        else:
            self.gone.append(life.correlation_id)
            if life.row.troubled != place[2]:
                self.moved.append(life.correlation_id)
        for record in life.new:
            self.sights.append(sight_row(record, place))
            if record.payload is not None and record.digest not in life.digests:
                life.digests.add(record.digest)
                self.payloads.append((*place, record.digest, record.payload))
        self.identifiers += ((*place, key, value) for key, value in identifiers.items())

    def write(self) -> None:
        """Write them, those first that others are found by."""
        for model in (Message, Identifier):
            delete(model, self.gone)
        move(self.moved)
        insert(LIVES, self.lives)
        insert(MESSAGES, self.messages)
        insert(SIGHTS, self.sights)
        insert(PAYLOADS, self.payloads)
        insert(IDENTIFIERS, self.identifiers)


def _is_troubled(life: _Life, folded: Folded) -> bool:
    return folded.troubled or (life.row is not None and life.row.troubled)


def _message(
    life: _Life, folded: Folded, groups: Mapping[str, int], origins: Mapping[str, str]
) -> tuple[Any, ...]:
    """Give the row of a message, for `MESSAGES`, but for its place and revision."""
    first, failure, before = folded.first, folded.failure, life.before
    group = None
    if failure is not None:
        group = groups.get(errors.key(failure)) or (before.group if before else None)
    acknowledged: tuple[Any, ...] = (None, "", "")
    if before is not None and before.acknowledged_at and not _failed_since(life, before.acknowledged_at):
        acknowledged = before.acknowledged_at, before.acknowledged_by, before.acknowledged_note
    return (
        first.type,
        first.consumer,
        first.queue,
        first.exchange,
        first.routing_key,
        folded.state,
        folded.finished,
        folded.attempts,
        folded.sights,
        folded.identifiers.get("instrument", ""),
        folded.identifiers.get("proposal", ""),
        folded.identifiers.get("dataset", ""),
        group,
        *(("", "", "") if failure is None else (failure.kind, failure.task, failure.reason)),
        folded.failed_at,
        folded.origin or origins.get(life.correlation_id, before.origin if before else ""),
        folded.text,
        *acknowledged,
        folded.stages,
        folded.identifiers,
    )


def _failed_since(life: _Life, time: datetime) -> bool:
    """Tell whether a message failed again after somebody had acknowledged that it did."""
    return any(one.failed and one.finished > time for one in life.new)


def _count(rollups: Rollups, life: _Life, folded: Folded) -> None:
    """Count what is new; where the message's type or instrument is another now, count the rest anew."""
    now = _dimensions(folded)
    again: list[Record] = []
    if life.old:
        before = fold(life.old)
        rollups.arrived(before.first, _dimensions(before), -1)
        if _dimensions(before) != now:
            again = life.old
            for record in again:
                rollups.seen(record, _dimensions(before), -1)
    rollups.arrived(folded.first, now, 1)
    for record in (*again, *life.new):
        rollups.seen(record, now, 1)


def _dimensions(folded: Folded) -> tuple[str, str]:
    return folded.first.type, folded.identifiers.get("instrument", "")
