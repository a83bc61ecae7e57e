"""One watched folder, looked through: which of its files are new, and which are complete.

How they are taken and sent is in `pacer_files.taking`, where they go then in `pacer_files.moving`.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

from pacer_core import ServiceContext
from pacer_files.lock import Lock
from pacer_files.moving import Away
from pacer_files.names import is_wanted, printable
from pacer_files.options import FilesOptions, WatchedFolder
from pacer_files.regular import files_in, stat_of
from pacer_files.sightings import Sightings
from pacer_files.taking import Taken
from pacer_files.trouble import Trouble, retry_at
from pacer_files.watch import Watch


class Folder:
    """A watched folder, from the moment on that this process has its lock."""

    def __init__(self, ctx: ServiceContext, watched: WatchedFolder) -> None:
        options: FilesOptions = ctx.options
        self._ctx, self._watched = ctx, watched
        self.path = Path(watched.path)
        self._inotify = options.inotify
        self._settle = options.settle.total_seconds()
        self._rescan = options.rescan.total_seconds()
        self._trouble = Trouble(ctx, self.path)
        self._lock = Lock(self.path, self._trouble)
        self._away = Away(ctx, self.path, self._trouble)
        self._taken = Taken(ctx, watched, self._trouble, self._away)
        self._watch: Watch | None = None
        self._sightings = Sightings(self._settle)
        self._planned = 0.0

    @property
    def trouble(self) -> str:
        """What keeps its files from being taken, and what to do."""
        return self._trouble.text

    def look(self) -> None:
        """Take note of what is new; what the system refuses is said, and tried again."""
        now = time.monotonic()
        try:
            if now >= self._next or (self._watch is not None and self._watch.missed):
                self._look_through_at(min(now + self._rescan, retry_at(now)))
                if not self._enter():
                    return
                self._look_through_at(now + self._rescan)
                self._scan(now)
            elif self._watch is not None and self._lock.is_held:
                for name, told in self._watch.news().items():
                    self._look_at(name, now, told)
            if self._lock.is_held:
                for name in self._sightings.due(now):
                    self._confirm(name, now)
        except OSError as error:
            self._trouble.hinder(error)

    def take(self) -> bool:
        """Send one file; say whether there was any.

        Raises
        ------
        Stopping
            Where PACER stops before it is confirmed; it is sent when PACER runs again.
        """
        if not self._lock.is_held:
            return False
        now = time.monotonic()
        if self._taken.send_one(now):
            return True
        complete = self._sightings.next()
        if complete is None:
            return False
        if self._taken.has(complete.name):  # an earlier file of this name is not away yet
            return False  # the next look finds it again
        return self._taken.claim(complete, now)

    def wait(self) -> float:
        """Give the seconds until there is something to do, if nothing is told before."""
        now = time.monotonic()
        if not self._lock.is_held:
            return max(0.0, self._next - now)
        waits = [self._next - now, *(due - now for due in self._taken.due)]
        if (complete := self._sightings.wait(now)) is not None:
            waits.append(complete)
        return max(0.0, min(waits))

    @property
    def told_by(self) -> int | None:
        """The descriptor that becomes readable when the system tells of something, or ``None``."""
        return None if self._watch is None else self._watch.fileno()

    def close(self) -> None:
        """Leave the folder to others."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self._lock.release()

    @property
    def _next(self) -> float:
        """When to look through it again."""
        return min(self._planned, self._trouble.again)

    def _look_through_at(self, when: float) -> None:
        self._planned, self._trouble.again = when, math.inf

    def _enter(self) -> bool:
        """Have the folder, and its subfolders; say whether this process has it."""
        if self._lock.is_held and not self._lock.is_still_there():
            self.close()
        if not self._lock.is_held:
            if not self._lock.acquire():
                return False
            self._ctx.log.info("watching %s for %s", self.path, self._watched.to)
            self._taken.make()
            self._away.make()
            self._recover()
        self._listen()  # from before the look on, so that nothing falls in between
        self._trouble.text = ""
        self._away.move()
        return True

    def _recover(self) -> None:
        """Take up what an earlier process has left: what was published is moved, all else is sent."""
        self._sightings = Sightings(self._settle)
        self._away.recover()
        self._taken.recover()

    def _listen(self) -> None:
        """Have the system tell what happens in the folder, where it does."""
        if self._watch is not None and (self._watch.lost or self._watch.missed):
            self._watch.close()
            self._watch = None
        if self._watch is None and self._inotify:
            try:
                self._watch = Watch(self.path)
            except OSError as error:
                self._trouble.once(
                    "watch", "the system does not tell of %s, which is looked through: %s", self.path, error
                )

    def _scan(self, now: float) -> None:
        news = self._watch.news() if self._watch is not None else {}
        there = {one.name: one for one in files_in(self.path, self._odd) if self._wants(one.name)}
        self._sightings.forget_others(there)
        for name, one in there.items():
            self._sightings.see(name, one.stat, now, news.get(name, ()))

    def _look_at(self, name: str, now: float, told: set[str]) -> None:
        if not self._wants(name):
            return
        found = stat_of(self.path / name)
        if found is None:
            self._sightings.forget(name)
        else:
            self._sightings.see(name, found, now, told)

    def _confirm(self, name: str, now: float) -> None:
        found = stat_of(self.path / name)
        if found is None:
            self._sightings.forget(name)
        else:
            self._sightings.confirm(name, found, now)

    def _wants(self, name: str) -> bool:
        return is_wanted(name, self._watched.patterns)

    def _odd(self, name: str) -> None:
        """Say once of a link, a pipe or a device that it is left where it is."""
        if self._wants(name):
            self._trouble.once(
                f"odd {name}", "%s is no regular file, and left alone", self.path / printable(name)
            )
