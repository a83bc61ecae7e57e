"""Shipments: the task, its plan, its options, and what a crash leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from attrs import define, field

from pacer_core import Outcome, Retry, Secret, Text
from pacer_core.testing import context, crash_everywhere, deliver, run_task
from pacer_http.testing import FAULTS
from shipments_pacer.courier import COURIER, Courier, CourierOptions, open_courier
from shipments_pacer.plugin import pacer_parse_message
from shipments_pacer.shipments import (
    SHIPMENTS,
    Shipment,
    ShipmentsOptions,
    announce_shipment,
    foresee_shipment,
)

BODY = '{"reference": "S7", "proposal": "2025-0042", "parcels": 3}'
WRITTEN: dict[str, Any] = {"reference": "S7", "proposal": "2025-0042", "parcels": 3, "dangerous": False}


@contextmanager
def opened(courier: Any, seconds: int = 20) -> Iterator[Courier]:
    limit = timedelta(seconds=seconds)
    with open_courier(CourierOptions(courier.service.url, Secret(courier.token), limit)) as client:
        yield client


def test_a_shipment_is_made_known_to_the_courier(courier: Any) -> None:
    with opened(courier) as client:
        delivery = deliver(SHIPMENTS, BODY, integrations={COURIER: client}, twice=True)
    assert delivery.outcome is Outcome.ACKED
    assert courier.held == {"/shipments/S7": WRITTEN}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_courier_that_misbehaves_gets_it_all_the_same(courier: Any, fault: str) -> None:
    with opened(courier, seconds=1 if fault == "late" else 20) as client:
        courier.service.fail(FAULTS[fault])
        first = deliver(SHIPMENTS, BODY, integrations={COURIER: client})
        if first.outcome is not Outcome.ACKED:  # then it is tried again, and nothing is lost
            assert first.outcome is Outcome.RETRIED
            second = deliver(SHIPMENTS, BODY, integrations={COURIER: client}, after=first)
            assert second.outcome is Outcome.ACKED
    assert courier.held == {"/shipments/S7": WRITTEN}


def test_more_parcels_than_the_options_allow_are_a_bad_field(courier: Any) -> None:
    with opened(courier) as client:
        delivery = deliver(
            SHIPMENTS, BODY, integrations={COURIER: client}, options=ShipmentsOptions(most_parcels=2)
        )
    assert [str(bad) for bad in delivery.bad_fields] == ["parcels: should be from 1 to 2"]
    assert courier.held == {}


def test_a_plan_says_what_would_be_done_and_does_nothing(courier: Any) -> None:
    shipment = Shipment(Text("S7"), Text("2025-0042"), 3)
    with opened(courier) as client:
        ctx = context(integrations={COURIER: client}, options=ShipmentsOptions())
        assert [one.change for one in foresee_shipment(shipment, ctx)] == ["new"]
        courier.held["/shipments/S7"] = WRITTEN
        assert [one.change for one in foresee_shipment(shipment, ctx)] == ["there"]
    assert {request.method for request in courier.service.requests} == {"GET"}


@define
class Shelf:
    """Stands for the client, with an end of its own."""

    held: dict[str, Any] = field(factory=dict)

    def put(self, reference: str, content: dict[str, Any]) -> None:
        self.held[reference] = content


def test_a_crash_anywhere_leaves_what_one_run_leaves() -> None:
    def work(client: Any) -> None:
        deliver(SHIPMENTS, BODY, integrations={COURIER: client})

    assert crash_everywhere(Shelf, work, state=lambda shelf: shelf.held) == 2


def test_a_wrong_token_waits_for_somebody_to_mend_it(courier: Any) -> None:
    courier.token = "another"  # noqa: S105 - of a stand-in
    shipment = Shipment(Text("S7"), Text("2025-0042"), 3)
    with open_courier(CourierOptions(courier.service.url, Secret("stale"))) as client:
        signal = run_task(
            announce_shipment, shipment, integrations={COURIER: client}, options=ShipmentsOptions()
        )
    assert isinstance(signal, Retry)


@pytest.mark.parametrize(
    ("body", "bad"),
    [
        ("reference,proposal,parcels\nS7,2025-0042,3\n", []),
        ("reference,proposal,parcels\n,2025-0042,many\n", ["reference", "parcels"]),
    ],
)
def test_a_line_of_csv_is_a_shipment(body: str, bad: list[str]) -> None:
    delivery = deliver(SHIPMENTS, body, content_type="text/csv", parse=pacer_parse_message)
    assert [one.path for one in delivery.bad_fields] == bad
    assert bad or delivery.message == Shipment(**WRITTEN)


def test_two_lines_of_csv_are_no_shipment() -> None:
    body = "reference,proposal,parcels\nS7,2025-0042,3\nS8,2025-0042,3\n"
    delivery = deliver(SHIPMENTS, body, content_type="text/csv", parse=pacer_parse_message)
    assert delivery.error == "parse: the body should have one line below that of the names, not 2"
