"""Dataset messages that cannot be stored: each names what is wrong, and leaves ICAT as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pacer_core import Outcome
from plugins.pacer_icat.tests.support import Send, dataset_message
from plugins.pacer_icat.tests.test_datasets import visit

MESSAGES = Path(__file__).parent / "messages"
RUN = "/data/visit/run1"


@pytest.fixture(autouse=True)
def _nothing_is_written(plain: Any, request: pytest.FixtureRequest) -> Any:
    yield
    assert plain.search("SELECT COUNT(d) FROM Dataset d") == [0]
    assert plain.search("SELECT COUNT(s) FROM Sample s") == [0]


def parameter(name: str, value: Any, **more: Any) -> dict[str, Any]:
    """Give a message with one parameter."""
    return dataset_message(parameters=[{"name": name, "value": value, **more}])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (dataset_message(investigation=None), {"investigation": "is missing, and so is investigation_id"}),
        (dataset_message(name="x" * 256), {"name": "is longer than 255 characters"}),
        (dataset_message(location="x" * 512), {"location": "is longer than 511 characters"}),
        (dataset_message(sample={"name": "x" * 256}), {"sample.name": "is longer than 255 characters"}),
        (dataset_message(start_date="0001-01-01"), {"start_date": "is a date that ICAT cannot store"}),
        (dataset_message(end_date="9999-12-31T23:59:59Z"), {"end_date": "is a date that ICAT cannot store"}),
        (parameter("nonsense", 1), {"parameters[0].name": "'nonsense' is no parameter type in ICAT"}),
        (parameter("temperature", "warm"), {"parameters[0].value": "of 'temperature' is not a number"}),
        (parameter("temperature", "1_000"), {"parameters[0].value": "of 'temperature' is not a number"}),
        (parameter("temperature", "\u0661"), {"parameters[0].value": "of 'temperature' is not a number"}),
        (parameter("temperature", "0x1p3"), {"parameters[0].value": "of 'temperature' is not a number"}),
        (parameter("temperature", True), {"parameters[0].value": "of 'temperature' is not a number"}),
        (
            parameter("temperature", -0.1),
            {"parameters[0].value": "of 'temperature' is below 0, the smallest that ICAT permits"},
        ),
        (
            parameter("temperature", 1001),
            {"parameters[0].value": "of 'temperature' is above 1000, the largest that ICAT permits"},
        ),
        (
            parameter("probe", "Photon"),
            {"parameters[0].value": "of 'probe' is none of the values that ICAT permits"},
        ),
        (
            parameter("calibrated", "yesterday"),
            {"parameters[0].value": "of 'calibrated' is not a date and time in ISO 8601"},
        ),
        (
            parameter("calibrated", "1066-10-14"),
            {"parameters[0].value": "of 'calibrated' is a date that ICAT cannot store"},
        ),
        (
            parameter("scanType", "x" * 4001),
            {"parameters[0].value": "of 'scanType' is longer than 4000 characters"},
        ),
        (
            parameter("temperature", 1, units="keV"),
            {"parameters[0].name": "'temperature' has no type with these units in ICAT"},
        ),
        (
            parameter("__datasetCount", 1),
            {"parameters[0].name": "'__datasetCount' is not applicable to a Dataset"},
        ),
        (
            dataset_message(parameters=[{"name": "scanType", "value": 1}, {"name": "scantypé ", "value": 2}]),
            {"parameters[1].name": "'scantypé' is given more than once: see parameters[0]"},
        ),
        (
            dataset_message(datafiles=[{"location": f"{RUN}/a"}, {"location": f"{RUN}/a"}]),
            {"datafiles[1].location": "is given more than once: see datafiles[0]"},
        ),
        (
            dataset_message(datafiles=[{"location": f"{RUN}/a"}, {"location": f"{RUN}/A"}]),
            {"datafiles[1].location": "has for ICAT the same name as datafiles[0]"},
        ),
        (
            dataset_message(datafiles=[{"location": f"{RUN}/{'x' * 256}"}]),
            {"datafiles[0].location": "has a name longer than 255 characters"},
        ),
        (
            dataset_message(datafiles=[{"location": "x/" * 257}]),
            {"datafiles[0].location": "is longer than 511 characters"},
        ),
        (
            dataset_message(datafiles=[{"location": "a", "size": -1}]),
            {"datafiles[0].size": "is no number of bytes"},
        ),
        (
            dataset_message(datafiles=[{"location": "a", "size": 2**63}]),
            {"datafiles[0].size": "is not a whole number"},
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) and len(value) == 1 else "",
)
def test_a_bad_value_is_named_with_its_place(send: Send, message: Any, expected: dict[str, str]) -> None:
    delivery = send(message)
    assert delivery.outcome is Outcome.DEAD
    assert {bad.path: bad.message for bad in delivery.bad_fields} == expected


def test_everything_that_is_wrong_is_named_at_once(send: Send) -> None:
    message = dataset_message(
        name="x" * 300,
        parameters=[{"name": "temperature", "value": "warm"}, {"name": "nonsense", "value": 1}],
        datafiles=[{"location": "a"}, {"location": "a"}],
    )
    assert {bad.path for bad in send(message).bad_fields} == {
        "name",
        "parameters[0].value",
        "parameters[1].name",
        "datafiles[1].location",
    }


def test_no_value_of_a_message_reaches_an_error(send: Send) -> None:
    delivery = send(parameter("temperature", "a very personal temperature"))
    assert delivery.outcome is Outcome.DEAD
    assert "personal" not in (delivery.error or "")


def test_more_files_than_a_message_may_bring_are_refused(send: Send) -> None:
    files = [{"location": f"{RUN}/{number}"} for number in range(30_001)]
    delivery = send(dataset_message(datafiles=files))
    assert delivery.outcome is Outcome.DEAD
    assert [str(bad) for bad in delivery.bad_fields] == [
        "datafiles: are 30001, more than the 30000 accepted",
    ]


def test_sample_type_and_files_are_required_where_the_options_say_so(send: Send) -> None:
    message = dataset_message(sample={"name": "s", "type": ""}, datafiles=[])
    delivery = send(message, require_sample_type=True, require_datafiles=True)
    assert delivery.outcome is Outcome.DEAD
    assert {bad.path for bad in delivery.bad_fields} == {"sample.type", "datafiles"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"investigation": "2099"}, "investigation '2099' is not in ICAT"),
        ({"investigation": None, "investigation_id": 99}, "ICAT has no investigation with id 99"),
        ({"instrument": "bl99"}, "ICAT has no instrument 'bl99'"),
        ({"instrument": "bl13"}, "investigation '20250330096' is not linked to the instrument"),
        ({"sample": {"name": "s", "type": "GAS"}}, "ICAT has no sample type 'GAS'"),
        ({"investigation": "a' OR 'a' = 'a"}, "is not in ICAT"),
    ],
)
def test_what_is_not_in_icat_yet_may_come_later(send: Send, changes: Any, reason: str) -> None:
    delivery = send(dataset_message(**changes))
    assert delivery.outcome is Outcome.RETRIED
    assert [failure.kind for failure in delivery.failures] == ["not-yet"]
    assert reason in (delivery.error or "")


def test_all_that_is_missing_in_icat_is_named_at_once(send: Send) -> None:
    message = dataset_message(investigation="2099", instrument="bl99", sample={"name": "s", "type": "GAS"})
    error = send(message, raw_type="strange").error or ""
    assert all(word in error for word in ("'2099'", "'bl99'", "'GAS'", "dataset type 'strange'"))


def test_a_bad_message_is_dead_even_if_something_is_missing_as_well(send: Send) -> None:
    assert send(dataset_message(investigation="2099", name="x" * 256)).outcome is Outcome.DEAD


def test_several_visits_that_fit_are_for_a_person(send: Send, plain: Any) -> None:
    for number in ("1", "2"):
        visit(plain, number, "2025-07-14T00:00+02:00", "2025-07-17T00:00+02:00")
    delivery = send(dataset_message(investigation="2025"))
    assert delivery.outcome is Outcome.DEAD
    assert [str(bad) for bad in delivery.bad_fields] == [
        "investigation: has several visits that fit: send investigation_id"
    ]


def test_no_visit_of_these_dates_may_come_later(send: Send, plain: Any) -> None:
    visit(plain, "1", "2025-07-01T00:00+02:00", "2025-07-05T00:00+02:00")
    visit(plain, "2", "2025-08-01T00:00+02:00", "2025-08-05T00:00+02:00")
    delivery = send(dataset_message(investigation="2025"))
    assert delivery.outcome is Outcome.RETRIED
    assert "no visit of these dates" in (delivery.error or "")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        '{"investigation": ',
        "<dataset>",
        "<other/>",
        b"\xff\x00\x01",
        json.dumps([1, 2]),
        json.dumps(dataset_message(start_date="yesterday")),
        json.dumps(dataset_message(name="")),
        json.dumps(dataset_message(instrument=None)),
        json.dumps(dataset_message(sample=None)),
        json.dumps(dataset_message(parameters=[{"name": "scanType"}])),
        '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><dataset><name>&b;</name></dataset>',
        (MESSAGES / "broken-fields.xml").read_bytes(),
        (MESSAGES / "broken-json.json").read_bytes(),
    ],
)
def test_a_body_that_is_no_dataset_is_dead_before_icat_is_asked(send: Send, body: Any) -> None:
    delivery = send(body)
    assert delivery.outcome is Outcome.DEAD
    assert delivery.timings == {}
