"""What is done where partitions are given back: a recorder stands for the member of the group."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pacer_core.testing import FakeService
from pacer_kafka import KAFKA, KafkaOptions, Topic
from pacer_kafka.loop import Reading
from pacer_kafka.offsets import Partition

ONE, TWO = ("t", 0), ("t", 1)


class Recorder:
    """Notes which partitions are paused, as librdkafka does: over a rebalance as well."""

    def __init__(self, *_: Any) -> None:
        self.paused: set[Partition] = set()

    def pause(self, partitions: Iterable[Partition]) -> None:
        self.paused.update(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        partitions = set(partitions)
        assert partitions <= self.paused  # what is not paused would be read from a wrong place
        self.paused -= partitions

    def commit(self, *_: Any, **__: Any) -> None:
        pass


@pytest.mark.parametrize("way", ["revoked", "lost"])
def test_a_partition_that_was_paused_when_it_was_given_back_is_read_when_it_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr("pacer_kafka.loop.Member", Recorder)
    service = FakeService(KAFKA, KafkaOptions(("kafka:9092",), (Topic("t"),)), folder=tmp_path)
    reading = Reading(service)
    member: Any = reading._member
    reading._on_assigned([ONE, TWO])
    reading._pause_or_resume("the queue is long")
    assert member.paused == {ONE, TWO}
    (reading._on_revoked if way == "revoked" else reading._on_lost)([ONE])
    reading._on_assigned([ONE])
    reading._pause_or_resume("")
    assert member.paused == set()
