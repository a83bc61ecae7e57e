"""Storing records: each once, many in one transaction, with all that is counted of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import define, field, frozen
from django.db import connection, transaction

from pacer_dashboard.models import Identifier, Life, Message, Sight
from pacer_dashboard.records import Record, fingerprint
from pacer_dashboard.store import clock, errors, given
from pacer_dashboard.store.drafts import Draft, draft, identifier_rows, message_row
from pacer_dashboard.store.fold import Folded, fold
from pacer_dashboard.store.paper import Paper, Part, paper_of
from pacer_dashboard.store.rollups import LastSums, Rollups, Sums
from pacer_dashboard.store.rows import (
    IDENTIFIERS,
    LIVES,
    MESSAGES,
    PAYLOADS,
    SIGHTS,
    delete,
    insert,
    lives_there,
    move,
    of_lives,
    record_of,
)

_ORIGINS = """
SELECT correlation_id, origin FROM pacer_dashboard_lineage JOIN ({given}) AS new USING (correlation_id)
"""

_sums = LastSums()


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
    new: list[Draft] = field(factory=list)
    begin: Part = None
    """What each of its rows begins with."""
    row: Life | None = None
    before: Message | None = None
    old: list[Record] = field(factory=list)
    digests: set[str] = field(factory=set)

    @property
    def troubled(self) -> bool:
        """Whether it ever was in trouble."""
        return (self.row is not None and self.row.troubled) or any(one.record.failed for one in self.new)

    @property
    def moves(self) -> bool:
        """Whether it is in trouble for the first time, and was there before."""
        return self.row is not None and self.row.troubled != self.troubled

    @property
    def only(self) -> Draft | None:
        """The draft of its only record, where no more is known of it."""
        return self.new[0] if self.row is None and len(self.new) == 1 else None


def store(records: Sequence[Record]) -> Stored:
    """Store records in one transaction; those that are there already change nothing.

    Raises
    ------
    django.db.Error
        Where the database does not take them; none is stored then.
    """
    paper = paper_of(connection.vendor)
    return commit([draft(one, paper) for one in records])


def commit(drafts: Sequence[Draft]) -> Stored:
    """Store the records of drafts, as `store` does."""
    once = {(one.record.correlation_id, one.record.id): one for one in reversed(drafts)}
    with transaction.atomic():
        revision = clock.take(1 + len(once))
        lives = _lives([*once.values()][::-1], paper_of(connection.vendor))
        changed = [one for one in lives if one.new]
        sums = _sums.since(revision)
        _write(changed, revision, sums)
    _sums.keep(sums, revision + 1 + len(once))
    fresh = {(one.correlation_id, each.record.id) for one in changed for each in one.new}
    return Stored(len(fresh), len(drafts) - len(fresh), fresh)


def _lives(drafts: Iterable[Draft], paper: Paper) -> list[_Life]:
    """Give the messages that records are of, with what is known of them; those that are new are there now.

    Who has taken the clock is the only one that makes lives, so none can come between the look and the rows.
    """
    lives: dict[str, _Life] = {}
    for one in drafts:
        record = one.record
        life = lives.get(record.correlation_id)
        if life is None:
            life = lives[record.correlation_id] = _Life(record.correlation_id, record.first_seen)
        life.arrived = min(life.arrived, record.first_seen)
        life.new.append(one)
    for row in lives_there([*lives]):
        life = lives[row.correlation_id]
        life.row, life.arrived = row, row.arrived
    for life in lives.values():
        life.begin = paper.begin((life.arrived, life.correlation_id, life.troubled))
    insert(LIVES, [paper.alone(one.begin) for one in lives.values() if one.row is None])
    _recall(lives, [one for one in lives.values() if one.row is not None])
    return [*lives.values()]


def _recall(lives: Mapping[str, _Life], known: Sequence[_Life]) -> None:
    """Read what is known of lives that were there before, and forget what comes again."""
    if not known:
        return
    for sight in of_lives(Sight, known):
        lives[sight.correlation_id].old.append(record_of(sight))
        lives[sight.correlation_id].digests.add(sight.digest)
    for message in of_lives(Message, known):
        lives[message.correlation_id].before = message
    for life in known:
        seen = {one.id for one in life.old}
        life.new = [one for one in life.new if one.record.id not in seen]


def _write(lives: Sequence[_Life], revision: int, sums: Sums) -> None:
    if not lives:
        return
    failed = ((each.print, each.record) for one in lives for each in one.new if each.print is not None)
    groups = errors.count(failed, revision)
    ids = ((one.correlation_id,) for one in lives)
    origins = dict(given.run(_ORIGINS, {"correlation_id": "varchar"}, ids))
    delete(Message, [one for one in lives if one.row is not None])
    moved = [one for one in lives if one.moves]
    delete(Identifier, moved)
    move(moved)
    rows = _Rows(paper_of(connection.vendor))
    insert(MESSAGES, rows.messages(lives, groups, origins, revision + 1))
    delete(Identifier, rows.renamed)
    insert(SIGHTS, rows.sights)
    insert(PAYLOADS, rows.payloads)
    insert(IDENTIFIERS, rows.identifiers)
    rows.rollups.write(sums)


@define
class _Rows:
    """What a batch writes, table by table, and what it counts."""

    paper: Paper
    sights: list[Part] = field(factory=list)
    payloads: list[Part] = field(factory=list)
    identifiers: list[Part] = field(factory=list)
    renamed: list[_Life] = field(factory=list)
    """Messages whose identifiers are written anew."""
    rollups: Rollups = field(factory=Rollups)

    def messages(
        self, lives: Sequence[_Life], groups: Mapping[str, int], origins: Mapping[str, str], revision: int
    ) -> Iterator[Part]:
        """Give the rows of messages, and add the others: the server is at the first ones meanwhile."""
        for number, life in enumerate(lives, revision):
            only = life.only
            folded = only.message if only else fold([*life.old, *(one.record for one in life.new)])
            _count(self.rollups, life, folded)
            begin = life.begin
            self._add(life, begin)
            if life.before is None or life.before.identifiers != folded.identifiers or life.moves:
                self._name(life, folded, begin)
            said = self.paper.begin((number, *_said(life, folded, groups, origins)))
            yield begin + said + (only.message_row if only else message_row(folded, self.paper))

    def _add(self, life: _Life, begin: Part) -> None:
        for one in life.new:
            self.sights.append(begin + one.sight_row)
            if one.payload_row is not None and one.digest not in life.digests:
                life.digests.add(one.digest)
                self.payloads.append(begin + one.payload_row)

    def _name(self, life: _Life, folded: Folded, begin: Part) -> None:
        if life.row is not None and not life.moves:  # those that move have lost theirs
            self.renamed.append(life)
        pairs = life.only.identifier_rows if life.only else identifier_rows(folded, self.paper)
        self.identifiers += [begin + one for one in pairs]


def _said(
    life: _Life, folded: Folded, groups: Mapping[str, int], origins: Mapping[str, str]
) -> tuple[Any, ...]:
    """Give when a message failed, its group and origin, and when, by whom and why it was acknowledged."""
    before, group = life.before, None
    if folded.failure is not None:
        print_ = life.only.print if life.only else fingerprint(folded.failure)
        group = (groups.get(print_.key) if print_ else None) or (before.group if before else None)
    acknowledged: tuple[Any, ...] = (None, "", "")
    if before is not None and before.acknowledged_at and not _failed_since(life, before.acknowledged_at):
        acknowledged = before.acknowledged_at, before.acknowledged_by, before.acknowledged_note
    origin = folded.origin or origins.get(life.correlation_id, before.origin if before else "")
    return folded.failed_at, group, origin, *acknowledged


def _failed_since(life: _Life, time: datetime) -> bool:
    """Tell whether a message failed again after somebody had acknowledged that it did."""
    return any(one.record.failed and one.record.finished > time for one in life.new)


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
    for record in (*again, *(one.record for one in life.new)):
        rollups.seen(record, now, 1)


def _dimensions(folded: Folded) -> tuple[str, str]:
    return folded.first.type, folded.identifiers.get("instrument", "")
