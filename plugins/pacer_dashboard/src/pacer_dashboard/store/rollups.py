"""Counts and times by hour, day and month, added up in the transaction of the records that they are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
from attrs import define, field

from pacer_dashboard.histogram import bin_of
from pacer_dashboard.records import Record
from pacer_dashboard.store import given
from pacer_dashboard.store.paper import json

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

    def write(self) -> None:
        """Add all of it to what is there; called with the clock taken, so that nobody else does so."""
        self._add_up()
        cells = [(key, cell) for key, cell in self._cells.items() if cell]
        if not cells:
            return
        keys = ((number, *key) for number, (key, _) in enumerate(cells))
        there = {number: row for number, *row in given.run(_PRESENT, {"number": "integer", **_KEY}, keys)}
        rows = []
        for number, (key, cell) in enumerate(cells):
            *numbers, processing, queueing = there.get(number, (0, 0, 0, 0, "{}", "{}"))
            rows.append(
                (
                    *key,
                    *(before + cell.numbers[one] for one, before in zip(_NUMBERS, numbers, strict=True)),
                    _added(processing, cell.processing),
                    _added(queueing, cell.queueing),
                )
            )
        given.run(_WRITE, _CELL, rows)


def _hour(time: datetime) -> datetime:
    return datetime(time.year, time.month, time.day, time.hour, tzinfo=UTC)  # a tenth of what replace() takes


def _added(before: str, more: Mapping[int, int]) -> str:
    if not more:
        return before
    total: dict[str, int] = orjson.loads(before)
    for number, count in more.items():
        total[str(number)] = total.get(str(number), 0) + count
    return json({number: count for number, count in total.items() if count})
