"""Order across retries: a later message of a key does not overtake an earlier copy that waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from attrs import define, frozen

from pacer_core.model.consumers import Task
from pacer_core.model.messages import Delivery, Outcome

_SLACK = 600.0  # a copy that is this late is not coming back; it was purged, or replayed elsewhere


@frozen
class Held:
    """What a message of a key may not do yet: these tasks, for the waiting copy's step of the ladder."""

    tasks: frozenset[str]
    step: int


@define(eq=False)
class _Waiting:
    tasks: frozenset[str]
    step: int
    until: float


class Order:
    """Remembers, in one process, which copies wait in a retry queue and for which tasks.

    After a restart or a take-over nothing is remembered, and a later message may overtake a waiting copy.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str], dict[str, _Waiting]] = {}

    def held(self, consumer_type: str, key: str, correlation_id: str) -> Held | None:
        """Say what a message has to leave out. A copy that has come back is forgotten by this call."""
        with self._lock:
            copies = self._waiting.get((consumer_type, key))
            if copies is None:
                return None
            now = time.monotonic()
            own = list(copies).index(correlation_id) if correlation_id in copies else len(copies)
            # A copy that comes back waits only for what was before it; it does not wait for those behind it.
            before = [one for one in list(copies.values())[:own] if one.until > now]
            if not before:
                return None
            return Held(
                frozenset(task for one in before for task in one.tasks), max(one.step for one in before)
            )

    def settled(self, consumer_type: str, key: str, delivery: Delivery, step: int | None) -> None:
        """Take note of a delivery's end: a retried one waits from now on, any other no longer."""
        name, who = (consumer_type, key), delivery.envelope.correlation_id
        with self._lock:
            if delivery.outcome is Outcome.RETRIED and step is not None:
                waiting = _Waiting(frozenset(delivery.pending), step, time.monotonic() + step + _SLACK)
                # Assigning keeps the place of a copy that had been there before: it is still the earlier one.
                self._waiting.setdefault(name, {})[who] = waiting
            elif name in self._waiting:
                self._waiting[name].pop(who, None)
                if not self._waiting[name]:
                    del self._waiting[name]


def with_dependents(held: Iterable[str], tasks: Iterable[Task]) -> frozenset[str]:
    """Give held tasks with everything that comes after them; ``tasks`` are in order."""
    names = set(held)
    for task in tasks:
        if not names.isdisjoint(task.after):
            names.add(task.name)
    return frozenset(names)
