"""How far each partition has come: what may be committed, and what must not be any more."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from attrs import define, field

from pacer_kafka.reading import Record

Partition = tuple[str, int]


@define
class _Held:
    """One partition that this process has been assigned."""

    holding: int
    """Which of its assignments this is: what was taken in an earlier one commits nothing in a later."""
    confirmed: int | None = None
    """The offset behind the last record of which nothing before is unconfirmed."""
    committed: int | None = None


@define(eq=False)
class Offsets:
    """The offsets of the partitions that are assigned; safe to use from several threads.

    Records are confirmed in the order in which they were taken, so that what is behind the last confirmed one
    of a partition is all that may be committed.
    """

    _partitions: dict[Partition, _Held] = field(factory=dict)
    _lock: threading.Lock = field(factory=threading.Lock)
    _holdings: int = 0

    def assigned(self, partitions: Iterable[Partition]) -> None:
        """Take note of partitions that this process reads from now on."""
        with self._lock:
            self._holdings += 1
            self._partitions.update({one: _Held(self._holdings) for one in partitions})

    def gone(self, partitions: Iterable[Partition]) -> None:
        """Forget partitions that another process may read."""
        with self._lock:
            for one in partitions:
                self._partitions.pop(one, None)

    def holding(self, partition: Partition) -> int | None:
        """Say in which of its assignments a partition is read now; ``None`` where it is not."""
        with self._lock:
            held = self._partitions.get(partition)
            return None if held is None else held.holding

    def confirm(self, records: Iterable[tuple[int, Record]]) -> None:
        """Take note that the broker has records, each with the assignment in which it was taken."""
        with self._lock:
            for holding, record in records:
                held = self._partitions.get((record.topic, record.partition))
                if held is not None and held.holding == holding:
                    held.confirmed = record.offset + 1

    def due(self) -> dict[Partition, int]:
        """Give what is confirmed and not committed."""
        with self._lock:
            return {
                one: held.confirmed
                for one, held in self._partitions.items()
                if held.confirmed is not None and held.confirmed != held.committed
            }

    def untaken(self, partitions: Iterable[Partition]) -> None:
        """Take note that Kafka did not take the offsets of partitions: they are due again."""
        with self._lock:
            for one in partitions:
                if (held := self._partitions.get(one)) is not None:
                    held.committed = None

    def committed(self, offsets: Mapping[Partition, int]) -> None:
        """Take note that Kafka was told these."""
        with self._lock:
            for one, offset in offsets.items():
                if (held := self._partitions.get(one)) is not None:
                    held.committed = offset
