"""One line a minute of what a worker has done, where it has done something."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from pacer_core.model.messages import Outcome
from pacer_core.observe.metrics import Snapshot

EVERY = 60.0
_WORDS = {Outcome.ACKED: "done", Outcome.RETRIED: "to be retried", Outcome.DEAD: "dead"}


class Minutes:
    """Compares what has been counted with what it was a minute ago."""

    def __init__(self, look: Callable[[], Snapshot], clock: Callable[[], float] = time.monotonic) -> None:
        self._look, self._clock = look, clock
        self._before = _messages(look())
        self._since = clock()

    def line(self, *, now: bool = False) -> str | None:
        """Give the line once a minute, or ``now``; ``None`` in between, and where nothing has happened."""
        passed = self._clock() - self._since
        if passed < EVERY and not now:
            return None
        counts = _messages(self._look())
        more, self._before = counts - self._before, counts
        self._since += passed
        if not more:
            return None
        consumers = dict.fromkeys(consumer for consumer, _ in more)
        said = "; ".join(
            f"{consumer}: "
            + ", ".join(f"{more[consumer, one]:,} {_WORDS[one]}" for one in Outcome if more[consumer, one])
            for consumer in consumers
        )
        return f"{said} in {passed:.0f} s"


def _messages(seen: Snapshot) -> Counter[tuple[str, Outcome]]:
    return Counter(
        {
            (consumer, one): int(seen.numbers["messages", consumer, one.value])
            for consumer in seen.shape.tasks
            for one in Outcome
        }
    )
