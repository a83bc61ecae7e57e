"""What `pacer plan` says of a dataset is what storing it then writes, by the rows of ICAT."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacer_core import Outcome, Planned
from pacer_core.testing import foresee
from pacer_icat import ICAT, IcatClient
from pacer_icat.datasets.options import DatasetsOptions
from pacer_icat.datasets.task import DATASETS
from pacer_icat.soap import Record
from plugins.pacer_icat.tests.support import DATASET_STATE, dataset_message, deliver_to

MESSAGES = sorted((Path(__file__).parents[3] / "examples" / "messages").glob("dataset-*"))
LINES = {
    "Datafile": r"(\d+) of \d+ files? to be added",
    "DatasetParameter": r"(\d+) parameters? to be (?:added|replaced)",
    "Dataset": r"(\w+(?:, \w+)*) to be set",
    "DatasetInstrument": r"(its) instrument to be linked",
}
"""By entity, what of a plan's words means that rows of it are written."""
OPTIONS = DatasetsOptions(unknown_parameters="ignore")


@pytest.fixture
def foretold(icat: IcatClient) -> Callable[[Any], list[Planned]]:
    """Ask what the task would do."""

    def foretold(body: Any) -> list[Planned]:
        text = body if isinstance(body, bytes) else json.dumps(body)
        said = foresee(DATASETS, text, integrations={ICAT: icat}, options=OPTIONS)["store_dataset"]
        assert isinstance(said, tuple), said
        return list(said)

    return foretold


@pytest.fixture
def written(icat: IcatClient) -> Callable[[Any], Counter[str]]:
    """Store a message, and give how many rows of each entity have been created or changed."""

    def rows() -> dict[str, dict[int, dict[str, Any]]]:
        search = icat.shared.wire.search
        return {
            entity: {
                one.id: {
                    name: value.id if isinstance(value, Record) else value
                    for name, value in one.values.items()
                }
                for one in search(f"SELECT o FROM {entity} o INCLUDE 1")
            }
            for entity in DATASET_STATE
        }

    def written(body: Any) -> Counter[str]:
        before = rows()
        assert deliver_to(DATASETS, body, icat, options=OPTIONS, twice=False).outcome is Outcome.ACKED
        after = rows()
        return Counter(
            entity
            for entity, found in after.items()
            for id_, row in found.items()
            if before[entity].get(id_) != row
        )

    return written


def _plain(value: Any) -> Any:
    return value.id if isinstance(value, Record) else value


def in_rows(said: list[Planned]) -> Counter[str]:
    """Give the rows that a plan speaks of."""
    rows: Counter[str] = Counter()
    for one in said:
        if one.what.startswith("sample"):
            rows["Sample"] += one.change in ("new", "changed")
        elif one.change == "new":
            files, parameters = map(int, re.findall(r"(\d+) (?:file|parameter)", one.detail))
            rows += Counter(Dataset=1, Datafile=files, DatasetParameter=parameters, DatasetInstrument=1)
        elif one.change == "changed":
            for entity, pattern in LINES.items():
                for number in re.findall(pattern, one.detail):
                    rows[entity] += int(number) if number.isdecimal() else 1
            rows["Dataset"] |= rows["Datafile"] > 0  # its counts of files
    return +rows


def said_of(said: list[Planned]) -> list[tuple[str, str]]:
    return [(one.change, one.detail) for one in said if one.what.startswith("dataset")]


@pytest.mark.parametrize("file", MESSAGES, ids=lambda one: one.name)
def test_each_message_of_the_examples_is_stored_as_foretold_and_then_there(
    file: Path, foretold: Any, written: Any
) -> None:
    body = file.read_bytes()
    first = foretold(body)
    assert in_rows(first)["Dataset"] == 1
    assert in_rows(first) == written(body)
    again = foretold(body)
    assert in_rows(again) == written(body) == Counter()
    assert {one.change for one in again} <= {"there", "left-out"}


A, B, C = ({"location": f"/data/visit/run1/{name}.h5", "size": 7} for name in "abc")
LINE = {"name": "scanType", "value": "line"}
PROCESSED = {"name": "input_datasets", "value": "/data/raw"}
MORE = {"name": "ResourcesGalleryFilePaths", "value": "a.png"}
CHANGES = {
    "a file and a parameter more": (
        dataset_message(
            datafiles=[A, B, C], parameters=[LINE, {"name": "ResourcesGalleryFilePaths", "value": "x"}]
        ),
        [("changed", "1 of 3 files to be added, 1 parameter to be added")],
    ),
    "other values": (
        dataset_message(
            datafiles=[{**A, "size": 8}, B],
            parameters=[{**LINE, "value": "mesh"}],
            end_date="2025-07-15T12:00:00+02:00",
        ),
        [
            ("there", "2 files, 1 parameter"),
            ("kept", "in ICAT another value stays: scanType, endDate, the size of 1 file"),
        ],
    ),
    "another sample": (
        dataset_message(datafiles=[A, B], sample={"name": "Insulin", "type": "SAMPLE"}),
        [("there", "2 files, 1 parameter"), ("kept", "in ICAT another value stays: sample")],
    ),
}


@pytest.mark.parametrize(("message", "says"), CHANGES.values(), ids=CHANGES)
def test_what_a_dataset_that_is_there_lacks_is_foretold_and_what_differs_stays(
    message: dict[str, Any], says: list[tuple[str, str]], foretold: Any, written: Any
) -> None:
    written(dataset_message(datafiles=[A, B]))
    told = foretold(message)
    assert said_of(told) == says
    assert in_rows(told) == written(message)


def test_a_later_processing_is_foretold_to_replace_and_an_earlier_one_to_do_nothing(
    foretold: Any, written: Any
) -> None:
    def run(index: int, **more: Any) -> dict[str, Any]:
        number = {"name": "Process_sequence_index", "value": index}
        return dataset_message(parameters=[PROCESSED, {**LINE, "value": f"{index}"}, number], **more)

    late = {"start_date": "2025-07-15T10:30:00+02:00", "end_date": "2025-07-15T11:30:00+02:00"}
    written(run(1))
    told = foretold(run(2, **late))
    assert said_of(told) == [("changed", "2 parameters to be replaced, startDate, endDate to be set")]
    assert in_rows(told) == written(run(2, **late))
    outdated = foretold(run(1))
    assert said_of(outdated) == [("there", "of a later processing, which stays")]
    assert in_rows(outdated) == written(run(1)) == Counter()


def test_what_a_crash_has_left_open_is_foretold(foretold: Any, written: Any, icat: IcatClient) -> None:
    body = dataset_message(datafiles=[A, B])
    written(body)
    wire = icat.shared.wire
    (dataset,) = wire.search("SELECT o FROM Dataset o INCLUDE 1")
    wire.update(dataset, complete=False, endDate=None)
    (sample,) = wire.search("SELECT o FROM Sample o WHERE o.name = 'Lysozyme' INCLUDE 1")
    wire.update(sample, type=None)
    told = foretold(body)
    assert said_of(told) == [("changed", "endDate, complete to be set")]
    assert [one.detail for one in told if one.what == "sample 'Lysozyme'"] == ["type to be set"]
    icat.shared.catalogue.forget()  # as a process that has not seen this sample before
    assert in_rows(told) == written(body)
