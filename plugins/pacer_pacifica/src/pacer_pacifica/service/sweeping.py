"""Sweeping: jobs that nothing moves any more, files that nobody needs any more.

What is looked at is the spool's folder and the job database; other processes may change both meanwhile.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pacer_core import ServiceContext
from pacer_pacifica.jobs import Job, Jobs, Outbox, Over
from pacer_pacifica.service.options import ServiceOptions
from pacer_pacifica.service.resumable import Resumable
from pacer_pacifica.service.spool import BUNDLE, INCOMING, MOVES, is_held

_OURS = re.compile(rf"[0-9a-f]{{32}}({re.escape(BUNDLE)}|{re.escape(MOVES)})")
_YOUNG = 60.0  # seconds for which a file is left alone: it may just be opened, and not locked yet


class Sweeper:
    """Sweeps a spool and its jobs."""

    def __init__(self, ctx: ServiceContext, jobs: Jobs, outbox: Outbox, resumable: Resumable) -> None:
        options: ServiceOptions = ctx.options
        self._log, self._options = ctx.log, options.sweep
        self._jobs, self._outbox, self._resumable = jobs, outbox, resumable
        self._spool = Path(options.spool)

    def sweep(self) -> None:
        """Look at everything once.

        Raises
        ------
        DatabaseError
            Where the jobs cannot be read.
        """
        now = datetime.now(UTC)
        self._stale(now)
        self._resumable.sweep()
        self._left_behind()
        self._done_with(now)
        self._outbox.forget(now - self._options.keep_jobs)

    def _stale(self, now: datetime) -> None:
        """Send the messages of jobs that nothing moves again, a few times."""
        for job in self._outbox.stale(now - self._options.after):
            if job.sweeps < self._options.times:
                if self._outbox.send_again(job):
                    self._log.warning(
                        "nothing has moved job %d since %s: its message is sent again", job.id, job.updated
                    )
                continue
            with suppress(Over):
                why = f"nothing has moved this job since its message was sent for the {job.sweeps + 1}th time"
                self._jobs.fail(
                    job.id, job.attempt, None, f"{why}; look into the dead queue, and try it again"
                )
                self._log.error("job %d fails: %s", job.id, why)

    def _left_behind(self) -> None:
        """Take away what processes that died were writing."""
        for path in _old(self._spool / INCOMING):
            _remove(path, lambda: True)

    def _done_with(self, now: datetime) -> None:
        """Take away what belongs to no job, to one that is done, or to one that failed long ago."""
        failed = now - self._options.keep_failed
        begun = self._resumable.names()  # what is there of these may still become a job
        paths = [path for path in _old(self._spool) if _OURS.fullmatch(path.name)]
        jobs = self._outbox.of([path.name for path in paths])
        for path in paths:
            job = jobs.get(path.name)
            if _is_unneeded(job, failed) and not (job is None and path.name in begun):
                _remove(path, partial(self._is_still_unneeded, path.name, failed))

    def _is_still_unneeded(self, name: str, failed: datetime) -> bool:
        """Look again, when nobody who may just be making a job of a file has it any more."""
        return _is_unneeded(self._outbox.of([name]).get(name), failed)


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


def _remove(path: Path, if_: Callable[[], bool]) -> None:
    """Remove a file that no process holds; ``if_`` is asked when that is certain."""
    with suppress(OSError):
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not is_held(file) and if_():
                path.unlink()
        finally:
            os.close(file)
