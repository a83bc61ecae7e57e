"""Which partition a key belongs to, and which host is to have which partition: hashes, and nothing else.

Both are the same on every host and in every release: messages that were spread by one are read by another.
"""

from __future__ import annotations

from hashlib import blake2b

_PLACE = 1 << 20  # more than there are hosts that could draw the same rank


def partition_of(key: str, partitions: int) -> int:
    """Give the partition of a key, from 0 on."""
    return _hash(key) % partitions


def priority(host: str, partition: int, partitions: int) -> int:
    """Give the priority at which a host reads a partition, by rendezvous hashing; the highest one has it.

    Every host puts the partitions into an order of its own, and wants the first of them most. Hosts do not
    have to know each other: one that comes takes over only what it wants more than those who are there, and
    what one had that goes is shared among the others. By plain hashes one of two hosts would have all of
    four partitions every eighth time; by ranks, whose sum is the same for all, three times in a thousand.
    """
    weights = {number: _hash(f"{host}\0{number}") for number in range(partitions)}
    rank = sorted(weights, key=weights.__getitem__).index(partition)
    return rank * _PLACE + weights[partition] % _PLACE


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "big")
