"""Counts and times by hour, day and month, added up in the transaction of the records that they are of."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from attrs import define, field
from django.db import connection

from pacer_dashboard.histogram import bin_of
from pacer_dashboard.records import Record
from pacer_dashboard.store import given

Key = tuple[str, datetime, str, str, str, str]
"""Step, bucket, type, consumer, instrument, task."""
_KEY: given.Columns = {
    "step": "varchar",
    "bucket": "timestamptz",
    "type": "varchar",
    "consumer": "varchar",
    "instrument": "varchar",
    "task": "varchar",
}
_KEPT = 10_000  # sums of which a process remembers what they are
_NUMBERS = ("messages", "acked", "retried", "dead")
_CELL: given.Columns = {
    **_KEY,
    **dict.fromkeys(_NUMBERS, "bigint"),
    "processing": "jsonb",
    "queueing": "jsonb",
}
_SAME = " AND ".join(f"there.{one} = new.{one}" for one in _KEY)
# Histograms are texts here: they are read by us, and nobody reads them twice.
_PRESENT = f"""
SELECT new.number, {", ".join(f"there.{one}" for one in _NUMBERS)},
    CAST(there.processing AS text), CAST(there.queueing AS text)
FROM ({{given}}) AS new JOIN pacer_dashboard_rollup AS there ON {_SAME}
"""  # noqa: S608 - our own names
_WRITE = f"""
INSERT INTO pacer_dashboard_rollup ({", ".join(_CELL)}) {{given}}
ON CONFLICT ({", ".join(_KEY)}) DO UPDATE SET
    {", ".join(f"{one} = excluded.{one}" for one in _CELL if one not in _KEY)}
"""


@define
class _Cell:
    numbers: Counter[str] = field(factory=Counter)
    processing: Counter[int] = field(factory=Counter)
    queueing: Counter[int] = field(factory=Counter)

    def __bool__(self) -> bool:
        return any(any(one.values()) for one in (self.numbers, self.processing, self.queueing))

    def add(self, other: _Cell) -> None:
        """Add another one's counts."""
        self.numbers.update(other.numbers)
        self.processing.update(other.processing)
        self.queueing.update(other.queueing)

    def row(self) -> tuple[Any, ...]:
        """Give the values of its row behind its key."""
        return *(self.numbers[one] for one in _NUMBERS), _document(self.processing), _document(self.queueing)


class Rollups:
    """What a batch adds, or takes back, to be written at its end."""

    def __init__(self) -> None:
        self._cells: dict[Key, _Cell] = {}

    def arrived(self, first: Record, dimensions: tuple[str, str], sign: int) -> None:
        """Count a message where its first sight was first seen; dimensions are its type and instrument."""
        self._at(_hour(first.first_seen), first.consumer, dimensions, "").numbers["messages"] += sign

    def seen(self, record: Record, dimensions: tuple[str, str], sign: int) -> None:
        """Count a sight in the bucket in which it finished, under its message's type and instrument."""
        queueing, hour = record.queueing, _hour(record.finished)
        cell = self._at(hour, record.consumer, dimensions, "")
        cell.numbers[record.outcome] += sign
        cell.processing[bin_of(record.processing.total_seconds())] += sign
        if queueing is not None:
            cell.queueing[bin_of(queueing.total_seconds())] += sign
        failed = {one.task for one in record.failures}
        for task, seconds in record.timings.items():
            cell = self._at(hour, record.consumer, dimensions, task[:128])
            cell.numbers["dead" if task in failed else "acked"] += sign
            cell.processing[bin_of(seconds)] += sign

    def _at(self, hour: datetime, consumer: str, dimensions: tuple[str, str], task: str) -> _Cell:
        """Give the cell of an hour; days and months are added up of hours, when all of these are there."""
        key = "h", hour, dimensions[0], consumer, dimensions[1], task
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = _Cell()
        return cell

    def _add_up(self) -> None:
        for (_, hour, *rest), cell in [*self._cells.items()]:
            day = hour.replace(hour=0)
            for step, bucket in (("d", day), ("m", day.replace(day=1))):
                key: Key = (step, bucket, *rest)  # type: ignore[assignment]  # as it came apart
                self._cells.setdefault(key, _Cell()).add(cell)

    def write(self, sums: Sums) -> None:
        """Add all of it to what is there; called with the clock taken, so that nobody else does so.

        ``sums`` are what is there as far as that is known; they are brought up to date.
        """
        self._add_up()
        cells = {key: cell for key, cell in self._cells.items() if cell}
        if not cells:
            return
        _look_up([key for key in cells if key not in sums], sums)
        for key, cell in cells.items():
            sums[key].add(cell)
        given.run(_WRITE, _CELL, ((*key, *sums[key].row()) for key in cells))


Sums = dict[Key, _Cell]
"""What is in the table, by the keys of its rows."""


class LastSums(threading.local):
    """What this thread wrote last: it is there still, as long as the clock says that nobody wrote since."""

    def __init__(self) -> None:
        self._sums: Sums = {}
        self._revision = 0
        self._session: object = None

    def since(self, revision: int) -> Sums:
        """Give what is known in a transaction whose first revision this is, to be kept after its commit."""
        known = revision == self._revision and connection.connection is self._session
        sums, self._sums = self._sums if known else {}, {}
        return sums

    def keep(self, sums: Sums, revision: int) -> None:
        """Keep what was committed; the next transaction begins with this revision, if it is ours."""
        if connection.in_atomic_block:  # it may be undone yet
            return
        self._sums = sums if len(sums) < _KEPT else {}
        self._revision, self._session = revision, connection.connection


def _look_up(keys: Sequence[Key], sums: Sums) -> None:
    """Read what is in the table of some keys: nothing, where there is no row."""
    sums.update((key, _Cell()) for key in keys)
    numbered = ((number, *key) for number, key in enumerate(keys))
    for number, *row in given.run(_PRESENT, {"number": "integer", **_KEY}, numbered) if keys else ():
        *numbers, processing, queueing = row
        sums[keys[number]] = _Cell(
            Counter(dict(zip(_NUMBERS, numbers, strict=True))), _histogram(processing), _histogram(queueing)
        )


def _hour(time: datetime) -> datetime:
    return datetime(time.year, time.month, time.day, time.hour, tzinfo=UTC)  # a tenth of what replace() takes


def _document(histogram: Mapping[int, int]) -> orjson.Fragment:
    counts = {number: count for number, count in histogram.items() if count}
    return orjson.Fragment(orjson.dumps(counts, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS))


def _histogram(document: str) -> Counter[int]:
    return Counter({int(number): count for number, count in orjson.loads(document).items()})
