"""What ICAT knows about one visit of a proposal, as far as DataCite wants to know it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, tzinfo
from typing import Any

from attrs import field, frozen

from pacer_core import NotYet
from pacer_datacite.doi import Identity
from pacer_icat import IcatClient

_UNSEEN = re.compile(
    "[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)


def said(text: str | None) -> str | None:
    """Give a text in one line, or ``None`` where it says nothing.

    What is not seen but turns or hides what is, in terminals and pages, is left out: control characters and
    those of direction.
    """
    return " ".join(_UNSEEN.sub("", text).split()) or None if text else None


def all_said(texts: Iterable[str | None]) -> tuple[str, ...]:
    """Give those of some texts that say something, each once."""
    return tuple(dict.fromkeys(one for one in map(said, texts) if one is not None))


@frozen
class Person:
    """A member of the team, once for each role."""

    user: int
    """The id in ICAT: two accounts are two people unless they share an ORCID iD."""
    role: str
    full_name: str | None = field(converter=said)
    given_name: str | None = field(converter=said)
    family_name: str | None = field(converter=said)
    affiliation: str | None = field(converter=said)
    orcid: str | None = field(converter=said)


@frozen
class Instrument:
    """Where it was measured."""

    name: str | None = field(converter=said)
    full_name: str | None = field(converter=said)
    pid: str | None = field(converter=said)


@frozen
class Award:
    """A grant, as ICAT's FundingReference has it."""

    funder: str | None = field(converter=said)
    funder_identifier: str | None = field(converter=said)
    number: str | None = field(converter=said)
    title: str | None = field(converter=said)


@frozen
class Proposal:
    """One visit of a proposal; dates are by the facility's clock."""

    identity: Identity
    doi: str | None = field(converter=said)
    title: str | None = field(converter=said)
    summary: str | None = field(converter=said)
    type: str | None = field(converter=said)
    start: date | None
    end: date | None
    release: date | None
    people: tuple[Person, ...]
    instruments: tuple[Instrument, ...]
    keywords: tuple[str, ...] = field(converter=all_said)
    awards: tuple[Award, ...]
    publications: tuple[str, ...] = field(converter=all_said)
    """DOIs of what has been written about it."""
    datasets: tuple[str, ...] = field(converter=all_said)
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
        doi=row["doi"],
        title=row["title"],
        summary=row["summary"],
        type=None if row["type"] is None else row["type"]["name"],
        start=_day(row["startDate"], wire.zone),
        end=_day(row["endDate"], wire.zone),
        release=_day(row["releaseDate"], wire.zone),
        people=tuple(_person(one) for one in row["investigationUsers"] or ()),
        instruments=tuple(_instrument(one["instrument"]) for one in _sorted(row["investigationInstruments"])),
        keywords=[one["name"] for one in _sorted(row["keywords"])],
        awards=tuple(_award(one["funding"]) for one in _sorted(row["fundingReferences"])),
        publications=[one["doi"] for one in _sorted(row["publications"])],
        datasets=datasets,
    )


def _person(link: Any) -> Person:
    user = link["user"]
    return Person(
        user=user.id,
        role=link["role"],
        full_name=user["fullName"],
        given_name=user["givenName"],
        family_name=user["familyName"],
        affiliation=user["affiliation"],
        orcid=user["orcidId"],
    )


def _instrument(record: Any) -> Instrument:
    return Instrument(record["name"], record["fullName"], record["pid"])


def _award(record: Any) -> Award:
    return Award(
        record["funderName"], record["funderIdentifier"], record["awardNumber"], record["awardTitle"]
    )


def _sorted(records: Iterable[Any] | None) -> list[Any]:
    """ICAT gives what is included in no particular order; the same metadata shall look the same."""
    return sorted(records or (), key=lambda one: int(one.id))


def _day(time: datetime | None, zone: tzinfo | None) -> date | None:
    return None if time is None else time.astimezone(zone).date()
