"""Parameters that have no value: the rest is stored without them, and the log says so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pacer_core import Outcome
from plugins.pacer_icat.tests.people import Sync
from plugins.pacer_icat.tests.support import Send, dataset_message, parameters_of

XML = """<?xml version="1.0"?><tns:dataset xmlns:tns="http://www.esrf.fr/icat" complete="true">
<tns:investigation>20250330096</tns:investigation><tns:instrument>bl06</tns:instrument><tns:name>e1</tns:name>
<tns:location>/data/e1</tns:location><tns:startDate>2025-07-15T10:00:00.1+02:00</tns:startDate>
<tns:endDate>2025-07-15T11:00:00Z</tns:endDate><tns:sample><tns:name>s1</tns:name></tns:sample>
<tns:parameter><tns:name>scanType</tns:name><tns:value>line</tns:value></tns:parameter>
<tns:parameter><tns:name>{}</tns:name>{}</tns:parameter></tns:dataset>"""
NUMBER, TEXT, TIME = "Process_sequence_index", "Sample_description", "calibrated"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (TEXT, "<tns:value/>"),
        (TEXT, "<tns:value></tns:value>"),
        (TEXT, "<tns:value> \n </tns:value>"),
        *(
            (NUMBER, f"<tns:value>{no}</tns:value>")
            for no in ("", "nan", "NaN", "-nan", "inf", "-INF", " nan ")
        ),
        *((TIME, f"<tns:value>{no}</tns:value>") for no in ("", "NaT", "nan")),
        ("nobody_knows_it", "<tns:value/>"),
    ],
)
def test_what_esrf_s_client_writes_for_no_value_costs_no_dataset(
    send: Send, plain: Any, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    with caplog.at_level("INFO"):
        assert send(XML.format(name, value), unknown_parameters="ignore").outcome is Outcome.ACKED
    assert parameters_of(plain) == {"e1": {"scanType": "line"}}
    assert name in caplog.text
    assert "left out" in caplog.text


@pytest.mark.parametrize("name", [NUMBER, TEXT, TIME])
@pytest.mark.parametrize("value", [None, "", " ", [], [None], float("nan"), float("-inf")])
def test_an_empty_value_in_json_costs_no_dataset(send: Send, plain: Any, name: str, value: Any) -> None:
    given = [{"name": name, "value": value}, {"name": "scanType", "value": "line"}]
    assert send(json.dumps(dataset_message(parameters=given))).outcome is Outcome.ACKED
    assert parameters_of(plain) == {"run1": {"scanType": "line"}}


def test_a_text_that_reads_like_no_number_is_a_text(send: Send, plain: Any) -> None:
    assert send(dataset_message(parameters=[{"name": TEXT, "value": "nan"}])).outcome is Outcome.ACKED
    assert parameters_of(plain) == {"run1": {TEXT: "nan"}}


def test_a_name_that_nobody_knows_is_refused_without_a_value_too(send: Send) -> None:
    delivery = send(dataset_message(parameters=[{"name": "nonsense", "value": ""}]))
    assert delivery.outcome is Outcome.DEAD
    assert [one.path for one in delivery.bad_fields] == ["parameters[0].name"]


def test_an_empty_value_beside_a_filled_one_is_no_second_value(send: Send, plain: Any) -> None:
    given = [{"name": TEXT, "value": ""}, {"name": TEXT, "value": "blue"}, {"name": TEXT, "value": None}]
    assert send(dataset_message(parameters=given)).outcome is Outcome.ACKED
    assert parameters_of(plain) == {"run1": {TEXT: "blue"}}


def test_a_dataset_with_empty_inputs_is_no_processed_one(send: Send, plain: Any) -> None:
    given = [{"name": "input_datasets", "value": ""}]
    assert send(dataset_message(parameters=given)).outcome is Outcome.ACKED
    assert plain.search("SELECT d.type.name FROM Dataset d") == ["acquisition"]


def test_an_empty_value_leaves_that_alone_which_icat_has(send: Send, plain: Any) -> None:
    assert send(dataset_message()).outcome is Outcome.ACKED
    again = dataset_message(parameters=[{"name": "scanType", "value": ""}])
    assert send(again).outcome is Outcome.ACKED
    assert parameters_of(plain) == {"run1": {"scanType": "line"}}


@pytest.mark.parametrize(
    "value", ["", None, [], float("nan"), "nan", "inf"], ids=["blank", "null", "list", "NaN", "nan", "inf"]
)
def test_an_investigation_is_stored_without_an_empty_value(
    sync: Sync, plain: Any, caplog: pytest.LogCaptureFixture, value: Any
) -> None:
    with caplog.at_level("INFO"):
        delivery = sync(parameters=[{"name": "reimbursedParcels", "value": value}], visit_count=None)
    assert delivery.outcome is Outcome.ACKED
    assert "reimbursedParcels" not in str(parameters_of(plain, "Investigation"))
    assert "1 parameters without a value are left out: reimbursedParcels" in caplog.text
