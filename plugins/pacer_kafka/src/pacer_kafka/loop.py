"""What the process of the service does: read Kafka, hand over, commit, and be seen by the group."""

from __future__ import annotations

import time
from collections.abc import Iterable

from pacer_core import PacerError, ServiceContext
from pacer_kafka.client import Member
from pacer_kafka.offsets import Offsets, Partition
from pacer_kafka.reading import Record
from pacer_kafka.sending import Batch, Sending
from pacer_kafka.trouble import Trouble

_TOGETHER = 500
"""Records of one batch."""
_PATIENCE = 0.1
"""Seconds that Kafka is asked for records, before it is time for something else."""
_AGAIN = 2.0
"""Seconds after which offsets are told again that Kafka did not take."""
_GOODBYE = 10.0
"""Seconds in which what is in hand may be published before its partition is given back."""


class Reading:
    """What the thread does that reads Kafka."""

    def __init__(self, ctx: ServiceContext) -> None:
        self._ctx = ctx
        self._offsets = Offsets()
        self._sending = Sending(ctx, self._offsets)
        self._trouble = Trouble(ctx)
        self._member = Member(ctx.options, ctx.log.getChild("librdkafka"), self._trouble.hinder)
        self._assigned: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._held: list[tuple[int, Record]] = []
        self._next_commit = 0.0

    def run(self) -> None:
        """Take over what comes in on the topics, until told to end."""
        self._member.subscribe(self._on_assigned, self._on_revoked, self._on_lost, self._on_untaken)
        self._sending.start()
        try:
            while not self._ctx.stopping.is_set() and self._sending.failure is None:
                self._turn()
        finally:
            self._sending.close(_GOODBYE)
            self._commit(wait=True)
            self._member.close()
        if self._sending.failure is not None:
            raise self._sending.failure

    def _turn(self) -> None:
        """Take what there is, and hand it over; while there is no room for it, only be seen by the group."""
        has_room = self._sending.wait_for_room(1.0)
        self._pause_or_resume(self._sending.full or ("" if has_room else "PACER's broker does not confirm"))
        self._keep(self._member.take(_TOGETHER, _PATIENCE if has_room else 0.0))
        if self._held and has_room:
            batch: Batch = tuple(self._held)
            self._held.clear()
            self._sending.hand_over(batch)
        self._commit()
        self._trouble.look(self._member)
        if self._trouble.fatal:
            raise PacerError(f"Kafka: {self._trouble.fatal}")

    def _keep(self, records: Iterable[Record]) -> None:
        for record in records:
            holding = self._offsets.holding((record.topic, record.partition))
            if holding is not None:  # else it was revoked while it was on its way
                self._held.append((holding, record))

    def _pause_or_resume(self, why: str) -> None:
        if why and (more := self._assigned - self._paused):
            self._member.pause(more)
            if not self._paused:
                self._ctx.log.info("reads no more for a while: %s", why)
                self._ctx.count("pauses")
            self._paused |= more
        elif not why and self._paused:
            self._member.resume(self._paused)
            self._paused.clear()
            self._ctx.log.info("reads on")

    def _commit(self, *, wait: bool = False) -> None:
        due = self._offsets.due()
        if not due or (not wait and time.monotonic() < self._next_commit):
            return
        try:
            self._member.commit(due, wait=wait)
        except PacerError as error:
            self._ctx.log.warning("%s; what follows the last commit comes again", error)
        else:
            self._offsets.committed(due)

    def _on_untaken(self, partitions: list[Partition]) -> None:
        self._offsets.untaken(partitions)
        self._next_commit = time.monotonic() + _AGAIN

    def _on_assigned(self, partitions: list[Partition]) -> None:
        self._offsets.assigned(partitions)
        self._assigned.update(partitions)
        self._paused.difference_update(partitions)
        self._ctx.log.info("reads %s", _named(self._assigned))

    def _on_revoked(self, partitions: list[Partition]) -> None:
        """Give partitions back: what is in hand is published first, where the broker takes it in time."""
        gone = set(partitions)
        self._held = [(holding, one) for holding, one in self._held if (one.topic, one.partition) not in gone]
        self._sending.wait_until_sent(_GOODBYE)
        self._commit(wait=True)
        self._on_lost(partitions)

    def _on_lost(self, partitions: list[Partition]) -> None:
        if paused := self._paused.intersection(partitions):
            # librdkafka keeps a pause over a rebalance: a partition that comes back would stay silent.
            self._member.resume(paused)
        self._offsets.gone(partitions)
        self._held = [
            (holding, one)
            for holding, one in self._held
            if self._offsets.holding((one.topic, one.partition)) == holding
        ]
        self._assigned.difference_update(partitions)
        self._paused.difference_update(partitions)
        self._ctx.log.info("has given back %s", _named(partitions))


def _named(partitions: Iterable[Partition]) -> str:
    return ", ".join(f"{topic}/{partition}" for topic, partition in sorted(partitions)) or "nothing"
