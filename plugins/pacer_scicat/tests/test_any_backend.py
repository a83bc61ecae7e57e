"""Files into a backend, seen by its API alone; against a real one as well, which ``--scicat-url`` names.

Every dataset has a job and a pid of its own: nothing is removed from a real backend, and nothing there harms.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from attrs import define, field

from pacer_core import Delivery, Outcome
from pacer_scicat import Scicat
from pacer_scicat.files.options import PidOptions, Sidecars
from pacer_scicat.testing import ScicatStandIn
from plugins.pacer_scicat.tests.support import Facility
from plugins.pacer_scicat.tests.test_client import fields, item


@define
class Run:
    """One run's file and dataset, with a job of their own."""

    facility: Facility
    scicat: Scicat
    job: str = field(factory=lambda: str(uuid4()))

    @property
    def pid(self) -> str:
        """The pid that the schema gives."""
        return f"20.500.12269/{self.job}"

    def file(self) -> Path:
        """Write the run's file."""
        return self.facility.file("coda/run.nxs", **{"/entry/entry_identifier_uuid": self.job})

    def store(self, file: Path | None = None, *, twice: bool = True, **options: Any) -> Delivery:
        """Store a file of the run, by a message."""
        file = file or self.file()
        message = {"file_name": str(file), "job_id": self.job}
        given = self.facility.options(**options)
        return self.facility.send(file, message=message, options=given, twice=twice)

    def pids(self) -> list[str]:
        """Give the pids of the datasets that have this job."""
        return self.scicat.pids_with("job_id", self.job)

    def sums(self, pid: str) -> tuple[int, int]:
        """Give what SciCat says of size and number of a dataset's files."""
        dataset = self.scicat.held(pid).dataset
        return int(dataset["size"]), int(dataset["numberOfFiles"])


@pytest.fixture
def run(tmp_path: Path, scicat: ScicatStandIn, anywhere: Scicat) -> Run:
    """A run at a facility with one schema."""
    facility = Facility(tmp_path, scicat, anywhere)
    facility.data.mkdir()
    facility.schema()
    return Run(facility, anywhere)


def test_a_file_becomes_a_dataset_that_can_be_read_back(run: Run) -> None:
    delivery = run.store()
    assert delivery.outcome is Outcome.ACKED, delivery.error
    dataset = run.scicat.held(run.pid).dataset
    assert (dataset["datasetName"], dataset["ownerGroup"], dataset["type"]) == ("a run", "443503", "raw")
    assert dataset["creationTime"] == "2026-11-20T09:11:12.123Z"
    temperature = dataset["scientificMetadata"]["temperature"]
    assert (temperature["value"], temperature["unit"], temperature["unitSI"]) == (20.5, "degC", "K")
    assert run.scicat.files_of(run.pid) == ["run.nxs"]
    assert run.sums(run.pid) == ((run.facility.data / "coda/run.nxs").stat().st_size, 1)


@pytest.mark.parametrize("policy", ["given", "generated", "server"])
def test_the_same_file_again_is_the_same_dataset(run: Run, policy: Any) -> None:
    for _ in range(2):
        delivery = run.store(pid=PidOptions(policy))
        assert delivery.outcome is Outcome.ACKED, delivery.error
    (pid,) = run.pids()
    assert run.scicat.files_of(pid) == ["run.nxs"]
    assert run.sums(pid)[1] == 1


def test_a_dataset_without_its_files_gets_them(run: Run) -> None:
    run.scicat.create_dataset(fields(pid=run.pid, sourceFolder=str(run.facility.data / "coda")))
    assert run.scicat.files_of(run.pid) == []
    delivery = run.store()
    assert delivery.outcome is Outcome.ACKED, delivery.error
    assert run.scicat.files_of(run.pid) == ["run.nxs"]


def test_a_dataset_of_the_job_is_found_whatever_its_pid(run: Run) -> None:
    run.store(pid=PidOptions("server"))
    (pid,) = run.pids()
    run.store(pid=PidOptions("given"), look_up="metadata")
    assert run.pids() == [pid]
    assert run.sums(pid)[1] == 1


def test_sums_are_right_when_files_come_in_blocks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacer_scicat.writing.BLOCK", 1)
    delivery = run.store(sidecars=Sidecars(hash=True))
    assert delivery.outcome is Outcome.ACKED, delivery.error
    size = (run.facility.data / "coda/run.nxs").stat().st_size
    assert run.sums(run.pid) == (size + 128, 2)  # blake2b, in hexadecimal digits


def test_workers_at_once_leave_one_of_each(run: Run) -> None:
    file = run.file()
    with ThreadPoolExecutor(4) as pool:
        outcomes = {one.outcome for one in pool.map(lambda _: run.store(file, twice=False), range(4))}
    assert Outcome.ACKED in outcomes <= {Outcome.ACKED, Outcome.RETRIED}
    assert run.store(file).outcome is Outcome.ACKED
    assert run.scicat.files_of(run.pid) == ["run.nxs"]
    assert run.sums(run.pid)[1] == 1


@pytest.mark.parametrize("name", ["a b", "ü?#", "50%/x", "Ab"])
def test_a_pid_with_odd_letters_is_one(anywhere: Scicat, name: str) -> None:
    pid = f"20.500.12269/{uuid4()} {name}"
    assert anywhere.create_dataset(fields(pid=pid)) == pid
    assert anywhere.create_dataset(fields(pid=pid)) is None
    anywhere.create_block(pid, [item("a")], None)
    assert anywhere.files_of(pid) == ["a"]
    assert anywhere.held(pid.upper()).state == "absent"
