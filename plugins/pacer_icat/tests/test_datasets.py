"""Datasets, as messages in and as entities of ICAT out; every message is handled twice."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pacer_core import Outcome
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icat.datasets.task import DATASETS
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.support import CLOCK_CHANGES, Send, dataset_message, deliver_to, options_for

MESSAGES = Path(__file__).parent / "messages"


def read(plain: Any) -> list[Any]:
    """Give datasets with all that belongs to them, by id."""
    found: list[Any] = plain.search(
        "SELECT d FROM Dataset d ORDER BY d.id "
        "INCLUDE d.investigation, d.type, d.sample AS s, s.type, "
        "d.parameters AS p, p.type, d.datafiles, d.datasetInstruments AS di, di.instrument"
    )
    return found


def parameters(dataset: Any) -> dict[str, Any]:
    """Give a dataset's parameters as a dictionary."""
    return {
        one.type.name: one.stringValue or one.dateTimeValue or one.numericValue for one in dataset.parameters
    }


def test_a_message_becomes_a_dataset_with_all_that_belongs_to_it(send: Send, plain: Any) -> None:
    delivery = send(dataset_message())
    assert delivery.outcome is Outcome.ACKED
    (dataset,) = read(plain)
    assert (dataset.name, dataset.location, dataset.complete) == ("run1", "/data/visit/run1", True)
    assert dataset.startDate == datetime(2025, 7, 15, 8, tzinfo=UTC)
    assert dataset.endDate == datetime(2025, 7, 15, 9, tzinfo=UTC)
    assert (dataset.investigation.name, dataset.type.name) == ("20250330096", "acquisition")
    assert (dataset.sample.name, dataset.sample.type.name) == ("Lysozyme", "SAMPLE")
    assert parameters(dataset) == {"scanType": "line"}
    assert sorted((one.name, one.location, one.fileSize) for one in dataset.datafiles) == [
        ("a.h5", "/data/visit/run1/a.h5", 0),
        ("b.h5", "/data/visit/run1/b.h5", 7),
    ]
    assert [one.instrument.name for one in dataset.datasetInstruments] == ["bl06"]
    assert delivery.facts["dataset_id"] == dataset.id


def test_albas_xml_message_and_its_json_twin_are_one_dataset(send: Send, plain: Any) -> None:
    assert send((MESSAGES / "dataset-alba.xml").read_bytes()).outcome is Outcome.ACKED
    before = read(plain)
    assert send((MESSAGES / "dataset-alba.json").read_bytes()).outcome is Outcome.ACKED
    (dataset,) = read(plain)
    assert [str(dataset)] == [str(one) for one in before]
    assert dataset.type.name == "processed"
    assert dataset.startDate == datetime(2025, 7, 15, 13, 53, 33, tzinfo=UTC)
    assert len(dataset.datafiles) == 4
    assert dataset.sample.type.name == "SAMPLE"


def test_an_esrf_message_has_neither_sample_type_nor_files(send: Send, plain: Any) -> None:
    delivery = send((MESSAGES / "dataset-esrf.xml").read_bytes(), unknown_parameters="ignore")
    assert delivery.outcome is Outcome.ACKED
    (dataset,) = read(plain)
    assert dataset.startDate == datetime(2025, 7, 15, 13, 53, 33, tzinfo=UTC)
    assert dataset.sample.type is None
    assert dataset.datafiles == []
    assert parameters(dataset)["InstrumentBeam_incident_energy"] == 12.4
    assert "machine" not in parameters(dataset)


def test_values_are_stored_by_the_kind_of_their_type(send: Send, plain: Any) -> None:
    given = [
        {"name": "scanType", "value": 3},
        {"name": "exposure_time", "value": " 0.25 "},
        {"name": "calibrated", "value": "2025-07-15 10:00:00"},
        {"name": "definition", "value": True},
        {"name": "TEMPERATURE", "value": 300, "units": "K"},
        {"name": "probe", "value": "photon"},
    ]
    assert send(dataset_message(parameters=given)).outcome is Outcome.ACKED
    (dataset,) = read(plain)
    assert parameters(dataset) == {
        "scanType": "3",
        "exposure_time": 0.25,
        "calibrated": datetime(2025, 7, 15, 8, tzinfo=UTC),
        "definition": "true",
        "temperature": 300.0,
        "probe": "photon",
    }


def test_text_arrives_as_it_was_sent(send: Send, plain: Any) -> None:
    name = "quote ' double \" back \\ amp & lt < 日本 é 😀 50% _"
    message = dataset_message(
        name=name, parameters=[{"name": "scanType", "value": "l'été\n; DROP TABLE -- :names"}]
    )
    assert send(message).outcome is Outcome.ACKED
    (dataset,) = read(plain)
    assert dataset.name == name
    assert parameters(dataset) == {"scanType": "l'été\n; DROP TABLE -- :names"}


def test_a_parameter_input_datasets_makes_it_processed(send: Send, plain: Any) -> None:
    message = dataset_message(parameters=[{"name": "input_datasets", "value": "/data/raw"}])
    assert send(message, processed_type="processed").outcome is Outcome.ACKED
    assert [one.type.name for one in read(plain)] == ["processed"]


def test_the_names_of_the_types_are_options(send: Send, plain: Any) -> None:
    assert send(dataset_message(), raw_type="raw").outcome is Outcome.ACKED
    assert [one.type.name for one in read(plain)] == ["raw"]


def test_a_known_sample_is_used_and_gets_the_type_that_it_lacks(send: Send, plain: Any) -> None:
    untyped = {"name": "Lysozyme"}
    assert send(dataset_message(sample=untyped)).outcome is Outcome.ACKED
    assert [one.type for one in plain.search("SELECT s FROM Sample s INCLUDE s.type")] == [None]


def test_a_sample_that_others_made_is_found_whatever_its_case(
    send: Send, plain: Any, icat_server: IcatSandbox
) -> None:
    investigation = plain.search("SELECT i FROM Investigation i WHERE i.name = '20250330096'")[0]
    made = plain.new("Sample", name="LYSOZYME", investigation=investigation)
    made.create()
    assert send(dataset_message()).outcome is Outcome.ACKED
    (sample,) = plain.search("SELECT s FROM Sample s INCLUDE s.type")
    assert (sample.id, sample.name, sample.type.name) == (made.id, "LYSOZYME", "SAMPLE")


def test_the_investigation_may_be_given_by_its_id(send: Send, plain: Any) -> None:
    (investigation,) = plain.search("SELECT i FROM Investigation i WHERE i.name = 'hg123'")
    message = dataset_message(investigation=None, investigation_id=investigation.id)
    assert send(message).outcome is Outcome.ACKED
    assert [one.investigation.name for one in read(plain)] == ["hg123"]


def visit(
    plain: Any, visit_id: str, start: str, end: str, instrument: str = "bl06", name: str = "2025"
) -> int:
    """Add a visit to the demo facility."""
    facility = plain.search("SELECT f FROM Facility f")[0]
    kind = plain.search("SELECT t FROM InvestigationType t WHERE t.name = 'MX'")[0]
    of = plain.search(f"SELECT i FROM Instrument i WHERE i.name = '{instrument}'")[0]
    made = plain.new(
        "Investigation",
        name="2025",
        visitId=visit_id,
        title="t",
        facility=facility,
        type=kind,
        startDate=datetime.fromisoformat(start),
        endDate=datetime.fromisoformat(end),
    )
    made.investigationInstruments = [plain.new("InvestigationInstrument", instrument=of)]
    made.create()
    return int(made.id)


def test_of_several_visits_the_one_with_the_instrument_and_the_dates_is_chosen(
    send: Send, plain: Any
) -> None:
    visit(plain, "1", "2025-07-01T00:00+02:00", "2025-07-05T00:00+02:00")
    visit(plain, "2", "2025-07-14T00:00+02:00", "2025-07-17T00:00+02:00")
    visit(plain, "3", "2025-07-14T00:00+02:00", "2025-07-17T00:00+02:00", instrument="bl13")
    assert send(dataset_message(investigation="2025")).outcome is Outcome.ACKED
    assert [one.investigation.visitId for one in read(plain)] == ["2"]


def test_a_visit_that_ends_at_midnight_holds_its_last_day(send: Send, plain: Any) -> None:
    visit(plain, "1", "2025-07-01T00:00+02:00", "2025-07-05T00:00+02:00")
    visit(plain, "2", "2025-07-14T00:00+02:00", "2025-07-15T00:00+02:00")
    assert send(dataset_message(investigation="2025")).outcome is Outcome.ACKED
    assert [one.investigation.visitId for one in read(plain)] == ["2"]


def test_an_investigation_that_comes_later_is_found_by_the_retry(send: Send, plain: Any) -> None:
    first = send(dataset_message(investigation="2025"))
    assert first.outcome is Outcome.RETRIED
    assert "'2025' is not in ICAT" in (first.error or "")
    visit(plain, "1", "2025-07-01T00:00+02:00", "2025-07-05T00:00+02:00")
    assert send(dataset_message(investigation="2025")).outcome is Outcome.ACKED


def test_another_dataset_of_the_same_name_gets_the_date_of_its_start(send: Send, plain: Any) -> None:
    other = {
        "location": "/data/visit/run1-again",
        "start_date": "2025-07-16T10:00:00.900+02:00",
        "datafiles": None,
    }
    for _ in range(2):
        assert send(dataset_message()).outcome is Outcome.ACKED
        assert send(dataset_message(**other)).outcome is Outcome.ACKED
    assert [one.name for one in read(plain)] == ["run1", "run1 [16/07/2025 10:00:00]"]


def test_a_third_dataset_of_the_same_name_and_start_is_for_a_person(send: Send, plain: Any) -> None:
    for location in ("/data/1", "/data/2"):
        assert send(dataset_message(location=location)).outcome is Outcome.ACKED
    third = send(dataset_message(location="/data/3"))
    assert third.outcome is Outcome.DEAD
    assert "other datasets have this name" in (third.error or "")


def test_the_same_dataset_again_adds_what_is_missing_and_changes_nothing(
    send: Send, plain: Any, caplog: pytest.LogCaptureFixture
) -> None:
    send(dataset_message())
    more = dataset_message(
        name="RUN1",
        end_date="2025-07-15T12:00:00+02:00",
        start_date="2025-07-15T08:00:00.999Z",
        parameters=[{"name": "scanType", "value": "circle"}, {"name": "temperature", "value": 3}],
        datafiles=[{"location": "/data/visit/run1/b.h5", "size": 8}, {"location": "/data/visit/run1/c.h5"}],
    )
    assert send(more).outcome is Outcome.ACKED
    (dataset,) = read(plain)
    assert dataset.endDate == datetime(2025, 7, 15, 9, tzinfo=UTC)
    assert parameters(dataset) == {"scanType": "line", "temperature": 3.0}
    assert sorted((one.name, one.fileSize) for one in dataset.datafiles) == [
        ("a.h5", 0),
        ("b.h5", 7),
        ("c.h5", 0),
    ]
    assert "ICAT keeps its own scanType, sizes of 1 files, endDate" in caplog.text


def test_a_reprocessing_replaces_metadata_only_when_its_index_is_higher(send: Send, plain: Any) -> None:
    def processed(index: int, value: str, hour: int) -> dict[str, Any]:
        return dataset_message(
            location=f"/data/processed/{index}",
            start_date=f"2025-07-15T{hour}:00:00+02:00",
            parameters=[
                {"name": "input_datasets", "value": "/data/raw"},
                {"name": "Process_sequence_index", "value": index},
                {"name": "scanType", "value": value},
            ],
            datafiles=[{"location": f"/data/processed/{index}/out.h5"}],
        )

    for index, value, hour in ((1, "first", 10), (3, "third", 12), (2, "second", 11)):
        delivery = send(processed(index, value, hour))
        assert delivery.error is None
    (dataset,) = read(plain)
    assert parameters(dataset)["scanType"] == "third"
    assert parameters(dataset)["Process_sequence_index"] == 3.0
    assert dataset.location == "/data/processed/3"
    assert sorted(one.location for one in dataset.datafiles) == [
        "/data/processed/1/out.h5",
        "/data/processed/3/out.h5",
    ]


def test_files_of_one_name_in_two_folders_are_told_apart(send: Send, plain: Any) -> None:
    files = [{"location": f"/data/visit/run1/{name}"} for name in ("x/a.h5", "y/A.h5", "b.h5")]
    assert send(dataset_message(datafiles=files)).outcome is Outcome.ACKED
    (dataset,) = read(plain)
    assert sorted(one.name for one in dataset.datafiles) == ["b.h5", "x/a.h5", "y/A.h5"]


def test_a_large_dataset_is_complete_with_every_file_once(
    send: Send, plain: Any, icat_server: IcatSandbox
) -> None:
    files = [{"location": f"/data/visit/run1/{number:05}.h5", "size": number} for number in range(2500)]
    assert send(dataset_message(datafiles=files)).outcome is Outcome.ACKED
    (dataset,) = plain.search("SELECT d FROM Dataset d")
    assert dataset.complete
    sizes = plain.search("SELECT f.fileSize FROM Datafile f ORDER BY f.fileSize LIMIT 0, 5000")
    assert sizes == list(range(2500))
    calls = icat_server.misbehave.calls
    assert calls["create"] + calls["createMany"] <= 4 + 1


def test_pacer_keeps_file_counts_where_the_database_does_not(icat_server: IcatSandbox, plain: Any) -> None:
    shared = Shared(options_for(icat_server, file_counts="pacer"))
    icat = IcatClient(shared)
    deliver_to(DATASETS, dataset_message(), icat)
    more = [{"location": "/data/visit/run1/c.h5", "size": 30}]
    deliver_to(DATASETS, dataset_message(datafiles=more), icat)
    shared.close()
    (dataset,) = plain.search("SELECT d FROM Dataset d")
    assert (dataset.fileCount, dataset.fileSize) == (3, 37)


def test_a_small_dataset_costs_two_calls_once_its_sample_is_known(
    send: Send, icat: IcatClient, icat_server: IcatSandbox
) -> None:
    send(dataset_message())
    before = icat.shared.wire.calls
    deliver_to(DATASETS, dataset_message(name="run2"), icat, twice=False)
    assert icat.shared.wire.calls - before == 2
    deliver_to(DATASETS, dataset_message(name="run3", sample={"name": "new"}), icat, twice=False)
    assert icat.shared.wire.calls - before == 2 + 3


@pytest.mark.parametrize(("start", "end", "seconds"), CLOCK_CHANGES)
def test_no_dataset_ends_before_it_begins_when_clocks_change(
    send: Send, plain: Any, caplog: pytest.LogCaptureFixture, start: str, end: str, seconds: int
) -> None:
    assert send(dataset_message(start_date=start, end_date=end)).outcome is Outcome.ACKED
    ((first, last),) = plain.search("SELECT d.startDate, d.endDate FROM Dataset d")
    assert (last - first).total_seconds() == seconds
    assert plain.search("SELECT COUNT(d) FROM Dataset d") == [1]
    assert ("clocks change between its start and its end" in caplog.text) == (seconds != 1200)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2025-07-15T10:00:00Z", "2025-07-15T09:59:59Z"),
        ("2025-07-15T10:00:00", "2025-07-14T10:00:00"),
        ("2025-10-26T03:10:00", "2025-10-26T02:50:00"),
        ("2025-03-30T02:50:00", "2025-03-30T02:10:00"),
    ],
)
def test_a_dataset_that_ends_before_it_begins_ends_when_it_begins_and_the_log_says_so(
    send: Send, plain: Any, caplog: pytest.LogCaptureFixture, start: str, end: str
) -> None:
    assert send(dataset_message(start_date=start, end_date=end)).outcome is Outcome.ACKED
    ((first, last),) = plain.search("SELECT d.startDate, d.endDate FROM Dataset d")
    assert first == last
    assert "dataset run1: its end, 20" in caplog.text
    assert "is before its start" in caplog.text
