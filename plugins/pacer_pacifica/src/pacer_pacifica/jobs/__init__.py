"""The job database: what became of each upload, for uploaders, administrators and the tasks.

A job is in `OK` or `FAILED`, at a stage with a percentage, as Pacifica's clients know it. Beside that it has
attempts, the times of its stages, and a note of what it waits for.
"""

from pacer_pacifica.jobs.database import Database, DatabaseError
from pacer_pacifica.jobs.ids import FILE, UPLOAD_JOB, Ids, OwnIds
from pacer_pacifica.jobs.outbox import Outbox
from pacer_pacifica.jobs.records import (
    FAILED,
    INGEST_FILES,
    INGEST_METADATA,
    LOAD_METADATA,
    MOVE,
    MOVE_FILES,
    OK,
    OPEN_TAR,
    POLICY,
    UPLOAD,
    UPLOADING,
    Job,
    Stage,
)
from pacer_pacifica.jobs.store import STATUSES, Jobs, NoSuchJob, Over

__all__ = [
    "FAILED",
    "FILE",
    "INGEST_FILES",
    "INGEST_METADATA",
    "LOAD_METADATA",
    "MOVE",
    "MOVE_FILES",
    "OK",
    "OPEN_TAR",
    "POLICY",
    "STATUSES",
    "UPLOAD",
    "UPLOADING",
    "UPLOAD_JOB",
    "Database",
    "DatabaseError",
    "Ids",
    "Job",
    "Jobs",
    "NoSuchJob",
    "Outbox",
    "Over",
    "OwnIds",
    "Stage",
]
