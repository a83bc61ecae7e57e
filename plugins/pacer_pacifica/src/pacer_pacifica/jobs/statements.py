"""What the tasks ask of the database at each stage: made once, which takes longer than to run them."""

from __future__ import annotations

from sqlalchemy import DateTime, and_, bindparam, select, text, update

from pacer_pacifica.jobs.records import FAILED, OK
from pacer_pacifica.jobs.tables import job, kept, stage

_OPEN = and_(
    job.c.id == bindparam("of_job"),
    job.c.attempt == bindparam("of_attempt"),
    job.c.cancelled.is_(False),
    (job.c.complete.is_(False)) | (job.c.state == FAILED),
)
_MOVED = {
    "task": bindparam("at_task"),
    "waits_for": "",
    "exception": "",
    "updated": bindparam("now"),
    "revision": job.c.revision + 1,
}

BEGIN_JOB = update(job).where(_OPEN).values(state=OK, percent=0.0, complete=False, **_MOVED)
FINISH_JOB = update(job).where(_OPEN).values(state=OK, percent=100.0, complete=bindparam("is_last"), **_MOVED)

# SQLite and PostgreSQL spell it the same.
BEGIN_STAGE = text(
    "INSERT INTO pacifica_stage (job_id, attempt, task, percent, tries, started, ended, exception) "
    "VALUES (:of_job, :of_attempt, :at_task, 0, 1, :now, NULL, '') "
    "ON CONFLICT (job_id, attempt, task) DO UPDATE "
    "SET tries = pacifica_stage.tries + 1, percent = 0, ended = NULL, exception = ''"
).bindparams(bindparam("now", type_=DateTime))
FINISH_STAGE = (
    update(stage)
    .where(
        stage.c.job_id == bindparam("of_job"),
        stage.c.attempt == bindparam("of_attempt"),
        stage.c.task == bindparam("at_task"),
    )
    .values(percent=100.0, ended=bindparam("now"), exception="")
)

KEPT = select(kept.c.value).where(kept.c.job_id == bindparam("of_job"), kept.c.name == bindparam("named"))
