"""Counts and times by hour, day and month, added up in the transaction of the records that they are of."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from attrs import define, field
from django.db.models import Q

from pacer_dashboard.histogram import bin_of
from pacer_dashboard.models import Rollup
from pacer_dashboard.records import Record

Key = tuple[str, datetime, str, str, str, str]
"""Step, bucket, type, consumer, instrument, task."""
_KEY = ("step", "bucket", "type", "consumer", "instrument", "task")
_NUMBERS = ("messages", "acked", "retried", "dead")


@define
class _Cell:
    numbers: Counter[str] = field(factory=Counter)
    processing: Counter[int] = field(factory=Counter)
    queueing: Counter[int] = field(factory=Counter)

    def __bool__(self) -> bool:
        return any(any(one.values()) for one in (self.numbers, self.processing, self.queueing))


class Rollups:
    """What a batch adds, or takes back, to be written at its end."""

    def __init__(self) -> None:
        self._cells: dict[Key, _Cell] = {}

    def arrived(self, first: Record, dimensions: tuple[str, str], sign: int) -> None:
        """Count a message where its first sight was first seen; dimensions are its type and instrument."""
        self._at(first.first_seen, first.consumer, dimensions, "").numbers["messages"] += sign

    def seen(self, record: Record, dimensions: tuple[str, str], sign: int) -> None:
        """Count a sight in the bucket in which it finished, under its message's type and instrument."""
        queueing = record.queueing
        cell = self._at(record.finished, record.consumer, dimensions, "")
        cell.numbers[record.outcome] += sign
        cell.processing[bin_of(record.processing.total_seconds())] += sign
        if queueing is not None:
            cell.queueing[bin_of(queueing.total_seconds())] += sign
        failed = {one.task for one in record.failures}
        for task, seconds in record.timings.items():
            cell = self._at(record.finished, record.consumer, dimensions, task[:128])
            cell.numbers["dead" if task in failed else "acked"] += sign
            cell.processing[bin_of(seconds)] += sign

    def _at(self, time: datetime, consumer: str, dimensions: tuple[str, str], task: str) -> _Cell:
        """Give the cell of an hour; days and months are added up of hours, when all of these are there."""
        hour = time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        key = "h", hour, dimensions[0], consumer, dimensions[1], task
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = _Cell()
        return cell

    def _add_up(self) -> None:
        for (_, hour, type_, consumer, instrument, task), cell in [*self._cells.items()]:
            day = hour.replace(hour=0)
            for step, bucket in (("d", day), ("m", day.replace(day=1))):
                total = self._cells.setdefault((step, bucket, type_, consumer, instrument, task), _Cell())
                total.numbers.update(cell.numbers)
                total.processing.update(cell.processing)
                total.queueing.update(cell.queueing)

    def write(self) -> None:
        """Add all of it to what is there; called with the clock taken, so that nobody else does so."""
        if not self._cells:
            return
        self._add_up()
        rows = self._present()
        for key, cell in self._cells.items():
            if not cell:
                continue
            row = rows.get(key)
            if row is None:
                row = rows[key] = Rollup(**dict(zip(_KEY, key, strict=True)))
            for name in _NUMBERS:
                setattr(row, name, getattr(row, name) + cell.numbers[name])
            row.processing = _added(row.processing, cell.processing)
            row.queueing = _added(row.queueing, cell.queueing)
        Rollup.objects.bulk_create(
            rows.values(),
            batch_size=500,
            update_conflicts=True,
            unique_fields=_KEY,
            update_fields=(*_NUMBERS, "processing", "queueing"),
        )

    def _present(self) -> dict[Key, Rollup]:
        """Give the rows that are there already, and maybe others."""
        buckets: dict[str, set[datetime]] = {}
        for step, bucket, *_ in self._cells:
            buckets.setdefault(step, set()).add(bucket)
        where = Q()
        for step, times in buckets.items():
            where |= Q(step=step, bucket__in=sorted(times))
        types = sorted({key[2] for key in self._cells})
        found = Rollup.objects.filter(where, type__in=types)
        rows = {tuple(getattr(row, name) for name in _KEY): row for row in found}
        return {key: rows[key] for key in self._cells if key in rows}


def _added(before: dict[str, int], more: Counter[int]) -> dict[str, int]:
    total = Counter({int(number): count for number, count in before.items()})
    total.update(more)
    return {str(number): count for number, count in sorted(total.items()) if count}
