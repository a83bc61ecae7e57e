"""`pacer plan`: what would become of files, datasets and samples; SciCat counts its requests: none writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pacer_core import ConsumerType, Planned, Secret
from pacer_core.testing import deliver, foresee
from pacer_icat.datasets.task import DATASETS
from pacer_scicat import SCICAT, Scicat
from pacer_scicat.datasets.options import ScicatDatasetOptions
from pacer_scicat.datasets.task import store_scicat_dataset
from pacer_scicat.files.options import PidOptions, Sidecars
from pacer_scicat.files.task import NEXUS_FILES
from pacer_scicat.samples.task import SCICAT_SAMPLES, SamplesOptions
from pacer_scicat.testing import ScicatStandIn
from plugins.pacer_icat.tests.support import dataset_message
from plugins.pacer_scicat.tests.support import JOB, PID, Facility, client_of, run_start
from tests.support import Site

DATASET = ConsumerType(name="datasets", message=DATASETS.message, tasks=[store_scicat_dataset])


@pytest.fixture
def scicat() -> Iterator[ScicatStandIn]:
    """A stand-in that was asked for nothing but a token and what it has, when the test is over."""
    with ScicatStandIn() as scicat:
        yield scicat
        asked = {one for one in scicat.misbehaviour.asked if not one.startswith(("GET ", "HEAD "))}
        assert asked <= {"POST auth"}, scicat.misbehaviour.asked


@pytest.fixture
def admin(scicat: ScicatStandIn) -> Iterator[Scicat]:
    """A client that may create samples as well."""
    with client_of(scicat.url, username="admin", password=Secret("pw-admin")) as client:
        yield client


@pytest.fixture
def samples_of(scicat: ScicatStandIn) -> Any:
    """Give a client of the account that may create samples."""
    account = {"username": "sampleIngestor", "password": Secret("pw-sampleIngestor")}
    return partial(client_of, scicat.url, **account)


def foreseen(facility: Facility, file: Path, **options: Any) -> Any:
    """Give what the task says of a file."""
    (said,) = foresee(
        NEXUS_FILES,
        json.dumps({"file_name": str(file), "job_id": JOB}),
        integrations={SCICAT: facility.client},
        options=facility.options(**options),
    ).values()
    return said


def stored(facility: Facility, file: Path, **options: Any) -> None:
    """Have a file stored, and the count of requests begin anew."""
    facility.send(file, twice=False, options=facility.options(**options))
    facility.scicat.misbehaviour.asked.clear()


def test_a_file_would_be_a_new_dataset(facility: Facility) -> None:
    file = facility.file(**{"/entry/user_1/name": None, "/entry/sample/temperature": None})
    new, left = foreseen(facility, file)
    assert new == Planned(f"dataset {PID}", "new", "1 file, 1 piece of scientific metadata")
    assert (left.change, left.what) == ("left-out", "2 values")
    assert "temperature: " in left.detail
    assert facility.scicat.store.datasets == {}


def test_the_backend_gives_the_pid_of_one_that_would_be_new(facility: Facility) -> None:
    (said,) = foreseen(facility, facility.file(), pid=PidOptions("server"))
    assert (said.what, said.change) == ("dataset of a pid that SciCat gives", "new")


@pytest.mark.parametrize("policy", ["given", "generated", "server"])
def test_a_file_that_is_there_would_change_nothing(facility: Facility, policy: Any) -> None:
    file, options = facility.file(), {"pid": PidOptions(policy)}
    stored(facility, file, **options)
    (said,) = foreseen(facility, file, **options)
    assert (said.change, said.detail) == ("there", "0 of 1 file to be added")
    assert said.what == f"dataset {next(iter(facility.scicat.store.datasets))}"


def test_a_dataset_without_its_files_would_get_them(facility: Facility) -> None:
    file = facility.file()
    stored(facility, file)
    facility.scicat.store.blocks.clear()
    (said,) = foreseen(facility, file)
    assert (said.change, said.detail) == ("changed", "1 of 1 file to be added")
    assert "just been created" in str(foreseen(facility, file, patience=timedelta(hours=1)))


def test_what_would_be_written_beside_a_file_is_said_and_not_written(facility: Facility) -> None:
    sidecars, file = Sidecars(hash=True, message=True), facility.file()
    folder = file.parent.parent / "ingestor"
    said = foreseen(facility, file, sidecars=sidecars)
    assert [(one.what, one.change) for one in said[1:]] == [
        (f"file {folder}/run1.message.json", "new"),
        (f"file {folder}/run1.b2b", "new"),
    ]
    assert not folder.exists()
    stored(facility, file, sidecars=sidecars)
    assert [one.change for one in foreseen(facility, file, sidecars=sidecars)] == ["there"] * 3
    outside = foreseen(facility, file, sidecars=Sidecars(message=True, folder="/etc/pacer"))
    assert "outside the allowed roots" in str(outside)


def test_a_file_that_would_be_refused_is_refused_beforehand(facility: Facility) -> None:
    assert "allowed roots" in str(foreseen(facility, Path("/etc/passwd")))
    file = facility.file()
    stored(facility, file)
    facility.dataset.update(ownerGroup="others", accessGroups=[])
    assert "may not read it" in str(foreseen(facility, file))
    told = foresee(
        NEXUS_FILES,
        json.dumps({"file_name": str(file), "error_encountered": True}),
        integrations={SCICAT: facility.client},
        options=facility.options(),
    )
    assert "not well" in str(told)


@pytest.mark.parametrize(("mode", "sample"), [("find", "left-out"), ("create", "new"), ("none", None)])
def test_a_dataset_message_would_be_a_dataset_with_its_sample(
    admin: Scicat, scicat: ScicatStandIn, tmp_path: Path, mode: Any, sample: str | None
) -> None:
    message = dataset_message()
    options = ScicatDatasetOptions(samples=mode, patience=timedelta(0), lock_folder=str(tmp_path))
    how: dict[str, Any] = {
        "integrations": {SCICAT: admin},
        "task_options": {"store_scicat_dataset": options},
    }
    (said,) = foresee(DATASET, json.dumps(message), **how).values()
    assert isinstance(said, tuple)
    assert [one.change for one in said] == ["new", *([sample] if sample else [])]
    assert scicat.store.datasets == scicat.store.samples == {}
    deliver(DATASET, json.dumps(message), **how)
    scicat.misbehaviour.asked.clear()
    (said,) = foresee(DATASET, json.dumps(message), **how).values()
    assert isinstance(said, tuple)
    found = {"new": ["there"], "left-out": ["left-out"], None: []}[sample]
    assert [one.change for one in said] == ["there", *found]
    assert said[0].what == f"dataset {next(iter(scicat.store.datasets))}"


@pytest.mark.parametrize("group", [None, ""], ids=["read back", "never to be read back"])
def test_a_run_would_have_its_sample_created_or_found(
    scicat: ScicatStandIn, samples_of: Any, group: str | None
) -> None:
    with samples_of(ingestor_group=group) as client:
        how: dict[str, Any] = {"integrations": {SCICAT: client}, "options": SamplesOptions()}
        for change in ("new", "there"):
            (said,) = foresee(SCICAT_SAMPLES, json.dumps(run_start()), **how).values()
            assert said == (Planned("sample 'sapphire'", change),)
            before = set(scicat.store.samples)
            stored = deliver(SCICAT_SAMPLES, json.dumps(run_start()), **how)
            assert (len(set(scicat.store.samples) - before) == 1) == (change == "new"), stored.error
            scicat.misbehaviour.asked.clear()
        assert list(scicat.store.samples) == [stored.facts["scicat_sample"]]


def test_a_run_without_a_sample_would_change_nothing_and_one_without_a_proposal_be_dead(
    admin: Scicat,
) -> None:
    for message, expected in ((run_start(sample=None), "()"), (run_start(proposal=None), "no proposal at")):
        (said,) = foresee(SCICAT_SAMPLES, json.dumps(message), integrations={SCICAT: admin}).values()
        assert expected in str(said)


def test_the_command_says_it_for_people_and_for_scripts(
    site: Site, facility: Facility, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCICAT_PASSWORD", "pw-datasetIngestor")
    config = site.write(
        f"""
        brokers: {{main: {{protocol: memory}}}}
        queues: [{{name: files}}]
        consumers:
          - type: nexus-files
            queues: [files]
            integrations: [scicat]
            options: {{schemas: "{facility.schemas}", allowedRoots: ["{facility.data}"]}}
        integrations:
          scicat: {{url: "{facility.scicat.url}", username: datasetIngestor, password: !env SCICAT_PASSWORD}}
        """
    )
    message = site.folder / "message.json"
    message.write_text(json.dumps({"file_name": str(facility.file())}))
    ran = site.pacer("plan", "-c", config, "-n", "nexus-files", message)
    assert ran.code == 0, ran.both
    assert ran.out.splitlines() == [
        f"{message}: would be done (nexus-files)",
        "  store_nexus_file:",
        f"    dataset {PID}: new, 1 file, 2 pieces of scientific metadata",
    ]
    ran = site.pacer("plan", "-c", config, "-n", "nexus-files", "--json", message)
    assert f'"dataset {PID}"' in ran.out
    assert facility.scicat.store.datasets == {}
