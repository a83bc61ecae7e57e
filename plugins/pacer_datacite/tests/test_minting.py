"""``mint-proposal`` from the message to DataCite and back into ICAT, against stand-ins of both."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from pacer_core import Outcome
from pacer_datacite import Datacite
from pacer_http.testing import StandIn, refusal
from pacer_icat import Bean, IcatClient, ref
from plugins.pacer_datacite.tests.lupo import Doi, Lupo
from plugins.pacer_datacite.tests.support import (
    DOI,
    NAME,
    OPTIONS,
    PAGE,
    VISIT,
    Send,
    add_dataset,
    client_of,
    deliver_to,
    doi_in_icat,
)
from plugins.pacer_icat.tests.support import change


def test_a_proposal_gets_its_doi_at_datacite_and_in_icat(send: Send, lupo: Lupo, icat: IcatClient) -> None:
    delivery = send()

    assert delivery.error is None
    assert delivery.outcome is Outcome.ACKED
    assert list(lupo.dois) == [DOI]
    assert lupo.dois[DOI].state == "findable"
    held = lupo.dois[DOI].attributes
    assert held["url"] == PAGE
    assert [one["name"] for one in held["creators"]] == ["Doe, Jane", "Cordus, Aelius"]
    assert held["descriptions"][0]["description"] == "Reference samples were measured."
    assert [one["date"] for one in held["dates"]] == ["2025-07-14/2025-07-17", "2028-07-17", "2028-07-17"]
    assert doi_in_icat(icat.shared) == DOI
    assert delivery.facts["doi"] == DOI
    assert delivery.facts["doi_url"] == PAGE


def test_all_that_icat_knows_reaches_datacite(send: Send, lupo: Lupo, icat: IcatClient) -> None:
    wire = icat.shared.wire
    (found,) = wire.search("SELECT o.id FROM Investigation o WHERE o.name = :name", name=NAME)
    owner = ref("Investigation", found)
    grant = {"funderName": "EU", "funderIdentifier": "https://ror.org/019w4f821", "awardNumber": "101"}
    funding = wire.create(Bean("FundingReference", grant))
    link = {"investigation": owner, "funding": ref("FundingReference", funding)}
    wire.create_many(
        [
            Bean("Keyword", {"name": "lysozyme", "investigation": owner}),
            Bean("Publication", {"fullReference": "A paper", "doi": "10.1107/S1", "investigation": owner}),
            Bean("InvestigationFunding", link),
        ]
    )
    instrument = wire.read("Instrument", icat.shared.catalogue.instrument("bl06"))
    assert instrument is not None
    wire.update(instrument, pid="10.5072/xaira")

    assert send().outcome is Outcome.ACKED

    held = lupo.dois[DOI].attributes
    assert [one["subject"] for one in held["subjects"]] == ["MX", NAME, "BL06 - XAIRA", "lysozyme"]
    assert [(one["relationType"], one["relatedIdentifier"]) for one in held["relatedIdentifiers"]] == [
        ("IsDocumentedBy", "10.1107/S1"),
        ("HasPart", "10.5072/run1"),
        ("IsCollectedBy", "10.5072/xaira"),
    ]
    assert [one["awardNumber"] for one in held["fundingReferences"]] == [NAME, "101"]
    assert held["creators"][0]["nameIdentifiers"][0]["nameIdentifier"].endswith("0000-0002-1825-0097")
    assert held["creators"][0]["affiliation"] == [{"name": "University of Somewhere"}]


def test_each_request_is_authenticated_and_looks_before_it_writes(send: Send, service: StandIn) -> None:
    send()

    assert [one.method for one in service.requests] == ["GET", "PUT"] * 2
    assert {one.path for one in service.requests} == {f"/dois/{DOI}"}
    assert all(one.headers["authorization"].startswith("Basic ") for one in service.requests)
    assert service.requests[1].headers["content-type"] == "application/vnd.api+json"


def test_datacite_s_operators_learn_whom_to_write_to(service: StandIn, icat: IcatClient) -> None:
    with client_of(service, **{**OPTIONS, "contact": "data@example.org"}) as datacite:
        deliver_to(icat, datacite, twice=False)
    assert service.requests[0].headers["user-agent"].endswith("(mailto:data@example.org)")


@pytest.mark.parametrize(
    ("state", "events"), [("draft", [None]), ("registered", ["register"]), ("findable", ["publish"])]
)
def test_a_doi_gets_the_state_that_was_asked_for(
    service: StandIn, icat: IcatClient, lupo: Lupo, state: str, events: list[str | None]
) -> None:
    with client_of(service, **{**OPTIONS, "state": state}) as datacite:
        assert deliver_to(icat, datacite).outcome is Outcome.ACKED
    assert lupo.dois[DOI].state == state
    puts = [one.json()["data"]["attributes"] for one in service.requests if one.method == "PUT"]
    assert [one.get("event") for one in puts] == [*events, None]


@pytest.mark.parametrize(
    ("before", "after"), [("draft", "findable"), ("registered", "findable"), ("findable", "draft")]
)
def test_a_doi_goes_forward_and_never_back(
    service: StandIn, icat: IcatClient, lupo: Lupo, before: str, after: str
) -> None:
    for state in (before, after):
        with client_of(service, **{**OPTIONS, "state": state}) as datacite:
            assert deliver_to(icat, datacite).outcome is Outcome.ACKED
    assert lupo.dois[DOI].state == "findable"


def test_another_message_brings_the_metadata_up_to_date(send: Send, lupo: Lupo, icat: IcatClient) -> None:
    send()
    change(icat.shared, title="Diffraction of all samples")
    assert send().outcome is Outcome.ACKED
    assert lupo.dois[DOI].attributes["titles"][0]["title"] == "Diffraction of all samples"


def test_other_operations_are_none_of_its_business(send: Send, icat: IcatClient, service: StandIn) -> None:
    change(icat.shared, doi="10.5072/by-hand")
    delivery = send(operations=["create-panosc-item"])
    assert delivery.outcome is Outcome.ACKED
    assert service.requests == []


@pytest.mark.parametrize("spelling", [None, "BL06"])
def test_a_visit_is_found_as_icat_compares_names(send: Send, lupo: Lupo, spelling: str | None) -> None:
    assert send(visit_id=spelling).outcome is Outcome.ACKED
    assert list(lupo.dois) == [DOI]


def test_two_visits_of_a_proposal_have_two_dois(send: Send, lupo: Lupo, icat: IcatClient) -> None:
    another_visit(icat)
    assert send().outcome is Outcome.ACKED
    assert send(visit_id="bl13").outcome is Outcome.ACKED
    assert len(lupo.dois) == 2


def test_a_message_that_leaves_the_visit_open_is_dead(send: Send, lupo: Lupo, icat: IcatClient) -> None:
    another_visit(icat)
    delivery = send(visit_id=None)
    assert delivery.outcome is Outcome.DEAD
    assert [one.path for one in delivery.bad_fields] == ["visit_id"]
    assert lupo.dois == {}


def another_visit(icat: IcatClient) -> None:
    """Create a second visit like the first."""
    wire = icat.shared.wire
    (found,) = wire.search("SELECT o.id FROM Investigation o WHERE o.name = :name", name=NAME)
    first = wire.read("Investigation", found)
    (jane,) = wire.search("SELECT u.id FROM User u WHERE u.name = 'db/jdoe'")
    assert first is not None
    instrument = ref("Instrument", icat.shared.catalogue.instrument("bl13"))
    values = {name: first[name] for name in ("name", "title", "startDate", "endDate", "releaseDate")} | {
        "visitId": "bl13",
        "facility": ref("Facility", first["facility"].id),
        "type": ref("InvestigationType", first["type"].id),
        "investigationUsers": [
            Bean("InvestigationUser", {"role": "Principal investigator", "user": ref("User", jane)})
        ],
        "investigationInstruments": [Bean("InvestigationInstrument", {"instrument": instrument})],
    }
    add_dataset(icat.shared, wire.create(Bean("Investigation", values)))


def test_an_investigation_that_is_not_there_yet_is_waited_for(send: Send) -> None:
    for changes in ({"name": "20990000000"}, {"visit_id": "bl99"}):
        delivery = send(**changes)
        assert [one.kind for one in delivery.failures] == ["not-yet"]


def test_a_proposal_without_anybody_to_cite_waits(send: Send, icat: IcatClient, service: StandIn) -> None:
    wire = icat.shared.wire
    for link in wire.search(
        "SELECT l.id FROM InvestigationUser l WHERE l.investigation.name = :name", name=NAME
    ):
        record = wire.read("InvestigationUser", link)
        assert record is not None
        wire.update(record, role="Local contact")
    delivery = send()
    assert [(one.task, one.kind) for one in delivery.failures] == [("mint_proposal", "not-yet")]
    assert "users in the roles principal investigator or participant" in str(delivery.error)
    assert service.requests == []


# --- conflicts ---------------------------------------------------------------------------------------


def test_an_investigation_that_has_another_doi_keeps_it(
    send: Send, icat: IcatClient, service: StandIn
) -> None:
    change(icat.shared, doi="10.5072/by-hand")
    delivery = send()
    assert delivery.outcome is Outcome.DEAD
    assert "10.5072/by-hand" in str(delivery.error)
    assert doi_in_icat(icat.shared) == "10.5072/by-hand"
    assert service.requests == []


def test_the_same_doi_in_other_letters_is_no_conflict(send: Send, icat: IcatClient, lupo: Lupo) -> None:
    change(icat.shared, doi=DOI.upper())
    assert send().outcome is Outcome.ACKED
    assert doi_in_icat(icat.shared) == DOI.upper()
    assert list(lupo.dois) == [DOI]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (
            Doi(DOI, "alba.data", "findable", {"url": "https://data.example.org/elsewhere"}),
            "leads to https://data",
        ),
        (Doi(DOI, "alba.data", "registered", {}), "leads to None"),
        (Doi(DOI, "other.repo", "findable", {"url": PAGE}), "belongs to the repository other.repo"),
        (
            Doi(
                DOI,
                "alba.data",
                "findable",
                {
                    "url": PAGE,
                    "alternateIdentifiers": [
                        {"alternateIdentifier": "A/B/C", "alternateIdentifierType": "ICAT investigation"}
                    ],
                },
            ),
            "stands for A/B/C",
        ),
    ],
)
def test_a_doi_that_is_not_ours_is_not_touched(
    send: Send, lupo: Lupo, icat: IcatClient, entry: Doi, reason: str
) -> None:
    lupo.dois[DOI] = entry
    delivery = send()
    assert delivery.outcome is Outcome.DEAD
    assert reason in str(delivery.error)
    assert entry.writes == 0
    assert not doi_in_icat(icat.shared)


def test_a_draft_that_was_reserved_by_hand_is_taken(send: Send, lupo: Lupo) -> None:
    lupo.dois[DOI] = Doi(DOI, "alba.data")
    assert send().outcome is Outcome.ACKED
    assert lupo.dois[DOI].state == "findable"


def test_a_doi_that_is_taken_and_not_shown_is_a_conflict(send: Send, lupo: Lupo, icat: IcatClient) -> None:
    lupo.hidden.add(DOI)
    delivery = send()
    assert delivery.outcome is Outcome.DEAD
    assert "belongs to another repository" in str(delivery.error)
    assert not doi_in_icat(icat.shared)


@pytest.mark.parametrize("answer", ["409", "422"])
def test_two_that_mint_at_once_end_with_one_doi(
    icat: IcatClient, lupo: Lupo, service: StandIn, answer: str
) -> None:
    """The other one is faster between our look-up and our PUT, and DataCite's database says so."""
    said: Any = {"errors": [{"status": "409", "title": "The resource already exists."}]}
    if answer == "422":
        said = {"errors": [{"source": "doi", "title": "This DOI has already been taken"}]}
    service.fail(refusal(int(answer), content=said), to="PUT")
    with client_of(service, **OPTIONS) as datacite:
        assert deliver_to(icat, datacite, twice=False).outcome is Outcome.ACKED
    assert [one.method for one in service.requests] == ["GET", "PUT", "GET", "PUT"]
    assert list(lupo.dois) == [DOI]


def test_a_doi_that_is_ours_and_yet_taken_is_tried_again(
    icat: IcatClient, service: StandIn, lupo: Lupo
) -> None:
    lupo.dois[DOI] = Doi(DOI, "alba.data", "findable", {"url": PAGE})
    said = {"errors": [{"status": 409, "title": "The resource already exists."}]}
    service.fail(*[refusal(409, content=said)] * 2, to="PUT")
    with client_of(service, **OPTIONS) as datacite:
        delivery = deliver_to(icat, datacite, twice=False)
    assert [one.kind for one in delivery.failures] == ["retry"]


# --- refusals ----------------------------------------------------------------------------------------


def test_a_page_outside_the_repository_s_domains_is_refused_by_name(
    service: StandIn, icat: IcatClient, lupo: Lupo
) -> None:
    with client_of(service, **{**OPTIONS, "landing_page": "https://example.com/{doi}"}) as datacite:
        delivery = deliver_to(icat, datacite)
    assert delivery.outcome is Outcome.DEAD
    assert "url: https://example.com" in str(delivery.error)
    assert "domain settings" in str(delivery.error)
    assert lupo.dois == {}


def test_a_doi_that_icat_could_not_hold_is_refused_before_anything_is_asked(
    service: StandIn, icat: IcatClient
) -> None:
    with client_of(service, **{**OPTIONS, "suffix": "x" * 250 + "{hash}"}) as datacite:
        delivery = deliver_to(icat, datacite)
    assert delivery.outcome is Outcome.DEAD
    assert "choose a shorter suffix" in str(delivery.error)
    assert service.requests == []


@pytest.mark.parametrize("said", [{}, {"data": None}, {"data": {"id": DOI}}, [], "fine"])
def test_an_answer_that_is_no_doi_is_no_success(service: StandIn, icat: IcatClient, said: Any) -> None:
    service.fail(refusal(200, content=said), to="PUT")
    with client_of(service, **OPTIONS) as datacite:
        delivery = deliver_to(icat, datacite, twice=False)
    assert [one.kind for one in delivery.failures] == ["retry"]
    assert not doi_in_icat(icat.shared)


def test_a_foreign_prefix_waits_for_somebody_to_grant_it(service: StandIn, icat: IcatClient) -> None:
    with client_of(service, **{**OPTIONS, "prefix": "10.9999"}) as datacite:
        delivery = deliver_to(icat, datacite)
    assert [one.kind for one in delivery.failures] == ["retry"]
    assert "403" in str(delivery.error)


def test_what_datacite_says_about_people_is_not_repeated(service: StandIn, icat: IcatClient) -> None:
    words = {
        "errors": [{"source": "creators", "title": "Element 'name': the value 'Doe, Jane' is not accepted"}]
    }
    service.fail(refusal(422, content=words), to="PUT")
    with client_of(service, **OPTIONS) as datacite:
        delivery = deliver_to(icat, datacite, twice=False)
    assert delivery.outcome is Outcome.DEAD
    assert "creators: Element '...': the value '...' is not accepted" in str(delivery.error)
    assert "Jane" not in str(delivery.error)


def test_metadata_that_break_the_schema_are_not_sent(
    monkeypatch: pytest.MonkeyPatch, send: Send, service: StandIn
) -> None:
    """No text in ICAT leads to this; a later rule of the schema, or a mistake of ours, would."""
    monkeypatch.setattr("pacer_datacite.metadata.CONTRIBUTORS", {"principal investigator": "Investigator"})
    delivery = send()
    assert delivery.outcome is Outcome.DEAD
    assert [one.path for one in delivery.bad_fields] == ["datacite.contributors[0].contributorType"]
    assert service.requests == []


def test_a_state_that_datacite_does_not_give_is_not_taken_for_done(
    monkeypatch: pytest.MonkeyPatch, send: Send, icat: IcatClient
) -> None:
    monkeypatch.setattr("plugins.pacer_datacite.tests.lupo.EVENTS", {})
    delivery = send()
    assert delivery.outcome is Outcome.DEAD
    assert "left it draft, not findable" in str(delivery.error)
    assert not doi_in_icat(icat.shared)


def test_an_investigation_that_is_deleted_meanwhile_is_named(icat: IcatClient, datacite: Datacite) -> None:
    class Deleted(Datacite):
        def put(self, doi: str, attributes: Any) -> Any:
            found = super().put(doi, attributes)
            (one,) = icat.search("Investigation", {"name": NAME, "visitId": VISIT})
            icat.python_icat.delete(one)
            return found

    late = Deleted(datacite.options, datacite._http)
    delivery = deliver_to(icat, late, twice=False)
    assert delivery.outcome is Outcome.DEAD
    assert "deleted from ICAT since it was minted" in str(delivery.error)


def test_facts_about_another_investigation_mint_and_store_nothing(
    send: Send, lupo: Lupo, icat: IcatClient
) -> None:
    wire = icat.shared.wire
    (other,) = wire.search("SELECT o.id FROM Investigation o WHERE o.name = '20250340039'")
    first = send()
    change(icat.shared, doi=None)
    checked = attrs.evolve(first, done=("check_investigation",))
    minted = attrs.evolve(first, done=("check_investigation", "mint_proposal"))
    for before, foreign in (
        (checked, {"investigation_id": other}),
        (minted, {"investigation_id": other}),
        (minted, {"doi": "10.5072/of-somebody-else"}),
    ):
        delivery = send(after=attrs.evolve(before, facts={**first.facts, **foreign}), twice=False)
        assert delivery.outcome is Outcome.DEAD, foreign
        assert "replay it" in str(delivery.error)
    assert list(lupo.dois) == [DOI]
    assert wire.search("SELECT o.name FROM Investigation o WHERE o.doi IS NOT NULL") == []
