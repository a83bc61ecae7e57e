"""What stands in a record, in either format."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import attrs
import pytest

from pacer_core import ConsumerType, Delivery, Envelope, NotYet, Outcome, Reject, task
from pacer_core.testing import deliver, settled_context
from pacer_dashboard_log import DASHBOARD, DashboardOptions

Record = Callable[..., dict[str, Any]]


@attrs.frozen
class Parcel:
    name: str
    trouble: str = ""


@task
def weigh(parcel: Parcel, ctx: Any) -> None:
    if parcel.trouble == "not yet":
        raise NotYet("no scale is here")
    if parcel.trouble == "reject":
        raise Reject("too heavy")
    ctx.emit("labels", {"name": parcel.name})


@task(after=[weigh])
def ship(parcel: Parcel, ctx: Any) -> None: ...


PARCELS = ConsumerType("parcels", Parcel, [weigh, ship], describe=lambda parcel: {"parcel": parcel.name})


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Give the record of a delivery."""

    def record(delivery: Delivery, type_: str = "parcels", **options: Any) -> dict[str, Any]:
        sent: list[Any] = []
        ctx = settled_context(type_, folder=tmp_path, publish=lambda *what: sent.append(what))
        with DASHBOARD.open(DashboardOptions(**options)) as dashboard:
            dashboard.note(delivery, ctx)
        ((_, _, (body,), content_type),) = sent
        assert content_type == "application/json"
        given: dict[str, Any] = json.loads(body)
        return given

    return record


def parcel(body: str, **changes: Any) -> Delivery:
    delivery = deliver(PARCELS, body)
    envelope = attrs.evolve(delivery.envelope, exchange="post", routing_key="parcel.new", **changes)
    return attrs.evolve(delivery, envelope=envelope)


def test_a_record_of_icat_pacer_is_a_celery_message_of_protocol_1(record: Record) -> None:
    message = record(parcel('{"name": "a"}'))
    assert set(message) == {"id", "task", "args", "kwargs", "retries"}
    assert message["task"] == "dashboard.tasks.log_pacer_message"
    assert message["args"] == []
    assert record(parcel('{"name": "a"}'), celery_task="other.task")["task"] == "other.task"


def test_a_record_of_icat_pacer_has_all_that_its_dashboard_takes(record: Record) -> None:
    body = '{"name": "Größe"}'
    delivery = parcel(body)
    kwargs = record(delivery)["kwargs"]
    start, end = (datetime.fromisoformat(kwargs.pop(f"processing_{one}")) for one in ("start", "end"))
    assert start.tzinfo is None
    assert start.astimezone(UTC) == delivery.started
    assert end.astimezone(UTC) == delivery.finished
    assert kwargs == {
        "object_identifiers": {"parcel": "Größe"},
        "error_message": {},
        "hash": blake2b(body.encode(), digest_size=8).hexdigest(),
        "message_type": "parcels",
        "payload_format": "",
        "payload": body,
        "errored": False,
        "exchange_name": "post",
        "routing_key": "parcel.new",
    }


@pytest.mark.parametrize(
    ("body", "task", "reason"),
    [
        ('{"name": "a", "trouble": "reject"}', "weigh", "too heavy"),
        ('{"name": "a", "trouble": "not yet"}', "weigh", "no scale is here"),
        ("{", "parse", "JSON"),
    ],
)
def test_what_went_wrong_stands_in_a_record_of_icat_pacer(
    record: Record, body: str, task: str, reason: str
) -> None:
    kwargs = record(parcel(body))["kwargs"]
    assert kwargs["errored"] is True
    assert list(kwargs["error_message"]) == [task]
    assert reason in kwargs["error_message"][task]


@pytest.mark.parametrize(
    ("type_", "called"),
    [("users", "user-sync"), ("datasets", "dataset-ingestion"), ("parcels", "parcels")],
)
def test_the_dashboard_has_its_own_names_for_consumer_types(record: Record, type_: str, called: str) -> None:
    assert record(parcel('{"name": "a"}'), type_)["kwargs"]["message_type"] == called


def test_a_facility_may_name_its_own_consumer_types(record: Record) -> None:
    kwargs = record(parcel('{"name": "a"}'), message_types={"parcels": "parcel-post"})["kwargs"]
    assert kwargs["message_type"] == "parcel-post"


def test_a_record_in_json_says_what_became_of_the_message(record: Record) -> None:
    seen = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
    first = parcel('{"name": "a"}', attempt=3, first_seen=seen, redelivered=True)
    given = record(first, format="json")
    assert given.pop("id")
    assert datetime.fromisoformat(given.pop("started")) == first.started
    assert datetime.fromisoformat(given.pop("finished")) == first.finished
    timings = given.pop("timings")
    assert set(timings) == {"weigh", "ship"}
    assert all(timedelta(seconds=seconds) >= timedelta(0) for seconds in timings.values())
    assert given == {
        "format": "pacer.delivery/1",
        "correlation_id": first.envelope.correlation_id,
        "consumer": "parcels",
        "type": "parcels",
        "queue": "test",
        "exchange": "post",
        "routing_key": "parcel.new",
        "outcome": "acked",
        "attempt": 3,
        "redelivered": True,
        "first_seen": "2026-03-14T09:26:53+00:00",
        "identifiers": {"parcel": "a"},
        "done": ["weigh", "ship"],
        "pending": [],
        "rejected": {},
        "failures": [],
        "follow_ups": ["labels"],
        "payload": '{"name": "a"}',
        "payload_size": 13,
        "content_type": None,
        "headers": {},
    }


def test_a_record_in_json_has_the_publisher_s_headers_where_they_are_short(record: Record) -> None:
    given = {
        "site": "alba",
        "run": 7,
        "x-death": [{"queue": "a"}],
        "raw": b"1",
        "nan": float("nan"),
        "zero": "\0",
    }
    one = parcel('{"name": "a"}', headers=given)
    assert record(one, format="json")["headers"] == {"site": "alba", "run": 7}
    assert record(one, format="json", payload=False)["headers"] == {}
    long = parcel('{"name": "a"}', headers={"site": "x" * 5000})
    assert record(long, format="json")["headers"] == {}


def test_a_record_in_json_names_every_bad_field(record: Record) -> None:
    given = record(parcel('{"trouble": 3}'), format="json")
    (failure,) = given["failures"]
    assert (given["outcome"], failure["task"], failure["kind"]) == ("dead", "parse", "reject")
    assert {"path": "name", "message": "is missing"} in failure["fields"]


def test_a_record_in_json_tells_what_is_left_to_do(record: Record) -> None:
    given = record(parcel('{"name": "a", "trouble": "not yet"}'), format="json")
    assert (given["outcome"], given["pending"]) == ("retried", ["weigh", "ship"])
    assert [failure["kind"] for failure in given["failures"]] == ["not-yet"]


@pytest.mark.parametrize("format_", ["icat-pacer", "json"])
@pytest.mark.parametrize("body", [b"\xff\x00{", b"x" * (4 * 1024 * 1024 + 1)], ids=["binary", "large"])
def test_whatever_was_sent_has_a_record(record: Record, format_: str, body: bytes) -> None:
    delivery = Delivery(Envelope(body, "parcels"), "parcels", Outcome.DEAD)
    given = record(delivery, format=format_)
    payload = given["payload"] if format_ == "json" else given["kwargs"]["payload"]
    assert payload == ("\ufffd\ufffd{" if len(body) == 3 else None if format_ == "json" else "")


@pytest.mark.parametrize("format_", ["icat-pacer", "json"])
def test_a_facility_may_keep_bodies_out_of_records(record: Record, format_: str) -> None:
    assert "Lovelace" not in json.dumps(
        record(
            attrs.evolve(parcel('{"name": "Ada Lovelace"}'), description={}), format=format_, payload=False
        )
    )


def test_a_buffer_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        DashboardOptions(buffer_m_bytes=0)
