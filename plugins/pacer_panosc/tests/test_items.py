"""``create-panosc-item`` from the message to the scoring service, against stand-ins of both services."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest

from pacer_core import Outcome, Secret
from pacer_http.testing import refusal
from pacer_panosc import PANOSC, PanoscOptions
from pacer_panosc.client import Panosc
from plugins.pacer_icat.tests.support import change
from plugins.pacer_panosc.tests.conftest import DOI, FIELDS, ITEM, NAME, VISIT, Facility, document
from plugins.pacer_panosc.tests.services import Pss, SearchApi


def test_a_public_investigation_becomes_an_item_and_gets_weights(facility: Facility, pss: Pss) -> None:
    delivery = facility.send(twice=False)
    assert delivery.error is None
    assert delivery.outcome is Outcome.ACKED
    assert pss.items == {DOI: ITEM}
    assert pss.runs == 1


def test_the_same_message_again_changes_nothing(facility: Facility, pss: Pss) -> None:
    facility.send(twice=False)
    pss.finish()
    assert facility.send(twice=False).outcome is Outcome.ACKED
    assert pss.items == {DOI: ITEM}
    written = [one for one in facility.scoring.requests if one.method != "GET" and one.path != "/compute"]
    assert len(written) == 1


def test_the_item_goes_by_the_pid_that_the_search_api_gives(
    facility: Facility, pss: Pss, search_api: SearchApi
) -> None:
    search_api.documents = [document(f"pid:{NAME}")]
    facility.configure(pid="pid:{name}")
    facility.send()
    assert list(pss.items) == [f"pid:{NAME}"]


@pytest.mark.parametrize(("template", "pid"), [("{name}", NAME), ("{name}-{visit}", f"{NAME}-{VISIT}")])
def test_a_facility_says_how_its_search_api_calls_an_investigation(
    facility: Facility, pss: Pss, search_api: SearchApi, template: str, pid: str
) -> None:
    search_api.documents.append(document(pid))
    facility.configure(pid=template)
    facility.send(visit_id="BL06")
    assert list(pss.items) == [pid]


def test_a_document_is_asked_for_so_that_both_implementations_answer_alike(facility: Facility) -> None:
    facility.send(twice=False)
    (asked,) = facility.search.requests
    assert set(asked.query) == {"filter"}
    given = json.loads(asked.query["filter"])
    assert given["where"] == {"pid": DOI}
    assert given["limit"] == 2


@pytest.mark.parametrize(("template", "pid"), [("{doi}", DOI), ("{name}", NAME)], ids=["slash", "plain"])
def test_an_item_follows_its_document(
    facility: Facility, pss: Pss, search_api: SearchApi, template: str, pid: str
) -> None:
    search_api.documents = [document(pid)]
    facility.configure(pid=template)
    facility.send(twice=False)
    pss.finish()
    search_api.documents[0]["title"] = "A better title"
    assert facility.send(twice=False).outcome is Outcome.ACKED
    fields = {**FIELDS, "title": "A better title"}
    assert pss.items == {pid: {"id": pid, "group": "documents", "fields": fields}}
    assert pss.runs == 2


def test_only_what_people_search_for_becomes_terms(facility: Facility, pss: Pss) -> None:
    facility.send()
    assert pss.items[DOI]["fields"] == FIELDS


def test_a_document_without_more_than_a_title_is_an_item(
    facility: Facility, pss: Pss, search_api: SearchApi
) -> None:
    search_api.documents = [{"pid": DOI, "title": "Alone"}]
    facility.send()
    assert pss.items[DOI]["fields"] == {"title": "Alone"}


def test_an_embargoed_investigation_is_waited_for(
    facility: Facility, pss: Pss, search_api: SearchApi
) -> None:
    search_api.documents[0]["isPublic"] = False
    change(facility.icat.shared, releaseDate=datetime.fromisoformat("2999-07-17T12:00:00+02:00"))
    delivery = facility.send()
    assert [failure.kind for failure in delivery.failures] == ["not-yet"]
    assert "its release date is 2999-07-17" in str(delivery.error)
    assert pss.items == {}
    assert pss.runs == 0


def test_an_investigation_without_a_doi_is_waited_for(facility: Facility) -> None:
    change(facility.icat.shared, doi=None)
    delivery = facility.send()
    assert [failure.kind for failure in delivery.failures] == ["not-yet"]
    assert "has no DOI in ICAT" in str(delivery.error)
    assert facility.search.requests == []


def test_a_doi_that_the_same_message_mints_is_waited_for_where_nobody_has_minted_it(
    facility: Facility,
) -> None:
    change(facility.icat.shared, doi=None)
    delivery = facility.send(operations=["mint-proposal", "create-panosc-item"])
    assert " has no DOI in ICAT yet" in str(delivery.error)


def test_a_doi_that_the_same_message_has_minted_counts_before_icat_has_it(
    facility: Facility, pss: Pss
) -> None:
    change(facility.icat.shared, doi=None)
    first = facility.send(operations=["mint-proposal", "create-panosc-item"])
    minted = attrs.evolve(first, facts={**first.facts, "doi": DOI})
    both = ["mint-proposal", "create-panosc-item"]
    delivery = facility.send(operations=both, after=minted, twice=False)
    assert delivery.outcome is Outcome.ACKED
    assert list(pss.items) == [DOI]


def test_an_investigation_that_icat_does_not_know_is_waited_for(facility: Facility) -> None:
    delivery = facility.send(name="20990000001", visit_id=None)
    assert [failure.kind for failure in delivery.failures] == ["not-yet"]


def test_a_pid_that_does_not_tell_documents_apart_is_named(
    facility: Facility, search_api: SearchApi, pss: Pss
) -> None:
    search_api.documents.append(document())
    delivery = facility.send()
    assert delivery.outcome is Outcome.DEAD
    assert "several documents" in str(delivery.error)
    assert pss.items == {}


def test_a_pid_of_dots_is_refused_and_not_tried_again(
    facility: Facility, search_api: SearchApi, pss: Pss
) -> None:
    search_api.documents[:] = [document(pid="..")]
    facility.icat.shared.wire.update(
        facility.icat.shared.wire.search("SELECT i FROM Investigation i WHERE i.doi IS NOT NULL INCLUDE 1")[
            0
        ],
        doi="..",
    )
    delivery = facility.send()
    assert delivery.outcome is Outcome.DEAD
    assert "dots alone" in str(delivery.error)
    assert pss.items == {}


def test_documents_that_were_not_asked_for_are_not_taken(
    facility: Facility, search_api: SearchApi, pss: Pss
) -> None:
    search_api.ignores_filters = True
    delivery = facility.send()
    assert delivery.outcome is Outcome.RETRIED
    assert "ignores our filter" in str(delivery.error)
    assert pss.items == {}


@pytest.mark.parametrize("content", [b"{}", b'["10.5072/x"]', b"null"])
def test_an_answer_that_is_no_list_of_documents_proves_nothing(
    facility: Facility, pss: Pss, content: bytes
) -> None:
    facility.search.fail(refusal(200, content=content))
    delivery = facility.send(twice=False)
    assert delivery.outcome is Outcome.RETRIED
    assert "no list of documents" in str(delivery.error)
    assert pss.items == {}


def test_an_investigation_that_is_not_released_is_told_from_one_without_a_document(
    facility: Facility, search_api: SearchApi
) -> None:
    search_api.documents.clear()
    assert "release date" not in str(facility.send().error)


def test_another_who_creates_the_item_first_is_no_harm(facility: Facility, pss: Pss) -> None:
    # The item is there when it is to be created, and was not when it was looked for.
    pss.items[DOI] = ITEM
    facility.scoring.fail(refusal(404, content=b"null"), to="GET")
    assert facility.send(twice=False).outcome is Outcome.ACKED
    assert [one.method for one in facility.scoring.requests][:3] == ["GET", "POST", "GET"]


def test_an_item_that_the_service_refuses_makes_the_message_dead(facility: Facility) -> None:
    facility.scoring.fail(refusal(400, content=b'{"detail": "about Jane Doe"}'), to="POST")
    delivery = facility.send(twice=False)
    assert delivery.outcome is Outcome.DEAD
    assert "Jane" not in str(delivery.error)


def test_an_item_that_is_not_kept_is_not_taken_for_kept(
    facility: Facility, pss: Pss, search_api: SearchApi
) -> None:
    search_api.documents = [document(NAME)]
    facility.configure(pid="{name}")
    facility.send(twice=False)
    pss.keeps = False
    search_api.documents[0]["title"] = "A better title"
    delivery = facility.send(twice=False)
    assert delivery.outcome is Outcome.RETRIED
    assert "does not keep item" in str(delivery.error)


def test_other_operations_are_none_of_its_business(facility: Facility) -> None:
    assert facility.send(operations=["mint-proposal"]).outcome is Outcome.ACKED
    assert facility.search.requests == facility.scoring.requests == []


def test_both_services_get_the_account(facility: Facility, pss: Pss) -> None:
    pss.password = "needed"
    facility.configure(username="pacer", password=Secret("open sesame"))
    facility.send()
    assert list(pss.items) == [DOI]
    sent = facility.search.requests + facility.scoring.requests
    assert all(one.headers["authorization"].startswith("Basic ") for one in sent)


def test_both_services_are_checked(facility: Facility) -> None:
    with PANOSC.open(facility.options) as panosc:
        assert isinstance(panosc, Panosc)
        panosc.check()
    assert [one.path for one in facility.search.requests] == ["/api/Documents"]
    assert [one.path for one in facility.scoring.requests] == ["/items/count"]
    assert {one.method for one in facility.search.requests + facility.scoring.requests} == {"GET"}


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ({"search_url": "data.example.org"}, "URL"),
        ({"scoring_url": "https://pacer:geheim@x"}, "credentials"),
        ({"pid": "10.5072/{dio}"}, "should hold some of"),
        ({"pid": "fixed"}, "should hold some of"),
        ({"pid": "{doi"}, "brace"),
        ({"username": "pacer"}, "go together"),
        ({"recompute_after": timedelta(seconds=-1)}, "negative"),
    ],
)
def test_options_that_cannot_work_are_refused(option: dict[str, Any], why: str) -> None:
    good = {"search_url": "https://x/api", "scoring_url": "https://y"}
    with pytest.raises(ValueError, match=why) as caught:
        PanoscOptions(**{**good, **option})
    assert "geheim" not in str(caught.value)


def test_facts_about_another_investigation_are_refused(facility: Facility) -> None:
    wire = facility.icat.shared.wire
    (other,) = wire.search("SELECT o.id FROM Investigation o WHERE o.name = '20250340039'")
    first = facility.send()
    before = attrs.evolve(first, done=("check_investigation",), facts={"investigation_id": other})
    delivery = facility.send(after=before, twice=False)
    assert delivery.outcome is Outcome.DEAD
    assert "not the one that the message names" in str(delivery.error)


def test_a_doi_counts_as_minted_only_where_the_message_mints_it(
    facility: Facility, search_api: SearchApi, pss: Pss
) -> None:
    search_api.documents.append(document("10.5072/of-somebody-else"))
    first = facility.send()
    change(facility.icat.shared, doi=None)
    facts = {**first.facts, "doi": "10.5072/of-somebody-else"}
    before = attrs.evolve(first, done=("check_investigation",), facts=facts)
    items = dict(pss.items)
    assert "has no DOI in ICAT" in str(facility.send(after=before, twice=False).error)
    assert pss.items == items
