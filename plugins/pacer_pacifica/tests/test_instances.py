"""Two instances of the service on one port and one spool: either may die at any moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from multiprocessing.context import SpawnProcess
from pathlib import Path

import httpx
import pytest
from attrs import define

from pacer_core.testing import FakeService
from pacer_pacifica.jobs import Database, Jobs, Outbox
from pacer_pacifica.service import SERVICE, ServiceOptions
from pacer_pacifica.service.options import Authentication
from plugins.pacer_pacifica.tests.door import until
from tests.services.base import free_port

SPAWN = multiprocessing.get_context("spawn")
BODY = bytes(range(256)) * 400


def serve(folder: Path, port: int, instance: int) -> None:
    """Be an instance, as the core runs it; what the broker confirms is noted in a file."""
    options = ServiceOptions(str(folder / "spool"), "bundles", Authentication(anonymous="here"), port=port)

    def confirm(publication: object) -> None:
        with open(folder / "published", "a") as file:
            file.write(f"{getattr(publication, 'message_id', '')}\n")

    state = folder / f"state-{instance}"
    service = FakeService(SERVICE, options, folder=state, broker=confirm, instance=instance, instances=2)
    service.run(lambda: _note(service.is_ready, folder / f"ready-{instance}"), 600)


def _note(is_ready: bool, path: Path) -> bool:
    if is_ready:
        path.touch()
    return False


@define
class Pair:
    """Two instances, by their numbers, and what they share."""

    folder: Path
    port: int
    processes: dict[int, SpawnProcess]

    def start(self, instance: int) -> None:
        """Start an instance, and wait until it serves."""
        ready = self.folder / f"ready-{instance}"
        ready.unlink(missing_ok=True)
        process = SPAWN.Process(target=serve, args=(self.folder, self.port, instance), daemon=True)
        process.start()
        self.processes[instance] = process
        until(ready.exists, 90)

    def kill(self, instance: int) -> None:
        """Send an instance SIGKILL."""
        process = self.processes.pop(instance)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()

    def upload(self) -> int | None:
        """Upload over a connection of its own; ``None`` where that breaks."""
        try:
            answer = httpx.post(f"http://127.0.0.1:{self.port}/upload", content=BODY, timeout=60)
        except httpx.TransportError:
            return None
        assert answer.status_code == 200, answer.text
        return int(answer.json()["job_id"])

    def published(self) -> list[str]:
        """Give the message ids that the broker has confirmed."""
        path = self.folder / "published"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two instances that serve."""
    pair = Pair(tmp_path, free_port(), {})
    try:
        for instance in (1, 2):
            pair.start(instance)
        yield pair
    finally:
        for instance in list(pair.processes):
            pair.kill(instance)


def test_jobs_spool_and_outbox_are_safe_with_two_of_which_one_is_killed(pair: Pair) -> None:
    answered: list[int] = []
    ending = threading.Event()

    def upload() -> None:
        while not ending.is_set():
            job = pair.upload()
            if job is not None:
                answered.append(job)

    threads = [threading.Thread(target=upload) for _ in range(3)]
    for thread in threads:
        thread.start()
    for killed in (2, 1):  # the first one is who sends what the outbox holds, and sweeps
        seen = len(answered)
        until(lambda: len(answered) > seen + 8, 90)  # noqa: B023
        pair.kill(killed)
        seen = len(answered)
        until(lambda: len(answered) > seen + 8, 90)  # the other one goes on  # noqa: B023
        pair.start(killed)
    ending.set()
    for thread in threads:
        thread.join(90)
    database = Database(f"{pair.folder}/spool/jobs.sqlite")
    outbox, jobs = Outbox(database), {job.id: job for job in Jobs(database).find(limit=100_000)}
    until(lambda: not outbox.unpublished(), 90)
    assert len(set(answered)) == len(answered), "a number was given twice"
    assert set(answered) <= set(jobs), "a job that was answered is lost"
    times = Counter(pair.published())
    assert set(times) == {f"pacifica-{one}-1" for one in jobs}
    assert sum(times.values()) <= len(jobs) + 100  # what was confirmed when its sender died, and not noted
    for job in jobs.values():
        assert (pair.folder / "spool" / job.name).stat().st_size == job.size == len(BODY)
    database.close()
