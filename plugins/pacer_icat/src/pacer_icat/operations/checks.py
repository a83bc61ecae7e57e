"""What has to be in ICAT before an investigation may be published."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from attrs import frozen

from pacer_core import NotYet
from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.operations.options import MINT, PANOSC
from pacer_icat.soap import Record

PUBLISHING = (MINT, PANOSC)


@frozen
class State:
    """What ICAT holds of an investigation, as far as publishing it goes."""

    type: str
    start: datetime | None
    end: datetime | None
    release: datetime | None
    doi: str
    has_users: bool
    has_instruments: bool
    has_datasets: bool


def read(icat: Shared, investigation: int) -> State:
    """Ask ICAT for the state of an investigation.

    Raises
    ------
    NotYet
        Where it is gone.
    """
    rows = icat.wire.search(
        "SELECT o FROM Investigation o WHERE o.id = :id "
        "INCLUDE o.type, o.investigationUsers, o.investigationInstruments",
        id=investigation,
    )
    if not rows:
        raise NotYet(f"ICAT has no investigation with id {investigation}")
    datasets = icat.wire.search(
        "SELECT d.id FROM Dataset d WHERE d.investigation.id = :id ORDER BY d.id LIMIT 0, 1",
        id=investigation,
    )
    record: Record = rows[0]
    return State(
        type=record.related("type")["name"],
        start=record["startDate"],
        end=record["endDate"],
        release=record["releaseDate"],
        doi=record["doi"] or "",
        has_users=bool(record["investigationUsers"]),
        has_instruments=bool(record["investigationInstruments"]),
        has_datasets=bool(datasets),
    )


def forbidden(state: State, operation: str, *, industrial_type: str) -> Iterator[str]:
    """Give the reasons for which an operation is refused, until a person changes something."""
    if operation not in PUBLISHING:
        return
    if fold(state.type) == fold(industrial_type):
        yield "is not for industrial investigations"
    dates = {"start": state.start, "end": state.end, "release": state.release}
    if missing := [name for name, date in dates.items() if date is None]:
        yield f"needs an investigation with a {' and a '.join(missing)} date in ICAT"
    if state.end is not None and state.end > datetime.now(UTC):
        yield "is for investigations that have ended"
    if not state.has_instruments:
        yield "needs an investigation with an instrument in ICAT"
    if operation == MINT and not state.has_users:
        yield "needs an investigation with users in ICAT"


def awaited(state: State, operations: tuple[str, ...], operation: str) -> Iterator[str]:
    """Give what an operation waits for, since other messages bring it."""
    if operation == MINT and not state.has_datasets:
        yield "the investigation has no datasets in ICAT"
    if operation == PANOSC and not state.doi and MINT not in operations:
        yield "the investigation has no DOI in ICAT"
