"""Datasets become documents, in the stand-in and in a real Elasticsearch 7.10."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from pacer_core import ConsumerType, Outcome
from pacer_elastic import DATASET_INDEX, Elastic
from pacer_elastic.client import Document, template
from pacer_http import HttpClient
from pacer_http.testing import StandIn
from pacer_icat.operations.options import OperationsOptions
from plugins.pacer_elastic.tests.conftest import COUNTED, LINKED, REINDEX, STORED, Facility
from plugins.pacer_icat.tests.support import dataset_message
from tests.support import Site

Dataset = Callable[..., int]


def only(facility: Facility) -> dict[str, Any]:
    (document,) = facility.documents().values()
    return document


def test_a_dataset_is_found_when_it_has_been_stored(either: Facility) -> None:
    delivery = either.store()
    assert delivery.error is None
    assert delivery.outcome is Outcome.ACKED
    assert list(either.documents()) == [str(delivery.facts["dataset_id"])]


def test_a_document_has_what_portals_search_for(either: Facility) -> None:
    stored = either.store(
        parameters=[{"name": "scanType", "value": "line"}], investigation="20250330096"
    ).facts["dataset_id"]
    document = only(either)
    assert isinstance(document.pop("instrumentId"), int)
    assert isinstance(document.pop("sampleId"), int)
    assert isinstance(document.pop("investigationId"), int)
    summary = document.pop("escompactsearch")
    assert summary.startswith("bl06 ")
    assert summary.endswith("20250330096 line run1 Lysozyme")
    size = document.pop("_metadataSize")
    expected = {
        "id": stored,
        "estype": "dataset",
        "name": "run1",
        "location": "/data/visit/run1",
        "definition": "line",
        "scanType": "line",
        "startDate": "2025-07-15T08:00:00.000+00:00",
        "endDate": "2025-07-15T09:00:00.000+00:00",
        "sampleName": "Lysozyme",
        "instrumentName": "bl06",
        "investigationName": "20250330096",
        "investigationVisitId": "bl06",
        "parametersCount": 1,
    }
    assert {name: document[name] for name in expected} == expected
    assert size == len(document) + 4  # of those taken out above, all but itself were counted


def test_the_same_dataset_again_is_the_same_document(either: Facility, dataset: Dataset) -> None:
    one = dataset()
    first = either.index(one)
    before = either.documents()
    assert either.index(one).outcome is first.outcome is Outcome.ACKED
    assert either.documents() == before


def test_all_datasets_of_an_investigation_are_indexed(either: Facility, dataset: Dataset) -> None:
    ids = {str(dataset(f"run{number}")) for number in range(7)}
    delivery = either.reindex()
    assert delivery.error is None
    assert ids <= set(either.documents())


def test_an_index_is_created_with_the_mapping_that_comes_along(either: Facility, dataset: Dataset) -> None:
    # Without it the first value decides: a name that looks like a date would make every other one an error.
    either.index(dataset("2025-07-15"))
    either.index(dataset("no date"))
    assert sorted(one["name"] for one in either.documents().values()) == ["2025-07-15", "no date"]


def test_what_was_read_from_icat_later_stays_whichever_arrives_last(either: Facility) -> None:
    with HttpClient("Elasticsearch", either.options.url, timeout=either.options.timeout) as http:
        elastic = Elastic(either.options, http)
        assert elastic.index([Document(42, 2_000, {"name": "new"})]) == []
        assert elastic.index([Document(42, 1_000, {"name": "old"})]) == []
    assert either.documents() == {"42": {"name": "new"}}


def test_one_bad_document_does_not_hold_up_the_others_and_is_named_without_what_it_holds(
    either: Facility, request: pytest.FixtureRequest
) -> None:
    with HttpClient("Elasticsearch", either.options.url, timeout=either.options.timeout) as http:
        elastic = Elastic(either.options, http)
        refused = elastic.index(
            [
                Document(1, 1, {"name": "a"}),
                Document(2, 1, {"name": {"of": "Ada Lovelace"}}),
                Document(3, 1, {"name": "c"}),
            ]
        )
    if "opensearch" in request.node.name:  # its ignore_malformed covers objects as well: 2.19 refuses none
        assert (refused, sorted(either.documents())) == ([], ["1", "2", "3"])
        return
    assert [(one.id, one.status) for one in refused] == [("2", 400)]
    assert "mapper_parsing_exception of field" in refused[0].reason
    assert "Ada" not in refused[0].reason
    assert sorted(either.documents()) == ["1", "3"]


def test_a_number_that_is_none_in_another_dataset_does_not_cost_the_document(either: Facility) -> None:
    with HttpClient("Elasticsearch", either.options.url, timeout=either.options.timeout) as http:
        elastic = Elastic(either.options, http)
        assert elastic.index([Document(1, 1, {"energy": 12.5}), Document(2, 1, {"energy": "twelve"})]) == []
    assert sorted(either.documents()) == ["1", "2"]


def test_a_message_may_name_another_index(either: Facility, dataset: Dataset) -> None:
    other = f"{either.options.index}-other"
    one = dataset()
    assert either.index(one, index_name=other).outcome is Outcome.ACKED
    assert list(either.documents(other)) == [str(one)]


def test_who_is_there_can_be_asked(either: Facility) -> None:
    with HttpClient("Elasticsearch", either.options.url, timeout=either.options.timeout) as http:
        Elastic(either.options, http).check()


@pytest.mark.parametrize("node", ["elasticsearch", "opensearch"])
def test_the_template_is_accepted_as_it_is_printed(
    site: Site, request: pytest.FixtureRequest, node: str
) -> None:
    url = request.getfixturevalue(node).url
    printed = json.loads(site.pacer("elastic", "template").out)
    assert printed == template()
    with HttpClient("Elasticsearch", url, timeout=timedelta(seconds=20)) as http:
        http.request("PUT", "/_index_template/pacer-datasets", json=printed)
        http.request("DELETE", "/_index_template/pacer-datasets")


@pytest.mark.parametrize("name", ["Datasets", "a b", "-x", "a/b", "..", "x" * 256])
def test_a_message_that_names_no_index_is_dead(facility: Facility, dataset: Dataset, name: str) -> None:
    delivery = facility.index(dataset(), index_name=name)
    assert delivery.outcome is Outcome.DEAD


def test_a_dataset_that_icat_does_not_have_is_waited_for(facility: Facility) -> None:
    delivery = facility.index(999_999_999)
    assert [failure.kind for failure in delivery.failures] == ["not-yet"]


def test_other_operations_are_none_of_its_business(facility: Facility, service: StandIn) -> None:
    message = {"name": "20250330096", "operations": ["mint"]}
    delivery = facility.send(REINDEX, message, options=OperationsOptions(("mint", "reindex")))
    assert delivery.outcome is Outcome.ACKED
    assert service.requests == []


@pytest.mark.parametrize("consumer", [COUNTED, LINKED], ids=["statistics", "links"])
def test_a_dataset_is_indexed_when_its_statistics_or_links_have_been_stored(
    facility: Facility, dataset: Dataset, consumer: ConsumerType
) -> None:
    one = dataset()
    delivery = facility.send(consumer, {"dataset_id": one})
    assert delivery.error is None
    assert list(facility.documents()) == [str(one)]


def test_a_message_is_looked_for_by_its_dataset() -> None:
    assert DATASET_INDEX.describe is not None
    message = DATASET_INDEX.message
    assert message is not None
    assert DATASET_INDEX.describe(message(7, "other")) == {"dataset_id": "7", "index_name": "other"}


def test_parameters_are_fields_of_their_own(facility: Facility, dataset: Dataset) -> None:
    facility.index(dataset(parameters=[{"name": "scanType", "value": "mesh"}]))
    document = only(facility)
    assert document["scanType"] == document["definition"] == "mesh"
    assert document["parametersCount"] == 1


def test_facts_about_another_investigation_are_refused(facility: Facility) -> None:
    wire = facility.icat.shared.wire
    (other,) = wire.search("SELECT o.id FROM Investigation o WHERE o.name = '20250340039'")
    stored = facility.store()
    before = attrs.evolve(stored, done=("store_dataset",))
    message = dataset_message(investigation="20250340039")
    again = facility.send(STORED, message, after=before, twice=False)
    assert again.outcome is Outcome.DEAD, "the dataset is another investigation's"
    found = facility.reindex()
    before = attrs.evolve(found, done=("check_investigation",), facts={"investigation_id": other})
    again = facility.reindex(after=before, twice=False)
    assert again.outcome is Outcome.DEAD
    assert "not the one that the message names" in str(again.error)
