"""kill -9 of the worker at every kind of step: the message comes again, and the job ends as without it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pacer_pacifica.jobs import MOVE, OK, Job
from pacer_pacifica.testing import PacificaServices
from plugins.pacer_pacifica.tests.work.dying import COUNT
from plugins.pacer_pacifica.tests.work.site import Site
from plugins.pacer_pacifica.tests.work.support import CONTENTS, bundle, file_row, rows
from tests.at_length import Scale

PLACES, MORE = 5, 40
"""Calls at which a worker is killed, spread over all that one job takes; more in the long form."""


class Workers:
    """Processes that work on a job, each for as long as it is let."""

    def __init__(self, site: Site, archive: str) -> None:
        command = [sys.executable, "-m", "plugins.pacer_pacifica.tests.work.dying"]
        self._process = subprocess.Popen(
            [*command, str(site.folder), json.dumps(site.addresses), archive],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[4],
        )

    def work(self, job: Job, die_at: int = 0) -> dict[str, Any] | None:
        """Work on a job; ``None`` where the worker was killed on its way."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{job.id} {die_at}\n")
        self._process.stdin.flush()
        found: dict[str, Any] | None = json.loads(self._process.stdout.readline())
        return found

    def calls(self, job: Callable[[], Job]) -> int:
        """Count the calls of a job that nobody disturbs: of a second one, since the first writes bytecode."""
        self.work(job())
        undisturbed = self.work(job(), die_at=COUNT)
        assert undisturbed is not None
        assert undisturbed["outcome"] == "acked", undisturbed["error"]
        return int(undisturbed["calls"])

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(params=["http", "folder"])
def workers(request: pytest.FixtureRequest, site: Site) -> Iterator[tuple[str, Workers]]:
    workers = Workers(site, request.param)
    yield request.param, workers
    workers.close()


def test_a_job_whose_worker_is_killed_ends_well_and_stores_nothing_twice(
    workers: tuple[str, Workers], site: Site, pacifica: PacificaServices, scale: Scale
) -> None:
    archive, process = workers
    places = scale(PLACES, MORE)
    calls = process.calls(lambda: site.upload(bundle()))
    assert calls > 50
    killed = 0
    for place in range(1, calls + 1, max(1, calls // places)):
        job = site.upload(bundle())
        killed += process.work(job, die_at=place) is None
        assert not site.jobs.get(job.id).exception
        last = process.work(job)
        assert last is not None
        assert last["outcome"] == "acked", (place, last["error"])
        assert site.end(job) == (OK, "ingest metadata", 100.0), place
        assert not (site.spool / job.name).exists()
        assert job.id in pacifica.transactions
        numbers = [row["_id"] for row in pacifica.transactions[job.id] if row["destinationTable"] == "Files"]
        if archive == "http":
            assert [pacifica.archive[number] for number in numbers] == list(CONTENTS.values()), place
            # What was on its way when its worker was killed may come once more, under the same number.
            assert sum(pacifica.puts[number] for number in numbers) <= len(numbers) + 1, place
        else:
            stored = {
                path: content for path, content in site.stored().items() if path.startswith(f"{job.id}/")
            }
            assert sorted(stored.values()) == sorted(CONTENTS.values()), place
    assert killed >= places // 2
    if archive == "http":
        jobs = len(pacifica.transactions)
        assert len(pacifica.archive) == 3 * jobs, "a file was stored under a second number"
    else:
        objects = [path for path in (site.archive / "objects").rglob("*") if path.is_file()]
        assert len(objects) == len(CONTENTS)
        assert not list((site.archive / "staging").iterdir())


def test_files_that_a_killed_worker_was_moving_are_in_the_archive_once(site: Site, scale: Scale) -> None:
    """Moves into an archive in a folder: an old name goes only when the new one is there for good."""
    sources = site.folder / "sources"
    sources.mkdir()
    process = Workers(site, "folder")

    def job() -> Job:
        (sources / "foo.txt").write_text("foo\n")
        row = file_row("data/foo.txt", b"foo\n", source=str(sources / "foo.txt"))
        return site.upload(json.dumps([*rows({}), row]).encode(), kind=MOVE)

    calls = process.calls(job)
    for place in range(1, calls + 1, max(1, calls // scale(PLACES, MORE))):
        moved = job()
        process.work(moved, die_at=place)
        kept = site.archive / "jobs" / str(moved.id) / "foo.txt"
        assert kept.exists() or (sources / "foo.txt").exists(), f"lost when killed at {place}"
        process.work(moved)
        assert site.end(moved) == (OK, "ingest metadata", 100.0), place
        assert kept.read_text() == "foo\n"
        assert not (sources / "foo.txt").exists()
    process.close()
