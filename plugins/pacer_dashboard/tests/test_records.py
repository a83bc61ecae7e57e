"""Reading records: both formats, what is wrong with one, and which failures are the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve, frozen
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st

from pacer_core import ConsumerType, Context, Delivery, Envelope, PacerError, Reject, task
from pacer_core.testing import deliver
from pacer_dashboard.histogram import bin_of, percentile
from pacer_dashboard.place import Place, from_environment
from pacer_dashboard.records import Failure, fingerprint, read
from pacer_dashboard_log import DashboardOptions
from pacer_dashboard_log.records import as_json, icat_pacer

STARTED = datetime(2026, 9, 20, 10, 0, tzinfo=UTC)


@frozen
class Shipment:
    proposal: str


@task
def first(shipment: Shipment, ctx: Context) -> None: ...


@task
def second(shipment: Shipment, ctx: Context) -> None:
    raise Reject("bad")


DELIVERY: Delivery = evolve(
    deliver(ConsumerType("shipments", Shipment, [first, second]), '{"proposal": "HG-1"}'),
    envelope=Envelope(
        body=b'{"a": "\x00\xff"}',
        queue="in",
        exchange="user-office",
        routing_key="shipment",
        correlation_id="c-1",
        first_seen=STARTED - timedelta(seconds=4),
    ),
    description={"investigation": "HG-1", "instrument": "BL01"},
    started=STARTED,
    finished=STARTED + timedelta(seconds=2),
    timings={"first": 1.5},
)


def test_what_pacer_writes_in_its_own_format_is_read_as_it_was() -> None:
    record = read(as_json(DELIVERY, "shipments", DashboardOptions(format="json")))
    assert (record.correlation_id, record.type, record.outcome) == ("c-1", "shipments", "dead")
    assert record.identifiers == {"investigation": "HG-1", "instrument": "BL01", "proposal": "HG-1"}
    assert record.failures == (Failure("second", "reject", "bad"),)
    assert (record.done, record.timings) == (("first",), {"first": 1.5})
    assert record.processing == timedelta(seconds=2)
    assert record.queueing == timedelta(seconds=4)
    assert record.payload == '{"a": "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"}'


def test_what_pacer_writes_for_icat_pacers_dashboard_is_read_by_its_hash_and_day() -> None:
    body = icat_pacer(DELIVERY, "users", DashboardOptions())
    record = read(body, zone=datetime.now().astimezone().tzinfo or UTC)
    hash_ = json.loads(body)["kwargs"]["hash"]
    assert record.correlation_id == f"hash-{hash_}-20260920"
    assert (record.type, record.outcome, record.started) == ("user-sync", "dead", STARTED)
    assert record.failures == (Failure("second", "error", "bad"),)


@pytest.mark.parametrize("protocol", [1, 2])
def test_what_celery_itself_sends_is_read(protocol: int) -> None:
    kwargs = json.loads(icat_pacer(DELIVERY, "users", DashboardOptions()))["kwargs"]
    app = Celery("pacer")
    make = app.amqp.as_task_v1 if protocol == 1 else app.amqp.as_task_v2
    message = make("id-1", "dashboard.tasks.log_pacer_message", args=(), kwargs=kwargs)
    record = read(json.dumps(message.body).encode(), message.headers)
    assert (record.id, record.type) == ("id-1", "user-sync")


def test_times_without_an_offset_are_those_of_the_zone_that_is_said() -> None:
    said = json.loads(icat_pacer(DELIVERY, "users", DashboardOptions()))
    said["kwargs"]["processing_start"] = "2026-09-20T00:30:00"
    record = read(json.dumps(said).encode(), zone=ZoneInfo("Europe/Madrid"))
    assert record.started == datetime(2026, 9, 19, 22, 30, tzinfo=UTC)


GOOD = json.loads(as_json(DELIVERY, "shipments", DashboardOptions(format="json")))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"format": "pacer.delivery/2"}, "format"),
        ({"outcome": "well"}, "outcome"),
        ({"finished": None}, "finished"),
        ({"finished": "yesterday"}, "finished"),
        ({"started": "0001-01-01T00:00:00"}, "started"),
        ({"correlation_id": ""}, "correlation_id"),
        ({"id": 7}, "id"),
        ({"type": "t" * 256}, "type"),
        ({"attempt": True}, "attempt"),
        ({"timings": {"first": "1"}}, "timings.first"),
        ({"failures": ["bad"]}, "failures[0]"),
        ({"identifiers": []}, None),
        ({"identifiers": [1]}, "identifiers"),
        ({"payload": {}}, "payload"),
    ],
)
def test_a_field_that_is_wrong_is_named(change: dict[str, Any], path: str | None) -> None:
    body = json.dumps({**GOOD, **change}).encode()
    if path is None:
        read(body)
        return
    with pytest.raises(Reject) as refused:
        read(body)
    assert [one.path for one in refused.value.fields] == [path]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[[], {}, {}]", b'{"kwargs": {}}', b"{}"])
def test_what_is_no_record_is_rejected(body: bytes) -> None:
    with pytest.raises(Reject):
        read(body)


SAME = (
    ("user 'ann' has no name", "user 'bob' has no name"),
    ("no answer after 31 s", "no answer after 7.5 s"),
    ("ES-1234 is not there", "HG-77 is not there"),
    ("https://a.example.org/x?y=1 answered", "https://b.example.org/ answered"),
    ("/data/visitor/hg1/f.h5 is missing", "/data/inhouse/x.h5 is missing"),
    ("at 2026-09-20T10:00:00.5Z it was off", "at 2025-01-01 it was off"),
    ("b1946ac92492d2347c6235b4d2611184 differs", "591785b794601e212b260e25925636fd differs"),
)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_failures_that_differ_in_names_and_numbers_are_one_group(one: str, other: str) -> None:
    assert fingerprint(Failure("t", "error", one)) == fingerprint(Failure("t", "error", other))


def test_failures_of_another_task_or_kind_or_field_or_words_are_groups_of_their_own() -> None:
    failures = (
        Failure("t", "error", "it is off"),
        Failure("u", "error", "it is off"),
        Failure("t", "retry", "it is off"),
        Failure("t", "error", "it is full"),
        Failure("t", "error", "it is off", (("name", "is missing"),)),
        Failure("t", "error", "it is off", (("title", "is missing"),)),
    )
    assert len({fingerprint(one).key for one in failures}) == len(failures)


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_within_five_percent(times: list[float], part: float) -> None:
    counts: dict[int, int] = {}
    for one in times:
        counts[bin_of(one)] = counts.get(bin_of(one), 0) + 1
    rank = max(-(-int(part * 100) * len(times) // 100), 1)
    true = sorted(times)[rank - 1]
    found = percentile(counts, part)
    assert found is not None
    assert abs(found - true) <= 0.05 * true


def test_the_database_is_where_the_environment_says() -> None:
    assert from_environment({}).settings()["NAME"] == "dashboard/dashboard.sqlite"
    assert (
        from_environment({"PACER_DASHBOARD_DATABASE": "/srv"}).settings()["NAME"] == "/srv/dashboard.sqlite"
    )
    upstream = {
        "POSTGRES_DB": "pacer", "POSTGRES_USER": "me", "POSTGRES_PASSWORD": "p@ss/word",
        "POSTGRES_HOST": "db", "POSTGRES_PORT": "5433",
    }  # fmt: skip
    settings = from_environment(upstream).settings()
    assert [settings[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")] == [
        "pacer", "me", "p@ss/word", "db", "5433",
    ]  # fmt: skip
    assert "p@ss" not in repr(Place(url="postgresql://db/pacer", password="p@ss"))
    for host, said in {"::1": "::1", "/run/postgresql": ""}.items():
        odd = from_environment({"POSTGRES_DB": "a/b", "POSTGRES_USER": "me@site", "POSTGRES_HOST": host})
        settings = odd.settings()
        assert [settings[name] for name in ("NAME", "USER", "HOST")] == ["a/b", "me@site", said]
        assert settings["OPTIONS"].get("host", "") == (host if said == "" else "")


@pytest.mark.parametrize(
    "said",
    [
        {"PACER_DASHBOARD_DATABASE": "postgresql://me:s3/cret@db/pacer"},
        {"PACER_DASHBOARD_DATABASE": "postgresql://me:s3#cret@db/pacer"},
        {"POSTGRES_DB": "pacer", "POSTGRES_PORT": "s3"},
    ],
)
def test_an_address_that_is_none_is_said_without_its_password(said: dict[str, str]) -> None:
    with pytest.raises(PacerError) as refused:
        from_environment(said).settings()
    assert "s3" not in str(refused.value)
    assert refused.value.__cause__ is None
