"""Jobs: made by the service, moved on by the tasks, looked at and mended by people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, and_, delete, insert, select, update
from sqlalchemy.engine import RowMapping

from pacer_pacifica.jobs import statements, tables
from pacer_pacifica.jobs.database import Database
from pacer_pacifica.jobs.errors import NoSuchJob, Over
from pacer_pacifica.jobs.records import FAILED, INGEST_METADATA, OK, UPLOADING, Job, Stage

_job, _stage, _kept = tables.job, tables.stage, tables.kept


class Jobs:
    """The jobs of a database; its methods may be called from several threads and processes.

    All raise `DatabaseError` where the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- the service ---------------------------------------------------------------------------------

    def create(self, job_id: int, kind: str, *, name: str, user: str, size: int) -> Job:
        """Make a job of what is in the spool, to be published; durable when this returns."""
        now = _now()
        values = {
            "id": job_id,
            "kind": kind,
            "state": OK,
            "task": UPLOADING,
            "percent": 0.0,
            "complete": False,
            "exception": "",
            "waits_for": "",
            "cancelled": False,
            "user": _text(user),
            "name": name,
            "size": size,
            "attempt": 1,
            "sweeps": 0,
            "published": False,
            "revision": 1,
            "created": now,
            "updated": now,
        }
        with self._database.writing(durable=True) as connection:
            connection.execute(insert(_job).values(values))
        return read_job(values)

    def get(self, job_id: int) -> Job:
        """Give a job.

        Raises
        ------
        NoSuchJob
            Where there is none of that number.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(_job).where(_job.c.id == job_id)).mappings().one_or_none()
        if row is None:
            raise NoSuchJob(job_id)
        return read_job(row)

    def find(
        self,
        *,
        status: str | None = None,
        kind: str | None = None,
        user: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[Job]:
        """Give jobs, the newest first; ``before`` is the number that they all are below."""
        query = select(_job).order_by(_job.c.id.desc()).limit(limit)
        if status is not None:
            query = query.where(_STATUS[status])
        for column, wanted in ((_job.c.kind, kind), (_job.c.user, user)):
            if wanted is not None:
                query = query.where(column == _text(wanted))
        if before is not None:
            query = query.where(_job.c.id < before)
        with self._database.reading() as connection:
            return [read_job(row) for row in connection.execute(query).mappings()]

    def stages(self, job_id: int) -> Sequence[Stage]:
        """Give the stages of all attempts at a job, in the order in which they began."""
        query = select(_stage).where(_stage.c.job_id == job_id)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_stage.c.attempt, _stage.c.started)).mappings()
            return [_read_stage(row) for row in rows]

    # --- the tasks -----------------------------------------------------------------------------------

    def begin(self, job_id: int, attempt: int, task: str, kept: str = "") -> Any:
        """Note that a stage begins, or begins again after a retry or a crash; those before it are done.

        A job that has failed in this attempt goes on again: its message was replayed. What is ``kept`` under
        a name is given as well, as `kept` does.

        Raises
        ------
        Over
            Where the job is done, cancelled, gone, or in a later attempt.
        """
        given = {"of_job": job_id, "of_attempt": attempt, "at_task": task, "now": _now(), "named": kept}
        with self._database.at_once() as driver:
            if driver.run(statements.BEGIN_JOB, given):
                if (before := statements.END_BEFORE.get(task)) is not None:
                    driver.run(before, given)
                driver.run(statements.BEGIN_STAGE, given)
                return _read_kept(driver.value(statements.KEPT, given)) if kept else None
        with self._database.reading() as connection:
            raise self._over(connection, job_id, attempt)

    def progress(self, job_id: int, attempt: int, task: str, percent: float) -> None:
        """Note how far a stage is, from 0 to 100. Do that once a second, not for every block.

        Raises
        ------
        Over
            Where the job is done, cancelled, gone, or in a later attempt: stop the work.
        """
        with self._database.writing() as connection:
            self._move(connection, job_id, attempt, _now(), task=task, percent=percent)
            connection.execute(update(_stage).where(_is_stage(job_id, attempt, task)).values(percent=percent))

    def finish(self, job_id: int, attempt: int) -> None:
        """Note that all stages are done, and the job with them, durably.

        Raises
        ------
        Over
            Where the job is done, cancelled, gone, or in a later attempt.
        """
        given = {"of_job": job_id, "of_attempt": attempt, "at_task": INGEST_METADATA, "now": _now()}
        with self._database.at_once(durable=True) as driver:
            if driver.run(statements.FINISH_JOB, given):
                driver.run(statements.END_STAGES, given)
                return
        with self._database.reading() as connection:
            raise self._over(connection, job_id, attempt)

    def wait(self, job_id: int, attempt: int, task: str, what: str) -> None:
        """Note what keeps a stage from its end for now: the message comes again.

        Raises
        ------
        Over
            Where the job is done, cancelled, gone, or in a later attempt.
        """
        with self._database.writing() as connection:
            self._move(connection, job_id, attempt, _now(), waits_for=what)
            connection.execute(
                update(_stage).where(_is_stage(job_id, attempt, task)).values(exception=_text(what))
            )

    def fail(self, job_id: int, attempt: int, task: str | None, exception: str) -> None:
        """Note that an attempt has failed for good, at a stage (``None``: the one it is at).

        Raises
        ------
        Over
            Where the job is done, cancelled, gone, or in a later attempt.
        """
        now = _now()
        at = {} if task is None else {"task": task, "percent": 0.0}
        with self._database.writing(durable=True) as connection:
            self._move(
                connection, job_id, attempt, now, state=FAILED, exception=exception, complete=True, **at
            )
            where = and_(_stage.c.job_id == job_id, _stage.c.attempt == attempt, _stage.c.ended.is_(None))
            connection.execute(update(_stage).where(where).values(ended=now, exception=_text(exception)))

    def keep(self, job_id: int, name: str, value: Any) -> Any:
        """Keep a JSON value for all attempts at a job, unless one is kept already; give what is kept.

        So that what is drawn once (the numbers of files) stays, however often the work is repeated.
        """
        given = {"of_job": job_id, "named": name, "value": orjson.dumps(value).decode()}
        with self._database.at_once(durable=True) as driver:
            if not self._database.is_sqlite:
                driver.run(statements.LOCK_JOB, given)
            if driver.run(statements.KEEP, given):
                return value
            return _read_kept(driver.value(statements.KEPT, given))

    def kept(self, job_id: int, name: str) -> Any:
        """Give what is kept under a name, or ``None``."""
        query = select(_kept.c.value).where(_kept.c.job_id == job_id, _kept.c.name == name)
        with self._database.reading() as connection:
            return _read_kept(connection.execute(query).scalar_one_or_none())

    def forget(self, job_id: int, attempt: int, name: str) -> bool:
        """Forget what is kept, unless the job is done or in a later attempt; say whether it is forgotten.

        Only one caller is told that it was: whoever is may undo what was done under it.
        """
        ours = select(_job.c.id).where(
            _job.c.id == job_id, _job.c.attempt == attempt, _job.c.complete.is_(False) | (_job.c.state != OK)
        )
        there = (_kept.c.job_id == job_id, _kept.c.name == name, ours.exists())
        with self._database.writing(durable=True) as connection:
            connection.execute(select(_job.c.id).where(_job.c.id == job_id).with_for_update())
            return connection.execute(delete(_kept).where(*there)).rowcount > 0

    # --- people --------------------------------------------------------------------------------------

    def retry(self, job_id: int) -> Job:
        """Begin another attempt at a job that has failed or was cancelled; the service publishes it.

        Raises
        ------
        NoSuchJob
            Where there is none of that number.
        Over
            Where it is done, or still under way.
        """
        can = and_(_job.c.id == job_id, _job.c.complete, (_job.c.state != OK) | _job.c.cancelled)
        values = {
            "state": OK,
            "task": UPLOADING,
            "percent": 0.0,
            "complete": False,
            "cancelled": False,
            "exception": "",
            "waits_for": "",
            "attempt": _job.c.attempt + 1,
            "sweeps": 0,
            "published": False,
        }
        return self._act(job_id, can, values, "cannot be tried again: it is {status}")

    def cancel(self, job_id: int, by: str) -> Job:
        """End a job that has not ended; whoever works on it stops at the next look at the database.

        Raises
        ------
        NoSuchJob
            Where there is none of that number.
        Over
            Where it has ended already.
        """
        can = and_(_job.c.id == job_id, _job.c.complete.is_(False))
        values = {"state": FAILED, "complete": True, "cancelled": True, "exception": f"cancelled by {by}"}
        return self._act(job_id, can, values, "cannot be cancelled: it is {status}")

    def override(self, job_id: int, values: Mapping[str, Any]) -> Job:
        """Set ``state``, ``task``, ``percent`` or ``exception`` of a job, as an administrator says.

        Raises
        ------
        NoSuchJob
            Where there is none of that number.
        """
        now = self.get(job_id)
        state, task = values.get("state", now.state), values.get("task", now.task)
        done = task == INGEST_METADATA and values.get("percent", now.percent) >= 100
        more = {"complete": state == FAILED or done, "cancelled": False, "waits_for": ""}
        return self._act(job_id, _job.c.id == job_id, {**values, **more}, "")

    # --- inside --------------------------------------------------------------------------------------

    def _act(self, job_id: int, can: Any, values: Mapping[str, Any], otherwise: str) -> Job:
        statement = update(_job).where(can).values(**_changed(values, _now()))
        with self._database.writing(durable=True) as connection:
            done = connection.execute(statement).rowcount
        job = self.get(job_id)
        if not done:
            raise Over(f"job {job_id} {otherwise.format(status=job.status)}")
        return job

    def _move(self, connection: Connection, job_id: int, attempt: int, now: datetime, **values: Any) -> None:
        """Change a job that the attempt is still for, and say what it is otherwise."""
        running = and_(_job.c.id == job_id, _job.c.attempt == attempt, _job.c.cancelled.is_(False))
        open_ = and_(running, (_job.c.complete.is_(False)) | (_job.c.state == FAILED))
        goes_on = {"state": OK, "complete": False, "waits_for": "", "exception": ""}
        changed = _changed({**goes_on, **values}, now)
        if not connection.execute(update(_job).where(open_).values(**changed)).rowcount:
            raise self._over(connection, job_id, attempt)

    def _over(self, connection: Connection, job_id: int, attempt: int) -> Over:
        """Say why an attempt is over."""
        row = connection.execute(select(_job).where(_job.c.id == job_id)).mappings().one_or_none()
        if row is None:
            return Over(f"job {job_id} is not in the database any more")
        job = read_job(row)
        if job.attempt != attempt:
            return Over(f"attempt {attempt} at job {job_id} is over: attempt {job.attempt} has begun")
        return Over(f"job {job_id} is {job.status}")


_STATUS = {
    "waiting": and_(_job.c.complete.is_(False), _job.c.task == UPLOADING),
    "working": and_(_job.c.complete.is_(False), _job.c.task != UPLOADING),
    "done": and_(_job.c.complete, _job.c.state == OK),
    "failed": and_(_job.c.complete, _job.c.state != OK, _job.c.cancelled.is_(False)),
    "cancelled": and_(_job.c.complete, _job.c.cancelled),
}


def _changed(values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    stored = {name: _text(value) if isinstance(value, str) else value for name, value in values.items()}
    return {**stored, "updated": now, "revision": _job.c.revision + 1}


def _text(text: str) -> str:
    """Give a text as every database takes it: PostgreSQL has no NUL, and UTF-8 no half of a character."""
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _read_kept(found: str | None) -> Any:
    return None if found is None else orjson.loads(found)


def _is_stage(job_id: int, attempt: int, task: str) -> Any:
    return and_(_stage.c.job_id == job_id, _stage.c.attempt == attempt, _stage.c.task == task)


def _now() -> datetime:
    """Give the time as the database has it: UTC, without saying so."""
    return datetime.now(UTC).replace(tzinfo=None)


def read_job(row: RowMapping | Mapping[str, Any]) -> Job:
    """Make a job of its row."""
    aware = {name: row[name].replace(tzinfo=UTC) for name in ("created", "updated")}
    return Job(**{**row, **aware})


def _read_stage(row: RowMapping) -> Stage:
    aware = {name: row[name] and row[name].replace(tzinfo=UTC) for name in ("started", "ended")}
    return Stage(**{**row, **aware})
