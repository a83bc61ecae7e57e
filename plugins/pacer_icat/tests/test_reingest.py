"""Messages rebuilt from ICAT: sent once more they change nothing, or bring back what is gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pacer_core import Delivery, Outcome
from pacer_icat import IcatClient
from pacer_icat.datasets.task import DATASETS
from pacer_icat.reingest.options import ReingestOptions
from pacer_icat.reingest.task import REINGEST
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.crashing import state
from plugins.pacer_icat.tests.support import DATASET_STATE, dataset_message, deliver_to

Rebuild = Callable[..., list[dict[str, Any]]]
NAME = "20250330096"


def ingest(icat: IcatClient, message: dict[str, Any]) -> Delivery:
    """Bring a dataset into ICAT."""
    delivery = deliver_to(DATASETS, message, icat)
    assert delivery.outcome is Outcome.ACKED, delivery.error
    return delivery


def follow_ups(delivery: Delivery) -> list[tuple[str, dict[str, Any]]]:
    """Give the consumer types and messages of what a delivery has sent."""
    assert delivery.outcome is Outcome.ACKED, delivery.error
    return [(one.consumer_type, json.loads(one.body)) for one in delivery.follow_ups]


def everything(icat: IcatClient, message: dict[str, Any]) -> list[dict[str, Any]]:
    """Rebuild until nothing is left to rebuild; give the messages of datasets in their order."""
    waiting = [message]
    datasets: list[dict[str, Any]] = []
    while waiting:
        for kind, payload in follow_ups(deliver_to(REINGEST, waiting.pop(), icat)):
            (datasets if kind == "datasets" else waiting).append(payload)
    return datasets


@pytest.fixture
def rebuild(icat: IcatClient) -> Rebuild:
    """Rebuild the datasets of an investigation."""

    def rebuild(**message: Any) -> list[dict[str, Any]]:
        return everything(icat, {"investigation": NAME, **message})

    return rebuild


RICH = dataset_message(
    parameters=[
        {"name": "scanType", "value": "l'été, 日本"},
        {"name": "exposure_time", "value": 0.25},
        {"name": "calibrated", "value": "2025-07-15T10:00:00+02:00"},
        {"name": "temperature", "value": 300, "units": "K"},
        {"name": "input_datasets", "value": "/data/raw"},
    ]
)


def test_a_dataset_becomes_the_message_that_brought_it(icat: IcatClient, rebuild: Rebuild) -> None:
    ingest(icat, RICH)
    (message,) = rebuild()
    assert message == {
        "investigation": NAME,
        "investigation_id": message["investigation_id"],
        "instrument": "bl06",
        "name": "run1",
        "location": "/data/visit/run1",
        "start_date": "2025-07-15T10:00:00+02:00",
        "end_date": "2025-07-15T11:00:00+02:00",
        "sample": {"name": "Lysozyme", "type": "SAMPLE"},
        "parameters": message["parameters"],
        "datafiles": message["datafiles"],
    }
    values = {one["name"]: (one["value"], one.get("units")) for one in message["parameters"]}
    assert values == {
        "scanType": ("l'été, 日本", None),
        "exposure_time": (0.25, "s"),
        "calibrated": ("2025-07-15T10:00:00+02:00", None),
        "temperature": (300.0, "K"),
        "input_datasets": ("/data/raw", None),
    }
    assert sorted(message["datafiles"], key=lambda one: str(one["location"])) == [
        {"location": "/data/visit/run1/a.h5"},
        {"location": "/data/visit/run1/b.h5", "size": 7},
    ]


def test_what_is_sent_once_more_changes_nothing_that_is_there(
    icat: IcatClient, rebuild: Rebuild, plain: Any
) -> None:
    ingest(icat, RICH)
    ingest(icat, dataset_message(location="/elsewhere", start_date="2025-07-15T10:30:00+02:00"))
    before = state(plain, DATASET_STATE)
    for message in rebuild():
        ingest(icat, message)
    assert state(plain, DATASET_STATE) == before


def test_what_is_sent_once_more_brings_back_what_is_gone(
    icat: IcatClient, rebuild: Rebuild, plain: Any
) -> None:
    for message in (RICH, dataset_message(name="run2", location="/data/run2")):
        ingest(icat, message)
    before = state(plain, DATASET_STATE)
    messages = rebuild()
    plain.deleteMany(plain.search("SELECT s FROM Sample s"))  # and the datasets with them
    assert state(plain, DATASET_STATE) != before
    for message in messages:
        ingest(icat, message)
    assert state(plain, DATASET_STATE) == before


def test_what_pacer_itself_has_written_is_left_out(icat: IcatClient, rebuild: Rebuild) -> None:
    names = ["scanType", "__fileCount", "output_datasetIds", "Input_datasetIds", "datasetName"]
    ingest(icat, dataset_message(parameters=[{"name": name, "value": 1} for name in names]))
    (message,) = rebuild()
    assert [one["name"] for one in message["parameters"]] == ["datasetName", "scanType"]


def test_what_is_left_out_is_an_option(icat: IcatClient) -> None:
    ingest(
        icat, dataset_message(parameters=[{"name": "scanType", "value": 1}, {"name": "proposal", "value": 1}])
    )
    options = ReingestOptions(left_out=("SCANTYPE",))
    ((_, message),) = follow_ups(deliver_to(REINGEST, {"investigation": NAME}, icat, options=options))
    assert [one["name"] for one in message["parameters"]] == ["proposal"]


def test_a_dataset_without_an_instrument_has_the_investigation_s(
    icat: IcatClient, rebuild: Rebuild, plain: Any
) -> None:
    ingest(icat, dataset_message())
    plain.deleteMany(plain.search("SELECT l FROM DatasetInstrument l"))
    assert [one["instrument"] for one in rebuild()] == ["bl06"]


def test_a_dataset_that_no_message_can_describe_is_named(
    icat: IcatClient, rebuild: Rebuild, plain: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ingest(icat, dataset_message(name="run2", location="/data/run2"))
    (visit,) = plain.search(f"SELECT i FROM Investigation i WHERE i.name = '{NAME}'")
    (kind,) = plain.search("SELECT t FROM DatasetType t WHERE t.name = 'raw'")
    bare = plain.new("Dataset", name="bare", complete=True, investigation=visit, type=kind)
    bare.create()
    assert [one["name"] for one in rebuild()] == ["run2"]
    said = (
        f"dataset {bare.id} has no location and no start_date and no end_date and no sample in ICAT: left out"
    )
    assert said in caplog.text


def test_many_datasets_are_sent_in_several_goes_each_once(
    icat: IcatClient, rebuild: Rebuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"run{n}" for n in range(7)]
    for name in names:
        ingest(icat, dataset_message(name=name, location=f"/data/{name}", datafiles=None))
    monkeypatch.setattr("pacer_icat.reingest.rebuild.PAGE", 2)
    monkeypatch.setattr("pacer_icat.reingest.task.DATASETS_AT_ONCE", 3)
    first = follow_ups(deliver_to(REINGEST, {"investigation": NAME}, icat))
    assert [kind for kind, _ in first] == ["datasets"] * 3 + ["reingest"]
    assert [one["name"] for one in rebuild()] == names


def test_large_datasets_are_sent_in_several_goes_each_once(
    icat: IcatClient, rebuild: Rebuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("run1", "run2", "run3"):
        files = [{"location": f"/data/{name}/{n}.h5"} for n in range(10)]
        ingest(icat, dataset_message(name=name, location=f"/data/{name}", datafiles=files))
    monkeypatch.setattr("pacer_icat.reingest.task.FILES_AT_ONCE", 15)
    first = follow_ups(deliver_to(REINGEST, {"investigation": NAME}, icat))
    assert [kind for kind, _ in first] == ["datasets", "datasets", "reingest"]
    assert [len(one["datafiles"]) for one in rebuild()] == [10, 10, 10]


def test_all_visits_of_a_proposal_are_rebuilt_or_one(icat: IcatClient, rebuild: Rebuild, plain: Any) -> None:
    ingest(icat, dataset_message())
    (first,) = plain.search(
        f"SELECT i FROM Investigation i WHERE i.name = '{NAME}' INCLUDE i.facility, i.type"
    )
    second = plain.new(
        "Investigation", name=NAME, visitId="second", title="t", facility=first.facility, type=first.type
    )
    second.create()
    ingest(icat, dataset_message(name="run2", investigation=None, investigation_id=second.id))
    assert sorted(one["name"] for one in rebuild()) == ["run1", "run2"]
    assert [one["name"] for one in rebuild(visit_id="SECOND")] == ["run2"]


def test_an_investigation_that_is_not_there_is_waited_for(icat: IcatClient) -> None:
    (failure,) = deliver_to(REINGEST, {"investigation": "unheard of"}, icat).failures
    assert (failure.kind, failure.reason) == ("not-yet", "ICAT has no investigation 'unheard of'")


def test_nothing_is_written(icat: IcatClient, rebuild: Rebuild, icat_server: IcatSandbox) -> None:
    ingest(icat, RICH)
    icat_server.misbehave.clear()
    rebuild()
    assert set(icat_server.misbehave.calls) == {"search"}
