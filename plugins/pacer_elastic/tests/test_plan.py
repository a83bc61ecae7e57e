"""What `pacer plan` says of indexing: Elasticsearch and ICAT are asked, and told nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from pacer_core.testing import foresee
from pacer_elastic import DATASET_INDEX, ELASTIC
from pacer_http.testing import StandIn
from pacer_icat import ICAT
from pacer_icat.operations.options import OperationsOptions
from pacer_sandbox import IcatSandbox
from pacer_sandbox.misbehave import WRITES
from plugins.pacer_elastic.tests.conftest import REINDEX, STORED, Facility
from plugins.pacer_elastic.tests.node import Node
from plugins.pacer_icat.tests.support import dataset_message

Dataset = Callable[..., int]
REINDEXING = {"name": "20250330096", "visit_id": "bl06", "operations": ["reindex"]}


def said(facility: Facility, consumer: Any, message: Any, options: Any = None) -> dict[str, Any]:
    with ExitStack() as stack:
        clients: dict[Any, Any] = {ICAT: facility.icat, ELASTIC: facility.client(stack)}
        return dict(foresee(consumer, json.dumps(message), integrations=clients, options=options))


def test_a_document_is_new_changed_or_there_and_nothing_is_written_to_find_out(
    facility: Facility, node: Node, service: StandIn, dataset: Dataset, icat_server: IcatSandbox
) -> None:
    one = dataset()
    icat_server.misbehave.calls.clear()

    def document() -> list[tuple[str, str]]:
        plans = said(facility, DATASET_INDEX, {"dataset_id": one})["index_dataset"]
        return [(plan.change, plan.what) for plan in plans]

    assert document() == [("new", "index 'datasets'"), ("new", f"document of dataset {one}")]
    assert node.indexes == {}
    assert facility.index(one).error is None
    asked = len(service.requests)
    assert document() == [("there", f"document of dataset {one}")]
    node.indexes["datasets"][str(one)]["name"] = "another"
    (plan,) = said(facility, DATASET_INDEX, {"dataset_id": one})["index_dataset"]
    assert (plan.change, plan.detail) == ("changed", "name")
    assert node.indexes["datasets"][str(one)]["name"] == "another"
    assert {request.path for request in service.requests[asked:]} == {"/datasets/_mget"}
    assert sum(icat_server.misbehave.calls[name] for name in WRITES) == 0


def test_documents_of_an_investigation_are_counted(
    facility: Facility, node: Node, service: StandIn, dataset: Dataset
) -> None:
    first, _second = dataset("run1"), dataset("run2")
    options = OperationsOptions(("mint", "reindex"))
    assert facility.index(first).error is None
    asked = len(service.requests)
    plans = said(facility, REINDEX, REINDEXING, options)["reindex_investigation"]
    counted = {plan.change: plan.what for plan in plans}
    assert counted["new"].endswith(" document") or counted["new"].endswith(" documents")
    assert counted["there"] == "1 document"
    assert {request.path for request in service.requests[asked:]} == {"/datasets/_mget"}
    assert list(node.indexes["datasets"]) == [str(first)]


def test_a_dataset_that_icat_would_only_get_has_a_new_document(facility: Facility, service: StandIn) -> None:
    (plan,) = said(facility, STORED, dataset_message(name="run9"))["index_stored_dataset"]
    assert plan.change == "new"
    assert facility.store(name="run9").error is None
    (plan,) = said(facility, STORED, dataset_message(name="run9"))["index_stored_dataset"]
    assert plan.change == "there"


@pytest.mark.parametrize("name", ["UPPER", "another"])
def test_an_index_that_would_not_be_written_is_said_beforehand(
    facility: Facility, service: StandIn, dataset: Dataset, name: str
) -> None:
    found = said(facility, DATASET_INDEX, {"dataset_id": dataset(), "index_name": name})
    assert found["index_dataset"].kind == "reject"
    assert service.requests == []
