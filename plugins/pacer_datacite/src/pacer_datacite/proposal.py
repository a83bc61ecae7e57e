"""What ICAT knows about one visit of a proposal, as far as DataCite wants to know it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, tzinfo
from typing import Any

from attrs import frozen

from pacer_core import NotYet
from pacer_datacite.doi import Identity
from pacer_icat import IcatClient


@frozen
class Person:
    """A member of the team, once for each role."""

    user: int
    """The id in ICAT: two accounts are two people unless they share an ORCID iD."""
    role: str
    full_name: str | None
    given_name: str | None
    family_name: str | None
    affiliation: str | None
    orcid: str | None


@frozen
class Instrument:
    """Where it was measured."""

    name: str
    full_name: str | None
    pid: str | None


@frozen
class Award:
    """A grant, as ICAT's FundingReference has it."""

    funder: str
    funder_identifier: str | None
    number: str
    title: str | None


@frozen
class Proposal:
    """One visit of a proposal; dates are by the facility's clock."""

    identity: Identity
    doi: str | None
    title: str
    summary: str | None
    type: str | None
    start: date | None
    end: date | None
    release: date | None
    people: tuple[Person, ...]
    instruments: tuple[Instrument, ...]
    keywords: tuple[str, ...]
    awards: tuple[Award, ...]
    publications: tuple[str, ...]
    """DOIs of what has been written about it."""
    datasets: tuple[str, ...]
    """DOIs of datasets that have their own."""


_INCLUDES = (
    "o.facility",
    "o.type",
    "o.investigationUsers AS seat",
    "seat.user",
    "o.investigationInstruments AS link",
    "link.instrument",
    "o.keywords",
    "o.publications",
)


def read(icat: IcatClient, id: int) -> Proposal:  # noqa: A002 - ICAT's word
    """Give all that ICAT knows of an investigation.

    Raises
    ------
    NotYet
        Where it is gone.
    """
    wire = icat.shared.wire
    funded = wire.schema.has("Investigation", "fundingReferences")
    includes = (*_INCLUDES, *(("o.fundingReferences AS grant", "grant.funding") if funded else ()))
    rows = wire.search(
        f"SELECT o FROM Investigation o WHERE o.id = :id INCLUDE {', '.join(includes)}",  # noqa: S608 - constants
        id=id,
    )
    if not rows:
        raise NotYet(f"ICAT has no investigation of id {id}")
    row = rows[0]
    identity = Identity(row.id, row["facility"]["name"], row["name"], row["visitId"])
    datasets = wire.search(
        "SELECT d.doi FROM Dataset d WHERE d.investigation.id = :id AND d.doi IS NOT NULL ORDER BY d.id",
        id=id,
    )
    return Proposal(
        identity=identity,
        doi=row["doi"] or None,
        title=row["title"],
        summary=_said(row["summary"]),
        type=None if row["type"] is None else row["type"]["name"],
        start=_day(row["startDate"], wire.zone),
        end=_day(row["endDate"], wire.zone),
        release=_day(row["releaseDate"], wire.zone),
        people=tuple(_person(one) for one in row["investigationUsers"] or ()),
        instruments=tuple(
            Instrument(
                one["instrument"]["name"], _said(one["instrument"]["fullName"]), one["instrument"]["pid"]
            )
            for one in _sorted(row["investigationInstruments"])
        ),
        keywords=tuple(one["name"] for one in _sorted(row["keywords"])),
        awards=tuple(_award(one["funding"]) for one in _sorted(row["fundingReferences"])),
        publications=tuple(doi for one in _sorted(row["publications"]) if (doi := _said(one["doi"]))),
        datasets=tuple(dict.fromkeys(doi for one in datasets if (doi := _said(one)))),
    )


def _person(link: Any) -> Person:
    user = link["user"]
    return Person(
        user=user.id,
        role=link["role"],
        full_name=_said(user["fullName"]),
        given_name=_said(user["givenName"]),
        family_name=_said(user["familyName"]),
        affiliation=_said(user["affiliation"]),
        orcid=_said(user["orcidId"]),
    )


def _award(funding: Any) -> Award:
    return Award(
        funding["funderName"],
        _said(funding["funderIdentifier"]),
        funding["awardNumber"],
        _said(funding["awardTitle"]),
    )


def _sorted(records: Iterable[Any] | None) -> list[Any]:
    """ICAT gives what is included in no particular order; the same metadata shall look the same."""
    return sorted(records or (), key=lambda one: int(one.id))


def _said(text: str | None) -> str | None:
    return " ".join(text.split()) or None if text else None


def _day(time: datetime | None, zone: tzinfo | None) -> date | None:
    return None if time is None else time.astimezone(zone).date()
