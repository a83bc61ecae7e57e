"""Which visit of a proposal a message means."""

from __future__ import annotations

from pacer_core import BadField, NotYet, Reject
from pacer_icat.catalogue import Investigation
from pacer_icat.client import Shared
from pacer_icat.collation import fold


def find_visits(icat: Shared, name: str, visit_id: str | None) -> list[Investigation]:
    """Give the visits of a proposal, or the one with a name; always asks ICAT.

    Raises
    ------
    NotYet
        Where ICAT has none.
    """
    visits = icat.catalogue.investigations(name, anew=True)
    found = [one for one in visits if visit_id is None or fold(one.visit_id) == fold(visit_id)]
    if not found:
        visit = "" if visit_id is None else f" with visit {visit_id!r}"
        raise NotYet(f"ICAT has no investigation {name!r}{visit}")
    return found


def find_visit(icat: Shared, name: str, visit_id: str | None) -> Investigation:
    """Give a visit by the names of proposal and visit, or the only one of the proposal; always asks ICAT.

    Raises
    ------
    NotYet
        Where ICAT has none.
    Reject
        Where there are several and ``visit_id`` names none.
    """
    found = find_visits(icat, name, visit_id)
    if len(found) > 1:
        problem = f"is missing, and the proposal has {len(found)} visits"
        raise Reject("the visit is not clear", fields=[BadField("visit_id", problem)])
    return found[0]
