"""Links and statistics: a crash at every single call to ICAT, many writers at once, and deadlocks."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from pacer_core import ConsumerType, Outcome
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icat.datasets.task import DATASETS
from pacer_icat.links.task import DATASET_LINKS
from pacer_icat.schema import Entity
from pacer_icat.totals.task import DATASET_STATISTICS
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.crashing import (
    FAULTS,
    Snapshot,
    crash_at_any_call,
    fault_at_any_call,
    in_threads,
    process,
)
from plugins.pacer_icat.tests.support import (
    dataset_message,
    deliver_to,
    link_lists,
    options_for,
    parameters_of,
)

ALL = {
    "a": [],
    "b": ["a"],
    "c": ["a"],
    "d": ["b", "c"],
    "e": ["d", "x"],
    "x": [],
}
"""A diamond, what was made from it, and another input of that."""


def made(name: str) -> dict[str, Any]:
    """Give the message about one of these datasets."""
    inputs = ",".join(f"/data/{one}" for one in ALL[name])
    parameters = [{"name": "input_datasets", "value": inputs}] if inputs else None
    return dataset_message(
        name=name,
        location=f"/data/{name}",
        parameters=parameters,
        sample={"name": "raw" if not inputs else "made"},
        datafiles=[{"location": f"/data/{name}/{number}", "size": 10} for number in range(len(name))],
    )


def prepare(server: IcatSandbox, entities: list[Entity], linked: str) -> dict[str, int]:
    """Store all datasets, and link some; give their ids."""
    icat = IcatClient(process(server, entities))
    ids = {
        name: deliver_to(DATASETS, made(name), icat, twice=False).facts["dataset_id"] for name in sorted(ALL)
    }
    for name in linked:
        done = deliver_to(DATASET_LINKS, {"dataset_id": ids[name]}, icat, twice=False)
        assert done.outcome is Outcome.ACKED
    icat.shared.close()
    return ids


def move(icat: IcatClient) -> None:
    """Let one be made from another dataset than before, as a reprocessing does."""
    wire = icat.shared.wire
    (found,) = wire.search(
        "SELECT p.id FROM DatasetParameter p WHERE p.dataset.name = 'e' AND p.type.name = 'input_datasets'"
    )
    record = wire.read("DatasetParameter", found)
    assert record is not None
    wire.update(record, stringValue="/data/a")


def state(icat: IcatClient) -> list[Any]:
    """Give all that links and statistics may have written, with names instead of ids."""
    values = {
        entity: {
            owner: {name: value for name, value in values.items() if not name.endswith("Ids")}
            for owner, values in parameters_of(icat.shared.wire, entity).items()
        }
        for entity in ("Dataset", "Sample", "Investigation")
    }
    counts = [
        icat.shared.wire.search(f"SELECT o.name, o.fileCount, o.fileSize FROM {entity} o ORDER BY o.name")
        for entity in ("Dataset", "Investigation")
    ]
    return [values, link_lists(icat.shared.wire), counts]


@pytest.mark.parametrize("after", [False, True], ids=["before-icat", "after-icat"])
@pytest.mark.parametrize(
    ("consumer", "linked", "name", "counts"),
    [
        (DATASET_LINKS, "", "b", "database"),
        (DATASET_LINKS, "abcx", "d", "database"),
        (DATASET_LINKS, "ade", "b", "database"),
        (DATASET_LINKS, "abcdex moved", "e", "database"),
        (DATASET_STATISTICS, "", "d", "database"),
        (DATASET_STATISTICS, "", "d", "pacer"),
    ],
    ids=["links-first", "links-last", "links-between", "links-moved", "statistics", "statistics-and-counts"],
)
def test_a_crash_at_any_call_is_mended_by_the_next_delivery(
    icat_server: IcatSandbox,
    icat: IcatClient,
    entities: list[Entity],
    consumer: ConsumerType,
    linked: str,
    name: str,
    counts: str,
    after: bool,
) -> None:
    message = {"dataset_id": prepare(icat_server, entities, linked.split(" ")[0])[name]}
    if "moved" in linked:
        move(icat)
    crash_at_any_call(
        icat_server, entities, consumer, message, lambda: state(icat), after=after, file_counts=counts
    )


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("how", FAULTS)
@pytest.mark.parametrize("consumer", [DATASET_LINKS, DATASET_STATISTICS], ids=["links", "statistics"])
def test_a_fault_at_any_call_changes_nothing_in_the_end(
    icat_server: IcatSandbox, icat: IcatClient, entities: list[Entity], consumer: ConsumerType, how: str
) -> None:
    message = {"dataset_id": prepare(icat_server, entities, "abcx")["d"]}
    fault_at_any_call(icat_server, entities, consumer, message, lambda: state(icat), how=how)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("linked", ["", "abcdex moved"], ids=["new", "moved"])
@pytest.mark.parametrize("deadlocks", [0, 5])
def test_eight_writers_of_links_and_statistics_end_as_one_does(
    icat_server: IcatSandbox, icat: IcatClient, entities: list[Entity], linked: str, deadlocks: int
) -> None:
    def work_through(ids: dict[str, int], icat: IcatClient, order: Callable[[list[Any]], list[Any]]) -> None:
        waiting = order(
            [
                (consumer, ids[name])
                for consumer in (DATASET_LINKS, DATASET_STATISTICS)
                for name in sorted(ALL)
            ]
        )
        while waiting:  # what is to be retried, comes again
            waiting = [
                (consumer, id_)
                for consumer, id_ in waiting
                if deliver_to(consumer, {"dataset_id": id_}, icat, twice=False).outcome is Outcome.RETRIED
            ]

    ids = prepare(icat_server, entities, linked.split(" ")[0])
    if "moved" in linked:
        move(icat)
    snapshot = Snapshot(icat_server)
    work_through(ids, IcatClient(process(icat_server, entities)), list)
    expected = state(icat)
    snapshot.restore()
    if deadlocks:
        icat_server.misbehave.deadlock(every=deadlocks)
    shared = Shared(options_for(icat_server))
    in_threads(
        lambda seed: work_through(
            ids, IcatClient(shared), lambda all_: random.Random(seed).sample(all_, len(all_))
        ),
        8,
    )
    shared.close()
    icat_server.misbehave.clear()
    assert state(icat) == expected


@pytest.mark.usefixtures("_impatient")
def test_eight_workers_that_store_and_count_lose_nothing(icat_server: IcatSandbox, plain: Any) -> None:
    shared = Shared(options_for(icat_server))

    def work(worker: int) -> None:
        icat = IcatClient(shared)
        for number in range(3):
            name = f"{worker}-{number}"
            message = dataset_message(
                name=name,
                location=f"/data/{name}",
                parameters=[{"name": "input_datasets", "value": "/data/visit/run1"}],
                datafiles=[{"location": f"/data/{name}/a", "size": 1}],
            )
            stored = deliver_to(DATASETS, message, icat, twice=False)
            for follow_up in stored.follow_ups:
                consumer = {one.name: one for one in (DATASET_LINKS, DATASET_STATISTICS)}[
                    follow_up.consumer_type
                ]
                while (
                    outcome := deliver_to(consumer, follow_up.body, icat, twice=False).outcome
                ) is not Outcome.ACKED:
                    assert outcome is Outcome.RETRIED

    deliver_to(DATASETS, dataset_message(datafiles=None), IcatClient(shared), twice=False)
    in_threads(work, 8)
    shared.close()
    found = parameters_of(plain, "Investigation")["20250330096"]
    assert (found["__datasetCount"], found["__processedVolume"]) == (25, 24)
    names = sorted(f"{worker}-{number}" for worker in range(8) for number in range(3))
    lists = link_lists(plain)
    assert sorted(lists["run1"]["output_datasetIds"]) == names
    assert sorted(lists["run1"]["__full_output_datasetNames"]) == names
    assert {tuple(lists[name]["__full_input_datasetIds"]) for name in names} == {("run1",)}
