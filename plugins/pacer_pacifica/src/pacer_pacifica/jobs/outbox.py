"""Jobs whose message is still to be published, or is lost: what the service sends, and sends again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, delete, select, update

from pacer_pacifica.jobs import tables
from pacer_pacifica.jobs.database import Database
from pacer_pacifica.jobs.records import Job
from pacer_pacifica.jobs.store import read_job

_job = tables.job


class Outbox:
    """What of a job database is to be published. A job is in it from the moment that it is made."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unpublished(self, limit: int = 100) -> Sequence[Job]:
        """Give jobs whose message the broker has not confirmed, the oldest first."""
        query = select(_job).where(_job.c.published.is_(False), _job.c.complete.is_(False))
        return self._read(query.order_by(_job.c.updated, _job.c.id).limit(limit))

    def published(self, job: Job) -> None:
        """Note that the broker has confirmed the message of a job's attempt."""
        here = (_job.c.id == job.id, _job.c.attempt == job.attempt)
        with self._database.writing() as connection:
            connection.execute(update(_job).where(*here).values(published=True))

    def stale(self, before: datetime, limit: int = 100) -> Sequence[Job]:
        """Give published jobs that have not ended, and that nothing has moved since ``before`` (aware)."""
        since = before.astimezone(UTC).replace(tzinfo=None)
        query = select(_job).where(_job.c.published, _job.c.complete.is_(False), _job.c.updated < since)
        return self._read(query.order_by(_job.c.updated, _job.c.id).limit(limit))

    def send_again(self, job: Job) -> bool:
        """Have a stale job's message published again; say whether it was still as it was seen."""
        here = (_job.c.id == job.id, _job.c.revision == job.revision, _job.c.complete.is_(False))
        again = (
            update(_job)
            .where(*here)
            .values(
                published=False,
                sweeps=_job.c.sweeps + 1,
                revision=_job.c.revision + 1,
                updated=datetime.now(UTC).replace(tzinfo=None),
            )
        )
        with self._database.writing() as connection:
            return connection.execute(again).rowcount > 0

    def of(self, names: Collection[str]) -> dict[str, Job]:
        """Give the jobs of some names in the spool; those without a job are left out."""
        found: dict[str, Job] = {}
        for some in batched(names, 500):
            found |= {job.name: job for job in self._read(select(_job).where(_job.c.name.in_(some)))}
        return found

    def forget(self, before: datetime) -> int:
        """Remove jobs that ended before a time (aware); say how many."""
        since = before.astimezone(UTC).replace(tzinfo=None)
        with self._database.writing() as connection:
            return connection.execute(delete(_job).where(_job.c.complete, _job.c.updated < since)).rowcount

    def _read(self, query: Select[Any]) -> Sequence[Job]:
        with self._database.reading() as connection:
            return [read_job(row) for row in connection.execute(query).mappings()]


def batched(names: Collection[str], size: int) -> Iterator[Sequence[str]]:
    """Give some names, so many at a time: databases take only so many in one statement."""
    listed = list(names)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]
