"""Where a replay sends: to queues that a letter can have come from, whatever it says itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pacer_core.config import load
from pacer_core.transport.outgoing import Outgoing
from tests.e2e.dead_letters.facility import Facility

BODY = b'{"name": "a"}'


def death(queue: Any, **more: Any) -> dict[str, Any]:
    return {"queue": queue, "reason": "rejected", "exchange": "", "routing-keys": [queue], "count": 1} | more


def forge(facility: Facility, headers: dict[str, Any], queue: str = "samples.dead") -> None:
    facility.publisher.publish([Outgoing("", queue, BODY, headers)])


@pytest.mark.parametrize(
    "headers",
    [
        {"x-death": [death("parcels")]},
        {"x-death": [death("parcels.dead"), death("parcels")]},
        {"x-death": [death("pacer.retry.1s")]},
        {"x-death": [death("nobody's")]},
        {"x-pacer-error": "forged", "x-pacer-version": 1, "x-pacer-queue": "parcels"},
        {"x-pacer-queue": "parcels"},
    ],
)
def test_a_letter_that_says_to_have_come_from_elsewhere_goes_nowhere_by_itself(
    facility: Facility, headers: dict[str, Any], tmp_path: Path
) -> None:
    forge(facility, headers)
    facility.die(1)
    done = facility.pacer("dead", "replay", "--yes", "--all")
    assert (done.code, "1 of 1 letter replayed" in done.out) == (1, True)
    assert "1 letter left where it is, since each says to have come from a queue" in done.err
    assert "--to QUEUE" in done.err
    assert [copy.headers["x-pacer-correlation-id"] for copy in facility.taken()] == ["c-1"]
    assert (facility.depth("parcels"), facility.depth("samples.dead")) == (0, 1)

    (one,) = json.loads(facility.pacer("dead", "list", "--json").out)["letters"]
    assert (one["came_from"], bool(one["claims_to_come_from"])) == (None, True)
    shown = facility.pacer("dead", "show", one["id"]).out
    assert "nobody knows: it says to have come from a queue that its consumer does not read" in shown
    assert facility.pacer("dead", "export", "--yes", "--all", tmp_path / "letters.jsonl").code == 0
    sent = facility.pacer("send", tmp_path / "letters.jsonl")
    assert (sent.code, "--consumer or --exchange" in sent.err) == (69, True)
    assert facility.depth("parcels") == 0

    refused = facility.pacer("dead", "replay", "--yes", "--all", "--to", "parcel")
    assert (refused.code, "did you mean 'parcels'" in refused.err) == (2, True)
    assert facility.pacer("dead", "replay", "--yes", one["id"], "--to", "samples").code == 0
    assert [copy.body for copy in facility.taken()] == [BODY]
    assert facility.depth("samples.dead") == 0


def test_what_an_owner_s_policy_puts_there_from_a_queue_of_the_same_consumer_goes_back_to_that_queue(
    facility: Facility,
) -> None:
    text = facility.file.read_text().replace("queues: [samples]", "queues: [samples, more]")
    text = text.replace("queues:\n", "queues:\n  - {name: more, declare: passive}\n", 1)
    file = facility.site.write(text, "more.yaml")
    load(file)
    forge(facility, {"x-death": [death("samples.dead"), death("more")]})
    done = facility.site.pacer("dead", "replay", "-c", file, "--dry-run", "--all")
    assert done.code == 0, done.err
    (one,) = json.loads(facility.site.pacer("dead", "list", "-c", file, "--json").out)["letters"]
    assert one["came_from"] == "more"


def test_a_file_sends_to_queues_of_the_configuration_alone(facility: Facility, tmp_path: Path) -> None:
    facility.die(1)
    target = tmp_path / "letters.jsonl"
    assert facility.pacer("dead", "export", "--yes", "--all", target).code == 0
    other = tmp_path / "other.jsonl"
    other.write_text(target.read_text().replace('"came_from":"samples"', '"came_from":"pacer.retry.1s"'))
    sent = facility.pacer("send", other)
    assert (sent.code, "1 letter not sent" in sent.err) == (69, True)
    assert facility.pacer("send", target).code == 0
