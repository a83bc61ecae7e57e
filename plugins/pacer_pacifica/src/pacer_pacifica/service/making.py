"""Making a job of what is in the spool."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from pacer_pacifica.jobs import UPLOAD_JOB, Ids, Job, Jobs


@frozen
class Making:
    """Makes jobs, each durable when it is made; waits for the database.

    Attributes
    ----------
    ids
        Where numbers of jobs come from.
    made
        Is told of each new job.
    """

    jobs: Jobs
    ids: Ids
    made: Callable[[Job], object]

    def job(self, kind: str, user: str, name: str, size: int) -> Job:
        """Make a job of a name in the spool.

        Raises
        ------
        DatabaseError
            Where the database does not answer.
        pacer_http.HttpProblem
            Where the uniqueid service does not.
        """
        job_id = self.ids.take(UPLOAD_JOB, 1)
        job = self.jobs.create(job_id, kind, name=name, user=user, size=size)
        self.made(job)
        return job
