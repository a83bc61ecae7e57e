"""Which files of a folder are complete: renamed into place, or unchanged for a while."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush

from attrs import define, frozen

from pacer_files.watch import MOVED

Signature = tuple[int, int, int, int]


def signature(stat: os.stat_result) -> Signature:
    """Give what changes when a file is written to, or replaced."""
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


@frozen
class Complete:
    """A file that is to be taken, and what it looked like then."""

    name: str
    signature: Signature


@define
class _Seen:
    signature: Signature
    since: float
    arrived: bool
    """Whether all that the system has told of it is that it was renamed into place."""


class Sightings:
    """Remembers what the files of a folder looked like; ``settle`` is in seconds.

    It goes by its own clock: that of a file server may be another.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._seen: dict[str, _Seen] = {}
        self._complete: list[tuple[int, str, Signature]] = []
        self._names: set[str] = set()

    def see(self, name: str, stat: os.stat_result, now: float, told: Iterable[str] = ()) -> None:
        """Take note of a file; ``told`` is what the system has said of it since the last time."""
        if name in self._names:
            return  # when it is taken, it is compared
        found, before = signature(stat), self._seen.get(name)
        if before is None or before.signature != found:
            self._seen[name] = _Seen(found, now, arrived=set(told) == {MOVED})
        elif told:
            before.arrived = False

    def forget_others(self, names: Mapping[str, object]) -> None:
        """Forget all files but these."""
        for name in self._seen.keys() - names.keys():
            del self._seen[name]

    def forget(self, name: str) -> None:
        """Forget a file that is gone."""
        self._seen.pop(name, None)

    def due(self, now: float) -> list[str]:
        """Give the files whose time is over, to be looked at once more."""
        return [name for name, seen in self._seen.items() if self._time(seen) <= now]

    def confirm(self, name: str, stat: os.stat_result, now: float) -> None:
        """Look at a file whose time is over: it is complete where it has not changed."""
        seen = self._seen[name]
        if seen.signature != signature(stat):
            self._seen[name] = _Seen(signature(stat), now, arrived=False)
            return
        del self._seen[name]
        self._names.add(name)
        heappush(self._complete, (stat.st_mtime_ns, name, seen.signature))

    def next(self) -> Complete | None:
        """Give the complete file that was written first, by name among equals, or ``None``."""
        if not self._complete:
            return None
        _, name, found = heappop(self._complete)
        self._names.discard(name)
        return Complete(name, found)

    def wait(self, now: float) -> float | None:
        """Give the seconds until a file may be complete, or ``None``."""
        if self._complete:
            return 0.0
        times = [self._time(seen) for seen in self._seen.values()]
        return max(0.0, min(times) - now) if times else None

    def _time(self, seen: _Seen) -> float:
        return seen.since + (0.0 if seen.arrived else self._settle)
