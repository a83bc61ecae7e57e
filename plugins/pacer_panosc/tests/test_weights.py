"""The weights: computed after the item was written, once for many items, and never waited for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pacer_core import Delivery, Outcome
from pacer_http.testing import LOST
from plugins.pacer_panosc.tests.conftest import DOI, NAME, Facility, document
from plugins.pacer_panosc.tests.services import Pss, SearchApi

MINUTES = timedelta(minutes=5)


@pytest.fixture
def search_api() -> SearchApi:
    """One implementation is enough here."""
    return SearchApi(documents=[document(), document(NAME)])


def waiting(delivery: Delivery) -> float | None:
    assert delivery.outcome is Outcome.RETRIED
    assert [failure.task for failure in delivery.failures] == ["recompute_scores"]
    return delivery.failures[0].after


def test_a_service_that_never_ran_is_asked_to(facility: Facility, pss: Pss) -> None:
    facility.send(twice=False)
    pss.finish()
    assert pss.scored == {DOI}


def test_the_weights_are_computed_some_minutes_later(facility: Facility, pss: Pss) -> None:
    facility.configure(recompute_after=MINUTES)
    first = facility.send(twice=False)
    assert waiting(first) == 300
    assert pss.runs == 0
    assert facility.send(twice=False, after=first).outcome is Outcome.ACKED
    assert pss.runs == 1


def test_many_items_share_a_run(facility: Facility, pss: Pss) -> None:
    facility.configure(recompute_after=MINUTES)
    first = facility.send(twice=False)
    facility.configure(pid="{name}")
    second = facility.send(twice=False)
    assert (waiting(first), waiting(second)) == (300, 300)
    assert facility.send(twice=False, after=first).outcome is Outcome.ACKED
    pss.finish()
    assert facility.send(twice=False, after=second).outcome is Outcome.ACKED
    assert pss.runs == 1
    assert pss.scored == {DOI, NAME}


def test_a_run_that_may_have_missed_the_item_is_followed_by_another(facility: Facility, pss: Pss) -> None:
    facility.send(twice=False)
    facility.configure(pid="{name}")
    second = facility.send(twice=False)  # while the first one's run is in progress
    assert waiting(second) == 60
    assert "once more when it has finished" in str(second.error)
    pss.finish()
    assert facility.send(twice=False, after=second).outcome is Outcome.ACKED
    assert pss.runs == 2
    pss.finish()
    assert pss.scored == {DOI, NAME}


def test_nobody_waits_for_a_run(facility: Facility, pss: Pss) -> None:
    assert facility.send(twice=False).outcome is Outcome.ACKED
    assert pss.status is not None
    assert pss.status["inProgress"]


def test_a_run_that_gets_no_further_is_named(facility: Facility, pss: Pss) -> None:
    facility.send(twice=False)
    facility.configure(pid="{name}")
    second = facility.send(twice=False)
    third = facility.send(twice=False, after=second)
    assert waiting(third) == 60
    assert "has got no further since" in str(third.error)
    assert pss.status is not None
    pss.status["progressPercent"] = 50
    fourth = facility.send(twice=False, after=third)
    assert "once more when it has finished" in str(fourth.error)


def test_a_run_whose_confirmation_was_lost_counts(facility: Facility, pss: Pss) -> None:
    facility.scoring.fail(LOST, to="POST", after=1)  # the first POST creates the item
    first = facility.send(twice=False)
    assert waiting(first) is None
    pss.finish()
    assert facility.send(twice=False, after=first).outcome is Outcome.ACKED
    assert pss.runs == 1
    assert pss.scored == {DOI}
