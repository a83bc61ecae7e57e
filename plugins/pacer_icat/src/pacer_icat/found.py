"""What earlier tasks have found has to be what the message names: facts travel with copies."""

from __future__ import annotations

from typing import Any

from pacer_core import Context, Reject
from pacer_icat.collation import fold
from pacer_icat.datasets.message import Dataset
from pacer_icat.integration import ICAT
from pacer_icat.operations.message import InvestigationOperations


def check_found(message: Any, id_: int, name: str, visit_id: str | None = None) -> None:
    """Check that an investigation of ICAT is the one that a message names; other messages name none.

    Raises
    ------
    Reject
        Where it is another one: it was renamed in ICAT meanwhile, or the facts are not about this message.
    """
    wanted: str | int | None = None
    visit: str | None = None
    if isinstance(message, InvestigationOperations):
        wanted, visit = message.name, message.visit_id
    elif isinstance(message, Dataset):
        wanted = message.investigation_id if message.investigation is None else message.investigation
    same = wanted is None or (id_ == wanted if isinstance(wanted, int) else fold(name) == fold(wanted))
    if same and visit is not None and visit_id is not None:
        same = fold(visit_id) == fold(visit)
    if not same:
        raise Reject(
            f"earlier tasks have found investigation {id_} of ICAT, which is not the one that the message "
            f"names: replay it from the start"
        )


def found_investigation(message: Any, ctx: Context) -> int:
    """Give the id that an earlier task has left in the facts, after looking whose it is.

    Raises
    ------
    Reject
        Where it is not the message's, or not there any more.
    """
    id_ = ctx.facts["investigation_id"]
    name = ctx[ICAT].shared.catalogue.investigation_name(id_)
    if name is None:
        raise Reject(f"investigation {id_} has been deleted from ICAT since earlier tasks found it")
    check_found(message, id_, name)
    return int(id_)


def found_dataset(message: Any, ctx: Context) -> int:
    """Give the id of the dataset that an earlier task has stored, and may have been deleted since.

    Raises
    ------
    Reject
        Where it is in another investigation than the message names.
    """
    id_, investigation = ctx.facts["dataset_id"], ctx.facts["investigation_id"]
    name = ctx[ICAT].shared.catalogue.investigation_of_dataset(id_)
    if name is not None:
        check_found(message, investigation, name)
    return int(id_)
