"""The plugin as it is installed: through a broker, beside ICAT's, and on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pacer_core import Envelope, Publication, Route
from pacer_core.testing import Run, run
from shipments_pacer.plugin import pacer_route_message
from shipments_pacer.shipments import Shipment

if TYPE_CHECKING:
    from pacer_sandbox import IcatSandbox

QUEUES = {
    "exchanges": [{"name": "user-office", "type": "topic"}],
    "queues": [{"name": "shipments", "exchange": "user-office", "routingKey": "shipment.new"}],
}
CONSUMER = {"type": "shipments", "queues": ["shipments"], "integrations": ["courier"]}
SHIPMENT: dict[str, Any] = {"reference": "S7", "proposal": "2025-0042", "parcels": 3}
ROUTES = [Route("another-facility", "user-office")]
DATASET = {
    "investigation": "20250330096",
    "instrument": "bl06",
    "name": "run1",
    "location": "Sample-cq/run1",
    "start_date": "2025-07-15_15:53:33",
    "end_date": "2025-07-15_15:53:35",
    "sample": {"name": "20250703_Sample-cq", "type": "SAMPLE"},
}


def configuration(courier: Any, **more: Any) -> dict[str, Any]:
    return {**QUEUES, "consumers": [CONSUMER], "integrations": {"courier": courier.options}, **more}


def test_shipments_in_json_and_csv_come_through_a_broker(courier: Any, pacer_run: Run) -> None:
    csv = b"reference,proposal,parcels\nS8,2025-0042,1\n"
    bodies = json.dumps(SHIPMENT), Publication("shipments", csv, content_type="text/csv")
    assert [one.description["shipment"] for one in pacer_run(configuration(courier), *bodies)] == ["S7", "S8"]
    assert sorted(courier.held) == ["/shipments/S7", "/shipments/S8"]


def test_the_courier_hears_of_a_dataset_that_icat_has_stored(
    courier: Any, pacer_run: Run, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("pacer_icat", reason="needs pacer-icat and pacer-sandbox")
    icat: IcatSandbox = request.getfixturevalue("icat_server")
    account = {"authenticator": "simple", "username": "root", "password": "secret"}
    consumer = {"type": "datasets", "queues": ["datasets"], "integrations": ["icat", "courier"]}
    config = configuration(
        courier,
        queues=[{"name": "datasets"}],
        exchanges=[],
        consumers=[consumer],
        integrations={"courier": courier.options, "icat": {"url": icat.url, **account}},
    )
    (delivery,) = pacer_run(config, json.dumps(DATASET))
    assert set(delivery.done) == {"store_dataset", "tell_courier"}
    assert list(courier.held) == ["/measured/20250330096/run1"]


def test_dangerous_goods_stay_here() -> None:
    envelope = Envelope(b"", queue="shipments", correlation_id="1")
    harmless = Shipment(**SHIPMENT)
    assert pacer_route_message(Shipment(**SHIPMENT, dangerous=True), envelope, ROUTES) == ()
    assert pacer_route_message(harmless, envelope, ROUTES) is None


def pacer(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-m", "pacer_core", *arguments], capture_output=True, text=True
    )


def test_the_command_shows_what_the_courier_knows(
    courier: Any, tmp_path: Path, pacer_broker: dict[str, str]
) -> None:
    file = tmp_path / "pacer.yaml"
    file.write_text(json.dumps(configuration(courier, brokers={"main": pacer_broker})))
    courier.held["/shipments/S7"] = SHIPMENT
    shown = pacer("shipments", "show", "S7", "-c", file)
    assert (shown.returncode, json.loads(shown.stdout)) == (0, SHIPMENT)
    missing = pacer("shipments", "show", "S8", "-c", file)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == "the courier knows no shipment 'S8'\n"


def test_the_command_announces_a_shipment(courier: Any, tmp_path: Path, pacer_broker: dict[str, str]) -> None:
    file = tmp_path / "pacer.yaml"
    file.write_text(json.dumps(configuration(courier, brokers={"main": pacer_broker})))
    announced = pacer("shipments", "announce", "2025-0042", "S9", "--parcels", "2", "-c", file)
    assert announced.returncode == 0, announced.stderr
    (delivery,) = run(file)
    assert announced.stdout == f"confirmed, correlation id {delivery.envelope.correlation_id}\n"
    assert list(courier.held) == ["/shipments/S9"]


def test_the_configuration_of_the_example_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(__file__).parents[1] / "pacer.yaml"
    pytest.importorskip("pacer_icat", reason="needs pacer-icat")
    monkeypatch.setenv("COURIER_TOKEN", "a")
    monkeypatch.setenv("ICAT_PASSWORD", "b")
    checked = pacer("config", "check", "-c", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "announce_shipment" in checked.stdout
    assert "tell_courier" in checked.stdout
