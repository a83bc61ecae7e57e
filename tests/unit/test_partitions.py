"""Which partition a key belongs to, and which host wants which partition."""

from __future__ import annotations

from collections import Counter

from pacer_core.config.model import KeySpace
from pacer_core.config.sections import Positive
from pacer_core.model.partitions import partition_of, priority


def owners(hosts: list[str], partitions: int) -> list[str]:
    return [max(hosts, key=lambda host: priority(host, number, partitions)) for number in range(partitions)]


def test_a_key_is_in_the_same_partition_in_every_release() -> None:
    assert [partition_of(f"investigation:HC-{number}", 4) for number in range(8)] == PLACES


PLACES = [3, 0, 0, 3, 3, 0, 1, 1]


def test_keys_spread_evenly() -> None:
    found = Counter(partition_of(f"investigation:HC-{number}", 8) for number in range(8000))
    assert sorted(found) == list(range(8))
    assert min(found.values()) > 850


def test_two_hosts_hardly_ever_leave_all_partitions_to_one_of_them() -> None:
    most = Counter(
        max(Counter(owners([f"host-{number}", f"other-{number}"], 4)).values()) for number in range(1000)
    )
    assert most[4] < 20
    assert most[2] > 500


def test_a_host_that_comes_or_goes_moves_only_its_own_partitions() -> None:
    for number in range(100):
        hosts = [f"{name}-{number}" for name in ("a", "b", "c")]
        before, after = owners(hosts[:2], 16), owners(hosts, 16)
        moved = [new for old, new in zip(before, after, strict=True) if old != new]
        assert set(moved) <= {hosts[2]}


def test_priorities_are_whole_numbers_that_a_broker_takes() -> None:
    assert all(0 <= priority("host", number, 64) < 2**31 for number in range(64))


def test_partitions_are_numbered_from_one() -> None:
    space = KeySpace("path", Positive(2))
    assert space.queues == ("pacer.keys.path.1", "pacer.keys.path.2")
    assert KeySpace("path", Positive(1), "ways").queues == ("ways.1",)
