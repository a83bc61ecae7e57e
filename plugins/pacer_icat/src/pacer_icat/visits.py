"""Which visit of a proposal a message means."""

from __future__ import annotations

from pacer_core import BadField, NotYet, Reject
from pacer_icat.catalogue import Investigation
from pacer_icat.client import Shared
from pacer_icat.collation import fold


def find_visit(icat: Shared, name: str, visit_id: str | None) -> Investigation:
    """Give a visit by the names of proposal and visit, or the only one of the proposal; always asks ICAT.

    Raises
    ------
    NotYet
        Where ICAT has none.
    Reject
        Where there are several and ``visit_id`` names none.
    """
    visits = icat.catalogue.investigations(name, anew=True)
    found = [one for one in visits if visit_id is None or fold(one.visit_id) == fold(visit_id)]
    if not found:
        raise NotYet(
            f"ICAT has no investigation {name!r}" + (f" with visit {visit_id!r}" if visit_id else "")
        )
    if len(found) > 1:
        problem = f"is missing, and the proposal has {len(found)} visits"
        raise Reject("the visit is not clear", fields=[BadField("visit_id", problem)])
    return found[0]
