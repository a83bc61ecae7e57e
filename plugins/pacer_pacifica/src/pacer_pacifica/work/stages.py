"""One stage of a job: begun, moved on, and ended in the job database, whatever happens in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from pacer_core import Context, NotYet, Reject, Retry
from pacer_pacifica.bundles.errors import BundleError, CatalogueError, MetadataError
from pacer_pacifica.integration import PACIFICA
from pacer_pacifica.jobs import (
    INGEST_FILES,
    INGEST_METADATA,
    LOAD_METADATA,
    MOVE_FILES,
    DatabaseError,
    Over,
)
from pacer_pacifica.work.places import Message, drop_plain

if TYPE_CHECKING:
    from pacer_pacifica.jobs import Jobs

T = TypeVar("T")
NUMBERS = "files"
"""The name under which a job keeps the numbers of its files."""
_NUMBERED = (INGEST_FILES, MOVE_FILES, INGEST_METADATA)
_MOMENT = 1.0  # seconds between two notes of progress
_ALMOST = 99.9  # the end is told by `Jobs.finish` alone


def of_a_job(function: Callable[[Any, Context], None]) -> Callable[[Any, Context], None]:
    """Make the function of a task end quietly where its job has ended: the message has nothing to do."""

    @wraps(function)
    def quiet(message: Message, ctx: Context) -> None:
        try:
            function(message, ctx)
        except Over as over:
            ctx.log.info("%s: nothing is done for this message", over)

    return quiet


class Stage:
    """A stage at work; ``moved`` is told of bytes, and raises `Over` where nobody wants them any more.

    ``numbers`` are those that the job has for its files, as `pacer_pacifica.work.steps.numbers` keeps them.
    """

    def __init__(self, jobs: Jobs, message: Message, name: str, numbers: Any) -> None:
        self.name, self.numbers = name, numbers
        self._jobs, self._message = jobs, message
        self._total = self._done = 0
        self._began = self._told = time.monotonic()

    def expect(self, total: int) -> None:
        """Say how many bytes there are to be moved."""
        self._total, self._done = total, 0

    def moved(self, number: int) -> None:
        """Note that so many more bytes are done; once a second that is written down.

        Raises
        ------
        Over
            Where the job has been cancelled.
        """
        self._done += number
        now = time.monotonic()
        if now - self._told >= _MOMENT:
            self._told = now
            percent = min(_ALMOST, 100 * self._done / self._total) if self._total else 0.0
            self._jobs.progress(self._message.job_id, self._message.attempt, self.name, percent)

    def ended(self) -> None:
        """Note that all is done, where somebody may have seen less: the next stage may have to wait.

        Raises
        ------
        Over
            As `moved`.
        """
        if self.name != INGEST_METADATA and time.monotonic() - self._began >= _MOMENT:
            self._jobs.progress(self._message.job_id, self._message.attempt, self.name, 100.0)


def run(message: Message, ctx: Context, name: str, work: Callable[[Stage], T]) -> T:
    """Do a stage's work, which may raise anything; write down that it begins, and what keeps it from its end.

    That it has ended is written down with the beginning of the next one, or the end of the job.

    Raises
    ------
    Over
        Where the job is done, cancelled, gone, or in a later attempt.
    Reject
        Where it failed for good, which the job says now.
    Exception
        Whatever else ``work`` raises: the message comes again, and the job says what it waits for.
    """
    jobs, key = ctx[PACIFICA].jobs, (message.job_id, message.attempt)
    try:
        stage = Stage(jobs, message, name, jobs.begin(*key, name, NUMBERS if name in _NUMBERED else ""))
        result = work(stage)
        stage.ended()
    except BundleError as error:
        jobs.fail(*key, _stage_of(error, name), str(error))
        drop_plain(message, ctx[PACIFICA].spool)
        raise Reject(f"job {message.job_id}, {_stage_of(error, name)}: {error}") from None
    except Reject as error:
        jobs.fail(*key, name, str(error))
        raise
    except (Over, DatabaseError):
        raise
    except (Retry, NotYet) as error:
        jobs.wait(*key, name, str(error))
        raise
    except OSError as error:
        jobs.wait(*key, name, f"a file cannot be read or written: {error.strerror or error}")
        raise Retry(f"job {message.job_id}, {name}: {error}") from error
    except Exception as error:
        jobs.wait(*key, name, f"an error of PACER itself, {type(error).__name__}: see its log")
        raise
    return result


def _stage_of(error: BundleError, name: str) -> str:
    """Give the stage that an error belongs to: what is wrong is found before it would do harm."""
    if isinstance(error, CatalogueError):
        return INGEST_METADATA
    return LOAD_METADATA if isinstance(error, MetadataError) else name
