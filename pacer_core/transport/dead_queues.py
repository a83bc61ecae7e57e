"""Dead queues, and the ladder: looked at, and emptied only of what has a confirmed copy."""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import define, field, frozen

from pacer_core.config.model import Config
from pacer_core.model.errors import BrokerError, NotTakenError, RefusedError
from pacer_core.model.queue_names import dead_queue
from pacer_core.transport.letter_reading import read_letter
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.queue_browser import SILENCE, QueueBrowser, Read, Stop, moves
from pacer_core.transport.queue_status import depth

BATCH = 100
"""How many letters are copied with one confirm."""
Copy = Callable[[Sequence[DeadLetter]], Sequence[BrokerError | None] | None]
"""Says of each letter why it is not done, or ``None``; or nothing, where all are."""
_BATCH_BYTES = 8 << 20
_SETTLED = 0.3  # seconds in which acknowledgements that a closed channel has dropped show
_SWEEPS = 3


def dead_queues_of(config: Config) -> list[str]:
    """Give the names of all dead queues of a configuration, those of its partitions among them."""
    return [dead_queue(one.name) for one in (*config.queues, *config.partition_queues)]


def _never() -> bool:
    return False


def look(
    connection: Any, queue: str, *, read: Read = read_letter, stop: Stop = _never, patience: float = 60.0
) -> Iterator[DeadLetter]:
    """Give every letter that lies in a queue now, and leave all of them there.

    Where another PACER is looking, it waits for up to ``patience`` seconds. Gives none where there is no such
    queue; ends early where ``stop`` says so.

    Raises
    ------
    BrokerError
        Where the connection is lost, or the other one goes on looking.
    """
    with QueueBrowser(connection, queue, patience, read) as held:
        for _, letter in held.letters(stop):
            yield letter


@define
class Taken:
    """What became of the letters of one dead queue."""

    looked: int = 0
    taken: int = 0
    """How many have their copy, and are gone."""
    left: Counter[str] = field(factory=Counter)
    """How many of those meant are still there, by the reason."""


def take(
    connection: Any,
    queue: str,
    wanted: Callable[[DeadLetter], bool],
    copy: Copy,
    *,
    read: Read = read_letter,
    stop: Stop = _never,
    on_look: Callable[[], None] = lambda: None,
    patience: float = 60.0,
) -> Taken:
    """Take letters out of a dead queue, each after ``copy`` has said that it has its copy.

    All letters of a batch came from the same queue. ``copy`` says of each what is wrong, or ``None``; where
    it says nothing at all, all have theirs. One that is refused for what it is (`RefusedError`) stays; where
    its queue takes nothing (`NotTakenError`) all of that origin stay; and the others go on. With any other
    error it ends, when those that have their copy are removed. A ``stop`` is heeded between two batches.

    Raises
    ------
    BrokerError
        Where the connection is lost, or another PACER goes on looking; and what ``copy`` gives or raises.
    """
    result = Taken()
    blocked: dict[str, str] = {}
    batch: list[_Held] = []

    def flush(held: QueueBrowser) -> None:
        if not batch:
            return
        origin = batch[0].letter.envelope.queue
        answer = copy([one.letter for one in batch]) or [None] * len(batch)
        said = list(zip(batch, answer, strict=True))
        batch.clear()
        copied = [one for one, error in said if error is None]
        if copied:
            held.remove([one.tag for one in copied])
            result.taken += len(copied)
            removed.extend(one.letter.number for one in copied if one.letter.origin == "pacer")
        for one, error in said:
            if isinstance(error, RefusedError):
                result.left[f"letter {one.letter.id}: {error}"] += 1
            elif isinstance(error, NotTakenError):
                blocked[origin] = str(error)
                result.left[str(error)] += 1
            elif error is not None:
                raise error

    removed = array("Q")
    with QueueBrowser(connection, queue, patience, read) as held:
        size = 0
        for tag, letter in held.letters(stop):
            result.looked += 1
            on_look()
            if not wanted(letter):
                continue
            origin = letter.envelope.queue
            if origin in blocked:
                result.left[blocked[origin]] += 1
                continue
            if batch and batch[0].letter.envelope.queue != origin:
                flush(held)
                size = 0
            batch.append(_Held(tag, letter))
            size += len(letter.envelope.body)
            if len(batch) >= BATCH or size >= _BATCH_BYTES:
                flush(held)
                size = 0
        if not stop():
            flush(held)
    if result.taken:
        _sweep(connection, queue, held.there - result.taken, array("Q", sorted(removed)), patience, read)
    return result


def _sweep(
    connection: Any, queue: str, expected: int, removed: Sequence[int], patience: float, read: Read
) -> None:
    """Remove again what has come back although it was acknowledged.

    A quorum queue forgets acknowledgements that it has not written when the channel closes: 4 of 100,000
    (RabbitMQ 3.10). Only letters of PACER's are meant, whose number is theirs alone, and which the broker
    calls redelivered.
    """
    for _ in range(_SWEEPS):
        now = depth(connection, queue) or 0
        began = time.monotonic()
        # The channel is closed before its letters are back: not all of them, or not one too many yet.
        while now <= expected and time.monotonic() < began + (SILENCE if now < expected else _SETTLED):
            time.sleep(0.02)
            now = depth(connection, queue) or 0
        # From the ladder letters go by themselves, so that a number proves nothing there.
        if not now or (now <= expected and not moves(queue)):
            return
        with QueueBrowser(connection, queue, patience, read) as held:
            back = [
                tag
                for tag, letter in held.letters(_never)
                if letter.envelope.redelivered and among(letter.number, removed)
            ]
            held.remove(back)
        if not back:
            return


def among(number: int, numbers: Sequence[int]) -> bool:
    """Say whether a number is among sorted ones."""
    place = bisect_left(numbers, number)
    return place < len(numbers) and numbers[place] == number


@frozen
class _Held:
    tag: Any
    letter: DeadLetter
