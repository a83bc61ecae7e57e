"""What the tasks ask of the database at each stage, for `Driver`; SQLite and PostgreSQL spell it the same."""

from __future__ import annotations

from pacer_pacifica.jobs.records import FAILED, OK, ORDER


def _move(percent: int, complete: str) -> str:
    """Give the change of a job that the attempt is still for."""
    return f"""
        UPDATE pacifica_job SET state = '{OK}', percent = {percent}, complete = {complete}, task = :at_task,
            waits_for = '', exception = '', updated = :now, revision = revision + 1
        WHERE id = :of_job AND attempt = :of_attempt AND NOT cancelled
            AND (NOT complete OR state = '{FAILED}')
    """  # noqa: S608 - our own words


BEGIN_JOB = _move(0, "FALSE")
FINISH_JOB = _move(100, "TRUE")

BEGIN_STAGE = """
    INSERT INTO pacifica_stage (job_id, attempt, task, percent, tries, started, ended, exception)
    VALUES (:of_job, :of_attempt, :at_task, 0, 1, :now, NULL, '')
    ON CONFLICT (job_id, attempt, task) DO UPDATE
    SET tries = pacifica_stage.tries + 1, percent = 0, ended = NULL, exception = ''
"""
END_STAGES = """
    UPDATE pacifica_stage SET percent = 100, ended = :now, exception = ''
    WHERE job_id = :of_job AND attempt = :of_attempt AND ended IS NULL
"""
"""End every stage of an attempt that is open."""
END_BEFORE = {
    task: f"{END_STAGES} AND task IN ({', '.join(map(repr, ORDER[:place]))})"
    for place, task in enumerate(ORDER)
    if place
}
"""By stage: end those before it, which are done where it begins."""

KEEP = (
    "INSERT INTO pacifica_kept (job_id, name, value) VALUES (:of_job, :named, :value) ON CONFLICT DO NOTHING"
)
KEPT = "SELECT value FROM pacifica_kept WHERE job_id = :of_job AND name = :named"
LOCK_JOB = "SELECT id FROM pacifica_job WHERE id = :of_job FOR UPDATE"
"""Of PostgreSQL alone; SQLite has one writer."""
