"""The job database: what became of each upload, for uploaders, administrators and the tasks.

A job is in `OK` or `FAILED`, at a stage with a percentage, as Pacifica's clients know it. Beside that it has
attempts, the times of its stages, and a note of what it waits for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pacer_pacifica.jobs.errors import DatabaseError, NoSuchJob, Over
from pacer_pacifica.jobs.ids import FILE, UPLOAD_JOB, FileNumbers, Ids
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
    STATUSES,
    UPLOAD,
    UPLOADING,
    Job,
    Stage,
)

if TYPE_CHECKING:
    from pacer_pacifica.jobs.database import Database
    from pacer_pacifica.jobs.outbox import Outbox
    from pacer_pacifica.jobs.own_ids import OwnIds
    from pacer_pacifica.jobs.store import Jobs

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
    "FileNumbers",
    "Ids",
    "Job",
    "Jobs",
    "NoSuchJob",
    "Outbox",
    "Over",
    "OwnIds",
    "Stage",
]

_BY_SQLALCHEMY = {"Database": "database", "Jobs": "store", "Outbox": "outbox", "OwnIds": "own_ids"}


def __getattr__(name: str) -> Any:
    """Load what needs SQLAlchemy when somebody asks for it: every command of PACER loads this package."""
    if name not in _BY_SQLALCHEMY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_BY_SQLALCHEMY[name]}"), name)
