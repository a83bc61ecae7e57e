"""What stands in a document, from what ICAT may hold."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import define
from hypothesis import given
from hypothesis import strategies as st

from pacer_elastic.bulk import Action
from pacer_elastic.documents import document_of


@define
class Row:
    """An object as ICAT gives it."""

    id: int
    values: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)


def parameter(number: int, name: str, kind: str = "STRING", **values: Any) -> Row:
    return Row(number, {"type": Row(number, {"name": name, "valueType": kind}), **values})


def linked(number: int, name: str) -> Row:
    return Row(number, {"instrument": Row(number, {"name": name})})


def document(*parameters: Row, **changes: Any) -> dict[str, Any]:
    investigation = Row(3, {"name": "p1", "visitId": "v1", "investigationInstruments": [linked(9, "id-22")]})
    values = {
        "name": "run",
        "type": Row(1, {"name": "acquisition"}),
        "investigation": investigation,
        "parameters": list(parameters),
        **changes,
    }
    return document_of(Row(42, values), own=True)


def test_what_icat_does_not_know_is_left_out() -> None:
    assert document() == {
        "id": 42,
        "estype": "dataset",
        "name": "run",
        "type": "acquisition",
        "definition": "undefined",
        "instrumentId": 9,
        "instrumentName": "id22",
        "investigationId": 3,
        "investigationName": "p1",
        "investigationVisitId": "v1",
        "parametersCount": 0,
        "escompactsearch": "v1 p1 undefined run",
        "_metadataSize": 12,
    }


def test_the_instrument_of_the_dataset_prevails_over_that_of_the_investigation() -> None:
    assert document(datasetInstruments=[linked(7, "bm02"), linked(5, "bm-01")])["instrumentName"] == "bm01"


@pytest.mark.parametrize(
    ("given_", "field", "value"),
    [
        (parameter(1, "__fileCount", "NUMERIC", numericValue=3.0), "fileCount", 3.0),
        (parameter(1, "a.b", stringValue="x"), "a_b", "x"),
        (parameter(1, "InstrumentSource_current", stringValue="200.5"), "InstrumentSource_current", 200.5),
        (
            parameter(1, "when", "DATE_AND_TIME", dateTimeValue=datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)),
            "when",
            "2026-03-14T09:26:53.000+00:00",
        ),
    ],
)
def test_a_parameter_is_a_field(given_: Row, field: str, value: Any) -> None:
    assert document(given_)[field] == value


@pytest.mark.parametrize(
    "given_",
    [
        parameter(1, "x", "NUMERIC", numericValue=math.nan),
        parameter(1, "x", "NUMERIC", numericValue=math.inf),
        parameter(1, "x", "NUMERIC"),
        parameter(1, "x", stringValue=""),
        parameter(1, "InstrumentSource_current", stringValue="off"),
        parameter(1, "InstrumentSource_current", stringValue="nan"),
        parameter(1, "__", stringValue="x"),
    ],
)
def test_a_parameter_without_a_value_that_json_knows_is_left_out(given_: Row) -> None:
    assert set(document(given_)) == set(document())


def test_a_parameter_does_not_take_the_place_of_a_field_of_the_dataset() -> None:
    assert document(parameter(1, "name", stringValue="other"))["name"] == "run"


@given(
    st.lists(
        st.tuples(
            st.text(max_size=20),
            st.one_of(
                st.tuples(st.just("NUMERIC"), st.floats(allow_nan=True, allow_infinity=True)),
                st.tuples(st.just("STRING"), st.text(max_size=50)),
            ),
        ),
        max_size=8,
    )
)
def test_whatever_icat_holds_a_document_is_json(parameters: list[tuple[str, tuple[str, Any]]]) -> None:
    rows = [
        parameter(number, name, kind, **{"numericValue" if kind == "NUMERIC" else "stringValue": value})
        for number, (name, (kind, value)) in enumerate(parameters)
    ]
    lines = Action("index", {"_id": "1"}, document(*rows)).lines().split(b"\n")
    assert len(lines) == 3
    assert json.loads(lines[1])["id"] == 42
