"""What the sweeper takes away, what it leaves, and jobs that nothing moves any more."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from attrs import evolve, frozen

from pacer_core import Retry
from pacer_pacifica.jobs import OPEN_TAR, Database, Job, Jobs, Outbox, OwnIds
from pacer_pacifica.service import ServiceOptions
from pacer_pacifica.service.making import Making
from pacer_pacifica.service.options import Authentication, Sweeping
from pacer_pacifica.service.resumable import Resumable
from pacer_pacifica.service.sweeping import Sweeper, Swept

NOW, LATER = timedelta(microseconds=1), timedelta(days=1)


@frozen
class Yard:
    """A spool and its jobs, without a service."""

    spool: Path
    database: Database

    @property
    def jobs(self) -> Jobs:
        """The jobs."""
        return Jobs(self.database)

    def sweep(self, **options: Any) -> Swept:
        """Sweep once, with everything in the spool old enough."""
        for path in self.spool.rglob("*"):
            if path.is_file() and not path.name.startswith("jobs"):
                os.utime(path, (1, 1))
        given = ServiceOptions(str(self.spool), "bundles", Authentication(anonymous="root"))
        given = evolve(given, sweep=evolve(Sweeping(after=LATER), **options))
        outbox = Outbox(self.database)
        making = Making(self.jobs, OwnIds(self.database), lambda _: None)
        resumable = Resumable(self.spool, outbox, making, LATER)
        return Sweeper(logging.getLogger("test"), given, self.jobs, outbox, resumable).sweep()

    def bundle(self, folder: str = "") -> Path:
        """Put a file there that looks like an upload."""
        path = self.spool / folder / f"{uuid4().hex}.bundle"
        path.write_bytes(b"x")
        return path

    def job(self) -> Job:
        """Make a job with its bundle, published."""
        number = OwnIds(self.database).take("upload_job", 1)
        job = self.jobs.create(number, "upload", name=self.bundle().name, user="alice", size=1)
        Outbox(self.database).published(job)
        return job

    def has(self, job: Job) -> bool:
        """Say whether a job's bundle is there."""
        return (self.spool / job.name).exists()


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """Give a spool."""
    spool = tmp_path / "spool"
    (spool / "incoming").mkdir(parents=True)
    database = Database(f"{spool}/jobs.sqlite")
    yield Yard(spool, database)
    database.close()


def test_what_a_process_that_died_was_writing_is_taken_away(yard: Yard) -> None:
    part, whole = yard.bundle("incoming"), yard.bundle()
    assert yard.sweep().removed == 2
    assert not part.exists()
    assert not whole.exists()


def test_what_a_process_holds_is_left_alone(yard: Yard) -> None:
    paths = [yard.bundle("incoming"), yard.bundle()]
    held = [path.open("rb") for path in paths]
    for file in held:
        fcntl.flock(file, fcntl.LOCK_EX)
    assert yard.sweep().removed == 0
    for file in held:
        file.close()
    assert yard.sweep().removed == 2


def test_what_is_young_is_left_alone(yard: Yard) -> None:
    path = yard.bundle()
    sweeper = yard.sweep
    os.utime(path, (time.time(), time.time()))
    given = ServiceOptions(str(yard.spool), "bundles", Authentication(anonymous="root"))
    outbox = Outbox(yard.database)
    making = Making(yard.jobs, OwnIds(yard.database), lambda _: None)
    resumable = Resumable(yard.spool, outbox, making, LATER)
    assert Sweeper(logging.getLogger("test"), given, yard.jobs, outbox, resumable).sweep().removed == 0
    assert sweeper().removed == 1


def test_files_that_are_none_of_ours_are_left_alone(yard: Yard) -> None:
    others = [yard.spool / name for name in ("notes.txt", "a.bundle", f"{'0' * 32}.tar")]
    for path in others:
        path.write_text("x")
    (yard.spool / f"{'1' * 32}.bundle").symlink_to(others[0])
    yard.sweep()
    assert all(path.exists() for path in others)
    assert (yard.spool / f"{'1' * 32}.bundle").is_symlink()


def test_a_bundle_stays_as_long_as_its_job_may_need_it(yard: Yard) -> None:
    waiting, failed, cancelled, done = (yard.job() for _ in range(4))
    yard.jobs.fail(failed.id, 1, OPEN_TAR, "no tar")
    yard.jobs.cancel(cancelled.id, "alice")
    yard.jobs.override(done.id, {"task": "ingest metadata", "percent": 100})
    yard.sweep()
    assert [yard.has(one) for one in (waiting, failed, cancelled, done)] == [True, True, True, False]
    yard.sweep(keep_failed=NOW)
    assert [yard.has(one) for one in (waiting, failed, cancelled)] == [True, False, False]


def test_a_job_that_nothing_moves_gets_another_message_a_few_times_and_then_fails(yard: Yard) -> None:
    job, outbox = yard.job(), Outbox(yard.database)
    assert yard.sweep().sent_again == 0
    for times in (1, 2):
        swept = yard.sweep(after=NOW, times=2)
        assert (swept.sent_again, swept.failed) == (1, 0)
        (again,) = outbox.unpublished()
        assert (again.id, again.attempt, again.sweeps) == (job.id, 1, times)
        assert yard.sweep(after=NOW, times=2).sent_again == 0  # it is not published yet
        outbox.published(again)
    assert yard.sweep(after=NOW, times=2).failed == 1
    failed = yard.jobs.get(job.id)
    assert (failed.status, "was sent 3 times: look into the dead queue" in failed.exception) == (
        "failed",
        True,
    )
    assert yard.has(job)


def test_a_job_that_moves_is_not_disturbed(yard: Yard) -> None:
    job = yard.job()
    seen = yard.jobs.get(job.id)
    yard.jobs.begin(job.id, 1, OPEN_TAR)
    assert not Outbox(yard.database).send_again(seen)
    assert Outbox(yard.database).unpublished() == []


@pytest.mark.parametrize("ending", [".plain", f".plain.{'a' * 32}.part"])
def test_what_was_made_of_a_bundle_goes_when_its_job_has_ended(yard: Yard, ending: str) -> None:
    working, failed, gone = yard.job(), yard.job(), yard.bundle()
    made = [yard.spool / f"{name}{ending}" for name in (working.name, failed.name, gone.name)]
    for path in made:
        path.write_bytes(b"x")
    yard.jobs.fail(failed.id, 1, OPEN_TAR, "given up")
    yard.sweep()
    assert [path.exists() for path in made] == [True, False, False]
    assert yard.has(failed)


def test_halves_of_resumable_uploads_are_taken_away(yard: Yard) -> None:
    tus = yard.spool / "tus"
    tus.mkdir()
    for name in ("1" * 32 + ".part", "2" * 32 + ".new", "3" * 32 + ".json"):
        (tus / name).write_bytes(b"{}")
    yard.sweep()
    assert list(tus.iterdir()) == []


def test_an_upload_that_cannot_become_a_job_just_now_does_not_keep_the_rest_from_being_swept(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> int:
        raise Retry("the uniqueid service is away")

    outbox = Outbox(yard.database)
    making = Making(yard.jobs, OwnIds(yard.database), lambda _: None)
    begun = Resumable(yard.spool, outbox, making, LATER).begin("alice", 1, "")
    (yard.spool / "tus" / f"{begun.id}.part").write_bytes(b"x")
    left = yard.bundle()
    with monkeypatch.context() as patched:
        patched.setattr(OwnIds, "take", away)
        assert yard.sweep().removed == 1
    assert (yard.jobs.find(), left.exists()) == ([], False)
    yard.sweep()
    assert [job.name for job in yard.jobs.find()] == [begun.name]


def test_jobs_that_ended_long_ago_are_forgotten(yard: Yard) -> None:
    failed, waiting = yard.job(), yard.job()
    yard.jobs.keep(failed.id, "files", {"first": 1})
    yard.jobs.begin(failed.id, 1, OPEN_TAR)
    yard.jobs.fail(failed.id, 1, OPEN_TAR, "no tar")
    yard.sweep(keep_jobs=NOW, keep_failed=NOW)
    assert [job.id for job in yard.jobs.find()] == [waiting.id]
    assert yard.jobs.kept(failed.id, "files") is None
    assert json.dumps([one.task for one in yard.jobs.stages(failed.id)]) == "[]"
