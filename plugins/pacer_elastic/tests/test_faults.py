"""Elasticsearch in all its moods, and a crash at every call to it: the same documents as without."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from pacer_core import Outcome, Retry, Secret
from pacer_elastic import ElasticOptions, bulk
from pacer_elastic.documents import read
from pacer_http import Away
from pacer_http.testing import CUT, FAULTS, HTML, LATE, LOST, RESET, Fault, StandIn, refusal
from plugins.pacer_elastic.tests.conftest import Facility
from plugins.pacer_elastic.tests.node import Node
from tests.bombs import Bomb, BombedHttp, Crash

Dataset = Callable[..., int]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PAUSES", (0.0, 0.0))


@pytest.mark.parametrize("call", [1, 2, 3, 4, 5])
def test_a_crash_after_any_call_is_mended_by_the_next_delivery(
    facility: Facility, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    monkeypatch.setattr(bulk, "MOST", 2)
    ids = {str(dataset(f"run{number}")) for number in range(6)}
    bomb = Bomb(call, after=True)  # the index is looked for and created, and then come three parts
    with pytest.raises(Crash):
        facility.reindex(twice=False, cls=partial(BombedHttp, bomb=bomb))
    assert facility.reindex(twice=False).outcome is Outcome.ACKED
    assert ids <= set(facility.documents())


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_server_that_fails_for_good_makes_the_message_wait(
    facility: Facility, service: StandIn, dataset: Dataset, fault: Fault
) -> None:
    one = dataset()
    if fault is LATE:
        facility.configure(timeout=timedelta(milliseconds=300))
    service.fail(*[fault] * 9, to="POST")
    first = facility.index(one, twice=False)
    assert first.outcome is Outcome.RETRIED
    assert [failure.kind for failure in first.failures] == ["retry"]
    service.behave()
    facility.configure(timeout=timedelta(seconds=20))
    assert facility.index(one, twice=False, after=first).outcome is Outcome.ACKED
    assert list(facility.documents()) == [str(one)]


@pytest.mark.parametrize("fault", [RESET, LOST, CUT, refusal(429), refusal(500), refusal(503)], ids=str)
@pytest.mark.parametrize("call", [0, 1, 2])
def test_a_server_that_fails_once_is_asked_again(
    facility: Facility, service: StandIn, dataset: Dataset, fault: Fault, call: int
) -> None:
    one = dataset()
    service.fail(fault, after=call)
    assert facility.index(one, twice=False).outcome is Outcome.ACKED
    assert list(facility.documents()) == [str(one)]


def test_a_dataset_is_stored_although_elasticsearch_is_away(facility: Facility, service: StandIn) -> None:
    service.fail(*[refusal(503)] * 9)
    delivery = facility.store(twice=False)
    assert delivery.done == ("store_dataset",)
    assert delivery.pending == ("index_stored_dataset",)
    assert delivery.outcome is Outcome.RETRIED


def test_documents_that_a_busy_server_puts_off_are_sent_again_and_the_others_are_not(
    facility: Facility, service: StandIn, node: Node, dataset: Dataset
) -> None:
    ids = {str(dataset(f"run{number}")) for number in range(4)}
    node.busy = 3
    assert facility.reindex(twice=False).outcome is Outcome.ACKED
    assert ids <= set(facility.documents())
    bodies = [one.body.count(b"\n") // 2 for one in service.requests if one.path == "/_bulk"]
    assert bodies[1:] == [3]


def test_a_server_that_stays_busy_is_away(facility: Facility, node: Node, dataset: Dataset) -> None:
    node.busy = 1000
    delivery = facility.index(dataset(), twice=False)
    assert delivery.outcome is Outcome.RETRIED
    assert "too busy" in str(delivery.error)


def test_a_request_that_is_too_large_is_halved(
    facility: Facility, service: StandIn, node: Node, dataset: Dataset
) -> None:
    ids = {str(dataset(f"run{number}")) for number in range(8)}
    node.largest = 3000
    assert facility.reindex(twice=False).outcome is Outcome.ACKED
    assert ids <= set(facility.documents())


def test_a_document_that_is_too_large_is_named_and_the_others_are_indexed(
    facility: Facility, node: Node, dataset: Dataset
) -> None:
    small = {str(dataset(f"run{number}")) for number in range(3)}
    large = dataset("large", parameters=[{"name": "scanType", "value": "x" * 3500}])
    node.largest = 3000
    delivery = facility.reindex(twice=False)
    assert delivery.outcome is Outcome.DEAD
    assert f"{large}: 413" in str(delivery.error)
    assert small <= set(facility.documents())


def test_a_document_that_is_refused_makes_its_message_dead_and_is_not_quoted(
    facility: Facility, node: Node, dataset: Dataset
) -> None:
    reason = "failed to parse field [energy] of type [double]. Preview of field's value: 'Ada Lovelace'"
    node.block = {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": reason}}
    one = dataset()
    delivery = facility.index(one)
    assert delivery.outcome is Outcome.DEAD
    assert f"{one}: 400 mapper_parsing_exception of field 'energy'" in str(delivery.error)
    assert "Ada" not in repr(delivery.failures)


@pytest.mark.parametrize(
    ("status", "kind", "why"),
    [
        (403, "cluster_block_exception", "disk is full"),  # version 7
        (429, "cluster_block_exception", "too busy"),  # later ones
        (403, "security_exception", "the right to write"),
        (503, "unavailable_shards_exception", "too busy"),
        (503, "circuit_breaking_exception", "too busy"),
        (429, "circuit_breaking_exception", "too busy"),
        (429, "es_rejected_execution_exception", "too busy"),
        (400, "index_closed_exception", "in trouble"),
        (400, "validation_exception", "in trouble"),  # "this cluster currently has 1000 shards open"
        (418, "gremlins_exception", "in trouble"),
    ],
)
def test_what_somebody_can_mend_makes_the_message_wait(
    facility: Facility, node: Node, dataset: Dataset, status: int, kind: str, why: str
) -> None:
    node.block = {"status": status, "error": {"type": kind, "reason": "x"}}
    one = dataset()
    delivery = facility.index(one, twice=False)
    assert delivery.outcome is Outcome.RETRIED
    assert why in str(delivery.error)
    node.block = None
    assert facility.index(one, twice=False, after=delivery).outcome is Outcome.ACKED


@pytest.mark.parametrize("status", [403, 429])
def test_a_full_disk_costs_no_attempt(facility: Facility, node: Node, dataset: Dataset, status: int) -> None:
    node.block = {"status": status, "error": {"type": "cluster_block_exception", "reason": "x"}}
    delivery = facility.index(dataset(), twice=False)
    assert [one.kind for one in delivery.failures] == ["away"]


def test_an_index_for_which_there_is_no_room_yet_makes_the_message_wait(
    facility: Facility, service: StandIn, dataset: Dataset
) -> None:
    full = b'{"error": {"type": "validation_exception", "reason": "1000/1000 maximum shards open"}}'
    service.fail(refusal(400, content=full), to="PUT")
    one = dataset()
    first = facility.index(one, twice=False)
    assert first.outcome is Outcome.RETRIED
    assert facility.index(one, twice=False, after=first).outcome is Outcome.ACKED


def test_an_index_that_somebody_deletes_is_created_anew(
    facility: Facility, node: Node, dataset: Dataset
) -> None:
    one = dataset()
    with ExitStack() as stack:
        elastic = facility.client(stack)
        documents = list(read(facility.icat, [one]))
        assert elastic.index(documents) == []
        node.indexes.clear()
        with pytest.raises(Retry, match="any more"):
            elastic.index(documents)
        assert elastic.index(documents) == []
    assert list(facility.documents()) == [str(one)]


def test_another_who_creates_the_index_first_is_no_harm(
    facility: Facility, service: StandIn, node: Node, dataset: Dataset
) -> None:
    one = dataset()
    facility.index(one)
    service.fail(refusal(404, content=b""), to="HEAD")
    assert facility.index(one, twice=False).outcome is Outcome.ACKED


def test_an_index_that_cannot_be_created_makes_the_message_dead(
    facility: Facility, service: StandIn, dataset: Dataset
) -> None:
    service.fail(refusal(400, content=b'{"error": {"type": "illegal_argument_exception"}}'), to="PUT")
    assert facility.index(dataset(), twice=False).outcome is Outcome.DEAD


@pytest.mark.parametrize(
    "content", [b"{}", b'{"items": []}', b'{"items": [{"index": {}}]}', b'{"items": [1]}', b'{"items": 1}']
)
def test_an_answer_that_does_not_tell_of_each_document_proves_nothing(
    facility: Facility, service: StandIn, dataset: Dataset, content: bytes
) -> None:
    service.fail(refusal(200, content=content), to="POST")
    delivery = facility.index(dataset(), twice=False)
    assert delivery.outcome is Outcome.RETRIED
    assert "without a word for each document" in str(delivery.error)


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"username": "pacer", "password": Secret("open sesame")}, "Basic "),
        ({"api_key": Secret("a2V5OnNlc2FtZQ==")}, "ApiKey a2V5OnNlc2FtZQ=="),
    ],
)
def test_credentials_go_along_and_show_nowhere(
    facility: Facility, service: StandIn, dataset: Dataset, options: dict[str, Any], sent: str
) -> None:
    facility.configure(**options)
    service.fail(refusal(401))
    delivery = facility.index(dataset(), twice=False)
    assert service.requests[0].headers["authorization"].startswith(sent)
    assert "have expired" in str(delivery.error)
    assert "sesame" not in repr(delivery)
    assert "a2V5" not in repr(delivery)


@pytest.mark.parametrize(
    "fault", [HTML, RESET, refusal(401), refusal(503)], ids=["html", "reset", "401", "503"]
)
def test_a_check_fails_where_the_server_is_away(facility: Facility, service: StandIn, fault: Fault) -> None:
    service.fail(*[fault] * 3)
    with ExitStack() as stack, pytest.raises(Away):
        facility.client(stack).check()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"url": "elastic.example.org"}, "URL"),
        ({"index": "Datasets"}, "no name of an index"),
        ({"username": "pacer"}, "go together"),
        ({"username": "a", "password": Secret("bcd"), "api_key": Secret("efg")}, "one of them"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ElasticOptions(**{"url": "https://elastic.example.org", **options})
