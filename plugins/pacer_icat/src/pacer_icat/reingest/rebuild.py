"""A dataset of ICAT as the message that would bring it there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from attrs import frozen

from pacer_icat.catalogue import Investigation
from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.parameters import value_in
from pacer_icat.soap import Record

PAGE = 20
"""Datasets in one answer of ICAT: with what belongs to them they stay well below its limit of objects."""
_OWN = "__"
_WHICH = "WHERE d.investigation.id = :investigation AND d.id > :after ORDER BY d.id"
_WITH = "INCLUDE d.sample AS s, s.type, d.parameters AS p, p.type"


@frozen
class Rebuilt:
    """The message of one dataset, or what is missing in ICAT for a message."""

    id: int
    message: dict[str, Any]
    missing: tuple[str, ...]

    @property
    def why(self) -> str:
        """Why there is no message."""
        return f"has no {' and no '.join(self.missing)} in ICAT"


def rebuild(
    visit: Investigation, after: int, left_out: frozenset[str], icat: Shared, *, instrument: str | None
) -> Iterator[Rebuilt]:
    """Give the datasets of a visit whose ids come after one, in the order of their ids; a page at a time.

    ``instrument`` is the visit's, for datasets that have none of their own; ``left_out`` holds parameters,
    folded.
    """
    links = ""
    if icat.wire.schema.has("Dataset", "datasetInstruments"):
        links = ", d.datasetInstruments AS link, link.instrument"
    while True:
        page = icat.wire.search(
            f"SELECT d FROM Dataset d {_WHICH} LIMIT 0, {PAGE} {_WITH}{links}",  # noqa: S608 - constants
            investigation=visit.id,
            after=after,
        )
        for record in page:
            yield _rebuilt(record, visit, left_out, icat, instrument)
        if len(page) < PAGE:
            return
        after = page[-1].id


def instrument_of(visit: Investigation, icat: Shared) -> str | None:
    """Give the name of a visit's instrument, or of its oldest one."""
    found = icat.wire.search(
        "SELECT link.instrument.name FROM InvestigationInstrument link "
        "WHERE link.investigation.id = :id ORDER BY link.id LIMIT 0, 1",
        id=visit.id,
    )
    return found[0] if found else None


def _rebuilt(
    record: Record, visit: Investigation, left_out: frozenset[str], icat: Shared, instrument: str | None
) -> Rebuilt:
    links: list[Record] = sorted(record["datasetInstruments"] or (), key=lambda link: link.id)
    sample: Record | None = record["sample"]
    required = {
        "instrument": links[0].related("instrument")["name"] if links else instrument,
        "location": record["location"],
        "start_date": _text(record["startDate"]),
        "end_date": _text(record["endDate"]),
        "sample": None if sample is None else _sample(sample),
    }
    missing = tuple(name for name, value in required.items() if not value)
    if missing:
        return Rebuilt(record.id, {}, missing)
    message = {
        "investigation": visit.name,
        "investigation_id": visit.id,
        "name": record["name"],
        **required,
        "parameters": list(_parameters(record["parameters"] or (), left_out)),
        "datafiles": _files(record.id, icat),
    }
    return Rebuilt(record.id, message, ())


def _sample(sample: Record) -> dict[str, str]:
    kind: Record | None = sample["type"]
    return {"name": sample["name"]} | ({} if kind is None else {"type": kind["name"]})


def _parameters(records: Iterable[Record], left_out: frozenset[str]) -> Iterator[dict[str, Any]]:
    def place(record: Record) -> tuple[str, str]:
        kind = record.related("type")  # not the id: ICAT gives those to a dataset's parameters as it likes
        return kind["name"], kind["units"] or ""

    for record in sorted(records, key=place):
        kind = record.related("type")
        name, value = kind["name"], value_in(record)
        if value is None or value == "" or name.startswith(_OWN) or fold(name) in left_out:
            continue
        units = (kind["units"] or "").strip()
        known = {"units": units} if units else {}
        yield {"name": name, "value": _text(value) if isinstance(value, datetime) else value, **known}


def _files(dataset: int, icat: Shared) -> list[dict[str, Any]]:
    rows = icat.wire.search_all(
        "SELECT f.location, f.fileSize FROM Datafile f WHERE f.dataset.id = :dataset "
        "ORDER BY f.name, f.id",  # ids come in no order: ICAT gives them to a dataset's files as it likes
        dataset=dataset,
    )
    return [{"location": location} | ({"size": size} if size else {}) for location, size in rows if location]


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
