"""What `pacer plan` says of messages about stored datasets is what is written, by the rows of ICAT."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from pacer_core import ConsumerType, Outcome, Planned
from pacer_core.testing import foresee
from pacer_icat import ICAT, IcatClient
from pacer_icat.datasets.task import DATASETS
from pacer_icat.links.task import DATASET_LINKS
from pacer_icat.reingest import task as reingesting
from pacer_icat.reingest.task import REINGEST
from pacer_icat.soap import Record
from pacer_icat.totals.task import DATASET_STATISTICS
from pacer_icat.updates.archive import ARCHIVE_STATUS, ArchiveStatusOptions
from pacer_icat.updates.datafiles import DATASET_FILES, DatasetFilesOptions
from pacer_icat.updates.metadata import DATASET_METADATA
from plugins.pacer_icat.tests.support import DEMO, dataset_message, deliver_to

TABLES = (
    *("Dataset", "Investigation", "Sample", "Datafile"),
    *("DatasetParameter", "InvestigationParameter", "SampleParameter"),
)
Rows = dict[tuple[str, int], dict[str, Any]]


@frozen
class Told:
    """A consumer type, asked and then told to do it."""

    icat: IcatClient
    consumer: ConsumerType
    options: Any = None

    def foreseen(self, message: Any) -> Sequence[Planned]:
        """Ask what would be done, and see that nothing was."""
        before = self.rows()
        (said,) = foresee(
            self.consumer, json.dumps(message), integrations={ICAT: self.icat}, options=self.options
        ).values()
        assert self.rows() == before
        assert isinstance(said, tuple), said
        return said

    def written(self, message: Any) -> Counter[str]:
        """Do it; give by table how many rows are new or changed."""
        before = self.rows()
        delivery = deliver_to(self.consumer, message, self.icat, options=self.options, twice=False)
        assert delivery.outcome is Outcome.ACKED, delivery.error
        return Counter(table for (table, id_), row in self.rows().items() if before.get((table, id_)) != row)

    def rows(self) -> Rows:
        """Give all rows that could be written."""
        return {
            (table, one.id): {
                name: value.id if isinstance(value, Record) else value for name, value in one.values.items()
            }
            for table in TABLES
            for one in self.icat.shared.wire.search(f"SELECT o FROM {table} o INCLUDE 1")
        }


def in_rows(said: Sequence[Planned]) -> Counter[str]:
    """Give the rows that a plan speaks of: `datafile`, the object itself, and its parameters."""
    rows: Counter[str] = Counter()
    for one in said:
        if one.change != "changed":
            continue
        entity = one.what.split()[0].capitalize()
        for part in re.split(r"(?<=added|laced|o set)(?:, |$)", one.detail):
            if files := re.fullmatch(r"(\d+) of \d+ files? to be added", part):
                rows += Counter(Datafile=int(files[1]), Dataset=1)  # with its counts
            elif part.endswith(" to be set"):
                rows[entity] += 1
            elif part:
                rows[f"{entity}Parameter"] += part.count(", ") + 1
    return rows


def stored(icat: IcatClient, **changes: Any) -> int:
    """Store a dataset; give its id."""
    delivery = deliver_to(DATASETS, dataset_message(**changes), icat, twice=False)
    assert delivery.outcome is Outcome.ACKED, delivery.error
    return int(delivery.facts["dataset_id"])


def check(told: Told, message: Any, *, leaves: frozenset[str] = frozenset()) -> Sequence[Planned]:
    """See that a message does what its plan says, then nothing more; ``leaves`` are tables not told of."""
    said = told.foreseen(message)
    expected = in_rows(said)
    assert expected
    written = told.written(message)
    assert {table: n for table, n in written.items() if table not in leaves} == expected
    again = told.foreseen(message)
    assert {one.change for one in again} <= {"there", "left-out"}
    assert told.written(message) == Counter()
    return said


def test_statistics_are_written_as_foretold(icat: IcatClient) -> None:
    told = Told(icat, DATASET_STATISTICS)
    first = {"dataset_id": stored(icat)}
    said = check(told, first)
    assert [one.what.split()[0] for one in said] == ["dataset", "investigation", "sample"]
    stored(icat, name="run2", location="/data/visit/run2", datafiles=[{"location": "/data/x", "size": 5}])
    said = check(told, first)
    assert [one.change for one in said] == ["there", "changed", "changed"]
    assert "__datasetCount" in said[1].detail


def test_links_are_written_as_foretold_on_all_datasets_that_they_concern(icat: IcatClient) -> None:
    told = Told(icat, DATASET_LINKS)
    raw = stored(icat, name="raw", location="/data/raw")
    assert told.foreseen({"dataset_id": raw}) == (Planned(f"dataset {raw}", "there"),)

    def made_of(name: str, *inputs: str) -> int:
        value = ",".join(f"/data/{one}" for one in inputs)
        parameters = [{"name": "input_datasets", "value": value}]
        return stored(icat, name=name, location=f"/data/{name}", parameters=parameters)

    middle = made_of("middle", "raw")
    said = check(told, {"dataset_id": middle})
    assert [one.what for one in said] == [f"dataset {raw}", f"dataset {middle}"]
    last = made_of("last", "middle", "raw")
    said = check(told, {"dataset_id": last})
    assert {(one.what, one.change) for one in said} == {
        (f"dataset {id_}", "changed") for id_ in (raw, middle, last)
    }


@pytest.mark.parametrize("name", ["archiveStatus", None])
def test_an_archive_status_is_written_as_foretold(icat: IcatClient, name: str | None) -> None:
    parameter = name and "Sample_description"
    told = Told(icat, ARCHIVE_STATUS, ArchiveStatusOptions(parameter=parameter))
    dataset = stored(icat)
    message = {"dataset_id": dataset, "type": "archiving", "level": "info", "message": "to tape"}
    if parameter is None:
        assert told.foreseen(message) == ()
        assert told.written(message) == Counter()
        return
    assert check(told, message)[0].detail == "Sample_description to be added"
    assert check(told, {**message, "level": "error"})[0].detail == "Sample_description to be replaced"


def test_metadata_are_written_as_foretold(icat: IcatClient) -> None:
    told = Told(icat, DATASET_METADATA)
    ids = [stored(icat), stored(icat, name="run2", location="/data/visit/run2")]

    def update(value: Any, name: str = "Sample_description") -> dict[str, Any]:
        return {
            "proposal": DEMO,
            "beamline": "bl06",
            "dataset_paths": ["/data/visit/run1/", "/data/visit/run2"],
            "metadata_name": name,
            "metadata_value": value,
        }

    added, replaced = "Sample_description to be added", "Sample_description to be replaced"
    assert [one.detail for one in check(told, update("a"))] == [added, added]
    said = check(told, update("b"))
    assert [(one.what, one.detail) for one in said] == [(f"dataset {id_}", replaced) for id_ in ids]
    for left_out in (update(""), update("x", "noSuchParameter")):
        assert [one.change for one in told.foreseen(left_out)] == ["left-out"]
        assert told.written(left_out) == Counter()
    waits = {**update("c"), "dataset_paths": ["/data/visit/run1", "/data/visit/later"]}
    (failure,) = foresee(DATASET_METADATA, json.dumps(waits), integrations={ICAT: icat}).values()
    assert "folders (1): dataset_paths[1]" in str(failure)


def test_files_of_a_folder_are_added_as_foretold(icat: IcatClient, tmp_path: Path) -> None:
    told = Told(icat, DATASET_FILES, DatasetFilesOptions(allowed_roots=(str(tmp_path),)))
    message = {"dataset_id": stored(icat, location=str(tmp_path), datafiles=None)}
    for name in ("a.h5", "b.h5"):
        (tmp_path / name).write_text("content")
    said = check(told, message, leaves=frozenset({"Investigation"}))
    assert said[0].detail == "2 of 2 files to be added"
    (tmp_path / "b.h5").write_text("content, and more of it")
    (record,) = icat.shared.wire.search("SELECT d FROM Dataset d INCLUDE 1")
    icat.shared.wire.update(record, fileCount=7)
    assert [one.change for one in told.foreseen(message)] == ["changed", "kept"]
    assert in_rows(told.foreseen(message)) == told.written(message) - Counter(Investigation=1)


def test_datasets_are_sent_once_more_as_foretold(
    icat: IcatClient, monkeypatch: pytest.MonkeyPatch, told_of: Callable[[Any], Counter[str]]
) -> None:
    monkeypatch.setattr(reingesting, "DATASETS_AT_ONCE", 2)
    ids = [stored(icat, name=f"run{n}", location=f"/data/visit/run{n}") for n in range(4)]
    wire = icat.shared.wire
    (record,) = wire.search("SELECT d FROM Dataset d WHERE d.id = :id INCLUDE 1", id=ids[0])
    wire.update(record, location=None)
    message = {"investigation": DEMO}
    said = Told(icat, REINGEST).foreseen(message)
    assert said == (
        Planned("2 messages for datasets", "new"),
        Planned("1 message for reingest", "new"),
        Planned(f"dataset {ids[0]}", "left-out", "has no location in ICAT"),
    )
    assert told_of(message) == Counter(datasets=2, reingest=1)


@pytest.fixture
def told_of(icat: IcatClient) -> Callable[[Any], Counter[str]]:
    """Give how many messages a reingestion sends, by consumer type."""

    def told_of(message: Any) -> Counter[str]:
        delivery = deliver_to(REINGEST, message, icat, twice=False)
        assert delivery.outcome is Outcome.ACKED, delivery.error
        return Counter(one.consumer_type for one in delivery.follow_ups)

    return told_of
