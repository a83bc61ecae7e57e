"""Key spaces that more than one process works on: ``keySpaces:`` of the file."""

from __future__ import annotations

from attrs import Attribute, field, frozen

from pacer_core.config.sections import Positive
from pacer_core.model.queue_names import keys_queue, partition_queue

MOST = 64
"""Partitions that a key space may have: each is a queue, and a process on every host."""


def _few(_: KeySpace, __: Attribute[Positive], value: Positive) -> None:
    if value > MOST:
        raise ValueError(f"should be {MOST} or less")


@frozen
class KeySpace:
    """A key space whose messages are spread over partitions, each with one active process on all hosts.

    Attributes
    ----------
    name
        The key space of a consumer type: `pacer config check` names those of a configuration.
    partitions
        How many there are. Every host runs a process for each; `pacer partitions change` changes it.
    queue
        What the names of its queues begin with; by default `pacer.keys.NAME`. Configurations that share a
        virtual host, and read different queues with one key space, need different ones.
    """

    name: str
    partitions: Positive = field(validator=_few)
    queue: str = ""

    @property
    def prefix(self) -> str:
        """What the names of its queues begin with."""
        return self.queue or keys_queue(self.name)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues of its partitions."""
        return tuple(partition_queue(self.prefix, number + 1) for number in range(self.partitions))
