"""The service ``courier-counter``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pacer_core import Publication, RefusedError, Secret
from pacer_core.testing import FakeService
from pacer_http.testing import refusal
from shipments_pacer.counter import COUNTER, CounterOptions


def options(courier: Any) -> CounterOptions:
    return CounterOptions(courier.service.url, Secret(courier.token), every_seconds=0.01)


def announce(courier: Any, *numbers: int) -> None:
    courier.announced += [{"number": one, "shipment": {"reference": f"S{one}"}} for one in numbers]


def test_each_announcement_is_published_once_and_a_restart_goes_on(courier: Any, tmp_path: Path) -> None:
    announce(courier, 1, 2)
    first = FakeService(COUNTER, options(courier), folder=tmp_path)
    first.run(until=lambda: len(first.published) == 2)
    announce(courier, 3)
    second = FakeService(COUNTER, options(courier), folder=tmp_path)
    second.run(until=lambda: second.published)
    published = [*first.published, *second.published]
    assert [json.loads(one.body)["reference"] for one in published] == ["S1", "S2", "S3"]
    assert [one.message_id for one in published] == ["counter-1", "counter-2", "counter-3"]
    assert first.counted["announcements"] == 2


def test_one_that_the_broker_refuses_keeps_no_other_back(courier: Any, tmp_path: Path) -> None:
    def broker(message: Publication) -> None:
        if message.message_id == "counter-1":
            raise RefusedError("too large")

    announce(courier, 1, 2)
    service = FakeService(COUNTER, options(courier), folder=tmp_path, broker=broker)
    service.run(until=lambda: service.published)
    assert [one.message_id for one in service.published] == ["counter-2"]


def test_a_courier_that_is_away_is_said_in_health_and_awaited(courier: Any, tmp_path: Path) -> None:
    courier.service.fail(*[refusal(503)] * 3)  # as often as pacer_http tries
    announce(courier, 1)
    service = FakeService(COUNTER, options(courier), folder=tmp_path)
    service.run(until=lambda: service.published)
    assert "503" in service.troubles[0]
    assert service.troubles[-1] == ""
