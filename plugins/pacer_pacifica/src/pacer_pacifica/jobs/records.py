"""A job and its stages, as they are read from the database."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

OK, FAILED = "OK", "FAILED"
UPLOADING = "UPLOADING"
OPEN_TAR = "open tar"
LOAD_METADATA = "load metadata"
POLICY = "Policy Validation"
INGEST_FILES = "ingest files"
MOVE_FILES = "move files"
INGEST_METADATA = "ingest metadata"
ORDER = (OPEN_TAR, LOAD_METADATA, POLICY, INGEST_FILES, MOVE_FILES, INGEST_METADATA)
"""The stages as they follow each other; of `INGEST_FILES` and `MOVE_FILES` a job has one."""
UPLOAD, MOVE = "upload", "move"
STATUSES = ("waiting", "working", "done", "failed", "cancelled")


@frozen
class Job:
    """One upload, or one list of files to be moved, with what became of it. Times are UTC."""

    id: int
    kind: str
    """``upload`` or ``move``."""
    state: str
    """``OK`` or ``FAILED``: what Pacifica's clients read."""
    task: str
    """The stage that it is at."""
    percent: float
    """Of that stage, from 0 to 100."""
    complete: bool
    """Whether it has ended, well or not."""
    exception: str
    """Why it failed, or ``""``."""
    waits_for: str
    """What the present stage waits for before it is tried again, or ``""``."""
    cancelled: bool
    user: str
    name: str
    """What it brought, in the spool."""
    size: int
    attempt: int
    """Which attempt is the present one, from 1."""
    sweeps: int
    """How often in this attempt a message was sent again since nothing moved the job."""
    published: bool
    """Whether the broker has confirmed the present attempt's message."""
    revision: int
    """Grows with every change."""
    created: datetime
    updated: datetime

    @property
    def status(self) -> str:
        """One word: one of `STATUSES`."""
        if self.complete:
            return "cancelled" if self.cancelled else "done" if self.state == OK else "failed"
        return "waiting" if self.task == UPLOADING else "working"


@frozen
class Stage:
    """One stage of one attempt at a job."""

    job_id: int
    attempt: int
    task: str
    percent: float
    tries: int
    """How often it was begun in this attempt: more than once after a retry, or a crash."""
    started: datetime
    ended: datetime | None
    exception: str
    """What kept it from its end the last time, or ``""``."""
