"""Which investigation an operation is about."""

from __future__ import annotations

from pacer_icat.catalogue import Investigation
from pacer_icat.client import IcatClient
from pacer_icat.operations.message import InvestigationOperations
from pacer_icat.visits import find_visit


def visit_of(message: InvestigationOperations, icat: IcatClient) -> Investigation:
    """Give the investigation that a message means, as ICAT knows it now.

    Raises
    ------
    NotYet
        Where ICAT has none.
    Reject
        Where there are several visits, and the message names none.
    """
    return find_visit(icat.shared, message.name, message.visit_id)
