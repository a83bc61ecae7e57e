"""A crash at every call to either service, and both in all their moods: the same end as without."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from functools import partial

import pytest

from pacer_core import Delivery, Outcome, Secret
from pacer_http import Away
from pacer_http.testing import CUT, FAULTS, HTML, LATE, LOST, RESET, Fault, StandIn, refusal
from plugins.pacer_panosc.tests.conftest import DOI, FIELDS, ITEM, NAME, Facility, document
from plugins.pacer_panosc.tests.services import Pss, SearchApi
from tests.bombs import Bomb, BombedHttp, Crash


@pytest.fixture
def search_api() -> SearchApi:
    """One implementation is enough here."""
    return SearchApi(documents=[document()])


@pytest.mark.parametrize("template", ["{doi}", "{name}"], ids=["slash", "plain"])
@pytest.mark.parametrize("call", range(1, 9))
def test_a_crash_after_any_call_is_mended_by_the_next_delivery(
    facility: Facility, pss: Pss, search_api: SearchApi, call: int, template: str
) -> None:
    pid = DOI if template == "{doi}" else NAME
    facility.configure(pid=template)
    search_api.documents = [document(pid, title="Before")]
    facility.send(twice=False)
    pss.finish()
    search_api.documents = [document(pid)]
    bomb = Bomb(call, after=True)
    try:
        facility.send(twice=False, cls=partial(BombedHttp, bomb=bomb))
    except Crash:
        pass
    else:
        assert call > 6, "there are calls after which no crash was tried"
    if pss.status is not None and pss.status["inProgress"]:
        pss.finish()
    assert facility.send(twice=False).outcome is Outcome.ACKED
    pss.finish()
    assert pss.items == {pid: {"id": pid, "group": "documents", "fields": FIELDS}}
    assert pss.scored == {pid}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("service", ["search", "scoring"])
def test_a_service_that_fails_for_good_makes_the_message_wait(
    facility: Facility, pss: Pss, fault: Fault, service: str
) -> None:
    if fault is LATE:
        facility.configure(timeout=timedelta(milliseconds=300))
    stand_in: StandIn = getattr(facility, service)
    stand_in.fail(*[fault] * 12)
    first = facility.send(twice=False)
    assert first.outcome is Outcome.RETRIED
    assert [failure.kind for failure in first.failures] == ["retry"]
    stand_in.behave()
    facility.configure(timeout=timedelta(seconds=20))
    last = delivered(facility, pss, first)
    assert last.outcome is Outcome.ACKED
    assert pss.items == {DOI: ITEM}


@pytest.mark.parametrize("fault", [RESET, LOST, CUT, refusal(429), refusal(500), refusal(503)], ids=str)
@pytest.mark.parametrize("calls", range(5))
def test_a_service_that_fails_once_is_asked_again(
    facility: Facility, pss: Pss, fault: Fault, calls: int
) -> None:
    facility.scoring.fail(fault, after=calls)
    last = delivered(facility, pss, facility.send(twice=False))
    assert last.outcome is Outcome.ACKED
    pss.finish()
    assert pss.items == {DOI: ITEM}
    assert pss.scored == {DOI}


def delivered(facility: Facility, pss: Pss, delivery: Delivery) -> Delivery:
    """Deliver what is retried until it ends; runs end meanwhile."""
    for _ in range(5):
        if delivery.outcome is not Outcome.RETRIED:
            break
        if pss.status is not None and pss.status["inProgress"]:
            pss.finish()
        delivery = facility.send(twice=False, after=delivery)
    return delivery


def test_a_service_that_is_not_there_is_away(facility: Facility) -> None:
    facility.scoring.close()
    delivery = facility.send(twice=False)
    assert delivery.outcome is Outcome.RETRIED
    assert "the scoring service" in str(delivery.error)
    assert "nobody answers" in str(delivery.error)


def test_the_time_that_a_service_names_is_heeded(facility: Facility) -> None:
    facility.scoring.fail(refusal(429, {"Retry-After": "120"}))
    delivery = facility.send(twice=False)
    assert delivery.failures[0].after == 120


def test_expired_credentials_are_away_and_shown_nowhere(facility: Facility, pss: Pss) -> None:
    facility.configure(username="pacer", password=Secret("open sesame"))
    facility.search.fail(refusal(401))
    delivery = facility.send(twice=False)
    assert "have expired" in str(delivery.error)
    assert "sesame" not in repr(delivery)


@pytest.mark.parametrize(
    "fault", [HTML, RESET, refusal(401), refusal(503)], ids=["html", "reset", "401", "503"]
)
@pytest.mark.parametrize("service", ["search", "scoring"])
def test_a_check_fails_where_either_service_is_away(facility: Facility, service: str, fault: Fault) -> None:
    getattr(facility, service).fail(*[fault] * 3)
    with ExitStack() as stack, pytest.raises(Away, match=r"answered|cut off"):
        facility.panosc(stack).check()
