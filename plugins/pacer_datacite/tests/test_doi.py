"""The DOI of an investigation."""

from __future__ import annotations

import re

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from pacer_datacite import Identity, doi_of
from pacer_datacite.doi import check_template

SUFFIX = "{name}-{visit}-{hash}"
IDENTITY = Identity(17, "ALBA", "20250330096", "bl06")
ALLOWED = re.compile(r"10\.\d{4,5}/[-._;()/:a-z0-9*~$=]+")


@pytest.mark.parametrize(
    ("identity", "suffix", "doi"),
    [
        (IDENTITY, SUFFIX, "10.5072/20250330096-bl06-kgqayzwk"),
        (IDENTITY, "ESRF-ES-{id}", "10.5072/esrf-es-17"),
        (Identity(3, "ESRF", "MX/123 é", "ID30A-3"), "{facility}.{hash}", "10.5072/esrf.jpamjuzz"),
        (Identity(3, "ESRF", "MX/123 é", "ID30A-3"), SUFFIX, "10.5072/mx-123-e-id30a-3-jpamjuzz"),
        (Identity(4, "Ω", "日本", "."), SUFFIX, "10.5072/x-x-tirecynz"),
    ],
)
def test_dois_that_have_been_minted_never_change(identity: Identity, suffix: str, doi: str) -> None:
    assert doi_of("10.5072", suffix, identity) == doi


def test_two_visits_two_facilities_and_similar_names_have_dois_of_their_own() -> None:
    others = [
        IDENTITY,
        evolve(IDENTITY, visit_id="bl13"),
        evolve(IDENTITY, facility="ESRF"),
        evolve(IDENTITY, name="2025033009", visit_id="6bl06"),
        evolve(IDENTITY, name="mx 1"),
        evolve(IDENTITY, name="mx/1"),
        evolve(IDENTITY, name="mx-1"),
    ]
    assert len({doi_of("10.5072", SUFFIX, one) for one in others}) == len(others)


def test_names_that_icat_takes_for_the_same_have_the_same_doi() -> None:
    shouted = evolve(IDENTITY, facility="alba", visit_id="BL06  ")
    assert doi_of("10.5072", SUFFIX, shouted) == doi_of("10.5072", SUFFIX, IDENTITY)


@given(facility=st.text(min_size=1), name=st.text(min_size=1), visit=st.text(min_size=1))
def test_a_doi_holds_only_what_datacite_takes(facility: str, name: str, visit: str) -> None:
    doi = doi_of("10.12345", SUFFIX, Identity(1, facility[:60], name[:60], visit[:60]))
    assert ALLOWED.fullmatch(doi)


def test_a_doi_that_icat_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="ICAT holds 255"):
        doi_of("10.5072", SUFFIX, evolve(IDENTITY, name="n" * 250))


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{name}", "two visits one DOI"),
        ("{name}-{visit}", "two visits one DOI"),
        ("{proposal}-{hash}", "names {proposal}; there are facility, hash, id, name, visit"),
        ("{hash", "a brace too many or too few"),
        ("{hash:>9}", "more than names"),
        ("{hash!r}", "more than names"),
        ("{}{hash}", "names {}"),
        ("session {hash}", "what a DOI may not"),
    ],
)
def test_a_template_that_cannot_serve_is_refused(template: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        check_template(template)
