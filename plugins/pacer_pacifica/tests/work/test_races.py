"""Two who are at the same job: the one that goes on with it finds all of its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from attrs import evolve

from pacer_core import Outcome
from pacer_pacifica.archive import PACIFICA_ARCHIVE, Deposit
from pacer_pacifica.archive.base import Note
from pacer_pacifica.jobs import INGEST_METADATA, OK, Job, Over
from pacer_pacifica.testing import PacificaServices
from pacer_pacifica.work.options import BundlesOptions
from plugins.pacer_pacifica.tests.work.site import Site
from plugins.pacer_pacifica.tests.work.support import CONTENTS, bundle

REMOVE = BundlesOptions(failed_files="remove")
DONE = (OK, INGEST_METADATA, 100.0)


class Slow:
    """An archive that stores, and then hears that nobody wants it; ``meanwhile`` is what happened."""

    def __init__(self, archive: Any, meanwhile: Callable[[], object]) -> None:
        self._archive, self._meanwhile = archive, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._archive, name)

    def store(self, job_id: int, deposits: Sequence[Deposit], *, again: bool, note: Note) -> None:
        self._archive.store(job_id, deposits, again=again, note=note)
        self._meanwhile()
        raise Over("it is over")


def work_slowly(site: Site, job: Job, meanwhile: Callable[[], object]) -> None:
    """Have a worker at the job hear, when it has stored the files, that the job is over."""
    archive = site.integrations[PACIFICA_ARCHIVE]

    def alone() -> None:
        site.integrations[PACIFICA_ARCHIVE] = archive
        meanwhile()

    site.integrations[PACIFICA_ARCHIVE] = Slow(archive, alone)
    site.work(job, options=REMOVE)


@pytest.fixture(params=[False, True], ids=["http", "folder"])
def stored(
    request: pytest.FixtureRequest, site: Site, pacifica: PacificaServices
) -> Callable[[], list[bytes]]:
    """Give what the archive has, which is one over HTTP or a folder."""
    if request.param:
        site.archive_on_disk()
    return lambda: sorted((site.stored() if request.param else pacifica.archive).values())


def test_files_of_a_job_that_another_worker_has_ended_well_are_not_taken_away(
    site: Site, stored: Callable[[], list[bytes]]
) -> None:
    job = site.upload(bundle())
    work_slowly(site, job, lambda: site.work(job, options=REMOVE))
    assert site.end(job) == DONE
    assert stored() == sorted(CONTENTS.values())


def test_files_of_a_job_that_was_cancelled_and_tried_again_are_not_taken_away(
    site: Site, stored: Callable[[], list[bytes]]
) -> None:
    job = site.upload(bundle())

    def again() -> None:
        site.jobs.cancel(job.id, "ann")
        site.jobs.retry(job.id)
        site.work(job, options=REMOVE)

    work_slowly(site, job, again)
    assert site.end(job) == DONE
    assert stored() == sorted(CONTENTS.values())


def test_files_of_a_job_that_was_cancelled_are_taken_away(
    site: Site, stored: Callable[[], list[bytes]]
) -> None:
    job = site.upload(bundle())
    work_slowly(site, job, lambda: site.jobs.cancel(job.id, "ann"))
    assert site.jobs.get(job.id).status == "cancelled"
    assert stored() == []


def test_a_message_whose_archiving_is_done_archives_again_what_was_taken_away(
    site: Site, stored: Callable[[], list[bytes]], pacifica: PacificaServices
) -> None:
    job = site.upload(bundle())
    pacifica.misbehave("metadata", status=400, method="PUT")
    delivery = site.work(job, options=REMOVE)
    assert (delivery.outcome, stored()) == (Outcome.DEAD, [])
    # Replayed with --pending-only, or a retry since the archive went away while it took the files out.
    site.work(job, after=evolve(delivery, rejected={}), options=REMOVE)
    assert site.end(job) == DONE
    assert stored() == sorted(CONTENTS.values())
    (rows,) = pacifica.transactions.values()
    assert sorted(row["_id"] for row in rows if row["destinationTable"] == "Files") == [4, 5, 6]


def test_a_job_that_somebody_gave_up_while_it_was_worked_at_ends_well(site: Site) -> None:
    job = site.upload(bundle())
    site.jobs.begin(job.id, 1, INGEST_METADATA)
    site.jobs.fail(job.id, 1, None, "nothing has moved this job")
    site.jobs.progress(job.id, 1, INGEST_METADATA, 50)
    assert (site.jobs.get(job.id).state, site.jobs.get(job.id).complete) == (OK, False)
    site.jobs.fail(job.id, 1, None, "nothing has moved this job")
    site.jobs.finish(job.id, 1)
    assert (site.end(job), site.jobs.get(job.id).status) == (DONE, "done")
