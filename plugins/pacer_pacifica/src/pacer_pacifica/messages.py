"""What the service sends to the consumers of its jobs: one message for each attempt at a job."""

from __future__ import annotations

import orjson
from attrs import asdict, frozen

from pacer_pacifica.jobs.records import MOVE, Job

BUNDLES, MOVES = "pacifica-bundles", "pacifica-moves"


@frozen
class Bundle:
    """An uploaded bundle in the spool, for the consumer type ``pacifica-bundles``.

    Attributes
    ----------
    job_id
        The job.
    attempt
        Which attempt at the job this is, from 1; a message of an earlier one has nothing to do any more.
    name
        The bundle's name in the spool: a name alone, never a path.
    user
        Who uploaded it, as the service's authentication says.
    size
        Its bytes.
    """

    job_id: int
    attempt: int
    name: str
    user: str
    size: int


@frozen
class Move:
    """A list of files to be moved, in the spool; for ``pacifica-moves``. The fields are those of `Bundle`."""

    job_id: int
    attempt: int
    name: str
    user: str
    size: int


def message_of(job: Job) -> tuple[bytes, str]:
    """Give the message of a job's present attempt, and its message id."""
    cls = Move if job.kind == MOVE else Bundle
    message = cls(job.id, job.attempt, job.name, job.user, job.size)
    return orjson.dumps(asdict(message)), f"pacifica-{job.id}-{job.attempt}"
