"""The consumer type ``scicat-samples``: the sample of a run that starts is found or created."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from pacer_core import Delivery, Outcome
from pacer_core.testing import deliver
from pacer_scicat import SCICAT, Scicat
from pacer_scicat.samples.task import SCICAT_SAMPLES, SamplesOptions, value_at
from pacer_scicat.testing import ScicatStandIn
from plugins.pacer_scicat.tests.support import client_of, dataset, group, run_start


def send(client: Scicat, message: Any, *, twice: bool = True, **options: Any) -> Delivery:
    return deliver(
        SCICAT_SAMPLES,
        json.dumps(message),
        integrations={SCICAT: client},
        options=SamplesOptions(**options),
        twice=twice,
    )


@pytest.fixture
def samples(scicat: ScicatStandIn) -> Any:
    """A client of the account that may create samples."""
    from pacer_core import Secret

    with client_of(scicat.url, username="sampleIngestor", password=Secret("pw-sampleIngestor")) as client:
        yield client


def test_a_sample_is_created_once(samples: Scicat, scicat: ScicatStandIn) -> None:
    for _ in range(2):
        delivery = send(samples, run_start())
        assert delivery.outcome is Outcome.ACKED, delivery.error
    (sample,) = scicat.store.samples.values()
    assert (sample["sampleName"], sample["description"], sample["proposalId"]) == (
        "sapphire",
        "sapphire",
        "443503",
    )
    assert (sample["ownerGroup"], sample["accessGroups"]) == ("443503", ["sampleingestor"])
    assert delivery.facts["scicat_sample"] == sample["sampleId"]


def test_a_sample_that_is_there_is_found(samples: Scicat, scicat: ScicatStandIn) -> None:
    scicat.store.samples["s1"] = {
        "sampleId": "s1", "description": "sapphire", "proposalId": "443503", "ownerGroup": "sampleingestor"
    }  # fmt: skip
    assert send(samples, run_start()).facts["scicat_sample"] == "s1"
    assert len(scicat.store.samples) == 1


@pytest.mark.parametrize("how", ["lost-answer", "lost-request", "cut"])
def test_an_answer_that_is_lost_leaves_one(samples: Scicat, scicat: ScicatStandIn, how: Any) -> None:
    scicat.misbehaviour.fail(how, method="POST", path="/samples")
    assert send(samples, run_start(), twice=False).outcome is Outcome.RETRIED
    assert send(samples, run_start()).outcome is Outcome.ACKED
    assert len(scicat.store.samples) == 1


def test_a_sample_that_cannot_be_read_back_is_there_all_the_same(scicat: ScicatStandIn) -> None:
    from pacer_core import Secret

    account = {"username": "sampleIngestor", "password": Secret("pw-sampleIngestor"), "ingestor_group": ""}
    with client_of(scicat.url, **account) as client:
        for _ in range(2):
            assert send(client, run_start()).outcome is Outcome.ACKED
    assert len(scicat.store.samples) == 1


def test_four_runs_of_one_sample_leave_one(samples: Scicat, scicat: ScicatStandIn) -> None:
    threads = [threading.Thread(target=send, args=(samples, run_start())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert send(samples, run_start()).outcome is Outcome.ACKED
    assert len(scicat.store.samples) == 1


def test_a_run_without_a_sample_is_done_and_one_without_a_proposal_is_dead(samples: Scicat) -> None:
    assert send(samples, run_start(sample=None)).outcome is Outcome.ACKED
    assert send(samples, run_start(proposal=None)).outcome is Outcome.DEAD
    assert send(samples, run_start(nexus_structure="{")).outcome is Outcome.DEAD


def test_an_account_without_the_right_is_told_so(client: Scicat) -> None:
    delivery = send(client, run_start(), twice=False)
    assert delivery.outcome is Outcome.RETRIED
    assert "let the account datasetIngestor create" in str(delivery.error)


@pytest.mark.parametrize(
    ("tree", "wanted"),
    [
        ({"children": [group("entry", group("sample", dataset("name", ["x"])))]}, "x"),
        ({"children": [group("entry", group("sample", dataset("name", 5)))]}, "5"),
        ({"children": [group("entry", group("sample", dataset("name", ["a", "b"])))]}, None),
        (
            {"children": [group("entry", {"name": "sample", "children": [{"name": "name", "values": "y"}]})]},
            "y",
        ),
        ({}, None),
        ([], None),
        ({"children": "x"}, None),
    ],
)
def test_values_are_read_from_the_tree_of_the_file_to_be(tree: Any, wanted: Any) -> None:
    assert value_at(tree, "/entry/sample/name") == wanted
