"""What is asked of ICAT. Every name is bound as a value, whatever is in it (JPQL)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from pacer_icat import IcatClient

PAGE = 500


@frozen
class Investigation:
    """An investigation of ICAT's that has ended."""

    name: str
    visit_id: str
    doi: str | None
    ended: datetime


def ended(
    icat: IcatClient, days: int, left_out: tuple[str, ...], now: datetime | None = None
) -> Iterator[Investigation]:
    """Give the investigations that have ended within so many days, but for those of some types.

    Whether they have a DOI does not matter: one that has may still lack what else it should have (W19).
    """
    now = now or datetime.now(UTC)
    values: dict[str, Any] = {"now": now, "begin": now - timedelta(days=days)}
    yield from _investigations(
        icat, f"o.endDate <= :now AND o.endDate > :begin{_types(left_out)}", values, left_out
    )


def named(icat: IcatClient, name: str, visit_id: str | None) -> list[Investigation]:
    """Give the visits of an investigation, or one of them; whenever they end."""
    values: dict[str, Any] = {"name": name}
    where = "o.name = :name AND o.endDate IS NOT NULL"
    if visit_id is not None:
        values["visit"] = visit_id
        where += " AND o.visitId = :visit"
    return [*_investigations(icat, where, values, ())]


def _types(left_out: tuple[str, ...]) -> str:
    return " AND o.type.name NOT IN (:types)" if left_out else ""


def _investigations(
    icat: IcatClient, where: str, values: dict[str, Any], left_out: tuple[str, ...]
) -> Iterator[Investigation]:
    if left_out:
        values["types"] = [*left_out]
    after = 0
    while True:
        rows = icat.shared.wire.search(
            f"SELECT o.id, o.name, o.visitId, o.doi, o.endDate FROM Investigation o WHERE {where} "  # noqa: S608 - constants
            f"AND o.id > :after ORDER BY o.id LIMIT 0, {PAGE}",
            after=after,
            **values,
        )
        for id_, name, visit, doi, end in rows:
            after = id_
            yield Investigation(name, visit, doi or None, end)
        if len(rows) < PAGE:
            return


def public_datasets(
    icat: IcatClient,
    left_out: tuple[str, ...],
    *,
    begin: datetime | None,
    end: datetime | None,
) -> Iterator[int]:
    """Give the ids of datasets, each once, whose investigation was released from ``begin`` to before ``end``.

    They come in the order of their ids, a page at a time: what is added meanwhile repeats none (W20). Without
    ``end``, what is under embargo or has no release date is among them.
    """
    conditions = ["d.id > :after"]
    values: dict[str, Any] = {}
    if left_out:
        conditions.append("d.investigation.type.name NOT IN (:types)")
        values["types"] = [*left_out]
    if begin is not None:
        conditions.append("d.investigation.releaseDate >= :begin")
        values["begin"] = begin
    if end is not None:
        conditions.append("d.investigation.releaseDate < :end")
        values["end"] = end
    after = 0
    while True:
        page = icat.shared.wire.search(
            f"SELECT d.id FROM Dataset d WHERE {' AND '.join(conditions)} ORDER BY d.id LIMIT 0, {PAGE}",  # noqa: S608 - constants
            after=after,
            **values,
        )
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1]
