"""How far each partition has come: what is due to be committed, and what is not any more."""

from __future__ import annotations

import pytest

from pacer_kafka.offsets import Offsets
from pacer_kafka.reading import Record

ONE, TWO = ("t", 0), ("t", 1)


def batch(offsets: Offsets, *records: tuple[tuple[str, int], int]) -> list[tuple[int, Record]]:
    """Give records as they are taken now."""
    taken = []
    for (topic, partition), offset in records:
        holding = offsets.holding((topic, partition))
        assert holding is not None
        taken.append((holding, Record(topic, partition, offset, None, b"")))
    return taken


@pytest.fixture
def offsets() -> Offsets:
    """Those of two partitions that are assigned."""
    offsets = Offsets()
    offsets.assigned([ONE, TWO])
    return offsets


def test_the_offset_behind_the_last_confirmed_record_of_each_partition_is_due(offsets: Offsets) -> None:
    assert offsets.due() == {}
    offsets.confirm(batch(offsets, (ONE, 5), (TWO, 9), (ONE, 6)))
    assert offsets.due() == {ONE: 7, TWO: 10}


def test_what_was_committed_is_due_no_more_until_kafka_says_that_it_did_not_take_it(offsets: Offsets) -> None:
    offsets.confirm(batch(offsets, (ONE, 5), (TWO, 9)))
    offsets.committed(offsets.due())
    assert offsets.due() == {}
    offsets.untaken([ONE])
    assert offsets.due() == {ONE: 6}


def test_a_confirm_that_comes_after_its_partition_was_given_back_commits_nothing(offsets: Offsets) -> None:
    late = batch(offsets, (ONE, 5))
    offsets.gone([ONE])
    offsets.confirm(late)
    assert offsets.holding(ONE) is None
    assert offsets.due() == {}


def test_nor_does_it_where_the_partition_has_come_back_since(offsets: Offsets) -> None:
    late = batch(offsets, (ONE, 5))
    offsets.gone([ONE])
    offsets.assigned([ONE])
    offsets.confirm(late)
    assert offsets.due() == {}
    offsets.confirm(batch(offsets, (ONE, 200)))
    assert offsets.due() == {ONE: 201}


def test_an_assignment_of_further_partitions_leaves_those_that_are_held(offsets: Offsets) -> None:
    taken = batch(offsets, (ONE, 5))
    offsets.assigned([("t", 2)])
    offsets.confirm(taken)
    assert offsets.due() == {ONE: 6}
