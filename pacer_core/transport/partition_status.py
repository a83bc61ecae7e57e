"""What is in the partitions of a key space, at its broker, and changing how many there are."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen

from pacer_core.config.model import Config, KeySpace
from pacer_core.config.sections import Positive
from pacer_core.model.errors import BrokerError
from pacer_core.model.queue_names import hosts_queue, keys_queue, retry_exchange
from pacer_core.transport.dead_queues import look
from pacer_core.transport.letter_reading import read_waiting
from pacer_core.transport.partition_marks import marked
from pacer_core.transport.queue_status import counts, losses
from pacer_core.transport.retry_policy import LADDER
from pacer_core.transport.topology import Declarer, declare


@frozen
class Partition:
    """One partition: its queue, what waits in it, on the ladder for it, and whether somebody reads it."""

    queue: str
    ready: int
    readers: int
    waiting: int


@frozen
class Spread:
    """A key space as it is at the broker, and as the configuration has it."""

    name: str
    prefix: str
    there: int | None
    """How many partitions it has at the broker."""
    wanted: int | None
    """How many it has in the configuration."""
    partitions: tuple[Partition, ...]
    """Those at the broker."""
    reading: tuple[str, ...]
    """The queues of its consumers that somebody reads."""

    @property
    def hindrances(self) -> tuple[str, ...]:
        """Why the number of partitions cannot be changed now."""
        read = [*self.reading, *(one.queue for one in self.partitions if one.readers)]
        ready = {one.queue: one.ready for one in self.partitions if one.ready}
        waiting = {one.queue: one.waiting for one in self.partitions if one.waiting}
        found = []
        if read:
            found.append(f"somebody reads {', '.join(read)}: stop `pacer run` on every host")
        if ready:
            found.append(
                f"{_spelled(ready)} in partitions: `pacer partitions drain {self.name}` handles them"
            )
        if waiting:
            found.append(
                f"{_spelled(waiting)} on the ladder of retry queues to go back there: "
                f"`pacer waiting now --all` sends them back, then `pacer partitions drain {self.name}`"
            )
        return tuple(found)


def _spelled(numbers: dict[str, int]) -> str:
    total = sum(numbers.values())
    each = ", ".join(f"{number:,} of {queue}" for queue, number in numbers.items())
    return f"{total:,} {'message waits' if total == 1 else 'messages wait'} ({each})"


def spread(connection: Any, config: Config, name: str, there: int | None = None) -> Spread:
    """Look at a key space; nothing is declared, and the messages of the ladder, which are read, stay there.

    ``there`` is how many partitions it has, where nothing at the broker says so just now.

    Raises
    ------
    BrokerError
        Where the broker is lost, or the queue that says how many partitions there are is somebody else's.
    """
    space = config.key_spaces.get(name)
    prefix = keys_queue(name) if space is None else space.prefix
    there = marked(connection, prefix) if there is None else there
    queues = () if there is None else KeySpace(name, Positive(there), prefix).queues
    waiting = dict.fromkeys(queues, 0)
    for step in LADDER if queues else ():
        for letter in look(connection, retry_exchange(step), read=read_waiting):
            if letter.envelope.home in waiting:
                waiting[letter.envelope.home] += 1
    partitions = []
    for queue in queues:
        ready, readers = counts(connection, queue) or (0, 0)
        partitions.append(Partition(queue, ready, readers, waiting[queue]))
    read = {
        queue
        for plan in (*config.consumers, *config.disabled)
        if plan.key_space == name
        for queue in plan.config.queues
        if (counts(connection, queue) or (0, 0))[1]
    }
    wanted = None if space is None else int(space.partitions)
    return Spread(name, prefix, there, wanted, tuple(partitions), tuple(sorted(read)))


def as_there(config: Config, found: Spread) -> Config:
    """Give a configuration with as many partitions as a key space has at the broker."""
    if found.there is None:
        return config
    space = KeySpace(found.name, Positive(found.there), found.prefix)
    return evolve(config, key_spaces={**config.key_spaces, found.name: space})


def change(connection: Any, config: Config, found: Spread) -> None:
    """Give a key space the number of partitions that the configuration has.

    What says the number goes first, and all is looked at once more then: a host that was started meanwhile is
    seen, or has declared the old number, and the new one is refused, which is said before any queue goes. No
    partitions at all cannot be said: each queue is looked at once more then before it goes.

    Raises
    ------
    BrokerError
        Where something is in the way: nothing is changed then.
    """
    with losses():
        _delete(connection, found.prefix)
        again = spread(connection, config, found.name, found.there)
        if again.hindrances:
            Declarer(connection).key_space(as_there(config, found), found.name)
            raise BrokerError(f"nothing was changed: {'; '.join(again.hindrances)}")
        wanted = config.key_spaces.get(found.name)
        if wanted is not None:
            Declarer(connection).key_space(config, found.name)
        for one in found.partitions:
            if wanted is None or one.queue not in wanted.queues:
                _expect_unused(connection, found.prefix, one.queue, said=wanted is not None)
                _delete(connection, one.queue)
        if wanted is None:
            _delete(connection, hosts_queue(found.prefix))
    plans = [plan for plan in (*config.consumers, *config.disabled) if plan.key_space == found.name]
    declare(connection, config, plans)


def _expect_unused(connection: Any, prefix: str, queue: str, *, said: bool) -> None:
    """See that no host has been started meanwhile: RabbitMQ deletes a quorum queue whatever is in it."""
    ready, readers = counts(connection, queue) or (0, 0)
    if ready or readers or (not said and counts(connection, prefix) is not None):
        raise BrokerError(
            f"{queue} is in use again, and stays, as somebody has started `pacer run` meanwhile: stop it "
            "on every host, and change the number once more"
        )


def _delete(connection: Any, queue: str) -> None:
    channel = connection.channel()
    try:
        channel.queue_delete(queue)
    finally:
        channel.close()
