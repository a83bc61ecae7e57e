"""Statistics of datasets, samples and investigations; every message handled twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pacer_core import Delivery, Outcome
from pacer_icat import IcatClient
from pacer_icat.datasets.task import DATASETS
from pacer_icat.totals.options import StatisticsOptions
from pacer_icat.totals.task import DATASET_STATISTICS
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.support import (
    dataset_message,
    deliver_to,
    follow,
    icat_client,
    parameters_of,
)

RAW = dataset_message()
PROCESSED = dataset_message(
    name="processed",
    location="/data/visit/processed",
    end_date="2025-07-15T10:00:01.700+02:00",
    sample={"name": "Insulin"},
    parameters=[{"name": "input_datasets", "value": "/data/visit/run1"}],
    datafiles=[{"location": f"/data/visit/processed/{number}", "size": 1000} for number in range(3)],
)
BARE = dataset_message(name="bare", location="/data/visit/bare", datafiles=None)


def store(icat: IcatClient, message: dict[str, Any]) -> Delivery:
    """Store a dataset."""
    stored = deliver_to(DATASETS, message, icat, twice=False)
    assert stored.outcome is Outcome.ACKED, stored.error
    return stored


def count(icat: IcatClient, *messages: dict[str, Any], **options: Any) -> None:
    """Store datasets and count each, then and there."""
    for message in messages:
        counted = follow(store(icat, message), DATASET_STATISTICS, icat, options=StatisticsOptions(**options))
        assert counted.outcome is Outcome.ACKED, counted.error


def ours(parameters: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the messages brought."""
    return {name: value for name, value in parameters.items() if name.startswith("__")}


def test_a_dataset_gets_its_files_volume_time_and_name(icat: IcatClient, plain: Any) -> None:
    count(icat, RAW, PROCESSED, BARE)
    found = parameters_of(plain)
    assert {name: ours(values) for name, values in found.items()} == {
        "run1": {"__fileCount": 2, "__volume": 7, "__elapsedTime": 3_600_000},
        "processed": {"__fileCount": 3, "__volume": 3000, "__elapsedTime": 1000},
        "bare": {"__fileCount": 0, "__volume": 0, "__elapsedTime": 3_600_000},
    }
    assert {values["datasetName"] for values in found.values()} == {"run1", "processed", "bare"}


def test_a_name_that_the_message_brought_stays(icat: IcatClient, plain: Any) -> None:
    count(icat, dataset_message(parameters=[{"name": "datasetName", "value": "what people say"}]))
    assert parameters_of(plain)["run1"]["datasetName"] == "what people say"


def test_an_investigation_gets_the_totals_of_its_datasets(icat: IcatClient, plain: Any) -> None:
    count(icat, RAW, PROCESSED, BARE)
    assert ours(parameters_of(plain, "Investigation")["20250330096"]) == {
        "__datasetCount": 3,
        "__acquisitionDatasetCount": 2,
        "__processedDatasetCount": 1,
        "__sampleCount": 2,
        "__fileCount": 5,
        "__acquisitionFileCount": 2,
        "__processedFileCount": 3,
        "__volume": 3007,
        "__acquisitionVolume": 7,
        "__processedVolume": 3000,
        "__elapsedTime": 7_201_000,
    }


def test_a_sample_gets_the_totals_of_its_datasets(icat: IcatClient, plain: Any) -> None:
    count(icat, RAW, PROCESSED, BARE)
    totals = parameters_of(plain, "Sample")
    assert totals["Lysozyme"] == {
        "__datasetCount": 2,
        "__acquisitionDatasetCount": 2,
        "__processedDatasetCount": 0,
        "__fileCount": 2,
        "__acquisitionFileCount": 2,
        "__processedFileCount": 0,
        "__volume": 7,
        "__acquisitionVolume": 7,
        "__processedVolume": 0,
    }
    assert (totals["Insulin"]["__processedVolume"], totals["Insulin"]["__datasetCount"]) == (3000, 1)


def test_the_types_that_are_counted_apart_have_the_names_of_the_options(icat: IcatClient, plain: Any) -> None:
    count(icat, RAW, PROCESSED, raw_type="processed", processed_type="none")
    found = parameters_of(plain, "Investigation")["20250330096"]
    assert (found["__acquisitionDatasetCount"], found["__processedDatasetCount"]) == (1, 0)
    assert found["__datasetCount"] == 2


def test_what_changes_is_counted_anew(icat: IcatClient, plain: Any) -> None:
    count(icat, RAW, RAW | {"datafiles": [{"location": "/data/visit/run1/c.h5", "size": 100}]})
    assert parameters_of(plain)["run1"]["__volume"] == 107
    assert parameters_of(plain, "Investigation")["20250330096"]["__volume"] == 107


@pytest.fixture
def keeping(icat_server: IcatSandbox) -> Iterator[IcatClient]:
    """Our client for an ICAT whose database keeps no counts."""
    with icat_client(icat_server, file_counts="pacer") as icat:
        yield icat


@pytest.fixture
def leaving(icat_server: IcatSandbox) -> Iterator[IcatClient]:
    """Our client told that the database keeps the counts."""
    with icat_client(icat_server, file_counts="database") as icat:
        yield icat


def counts(plain: Any, entity: str) -> list[tuple[int, int]]:
    """Give ICAT's own counts, by id."""
    return [(one.fileCount, one.fileSize) for one in plain.search(f"SELECT o FROM {entity} o ORDER BY o.id")]


def test_icats_own_counts_are_kept_where_the_database_does_not(
    keeping: IcatClient, leaving: IcatClient, plain: Any
) -> None:
    deliver_to(DATASETS, RAW, leaving, twice=False)  # by somebody who left the counts to the database
    assert counts(plain, "Dataset") == [(0, 0)]
    (before,) = plain.search("SELECT i FROM Investigation i WHERE i.name = '20250330096' INCLUDE 1")
    count(keeping, RAW, PROCESSED)
    assert counts(plain, "Dataset") == [(2, 7), (3, 3000)]
    (after,) = plain.search("SELECT i FROM Investigation i WHERE i.name = '20250330096' INCLUDE 1")
    assert (after.fileCount, after.fileSize) == (5, 3007)
    for name in ("title", "visitId", "summary", "startDate", "endDate", "releaseDate", "doi"):
        assert getattr(after, name, None) == getattr(before, name, None)
    assert (after.type.id, after.facility.id) == (before.type.id, before.facility.id)


def test_icats_own_counts_are_left_alone_where_the_option_says_so(leaving: IcatClient, plain: Any) -> None:
    count(leaving, RAW)
    assert counts(plain, "Dataset") == [(0, 0)]
    assert set(counts(plain, "Investigation")) == {(0, 0)}


def test_the_databases_counts_are_taken_where_they_are_right(
    icat_server: IcatSandbox, icat: IcatClient, plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    icat_server.triggers = True
    count(icat, RAW, PROCESSED)
    queries: list[str] = []
    search = icat.shared.wire.search

    def noted(query: str, /, **values: Any) -> list[Any]:
        queries.append(query)
        return search(query, **values)

    monkeypatch.setattr(icat.shared.wire, "search", noted)
    count(icat, RAW)
    assert parameters_of(plain, "Investigation")["20250330096"]["__volume"] == 3007
    assert not any("COUNT(f)" in query and "GROUP BY" in query for query in queries)


def numbered(number: int) -> dict[str, Any]:
    """Give one of many datasets of an investigation."""
    return dataset_message(
        name=f"run{number}",
        location=f"/data/{number}",
        datafiles=[{"location": f"/data/{number}/a", "size": 1}],
    )


def test_a_burst_for_one_investigation_is_counted_once(icat: IcatClient, plain: Any) -> None:
    stored = [store(icat, numbered(number)) for number in range(20)]
    calls = []
    for delivery in stored:
        before = icat.shared.wire.calls
        follow(delivery, DATASET_STATISTICS, icat, twice=False)
        calls.append(icat.shared.wire.calls - before)
    assert parameters_of(plain, "Investigation")["20250330096"]["__volume"] == 20
    assert {values["__volume"] for values in parameters_of(plain).values()} == {1}
    assert set(calls[1:]) == {calls[1]}
    assert calls[1] <= 8 < calls[0]


def test_what_is_asked_for_after_a_count_is_counted_again(icat: IcatClient, plain: Any) -> None:
    for number in range(3):
        count(icat, numbered(number))
        found = parameters_of(plain, "Investigation")["20250330096"]
        assert (found["__volume"], found["__datasetCount"]) == (number + 1, number + 1)


def test_statistics_of_many_datasets_cost_calls_in_proportion(icat: IcatClient) -> None:
    calls = []
    for number in range(30):
        stored = store(icat, numbered(number))
        before = icat.shared.wire.calls
        follow(stored, DATASET_STATISTICS, icat, twice=False)
        calls.append(icat.shared.wire.calls - before)
    assert sum(calls[20:30]) == sum(calls[10:20])


def test_a_message_without_investigation_or_time_is_enough(icat: IcatClient, plain: Any) -> None:
    stored = store(icat, RAW)
    counted = deliver_to(DATASET_STATISTICS, {"dataset_id": stored.facts["dataset_id"]}, icat)
    assert counted.outcome is Outcome.ACKED
    assert parameters_of(plain, "Investigation")["20250330096"]["__fileCount"] == 2


def test_a_dataset_that_icat_does_not_have_makes_the_message_wait(icat: IcatClient) -> None:
    delivery = deliver_to(DATASET_STATISTICS, {"dataset_id": 987654321}, icat)
    assert [failure.kind for failure in delivery.failures] == ["not-yet"]


def test_types_of_text_hold_numbers_as_text(icat: IcatClient, plain: Any) -> None:
    for kind in plain.search("SELECT t FROM ParameterType t WHERE t.name = '__volume' INCLUDE t.facility"):
        kind.valueType, kind.units = "STRING", ""
        kind.update()
    count(icat, RAW, RAW)
    assert parameters_of(plain)["run1"]["__volume"] == "7"
    assert parameters_of(plain, "Sample")["Lysozyme"]["__volume"] == "7"


def test_follow_ups_name_the_dataset_its_investigation_and_the_time(icat: IcatClient) -> None:
    stored = store(icat, RAW)
    told: Callable[[bytes], dict[str, Any]] = json.loads
    by_type = {one.consumer_type: told(one.body) for one in stored.follow_ups}
    assert by_type.keys() == {"dataset-links", "dataset-statistics"}
    for body in by_type.values():
        assert body.pop("asked_at") > 1.7e9
        assert body == stored.facts
