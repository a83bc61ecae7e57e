"""What goes wrong with jobs."""

from __future__ import annotations

from pacer_core import PacerError


class DatabaseError(PacerError):
    """The job database does not answer, or cannot be used."""


class NoSuchJob(PacerError):
    """There is no job of that number."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"job ID {job_id} does not exist.")


class Over(PacerError):
    """An attempt at a job is over, and nothing is to be done for it any more; says why.

    A task that meets it leaves its message to be acknowledged.
    """
