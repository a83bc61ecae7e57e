"""Who keeps ``fileCount`` and ``fileSize``: right on an ICAT with triggers as on one without, unasked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pacer_core import ConsumerType, Delivery, Outcome
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icat.datasets.task import DATASETS
from pacer_icat.investigations.task import INVESTIGATIONS
from pacer_icat.totals.task import DATASET_STATISTICS
from pacer_icat.updates.datafiles import DATASET_FILES
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.people import investigation_message
from plugins.pacer_icat.tests.support import configure, dataset_message, deliver_to, follow, options_for
from tests.support import Site

NAME = "20250330096"


@pytest.fixture(params=[False, True], ids=["no triggers", "triggers"])
def server(request: pytest.FixtureRequest, icat_server: IcatSandbox) -> IcatSandbox:
    """An ICAT whose database keeps the counts, and one whose database does not."""
    icat_server.triggers = request.param
    return icat_server


@pytest.fixture
def ours(server: IcatSandbox) -> Iterator[Callable[..., IcatClient]]:
    """Make clients, each as in a process of its own."""
    made: list[Shared] = []

    def ours(**options: Any) -> IcatClient:
        made.append(Shared(options_for(server, **options)))
        return IcatClient(made[-1])

    yield ours
    for one in made:
        one.close()


def datasets(plain: Any) -> list[tuple[str, int, int]]:
    """Give the counts of all datasets."""
    return sorted(
        map(tuple, plain.search("SELECT d.name, d.fileCount, d.fileSize FROM Dataset d ORDER BY d.name"))
    )


def investigation(plain: Any) -> tuple[int, int]:
    """Give the counts of the investigation."""
    (found,) = plain.search(f"SELECT i.fileCount, i.fileSize FROM Investigation i WHERE i.name = '{NAME}'")
    return tuple(found)


def send(icat: IcatClient, consumer: ConsumerType = DATASETS, body: Any = None, **more: Any) -> Delivery:
    """Handle a message."""
    delivery = deliver_to(consumer, dataset_message() if body is None else body, icat, **more)
    assert delivery.outcome is Outcome.ACKED, delivery.error
    return delivery


def files(name: str, number: int) -> dict[str, Any]:
    """Give a dataset message with so many files of a byte each."""
    return dataset_message(
        name=name,
        location=f"/data/{name}",
        datafiles=[{"location": f"/data/{name}/{one}", "size": 1} for one in range(number)],
    )


def test_counts_are_right_from_the_first_dataset_on(
    ours: Callable[..., IcatClient], plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacer_icat.datasets.files.BATCH", 4)
    icat = ours()
    for name, number in (("a", 3), ("b", 10), ("c", 3)):
        follow(send(icat, body=files(name, number)), DATASET_STATISTICS, icat)
    assert datasets(plain) == [("a", 3, 3), ("b", 10, 10), ("c", 3, 3)]
    assert investigation(plain) == (16, 16)
    again = ours()
    follow(send(again, body=files("b", 12)), DATASET_STATISTICS, again)
    assert datasets(plain) == [("a", 3, 3), ("b", 12, 12), ("c", 3, 3)]
    assert investigation(plain) == (18, 18)


def test_a_first_dataset_of_many_batches_is_counted(
    ours: Callable[..., IcatClient], plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacer_icat.datasets.files.BATCH", 4)
    send(ours(), body=files("a", 10))
    assert datasets(plain) == [("a", 10, 10)]


def test_a_dataset_without_files_tells_nothing_and_costs_nothing(
    ours: Callable[..., IcatClient], plain: Any
) -> None:
    icat = ours()
    send(icat, body=files("a", 1) | {"datafiles": []})
    assert icat.shared.counts.keeper is None
    send(icat, body=files("b", 2))
    assert datasets(plain) == [("a", 0, 0), ("b", 2, 2)]


@pytest.mark.parametrize("written", ["pacer", "database"])
def test_an_option_that_is_not_so_is_told_and_adds_nothing_twice(
    server: IcatSandbox,
    ours: Callable[..., IcatClient],
    plain: Any,
    written: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    icat = ours(file_counts=written)
    send(icat, body=files("a", 2))
    send(icat, body=files("b", 2))
    wrong = (written == "database") is not server.triggers
    assert len([one for one in caplog.records if "'fileCounts' of the integration" in one.message]) == wrong
    kept = 0 if written == "database" and not server.triggers else 2
    assert datasets(plain) == [("a", kept, kept), ("b", kept, kept)]


def test_files_that_are_found_later_are_counted(
    ours: Callable[..., IcatClient], plain: Any, tmp_path: Path
) -> None:
    stored = send(ours(), body=dataset_message(location=str(tmp_path), datafiles=None))
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("1234")
    icat = ours()
    added = send(icat, DATASET_FILES, {"datasetId": stored.facts["dataset_id"]})
    assert datasets(plain) == [("run1", 3, 12)]
    follow(added, DATASET_STATISTICS, icat)
    assert investigation(plain) == (3, 12)


def test_what_an_older_version_left_at_nought_is_set_right_by_the_next_statistics(
    server: IcatSandbox, ours: Callable[..., IcatClient], plain: Any
) -> None:
    stored = send(ours(file_counts="database"))
    icat = ours()
    follow(stored, DATASET_STATISTICS, icat)
    assert datasets(plain) == [("run1", 2, 7)]
    assert investigation(plain) == (2, 7)


def test_a_change_of_the_visit_leaves_its_counts(ours: Callable[..., IcatClient], plain: Any) -> None:
    icat = ours()
    follow(send(icat), DATASET_STATISTICS, icat)
    (visit,) = plain.search(f"SELECT i.visitId FROM Investigation i WHERE i.name = '{NAME}'")
    message = investigation_message(name=NAME, visit_id=visit, title="Another title")
    deliver_to(INVESTIGATIONS, message, icat)
    assert investigation(plain) == (2, 7)


def test_a_dataset_that_is_deleted_and_taken_back_keeps_its_counts(
    ours: Callable[..., IcatClient], plain: Any
) -> None:
    icat = ours()
    follow(send(icat), DATASET_STATISTICS, icat)
    with icat.rollback() as block:
        icat.one("Dataset", name="run1").delete()
        block.rollback()
    assert datasets(plain) == [("run1", 2, 7)]
    assert investigation(plain) == (2, 7)


@pytest.mark.parametrize("types", [("datasets",), ("datasets", "dataset-statistics")], ids=" and ".join)
def test_a_configuration_that_says_nothing_has_the_counts_of_investigations_as_well(
    server: IcatSandbox, site: Site, tmp_path: Path, plain: Any, types: tuple[str, ...]
) -> None:
    file = configure(site, server, tmp_path, *types)
    for name in ("a", "b"):
        body = tmp_path / f"{name}.json"
        body.write_text(json.dumps(files(name, 2)))
        assert site.pacer("send", "-c", file, "--consumer", "datasets", body).code == 0
    ran = site.pacer("run", "--once", "-c", file)
    assert ran.code == 0, ran.both
    assert datasets(plain) == [("a", 2, 2), ("b", 2, 2)]
    assert investigation(plain) == (4, 4)
