"""Metadata in the vocabulary of schema 4.5."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer_core import NotYet, Reject
from pacer_datacite import Funder, Identity, Publisher
from pacer_datacite.metadata import attributes_of, document_of
from pacer_datacite.proposal import Award, Instrument, Person, Proposal
from pacer_datacite.schema import problems
from plugins.pacer_datacite.tests.support import options_of

DOI = "10.5072/20250330096-bl06-kgqayzwk"
ADA = Person(1, "Principal investigator", "Ada Lovelace", "Ada", "Lovelace", "Analytical Society", None)
CARL = Person(2, "Participant", "Carl Gauss", "Carl", "Gauss", None, "0000-0002-1825-0097")
LISE = Person(3, "Local contact", "Lise Meitner", None, None, None, None)
PROPOSAL = Proposal(
    identity=Identity(17, "ALBA", "20250330096", "bl06"),
    doi=None,
    title="Diffraction of reference samples",
    summary="Reference samples were measured.",
    type="MX",
    start=date(2025, 7, 14),
    end=date(2025, 7, 17),
    release=date(2028, 7, 17),
    people=(LISE, CARL, ADA),
    instruments=(Instrument("bl06", "BL06 - XAIRA", "https://doi.org/10.5072/xaira"),),
    keywords=("lysozyme",),
    awards=(Award("EU", "https://ror.org/019w4f821", "101", "A grant"),),
    publications=("10.1107/S0909049512345678",),
    datasets=("10.5072/ds.1",),
)


BARE = evolve(
    PROPOSAL,
    summary=None,
    type=None,
    people=(ADA,),
    instruments=(),
    keywords=(),
    awards=(),
    publications=(),
    datasets=(),
)
"""What DataCite cannot do without, and nothing else."""


def document(proposal: Proposal = PROPOSAL, **options: Any) -> dict[str, Any]:
    """Give the metadata of a proposal."""
    return document_of(proposal, DOI, options_of(**options))


def test_all_that_icat_knows_is_said_in_datacite_s_words() -> None:
    assert document() == {
        "schemaVersion": "http://datacite.org/schema/kernel-4",
        "doi": DOI,
        "url": f"https://data.example.org/doi/{DOI}",
        "creators": [
            {
                "name": "Lovelace, Ada",
                "nameType": "Personal",
                "givenName": "Ada",
                "familyName": "Lovelace",
                "affiliation": [{"name": "Analytical Society"}],
            },
            {
                "name": "Gauss, Carl",
                "nameType": "Personal",
                "givenName": "Carl",
                "familyName": "Gauss",
                "nameIdentifiers": [
                    {
                        "nameIdentifier": "https://orcid.org/0000-0002-1825-0097",
                        "nameIdentifierScheme": "ORCID",
                        "schemeUri": "https://orcid.org",
                    }
                ],
            },
        ],
        "titles": [{"title": "Diffraction of reference samples", "lang": "en"}],
        "publisher": {
            "name": "ALBA Synchrotron",
            "publisherIdentifier": "https://ror.org/02j9n6e35",
            "publisherIdentifierScheme": "ROR",
            "schemeUri": "https://ror.org",
        },
        "publicationYear": "2028",
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Experiment session"},
        "contributors": [
            {"name": "Lise Meitner", "nameType": "Personal", "contributorType": "DataCollector"},
            {
                "name": "Lovelace, Ada",
                "nameType": "Personal",
                "givenName": "Ada",
                "familyName": "Lovelace",
                "affiliation": [{"name": "Analytical Society"}],
                "contributorType": "ProjectManager",
            },
        ],
        "subjects": [
            {"subject": "MX", "subjectScheme": "Proposal Type"},
            {"subject": "20250330096", "subjectScheme": "Proposal"},
            {"subject": "BL06 - XAIRA", "subjectScheme": "Instrument"},
            {"subject": "lysozyme"},
        ],
        "dates": [
            {"date": "2025-07-14/2025-07-17", "dateType": "Collected"},
            {"date": "2028-07-17", "dateType": "Available"},
            {"date": "2028-07-17", "dateType": "Issued"},
        ],
        "alternateIdentifiers": [
            {
                "alternateIdentifier": "ALBA/20250330096/bl06",
                "alternateIdentifierType": "ICAT investigation",
            }
        ],
        "relatedIdentifiers": [
            {
                "relatedIdentifier": "10.1107/S0909049512345678",
                "relatedIdentifierType": "DOI",
                "relationType": "IsDocumentedBy",
            },
            {"relatedIdentifier": "10.5072/ds.1", "relatedIdentifierType": "DOI", "relationType": "HasPart"},
            {
                "relatedIdentifier": "10.5072/xaira",
                "relatedIdentifierType": "DOI",
                "relationType": "IsCollectedBy",
                "resourceTypeGeneral": "Instrument",
            },
        ],
        "rightsList": [
            {
                "rights": "Creative Commons Attribution 4.0 International",
                "rightsUri": "https://creativecommons.org/licenses/by/4.0/legalcode",
                "rightsIdentifier": "CC-BY-4.0",
                "rightsIdentifierScheme": "SPDX",
                "schemeUri": "https://spdx.org/licenses/",
            }
        ],
        "descriptions": [
            {"description": "Reference samples were measured.", "descriptionType": "Abstract", "lang": "en"}
        ],
        "fundingReferences": [
            {
                "funderName": "ALBA Synchrotron",
                "funderIdentifier": "https://ror.org/02j9n6e35",
                "funderIdentifierType": "ROR",
                "awardNumber": "20250330096",
                "awardTitle": "Diffraction of reference samples",
            },
            {
                "funderName": "EU",
                "awardNumber": "101",
                "awardTitle": "A grant",
                "funderIdentifier": "https://ror.org/019w4f821",
                "funderIdentifierType": "ROR",
            },
        ],
        "language": "en",
    }


def test_it_is_valid_with_everything_and_with_the_least() -> None:
    bare = document(BARE, rights=None, funder=None, language=None, publisher=Publisher("ALBA"))
    assert problems(document()) == ()
    assert problems(bare) == ()
    assert {"rightsList", "descriptions", "fundingReferences", "relatedIdentifiers", "language"}.isdisjoint(
        bare
    )


def test_the_rest_api_gets_the_year_as_a_number_and_the_change_of_state() -> None:
    whole = document()
    assert attributes_of(whole, "publish") == {**whole, "publicationYear": 2028, "event": "publish"}
    assert "event" not in attributes_of(whole, None)


def test_a_person_with_several_roles_or_accounts_is_a_creator_once() -> None:
    same = (
        evolve(CARL, role="Principal investigator"),
        CARL,
        evolve(CARL, user=9, role="PARTICIPANT", full_name="C. F. Gauss", given_name=None),
    )
    assert [one["name"] for one in document(evolve(PROPOSAL, people=same))["creators"]] == ["Gauss, Carl"]


def test_a_session_of_one_day_is_no_range() -> None:
    assert document(evolve(PROPOSAL, end=PROPOSAL.start))["dates"][0]["date"] == "2025-07-14"


def test_all_that_is_missing_is_named_and_waited_for() -> None:
    with pytest.raises(NotYet) as raised:
        document(evolve(PROPOSAL, people=(LISE,), title=" ", start=None, release=None))
    assert "roles principal investigator or participant, title, startDate, releaseDate" in str(raised.value)
    assert "Meitner" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "identifier"),
    [
        ("0000-0002-1825-0097", "https://orcid.org/0000-0002-1825-0097"),
        ("http://orcid.org/0000-0002-1694-233x/", "https://orcid.org/0000-0002-1694-233X"),
        ("0000-0002-1825-0098", None),
        ("0000000218250097", "https://orcid.org/0000-0002-1825-0097"),
        ("ORCID: 0000-0002-1825-0097", "https://orcid.org/0000-0002-1825-0097"),
        ("", None),
        (None, None),
    ],
)
def test_an_orcid_id_counts_where_its_last_digit_agrees(given: str | None, identifier: str | None) -> None:
    person = evolve(LISE, role="Participant", orcid=given)
    (found,) = document(evolve(PROPOSAL, people=(person,)))["creators"]
    held = [one["nameIdentifier"] for one in found.get("nameIdentifiers", ())]
    assert held == ([] if identifier is None else [identifier])


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        ("https://ror.org/019w4f821", "ROR"),
        ("https://doi.org/10.13039/501100000780", "Crossref Funder ID"),
        ("grid.270680.b", "GRID"),
        ("https://isni.org/isni/0000000121622199", "ISNI"),
        ("EU-4711", "Other"),
    ],
)
def test_a_funder_s_identifier_is_known_by_its_form(identifier: str, kind: str) -> None:
    references = document(evolve(PROPOSAL, awards=(Award("EU", identifier, "1", None),)))["fundingReferences"]
    assert references[-1]["funderIdentifierType"] == kind


def test_identifiers_that_are_no_doi_and_no_handle_are_left_out() -> None:
    vague = evolve(
        PROPOSAL,
        publications=("see the library", "doi:10.1000/1", "10.1000/1"),
        datasets=(),
        instruments=(Instrument("a", None, "hdl:21.T11998/0000"), Instrument("b", None, "BL06")),
    )
    found = [
        (one["relatedIdentifierType"], one["relatedIdentifier"])
        for one in document(vague)["relatedIdentifiers"]
    ]
    assert found == [("DOI", "10.1000/1"), ("Handle", "21.T11998/0000")]


def test_what_breaks_the_schema_is_named_without_its_value() -> None:
    wrong = document()
    wrong["creators"][0]["nameType"] = "Ada Lovelace"
    wrong["creators"][1] = {"nameType": "Personal"}
    wrong["dates"][0]["date"] = "last summer"
    wrong["dates"][1]["dateType"] = "Coverage"  # of schema 4.6
    wrong["publicationYear"] = 2028
    wrong["url"] = "https://example.org/a b"
    wrong["identifiers"] = []
    found = problems(wrong)
    assert {one.path for one in found} >= {
        "datacite.creators[0].nameType",
        "datacite.creators[1]",
        "datacite.dates[0].date",
        "datacite.dates[1].dateType",
        "datacite.publicationYear",
        "datacite.url",
        "datacite",
    }
    text = " ".join(map(str, found))
    assert "has no name" in text
    assert not [value for value in ("Ada", "summer", "Coverage", "a b") if value in text]


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("2025", True),
        ("2025-07", True),
        ("2025-07-14", True),
        ("2025-07-14T10:00:00+02:00", True),
        ("2025-07-14/2025-07-17", True),
        ("2025-07-14/", True),
        ("/", False),
        ("2025-13", False),
        ("2025-02-30", False),
        ("14.7.2025", False),
        ("2025-07-14/tomorrow", False),
    ],
)
def test_dates_are_those_of_the_w3c_and_their_ranges(text: str, good: bool) -> None:
    dated = document()
    dated["dates"] = [{"date": text, "dateType": "Collected"}]
    assert (problems(dated) == ()) is good


# What a database may hold, blank names and names of blanks included.
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
maybe = st.none() | texts
roles = st.sampled_from(["Principal investigator", "Participant", "Local contact", "Scientist"])
orcids = st.none() | st.just("0000-0002-1825-0097") | texts
people = st.lists(st.builds(Person, st.integers(1, 4), roles, maybe, maybe, maybe, maybe, orcids), max_size=6)
odd_proposals = st.builds(
    lambda team, **more: evolve(PROPOSAL, people=(ADA, *team), **more),
    people,
    awards=st.lists(st.builds(Award, texts, maybe, texts, maybe), max_size=3),
    instruments=st.lists(st.builds(Instrument, texts, maybe, maybe), max_size=3),
    keywords=st.lists(texts, max_size=3),
    publications=st.lists(texts | st.just("10.1000/1"), max_size=3),
    title=texts.filter(str.strip),
    summary=maybe,
    type=maybe,
)


@settings(max_examples=60, deadline=None)
@given(odd_proposals)
def test_whatever_icat_holds_the_metadata_are_valid_and_nothing_is_blank(proposal: Proposal) -> None:
    metadata = document(proposal, funder=Funder("F", None))
    assert problems(metadata) == ()
    assert "" not in {text.strip() for text in texts_in(metadata)}


def texts_in(value: Any) -> Iterator[str]:
    """Give every text in a document."""
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts_in(one)


@pytest.mark.parametrize("dots", [".", "..", "..."])
@pytest.mark.parametrize("what", ["name", "visit_id"])
def test_a_name_of_dots_leads_to_no_other_page(what: str, dots: str) -> None:
    names: dict[str, Any] = {what: dots}
    identity = evolve(PROPOSAL.identity, **names)
    options = options_of(landing_page="https://data.example.org/{name}/{visit}/{id}")
    with pytest.raises(Reject, match="dots alone"):
        document_of(evolve(PROPOSAL, identity=identity), "10.12345/x", options)


@pytest.mark.parametrize("name", ["../../x", "a?b#c", "a/b", "javascript:alert(1)", '"><script>'])
def test_a_name_is_one_segment_of_a_page(name: str) -> None:
    identity = evolve(PROPOSAL.identity, name=name)
    options = options_of(landing_page="https://data.example.org/a/{name}/{id}")
    url = document_of(evolve(PROPOSAL, identity=identity), "10.12345/x", options)["url"]
    assert url.count("/") == 5
    assert not set('?#"<>') & set(url)


@pytest.mark.parametrize(
    "identifier",
    [
        "javascript:alert(1)//10.1/x",
        "hdl:javascript:alert(1)//x",
        "https://evil.example/10.1234/x",
        "data:,x/y",
    ],
)
def test_what_is_no_identifier_is_related_to_nothing(identifier: str) -> None:
    instrument = Instrument("bl", "bl", identifier)
    found = document(evolve(PROPOSAL, publications=(identifier,), datasets=(), instruments=(instrument,)))
    assert "relatedIdentifiers" not in found


def test_what_turns_or_hides_a_text_is_left_out() -> None:
    found = document(evolve(PROPOSAL, title="a\u202ex\x9b31m\u2066b\ufeff\u200b\x85c"))
    assert found["titles"][0]["title"] == "ax31mb c"
