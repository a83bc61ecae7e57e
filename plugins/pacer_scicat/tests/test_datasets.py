"""One message, both catalogues: a dataset message becomes a dataset of SciCat as well."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pacer_core import Delivery, Outcome
from pacer_core.testing import deliver
from pacer_icat import ICAT
from pacer_icat.datasets.task import DATASETS
from pacer_sandbox import IcatSandbox
from pacer_scicat import SCICAT, Scicat
from pacer_scicat.datasets.options import ScicatDatasetOptions
from pacer_scicat.datasets.task import store_scicat_dataset
from pacer_scicat.plugin import pacer_tasks
from pacer_scicat.testing import ScicatStandIn
from plugins.pacer_icat.tests.support import MESSAGES, dataset_message, icat_client
from tests.support import Site

BOTH = DATASETS.with_tasks([store_scicat_dataset])
ALONE = DATASETS.__class__(name="datasets", message=DATASETS.message, tasks=[store_scicat_dataset])
Send = Callable[..., Delivery]


@pytest.fixture
def send(client: Scicat, tmp_path: Path) -> Send:
    """Send a message through the task, twice."""

    def send(message: Any = None, *, twice: bool = True, **options: Any) -> Delivery:
        given = {"patience": timedelta(0), "lock_folder": str(tmp_path), **options}
        body = message if isinstance(message, bytes) else json.dumps(message or dataset_message())
        return deliver(
            ALONE,
            body,
            integrations={SCICAT: client},
            task_options={"store_scicat_dataset": ScicatDatasetOptions(**given)},
            twice=twice,
        )

    return send


def only(scicat: ScicatStandIn) -> dict[str, Any]:
    (dataset,) = scicat.store.datasets.values()
    return dataset


def test_a_dataset_has_its_proposal_files_and_parameters(send: Send, scicat: ScicatStandIn) -> None:
    message = dataset_message(
        location="/data/visit/run1",
        parameters=[
            {"name": "temperature", "value": "300", "units": "K"},
            {"name": "scanType", "value": "line"},
            {"name": "constructor", "value": "x"},
        ],
        datafiles=[{"location": "a.h5", "size": 5}, {"location": "/data/visit/run1/b.h5", "size": 7}],
    )
    assert send(message).outcome is Outcome.ACKED
    dataset = only(scicat)
    assert dataset["proposalIds"] == [message["investigation"]]
    assert dataset["ownerGroup"] == message["investigation"]
    assert dataset["contactEmail"] == "datasetingestor@scicat.project"
    assert (dataset["size"], dataset["numberOfFiles"]) == (12, 2)
    assert [one["path"] for block in scicat.store.blocks.values() for one in block["dataFileList"]] == [
        "a.h5",
        "b.h5",
    ]
    metadata = dataset["scientificMetadata"]
    assert metadata["temperature"] == {"value": 300, "unit": "K", "valueSI": 300, "unitSI": "K"}
    assert metadata["constructor_"]["value"] == "x"


def test_instrument_and_sample_are_linked_where_scicat_has_them(send: Send, scicat: ScicatStandIn) -> None:
    message = dataset_message()
    scicat.store.instruments["i1"] = {"pid": "i1", "name": message["instrument"]}
    scicat.store.samples["s1"] = {
        "sampleId": "s1", "description": message["sample"]["name"], "proposalId": message["investigation"],
        "ownerGroup": "datasetingestor",
    }  # fmt: skip
    send(message)
    assert (only(scicat)["instrumentIds"], only(scicat)["sampleIds"]) == (["i1"], ["s1"])


def test_templates_say_what_becomes_of_names(send: Send, scicat: ScicatStandIn) -> None:
    send(owner_group="p{investigation}", creation_location="ALBA:{instrument}", contact_email="a@b.org")
    message = dataset_message()
    assert only(scicat)["ownerGroup"] == f"p{message['investigation']}"
    assert only(scicat)["creationLocation"] == f"ALBA:{message['instrument']}"
    with pytest.raises(ValueError, match="nosuch"):
        ScicatDatasetOptions(owner="{nosuch}")


def test_a_processed_dataset_is_derived_from_its_inputs(send: Send, scicat: ScicatStandIn) -> None:
    parameters = [{"name": "input_datasets", "value": "/data/raw/1,/data/raw/2"}]
    assert send(dataset_message(parameters=parameters), used_software=("bliss",)).outcome is Outcome.ACKED
    dataset = only(scicat)
    assert (dataset["type"], dataset["inputDatasets"]) == ("derived", ["/data/raw/1", "/data/raw/2"])
    assert dataset["usedSoftware"] == ["bliss"]


def test_files_that_come_later_are_added(send: Send, scicat: ScicatStandIn) -> None:
    files = [{"location": "a.h5", "size": 5}]
    send(dataset_message(datafiles=files))
    send(dataset_message(datafiles=[*files, {"location": "b.h5", "size": 7}]))
    assert (only(scicat)["size"], only(scicat)["numberOfFiles"]) == (12, 2)


@pytest.mark.parametrize("path", ["/datasets", "/origdatablocks"])
@pytest.mark.parametrize("how", ["lost-answer", "lost-request"])
def test_it_is_written_once(send: Send, scicat: ScicatStandIn, path: str, how: Any) -> None:
    message = dataset_message(datafiles=[{"location": "a.h5", "size": 5}])
    scicat.misbehaviour.fail(how, method="POST", path=path)
    assert send(message, twice=False).outcome is Outcome.RETRIED
    assert send(message).outcome is Outcome.ACKED
    assert (only(scicat)["size"], len(scicat.store.blocks)) == (5, 1)


def test_sizes_that_the_message_lacks_are_looked_up(
    send: Send, scicat: ScicatStandIn, tmp_path: Path
) -> None:
    (tmp_path / "a.h5").write_bytes(b"12345")
    message = dataset_message(location=str(tmp_path), datafiles=[{"location": "a.h5"}, {"location": "none"}])
    send(message, allowed_roots=(str(tmp_path),))
    assert only(scicat)["size"] == 5


def test_an_id_of_icat_is_no_proposal(send: Send) -> None:
    delivery = send(dataset_message(investigation=None, investigation_id=5))
    assert delivery.outcome is Outcome.DEAD
    assert [one.path for one in delivery.bad_fields] == ["investigation"]


@pytest.mark.parametrize("name", ["dataset-alba.json", "dataset-alba.xml", "dataset-esrf.xml"])
def test_the_messages_of_facilities_are_taken(send: Send, scicat: ScicatStandIn, name: str) -> None:
    delivery = send((MESSAGES / name).read_bytes())
    assert delivery.outcome is Outcome.ACKED, delivery.error
    assert only(scicat)["scientificMetadata"]


@pytest.fixture
def both(icat_server: IcatSandbox, client: Scicat, tmp_path: Path) -> Iterator[Send]:
    """Send a message to both catalogues."""
    with icat_client(icat_server) as icat:

        def send(message: Any, **more: Any) -> Delivery:
            options = ScicatDatasetOptions(patience=timedelta(0), lock_folder=str(tmp_path))
            return deliver(
                BOTH,
                json.dumps(message),
                integrations={ICAT: icat, SCICAT: client},
                task_options={"store_scicat_dataset": options},
                **more,
            )

        yield send


def test_one_message_is_in_both_catalogues(both: Send, scicat: ScicatStandIn) -> None:
    delivery = both(dataset_message(), twice=True)
    assert delivery.outcome is Outcome.ACKED, delivery.error
    assert set(delivery.done) == {"store_dataset", "store_scicat_dataset"}
    assert only(scicat)["datasetName"] == dataset_message()["name"]


def test_icat_is_served_although_scicat_is_away(both: Send, scicat: ScicatStandIn) -> None:
    scicat.misbehaviour.away = "proxy"
    delivery = both(dataset_message())
    assert (delivery.done, delivery.pending) == (("store_dataset",), ("store_scicat_dataset",))
    scicat.misbehaviour.away = "no"
    assert both(dataset_message(), after=delivery).outcome is Outcome.ACKED
    assert len(scicat.store.datasets) == 1


def test_the_task_is_off_unless_the_consumer_names_scicat(site: Site) -> None:
    text = """
        brokers: {main: {protocol: memory}}
        queues: [{name: datasets}]
        consumers: [{type: datasets, queues: [datasets], integrations: [icat]}]
        integrations: {icat: {url: https://icat, authenticator: db, username: a, password: b}}
    """
    assert site.pacer("config", "check", "-c", site.write(text)).code == 0
    assert [one.name for one in pacer_tasks("datasets")] == ["store_scicat_dataset"]
    assert list(pacer_tasks("users")) == []
