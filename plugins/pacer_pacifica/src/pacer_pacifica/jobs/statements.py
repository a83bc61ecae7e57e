"""What the tasks ask of the database at each stage: made once, which takes longer than to run them."""

from __future__ import annotations

from sqlalchemy import DateTime, and_, bindparam, select, text, update

from pacer_pacifica.jobs.records import FAILED, OK, ORDER
from pacer_pacifica.jobs.tables import job, kept

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
FINISH_JOB = update(job).where(_OPEN).values(state=OK, percent=100.0, complete=True, **_MOVED)

# SQLite and PostgreSQL spell it the same.
BEGIN_STAGE = text(
    "INSERT INTO pacifica_stage (job_id, attempt, task, percent, tries, started, ended, exception) "
    "VALUES (:of_job, :of_attempt, :at_task, 0, 1, :now, NULL, '') "
    "ON CONFLICT (job_id, attempt, task) DO UPDATE "
    "SET tries = pacifica_stage.tries + 1, percent = 0, ended = NULL, exception = ''"
).bindparams(bindparam("now", type_=DateTime))
_ENDED = (
    "UPDATE pacifica_stage SET percent = 100, ended = :now, exception = '' "
    "WHERE job_id = :of_job AND attempt = :of_attempt AND ended IS NULL"
)
END_STAGES = text(_ENDED).bindparams(bindparam("now", type_=DateTime))
"""End every stage of an attempt that is open."""


END_BEFORE = {
    task: text(f"{_ENDED} AND task IN ({', '.join(map(repr, ORDER[:place]))})").bindparams(
        bindparam("now", type_=DateTime)
    )
    for place, task in enumerate(ORDER)
    if place
}
"""By stage: end those before it, which are done where it begins."""

KEEP = text(
    "INSERT INTO pacifica_kept (job_id, name, value) VALUES (:of_job, :named, :value) ON CONFLICT DO NOTHING"
)
KEPT = select(kept.c.value).where(kept.c.job_id == bindparam("of_job"), kept.c.name == bindparam("named"))
