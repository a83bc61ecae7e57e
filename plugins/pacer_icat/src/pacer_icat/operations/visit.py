"""Which investigation an operation is about."""

from __future__ import annotations

from pacer_core import NotYet, Reject
from pacer_icat.catalogue import Investigation
from pacer_icat.client import IcatClient
from pacer_icat.collation import fold
from pacer_icat.operations.message import InvestigationOperations


def visit_of(message: InvestigationOperations, icat: IcatClient) -> Investigation:
    """Give the investigation that a message means, as ICAT knows it now.

    Raises
    ------
    NotYet
        Where ICAT has none.
    Reject
        Where there are several visits, and the message names none.
    """
    name, visit = message.name, message.visit_id
    found = [
        one
        for one in icat.shared.catalogue.investigations(name, anew=True)
        if visit is None or fold(one.visit_id) == fold(visit)
    ]
    if not found:
        raise NotYet(f"ICAT has no investigation {name!r}" + (f" with visit {visit!r}" if visit else ""))
    if len(found) > 1:
        raise Reject(f"ICAT has {len(found)} visits of {name!r}: name one in visit_id")
    return found[0]
