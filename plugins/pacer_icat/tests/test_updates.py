"""Datasets that are there get metadata, files and an archive status; every message handled twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pacer_core import Delivery, Outcome
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icat.datasets.task import DATASETS
from pacer_icat.updates.archive import ARCHIVE_STATUS, ArchiveStatusOptions
from pacer_icat.updates.datafiles import DATASET_FILES, DatasetFilesOptions
from pacer_icat.updates.metadata import DATASET_METADATA
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.crashing import process, state
from plugins.pacer_icat.tests.support import (
    DATASET_STATE,
    dataset_message,
    deliver_to,
    options_for,
    parameters_of,
)
from tests.bombs import Crash

RUN = "/data/visit/run1"


def stored(icat: IcatClient, **changes: Any) -> int:
    """Store a dataset; give its id."""
    delivery = deliver_to(DATASETS, dataset_message(**changes), icat, twice=False)
    assert delivery.outcome is Outcome.ACKED, delivery.error
    return int(delivery.facts["dataset_id"])


def update(**changes: Any) -> dict[str, Any]:
    """Give a message as pyicat-plus sends it."""
    return {
        "proposal": "20250330096",
        "beamline": "bl06",
        "datasetPaths": RUN,
        "metadataName": "Sample_description",
        "metadataValue": "changed <&>",
        **changes,
    }


def updated(icat: IcatClient, **changes: Any) -> Delivery:
    return deliver_to(DATASET_METADATA, update(**changes), icat)


def test_a_parameter_is_created_and_changed(icat: IcatClient, plain: Any) -> None:
    stored(icat)
    for value in ("changed <&>", "once more"):
        assert updated(icat, metadataValue=value).outcome is Outcome.ACKED
        assert parameters_of(plain)["run1"] == {"scanType": "line", "Sample_description": value}


def test_a_list_of_folders_sets_it_on_each_whatever_slash_they_end_in(icat: IcatClient, plain: Any) -> None:
    stored(icat)
    stored(icat, name="run2", location="/data/visit/run2/")
    stored(icat, name="run3", location="/data/visit/RUN2")
    paths = [f"{RUN}/", "/data/visit/run2"]
    assert updated(icat, datasetPaths=paths, metadataName="EXPOSURE_time", metadataValue="2.5").error is None
    found = parameters_of(plain)
    assert [found[name].get("exposure_time") for name in ("run1", "run2", "run3")] == [2.5, 2.5, None]


def test_a_folder_that_is_not_there_is_waited_for_and_the_others_are_not(
    icat: IcatClient, plain: Any
) -> None:
    stored(icat)
    delivery = updated(icat, datasetPaths=["/data/visit/later", RUN])
    assert [failure.kind for failure in delivery.failures] == ["not-yet"]
    assert "in these folders (1): dataset_paths[0]" in (delivery.error or "")
    assert parameters_of(plain)["run1"]["Sample_description"] == "changed <&>"
    stored(icat, name="later", location="/data/visit/later")
    assert updated(icat, datasetPaths=["/data/visit/later", RUN]).outcome is Outcome.ACKED
    assert parameters_of(plain)["later"]["Sample_description"] == "changed <&>"


@pytest.mark.parametrize("changes", [{"proposal": "nobody"}, {"beamline": "bl99"}, {"beamline": "bm00"}])
def test_a_proposal_or_beamline_that_is_not_there_is_waited_for(icat: IcatClient, changes: Any) -> None:
    stored(icat)
    assert [failure.kind for failure in updated(icat, **changes).failures] == ["not-yet"]


def test_a_parameter_that_icat_does_not_know_is_ignored_and_counted(icat: IcatClient, plain: Any) -> None:
    stored(icat)
    delivery = updated(icat, metadataName="nonsense")
    assert delivery.outcome is Outcome.ACKED
    assert delivery.counts == {"unknown_parameters": 1}
    assert parameters_of(plain)["run1"] == {"scanType": "line"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Sample_description", ""),
        ("Sample_description", None),
        ("exposure_time", "nan"),
        ("exposure_time", ""),
    ],
)
def test_an_empty_value_changes_nothing_and_the_log_says_so(
    icat: IcatClient, plain: Any, caplog: pytest.LogCaptureFixture, name: str, value: Any
) -> None:
    stored(icat)
    assert updated(icat, metadataName=name, metadataValue="1").error is None
    before = parameters_of(plain)
    with caplog.at_level("INFO"):
        assert updated(icat, metadataName=name, metadataValue=value).outcome is Outcome.ACKED
    assert parameters_of(plain) == before
    assert f"1 parameters without a value are left out: {name}" in caplog.text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"metadataName": "exposure_time", "metadataValue": "long"}, "metadata_value"),
        ({"metadataName": "reimbursedParcels"}, "metadata_name"),
        ({"datasetPaths": []}, "dataset_paths"),
    ],
)
def test_a_value_that_icat_does_not_take_makes_the_update_dead(
    icat: IcatClient, changes: dict[str, Any], field: str
) -> None:
    stored(icat)
    delivery = updated(icat, **changes)
    assert delivery.outcome is Outcome.DEAD
    assert [bad.path for bad in delivery.bad_fields] == [field]


def test_new_inputs_are_linked(icat: IcatClient) -> None:
    dataset = stored(icat, parameters=[{"name": "input_datasets", "value": "/data/raw1"}])
    (follow_up,) = updated(icat, metadataName="input_datasets", metadataValue="/data/raw2").follow_ups
    assert follow_up.consumer_type == "dataset-links"
    assert f'"dataset_id":{dataset},' in follow_up.body.decode()
    assert updated(icat, metadataValue="else").follow_ups == ()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset's folder with three files, two of one name, and a hidden one."""
    for name in ("a.h5", "scan1/b.h5", "scan2/b.h5", ".hidden"):
        file = tmp_path / "run1" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path / "run1"


def files(plain: Any) -> list[tuple[str, str, int]]:
    rows = plain.search("SELECT f.name, f.location, f.fileSize FROM Datafile f")
    return sorted(map(tuple, rows))


def test_files_that_icat_does_not_know_are_added(icat: IcatClient, plain: Any, folder: Path) -> None:
    known = [{"location": f"{folder}/a.h5", "size": 7}, {"location": f"{folder}/gone.h5"}]
    dataset = stored(icat, location=str(folder), datafiles=known)
    delivery = deliver_to(DATASET_FILES, {"datasetId": dataset}, icat)
    assert delivery.outcome is Outcome.ACKED, delivery.error
    assert files(plain) == [
        ("a.h5", f"{folder}/a.h5", 7),
        ("gone.h5", f"{folder}/gone.h5", 0),
        ("scan1/b.h5", f"{folder}/scan1/b.h5", 10),
        ("scan2/b.h5", f"{folder}/scan2/b.h5", 10),
    ]
    assert [one.consumer_type for one in delivery.follow_ups] == ["dataset-statistics"]
    assert delivery.description == {"dataset_id": str(dataset)}


def test_files_outside_the_allowed_roots_are_not_read(icat: IcatClient, folder: Path) -> None:
    dataset = stored(icat, location=str(folder), datafiles=None)
    (folder.parent / "other").mkdir()
    options = DatasetFilesOptions(allowed_roots=(str(folder.parent / "other"),))
    delivery = deliver_to(DATASET_FILES, {"datasetId": dataset}, icat, options=options)
    assert delivery.outcome is Outcome.DEAD
    assert [bad.path for bad in delivery.bad_fields] == ["location"]


def test_a_folder_that_is_not_mounted_is_tried_again(icat: IcatClient, tmp_path: Path) -> None:
    dataset = stored(icat, location=str(tmp_path / "nowhere"), datafiles=None)
    delivery = deliver_to(DATASET_FILES, {"datasetId": dataset}, icat)
    assert [failure.kind for failure in delivery.failures] == ["retry"]


def test_too_many_files_make_the_message_dead(icat: IcatClient, folder: Path) -> None:
    dataset = stored(icat, location=str(folder), datafiles=None)
    for number, outcome in ((2, Outcome.DEAD), (3, Outcome.ACKED)):
        options = DatasetFilesOptions(max_datafiles=number)
        assert deliver_to(DATASET_FILES, {"datasetId": dataset}, icat, options=options).outcome is outcome


def test_counts_that_are_ours_are_kept(icat_server: IcatSandbox, plain: Any, folder: Path) -> None:
    shared = Shared(options_for(icat_server, file_counts="pacer"))
    ours = IcatClient(shared)
    dataset = stored(ours, location=str(folder), datafiles=None)
    deliver_to(DATASET_FILES, {"datasetId": dataset}, ours)
    shared.close()
    assert list(map(tuple, plain.search("SELECT d.fileCount, d.fileSize FROM Dataset d"))) == [(3, 24)]


@pytest.mark.parametrize("consumer", [DATASET_FILES, ARCHIVE_STATUS], ids=lambda one: one.name)
def test_a_dataset_that_is_not_there_is_waited_for(icat: IcatClient, consumer: Any) -> None:
    message = {"datasetId": 4711, "type": "archiving", "level": "info"}
    options = ArchiveStatusOptions("Sample_description") if consumer is ARCHIVE_STATUS else None
    delivery = deliver_to(consumer, message, icat, options=options)
    assert [failure.kind for failure in delivery.failures] == ["not-yet"]


@pytest.mark.parametrize(
    ("message", "text"),
    [("to tape", "archiving info: to tape"), (None, "archiving info"), ("x" * 5000, None)],
)
def test_the_latest_archive_status_is_in_the_parameter_that_the_option_names(
    icat: IcatClient, plain: Any, message: str | None, text: str | None
) -> None:
    dataset = stored(icat)
    options = ArchiveStatusOptions("Sample_description")
    first = {"datasetId": dataset, "type": "restoration", "level": "error", "message": "no tape"}
    for body in (first, first | {"type": "archiving", "level": "info", "message": message}):
        delivery = deliver_to(ARCHIVE_STATUS, body, icat, options=options)
        assert delivery.outcome is Outcome.ACKED, delivery.error
    value = parameters_of(plain)["run1"]["Sample_description"]
    assert value == text or (text is None and value.startswith("archiving info: xxx"))


def test_without_a_parameter_an_archive_status_is_acked_and_nothing_is_written(
    icat: IcatClient, plain: Any
) -> None:
    dataset = stored(icat)
    body = {"datasetId": dataset, "type": "archiving", "level": "info", "message": "to tape"}
    assert deliver_to(ARCHIVE_STATUS, body, icat).outcome is Outcome.ACKED
    assert parameters_of(plain)["run1"] == {"scanType": "line"}


@pytest.mark.parametrize("after", [False, True], ids=["before-icat", "after-icat"])
@pytest.mark.parametrize("kind", ["metadata", "files", "status"])
def test_a_crash_at_any_call_is_mended_by_the_next_delivery(
    icat_server: IcatSandbox, icat: IcatClient, entities: list[Any], folder: Path, kind: str, after: bool
) -> None:
    def prepare() -> int:
        icat_server.reset()
        first = stored(IcatClient(process(icat_server, entities)), location=str(folder), datafiles=None)
        stored(IcatClient(process(icat_server, entities)), name="run2", location="/data/visit/run2")
        return first

    def send(client: IcatClient, dataset: int) -> Delivery:
        if kind == "metadata":
            body = update(datasetPaths=[str(folder), "/data/visit/run2"], metadataName="scanType")
            return deliver_to(DATASET_METADATA, body, client, twice=False)
        if kind == "files":
            return deliver_to(DATASET_FILES, {"datasetId": dataset}, client, twice=False)
        body = {"datasetId": dataset, "type": "archiving", "level": "info", "message": "to tape"}
        options = ArchiveStatusOptions("Sample_description")
        return deliver_to(ARCHIVE_STATUS, body, client, options=options, twice=False)

    dataset = prepare()
    shared = process(icat_server, entities)
    assert send(IcatClient(shared), dataset).outcome is Outcome.ACKED
    calls, expected = shared.wire.calls, state(icat.shared.wire, DATASET_STATE)
    assert calls > 2
    for at in range(1, calls + 1):
        dataset = prepare()
        with pytest.raises(Crash):
            send(IcatClient(process(icat_server, entities, at, after=after)), dataset)
        assert send(IcatClient(process(icat_server, entities)), dataset).outcome is Outcome.ACKED
        assert state(icat.shared.wire, DATASET_STATE) == expected, f"after a crash at call {at} of {calls}"
