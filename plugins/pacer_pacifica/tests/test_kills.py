"""Service and workers killed at each step of an upload: no job is stuck, nothing is lost or stored twice."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pacer_pacifica.testing import PacificaServices
from plugins.pacer_pacifica.tests.facility import Facility
from plugins.pacer_pacifica.tests.work.support import CONTENTS, bundle
from tests.at_length import long
from tests.services import RabbitMQ
from tests.support import Site, eventually

KILLER = """
    import os, signal
    from pathlib import Path
    from pacer_core import ServiceContext
    from pacer_pacifica.archive.http import HttpArchive
    from pacer_pacifica.ends.metadata import MetadataService
    from pacer_pacifica.jobs import Jobs, Outbox
    from pacer_pacifica.service import spool
    from pacer_pacifica.work import steps

    KILL = Path(__file__).parent.parent / "kill"

    def at(step):
        if KILL.exists() and KILL.read_text() == step:
            KILL.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    def dying(owner, name, step):
        call = getattr(owner, name)

        def called(*arguments, **more):
            at(f"before-{step}")
            result = call(*arguments, **more)
            at(f"after-{step}")
            return result

        setattr(owner, name, called)

    dying(spool, "write_all", "writing")
    dying(spool, "sync_folder", "renaming")
    dying(Jobs, "create", "making-the-job")
    dying(ServiceContext, "publish", "publishing")
    dying(Outbox, "published", "noting-that-it-is-published")
    dying(Jobs, "begin", "beginning")
    dying(HttpArchive, "store", "archiving")
    dying(MetadataService, "ingest", "cataloguing")
    dying(Jobs, "finish", "finishing")
    dying(steps, "clear", "clearing-the-spool")
"""
OF_THE_SERVICE = [
    f"{when}-{step}"
    for step in ("writing", "renaming", "making-the-job", "publishing", "noting-that-it-is-published")
    for when in ("before", "after")
]
OF_THE_WORKER = [
    f"{when}-{step}"
    for step in ("beginning", "archiving", "cataloguing", "finishing", "clearing-the-spool")
    for when in ("before", "after")
]


@pytest.fixture(scope="module")
def killed(rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Facility, Path]]:
    """A facility whose processes die where a file says so."""
    with pytest.MonkeyPatch.context() as patch:
        site, folder = Site(tmp_path_factory.mktemp("site")), tmp_path_factory.mktemp("facility")
        patch.syspath_prepend(site.folder)
        patch.setenv("PYTHONPATH", str(site.folder))
        site.install("killer-pacer", KILLER)
        with rabbitmq.vhost() as vhost, PacificaServices() as services:
            broker = f"{{host: 127.0.0.1, port: {rabbitmq.port}, vHost: {json.dumps(vhost)}}}"
            facility = Facility.make(site, broker, folder, services)
            yield facility, site.folder / "kill"
            facility.client.close()
            site.close()


def upload_as_a_client_does(facility: Facility, seconds: float = 120) -> None:
    """Upload a bundle, and again where the connection breaks, until there is an answer."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            facility.upload(bundle())
        except (httpx.TransportError, AssertionError):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        else:
            return


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(["after-making-the-job", "after-archiving"], id="one of each"),
        *(
            pytest.param(steps[half::2], id=f"{name}-{'before' if half == 0 else 'after'}", marks=long)
            for name, steps in (("service", OF_THE_SERVICE), ("worker", OF_THE_WORKER))
            for half in (0, 1)
        ),
    ],
)
def test_a_kill_at_any_step_leaves_no_job_that_does_not_end(
    killed: tuple[Facility, Path], steps: list[str]
) -> None:
    facility, kill = killed
    running = facility.run()  # anew: what has died often waits longer before it is started again
    for step in steps:
        kill.write_text(step)
        upload_as_a_client_does(facility)
        eventually(lambda: not kill.exists(), 60, lambda: f"{step}\n{running.printed}")  # noqa: B023
        for job in facility.jobs.find():
            assert facility.end_of(job.id, 120)[0] == "OK", f"{step}: {facility.jobs.get(job.id)}"
    assert running.printed.count("ended with code -9") == len(steps)
    facility.wait_until_it_answers(running)
    check_that_nothing_is_lost_or_left(facility)
    assert running.end() == 0


def check_that_nothing_is_lost_or_left(facility: Facility) -> None:
    """Compare the jobs, the catalogue, the archive and the spool."""
    jobs = {job.id for job in facility.jobs.find()}
    assert jobs == set(facility.services.transactions)
    assert sorted(facility.services.files) == sorted(facility.services.archive)
    for job_id in jobs:
        files = facility.services.files.items()
        numbers = [number for number, row in files if row["transaction"] == job_id]
        assert sorted(facility.services.archive[one] for one in numbers) == sorted(CONTENTS.values())
    for path in (facility.folder / "spool").rglob("*.*"):
        if path.suffix in (".bundle", ".part"):
            os.utime(path, (1, 1))  # old enough to be looked at
    assert facility.site.pacer("pacifica", "sweep", "-c", facility.file).code == 0
    assert facility.spooled() == []
