"""DataCite metadata of an investigation, in the vocabulary of schema 4.5.

https://datacite-metadata-schema.readthedocs.io/en/4.5/: the numbers below are those of its properties.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from pacer_core import NotYet
from pacer_datacite.client import LOCAL
from pacer_datacite.options import DataciteOptions, Funder, Publisher, Rights
from pacer_datacite.proposal import Award, Instrument, Person, Proposal, said
from pacer_icat import orcid_uri

log = logging.getLogger("pacer.datacite")

Document = dict[str, Any]

KERNEL = "http://datacite.org/schema/kernel-4"
CREATORS = ("principal investigator", "participant")
"""Roles in ICAT whose holders are creators, in the order in which they are cited."""
CONTRIBUTORS = {
    "local contact": "DataCollector",
    "principal investigator": "ProjectManager",
    "proposal scientist": "ProjectMember",
}
"""Roles in ICAT, and what DataCite calls them."""

_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
_HANDLE = re.compile(r"(?:https?://hdl\.handle\.net/|hdl:)([\w.-]+/\S+)", re.IGNORECASE)
_FUNDERS = (
    ("https://ror.org/", "ROR"),
    ("https://doi.org/10.13039/", "Crossref Funder ID"),
    ("http://dx.doi.org/10.13039/", "Crossref Funder ID"),
    ("10.13039/", "Crossref Funder ID"),
    ("https://www.grid.ac/", "GRID"),
    ("grid.", "GRID"),
    ("https://isni.org/", "ISNI"),
)


def document_of(proposal: Proposal, doi: str, options: DataciteOptions) -> Document:
    """Give the metadata of an investigation, as the JSON form of schema 4.5.

    Raises
    ------
    NotYet
        Where something is missing that DataCite cannot do without, all of it named.
    """
    creators = [_person(one) for one in _people(proposal.people, CREATORS)]
    missing = [
        *(() if creators else (f"users in the roles {' or '.join(CREATORS)}",)),
        *(() if proposal.title else ("title",)),
        *(() if proposal.start else ("startDate",)),
        *(() if proposal.end else ("endDate",)),
        *(() if proposal.release else ("releaseDate",)),
        *(("endDate that is not before its startDate",) if _is_reversed(proposal) else ()),
    ]
    if missing or proposal.start is None or proposal.end is None or proposal.release is None:
        raise NotYet(
            f"the investigation {proposal.identity.name!r} ({proposal.identity.visit_id!r}) cannot be cited: "
            f"ICAT has no {', '.join(missing)} of it"
        )
    for user in sorted({one.user for one in proposal.people if one.orcid and orcid_uri(one.orcid) is None}):
        log.warning("what ICAT has as ORCID iD of user %d is none, and is left out of %s", user, doi)
    document: Document = {
        "schemaVersion": KERNEL,
        "doi": doi,
        "url": options.page(doi, proposal.identity),
        "creators": creators,
        "titles": [_with_language({"title": proposal.title}, options)],
        "publisher": _publisher(options.publisher),
        "publicationYear": f"{proposal.release:%Y}",
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Experiment session"},
        "contributors": _contributors(proposal.people),
        "subjects": list(_unique(_subjects(proposal))),
        "dates": _dates(proposal.start, proposal.end, proposal.release),
        "alternateIdentifiers": [_local(proposal)],
        "relatedIdentifiers": list(_unique(_related(proposal))),
        "rightsList": [] if options.rights is None else [_rights(options.rights)],
        "descriptions": _descriptions(proposal, options),
        "fundingReferences": list(_unique(_funding(proposal, options.funder))),
    }
    if options.language:
        document["language"] = options.language
    return {name: value for name, value in document.items() if value != []}


def attributes_of(document: Document, event: str | None) -> Document:
    """Give a document as the REST API wants it, whose year is a number; with the change of state."""
    attributes = {**document, "publicationYear": int(document["publicationYear"])}
    return attributes if event is None else {**attributes, "event": event}


def _people(people: Iterable[Person], roles: Iterable[str]) -> list[Person]:
    """Give the holders of some roles who have a name, role by role, each person once."""
    ranks = {role: rank for rank, role in enumerate(roles)}
    chosen = [one for one in people if _role(one) in ranks and _name(one)]
    chosen.sort(key=lambda one: (ranks[_role(one)], _name(one).casefold(), one.user))
    seen: set[str] = set()
    found = []
    for one in chosen:
        who = {f"user {one.user}", *(() if (iri := orcid_uri(one.orcid)) is None else (iri,))}
        if seen.isdisjoint(who):
            found.append(one)
        seen |= who
    return found


def _role(person: Person) -> str:
    """Give a role as it is compared: ``PRINCIPAL_INVESTIGATOR`` is ``principal investigator``."""
    return " ".join(person.role.replace("_", " ").split()).casefold()


def _name(person: Person) -> str:
    if person.family_name and person.given_name:
        return f"{person.family_name}, {person.given_name}"
    return person.full_name or person.family_name or person.given_name or ""


def _person(person: Person) -> Document:
    """Give a creator (2), or what a contributor (7) shares with one."""
    found: Document = {"name": _name(person), "nameType": "Personal"}
    if person.given_name and person.family_name:
        found |= {"givenName": person.given_name, "familyName": person.family_name}
    if person.affiliation:
        found["affiliation"] = [{"name": person.affiliation}]
    if iri := orcid_uri(person.orcid):
        found["nameIdentifiers"] = [
            {"nameIdentifier": iri, "nameIdentifierScheme": "ORCID", "schemeUri": "https://orcid.org"}
        ]
    return found


def _contributors(people: Iterable[Person]) -> list[Document]:
    """Give contributors (7)."""
    return [
        {**_person(one), "contributorType": kind}
        for role, kind in CONTRIBUTORS.items()
        for one in _people(people, (role,))
    ]


def _publisher(publisher: Publisher) -> Document:
    """Give the publisher (4)."""
    if publisher.ror is None:
        return {"name": publisher.name}
    return {
        "name": publisher.name,
        "publisherIdentifier": publisher.ror,
        "publisherIdentifierScheme": "ROR",
        "schemeUri": "https://ror.org",
    }


def _subjects(proposal: Proposal) -> Iterator[Document]:
    """Give subjects (6)."""
    if proposal.type:
        yield {"subject": proposal.type, "subjectScheme": "Proposal Type"}
    yield {"subject": said(proposal.identity.name) or "-", "subjectScheme": "Proposal"}
    for instrument in proposal.instruments:
        if name := instrument.full_name or instrument.name:
            yield {"subject": name, "subjectScheme": "Instrument"}
    for keyword in proposal.keywords:
        yield {"subject": keyword}


def _is_reversed(proposal: Proposal) -> bool:
    return proposal.start is not None and proposal.end is not None and proposal.end < proposal.start


def _dates(start: date, end: date, release: date) -> list[Document]:
    """Give dates (8); ranges as RKMS-ISO8601 has them."""
    collected = f"{start.isoformat()}/{end.isoformat()}" if start < end else start.isoformat()
    return [
        {"date": collected, "dateType": "Collected"},
        {"date": release.isoformat(), "dateType": "Available"},
        {"date": release.isoformat(), "dateType": "Issued"},
    ]


def _local(proposal: Proposal) -> Document:
    """Give the alternate identifier (11) by which we know our own entries."""
    identity = proposal.identity
    return {
        "alternateIdentifier": f"{identity.facility}/{identity.name}/{identity.visit_id}",
        "alternateIdentifierType": LOCAL,
    }


def _related(proposal: Proposal) -> Iterator[Document]:
    """Give related identifiers (12): publications, datasets, and instruments that have an identifier."""
    for doi in proposal.publications:
        yield from _relation(doi, "IsDocumentedBy")
    for doi in proposal.datasets:
        yield from _relation(doi, "HasPart")
    for instrument in proposal.instruments:
        yield from _instrument(instrument)


def _instrument(instrument: Instrument) -> Iterator[Document]:
    for relation in _relation(instrument.pid, "IsCollectedBy"):
        yield {**relation, "resourceTypeGeneral": "Instrument"}


def _relation(identifier: str | None, kind: str) -> Iterator[Document]:
    text = identifier or ""
    for pattern, name in ((_DOI, "DOI"), (_HANDLE, "Handle")):
        if match := pattern.fullmatch(text):
            yield {
                "relatedIdentifier": match.group(1),
                "relatedIdentifierType": name,
                "relationType": kind,
            }
            return


def _rights(rights: Rights) -> Document:
    """Give rights (16)."""
    found: Document = {"rights": rights.name}
    if rights.uri:
        found["rightsUri"] = rights.uri
    if rights.identifier:
        found |= {
            "rightsIdentifier": rights.identifier,
            "rightsIdentifierScheme": "SPDX",
            "schemeUri": "https://spdx.org/licenses/",
        }
    return found


def _descriptions(proposal: Proposal, options: DataciteOptions) -> list[Document]:
    """Give descriptions (17)."""
    if proposal.summary is None:
        return []
    return [_with_language({"description": proposal.summary, "descriptionType": "Abstract"}, options)]


def _funding(proposal: Proposal, funder: Funder | None) -> Iterator[Document]:
    """Give funding references (19)."""
    if funder is not None:
        found: Document = {"funderName": funder.name}
        if funder.identifier:
            found |= {"funderIdentifier": funder.identifier, "funderIdentifierType": funder.identifier_type}
        yield {**found, "awardNumber": said(proposal.identity.name) or "-", "awardTitle": proposal.title}
    for award in proposal.awards:
        if award.funder:
            yield _award(award)


def _award(award: Award) -> Document:
    found: Document = {"funderName": award.funder}
    if award.number:
        found["awardNumber"] = award.number
    if award.title:
        found["awardTitle"] = award.title
    if award.funder_identifier:
        kind = next((kind for start, kind in _FUNDERS if award.funder_identifier.startswith(start)), "Other")
        found |= {"funderIdentifier": award.funder_identifier, "funderIdentifierType": kind}
    return found


def _with_language(document: Document, options: DataciteOptions) -> Document:
    return {**document, "lang": options.language} if options.language else document


def _unique(documents: Iterable[Document]) -> Iterator[Document]:
    seen: list[Document] = []
    for one in documents:
        if one not in seen:
            seen.append(one)
            yield one
