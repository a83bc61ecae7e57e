"""Making a job of what is in the spool."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from pacer_core import ServiceContext
from pacer_pacifica.jobs import UPLOAD_JOB, Ids, Job, Jobs


@frozen
class Making:
    """Makes jobs, each durable when it is made; waits for the database.

    Attributes
    ----------
    ids
        Where numbers of jobs come from; ``None`` for the job database's own.
    wake
        Has the outbox looked at.
    """

    ctx: ServiceContext
    jobs: Jobs
    ids: Ids | None
    wake: Callable[[], None]

    def job(self, kind: str, user: str, name: str, size: int) -> Job:
        """Make a job of a name in the spool."""
        job_id = None if self.ids is None else self.ids.take(UPLOAD_JOB, 1)
        job = self.jobs.create(kind, name=name, user=user, size=size, job_id=job_id)
        self.ctx.count("jobs")
        self.ctx.count("bytes", size)
        self.wake()
        return job
