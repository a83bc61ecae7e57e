"""Sweeping: jobs that nothing moves any more, files that nobody needs any more.

What is looked at is the spool's folder and the job database; other processes may change both meanwhile.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from attrs import define

from pacer_pacifica.jobs import Job, Jobs, Outbox, Over
from pacer_pacifica.service.options import ServiceOptions
from pacer_pacifica.service.resumable import Resumable
from pacer_pacifica.service.spool import BUNDLE, INCOMING, MOVES, is_held

_OURS = re.compile(rf"[0-9a-f]{{32}}({re.escape(BUNDLE)}|{re.escape(MOVES)})")
_MADE_OF_IT = re.compile(r"(?P<name>.+\.bundle)\.plain(\.[0-9a-f]{32}\.part)?")
"""What the consumers make of a compressed bundle, beside it: whoever needs it makes it again."""
_YOUNG = 60.0  # seconds for which a file is left alone: it may just be opened, and not locked yet


@define
class Swept:
    """What a sweep has done."""

    sent_again: int = 0
    failed: int = 0
    removed: int = 0


class Sweeper:
    """Sweeps a spool and its jobs."""

    def __init__(
        self,
        log: logging.Logger,
        options: ServiceOptions,
        jobs: Jobs,
        outbox: Outbox,
        resumable: Resumable,
    ) -> None:
        self._log, self._options = log, options.sweep
        self._jobs, self._outbox, self._resumable = jobs, outbox, resumable
        self._spool = Path(options.spool)

    def sweep(self) -> Swept:
        """Look at everything once; say what was done.

        Raises
        ------
        DatabaseError
            Where the jobs cannot be read.
        """
        now, done = datetime.now(UTC), Swept()
        self._stale(now, done)
        self._resumable.sweep()
        for path in _old(self._spool / INCOMING):  # what processes that died were writing
            done.removed += _remove(path, lambda: True)
        self._done_with(now, done)
        self._outbox.forget(now - self._options.keep_jobs)
        return done

    def _stale(self, now: datetime, done: Swept) -> None:
        """Send the messages of jobs that nothing moves again, a few times."""
        for job in self._outbox.stale(now - self._options.after):
            since = job.updated.isoformat(timespec="seconds")
            if job.sweeps < self._options.times:
                if self._outbox.send_again(job):
                    done.sent_again += 1
                    self._log.warning(
                        "nothing has moved job %d since %s: its message is sent again", job.id, since
                    )
                continue
            sent = job.sweeps + 1
            why = f"nothing has moved this job since {since}, though its message was sent {sent} times"
            with suppress(Over):  # it has ended, or begun anew, meanwhile
                self._jobs.fail(job.id, job.attempt, None, f"{why}: look into the dead queue")
                done.failed += 1
                self._log.error("job %d fails: %s", job.id, why)

    def _done_with(self, now: datetime, done: Swept) -> None:
        """Take away what belongs to no job, to one that is done, or to one that failed long ago."""
        failed = now - self._options.keep_failed
        paths = [path for path in _old(self._spool) if _OURS.fullmatch(path.name)]
        begun = self._resumable.names()  # what is there of these may still become a job
        jobs = self._outbox.of([path.name for path in paths])
        self._made_of_others(done)
        for path in paths:
            job = jobs.get(path.name)
            if _is_unneeded(job, failed) and not (job is None and path.name in begun):
                done.removed += _remove(path, partial(self._is_still_unneeded, path.name, failed))

    def _made_of_others(self, done: Swept) -> None:
        """Take away what was made of bundles whose jobs have ended, or are not there any more."""
        found = {path: match["name"] for path in _old(self._spool) if (match := _made_of(path))}
        jobs = self._outbox.of(set(found.values()))
        for path, name in found.items():
            job = jobs.get(name)
            if job is None or job.complete:
                done.removed += _remove(path, lambda: True)

    def _is_still_unneeded(self, name: str, failed: datetime) -> bool:
        """Look again, when nobody who may just be making a job of a file has it any more."""
        return _is_unneeded(self._outbox.of([name]).get(name), failed)


def _made_of(path: Path) -> re.Match[str] | None:
    match = _MADE_OF_IT.fullmatch(path.name)
    return match if match and _OURS.fullmatch(match["name"]) else None


def _is_unneeded(job: Job | None, failed: datetime) -> bool:
    return job is None or job.status == "done" or (job.complete and job.updated < failed)


def _old(folder: Path) -> Iterator[Path]:
    """Give the files of a folder that are old enough to be looked at."""
    young = time.time() - _YOUNG
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if (
                    entry.is_file(follow_symlinks=False)
                    and entry.stat(follow_symlinks=False).st_mtime < young
                ):
                    yield Path(entry.path)


def _remove(path: Path, if_: Callable[[], bool]) -> bool:
    """Remove a file that no process holds; ``if_`` is asked when that is certain. Say whether it was."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if is_held(file) or not if_():
            return False
        path.unlink()
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(file)
