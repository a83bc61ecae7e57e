"""Messages whose tasks have run, and whose end the broker does not take: a dead queue is full, for instance.

They stay unacknowledged where they are, and their end is tried again and again, without their tasks; others
go on. Where the broker had them back, and delivers them anew, they are known again.
"""

from __future__ import annotations

import time
from collections import deque
from hashlib import blake2b

from attrs import define, field

from pacer_core.model.messages import Envelope
from pacer_core.transport.settle import Unsettled
from pacer_core.work.job import Job

AGAIN = (2.0, 5.0, 10.0, 30.0)
"""Seconds between two tries; the last one repeats."""
_KNOWN = 1800.0  # seconds after which one that does not come back is another process's
_MOST = 1000  # that are known, and about as many are held
_MOST_BYTES = 64 << 20

Held = tuple[Job, Unsettled]


@define(eq=False)
class Aside:
    """The messages that a worker sets aside, and those that may come back.

    Threads that handle messages `add` them; all the rest is the connection's thread's.
    """

    why: str = ""
    """What the broker said last."""
    _held: deque[Held] = field(factory=deque)
    _known: deque[tuple[float, bytes, Unsettled]] = field(factory=lambda: deque(maxlen=_MOST))
    _due: float = 0.0
    _tries: int = 0

    def __len__(self) -> int:
        return len(self._held)

    def full(self, room: int) -> bool:
        """Say whether half of the room for messages in hand is taken, and there is memory for more."""
        held = list(self._held)
        size = sum(len(job.received.envelope.body) for job, _ in held)
        return len(held) >= max(room // 2, 1) and len(held) < _MOST and size < _MOST_BYTES

    @property
    def arrived(self) -> list[float]:
        """When each came, on the monotonic clock."""
        return [job.arrived for job, _ in list(self._held)]

    def add(self, job: Job, unsettled: Unsettled, why: str) -> None:
        """Set a message aside."""
        if not self._held:
            self._tries, self._due = 0, time.monotonic() + AGAIN[0]
        self.why = why
        self._held.append((job, unsettled))

    def due(self) -> list[Held]:
        """Give those that are to be tried now; none of them is set aside any more."""
        if not self._held or time.monotonic() < self._due:
            return []
        return [self._held.popleft() for _ in range(len(self._held))]

    def put_off(self, held: list[Held], why: str) -> None:
        """Set messages aside once more, after one of them has failed again: it goes behind the others."""
        self._tries += 1
        self._due = time.monotonic() + AGAIN[min(self._tries, len(AGAIN) - 1)]
        self.why = why
        self._held.extend(held)

    def give_back(self) -> None:
        """Hold none any more: the broker has them back, and may deliver them here again."""
        while self._held:
            self.remember(*self._held.popleft())

    def remember(self, job: Job, unsettled: Unsettled) -> None:
        """Know one again that the broker has back already."""
        self._known.append((time.monotonic(), _mark(job.received.envelope), unsettled))

    def known(self, envelope: Envelope) -> Unsettled | None:
        """Say what is left to do for a message whose tasks have run already; it is forgotten by this call."""
        if not self._known or not envelope.redelivered:
            return None
        oldest, mark = time.monotonic() - _KNOWN, _mark(envelope)
        found = next((one for one in self._known if one[1] == mark and one[0] >= oldest), None)
        if found is None:
            return None
        self._known.remove(found)
        return found[2]


def _mark(envelope: Envelope) -> bytes:
    """Give what is the same in every delivery of a message; one without an id gets another each time."""
    digest = blake2b(envelope.body, digest_size=16)
    told = (
        envelope.queue,
        envelope.exchange,
        envelope.routing_key,
        envelope.attempt,
        envelope.done,
        sorted(envelope.properties.items(), key=lambda one: one[0]),
    )
    digest.update(repr(told).encode(errors="replace"))
    return digest.digest()
