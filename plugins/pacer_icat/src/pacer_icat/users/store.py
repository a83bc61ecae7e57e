"""Writing a planned user: what is missing is created in one call, what differs is updated, nothing deleted.

Right with two writers: who comes second finds what the first has made.
"""

from __future__ import annotations

import logging

from pacer_core import BadField, Reject, Retry
from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.faults import IcatFault
from pacer_icat.soap import Bean, Record
from pacer_icat.spellings import user_name, user_spellings
from pacer_icat.users.plan import Plan

log = logging.getLogger("pacer.icat.users")

_TRIES = 8


def store(plan: Plan, icat: Shared) -> None:
    """Bring ICAT to what the plan says.

    Raises
    ------
    IcatFault
        Where ICAT refuses for a reason other than another writer.
    Reject
        Where somebody to be disabled is there under both names.
    Retry
        Where other writers come in between again and again.
    """
    for _ in range(_TRIES):
        missing, changes = _compare(plan, icat)
        try:
            icat.wire.create_many(missing)
            for record, values in changes:
                icat.wire.update(record, **values)
        except IcatFault as fault:
            if not (fault.is_duplicate or fault.type == "NO_SUCH_OBJECT_FOUND"):
                raise
        else:
            return
    raise Retry("others are writing the same users, or PACER's account may not read them")


def _compare(plan: Plan, icat: Shared) -> tuple[list[Bean], list[tuple[Record, dict[str, str]]]]:
    """Give the users that are missing, and those that differ with their new values."""
    there = {
        fold(user_name(record["name"])): record
        for record in icat.wire.search(
            "SELECT u FROM User u WHERE u.name IN (:names) ORDER BY u.id",
            names=[
                text
                for one in plan.accounts
                for name in (one.name, one.other)
                for text in user_spellings(name)
            ],
        )
    }
    missing: list[Bean] = []
    changes: list[tuple[Record, dict[str, str]]] = []
    twice: list[BadField] = []
    for one in plan.accounts:
        record, other = there.get(fold(one.name)), there.get(fold(one.other))
        if record is not None and other is not None:
            if not plan.enabled:
                problem = "is in ICAT both enabled and disabled: remove or rename one of the two users"
                twice.append(BadField(f"user_list[{one.place}].username", problem))
                continue
            log.warning("users %d and %d: one is the other, disabled; it stays", record.id, other.id)
        record = record or other
        values = {"name": one.name, **plan.values}
        if record is None:
            missing.append(Bean("User", values))
        elif differing := {field: text for field, text in values.items() if record[field] != text}:
            changes.append((record, differing))
    if twice:
        raise Reject("a user cannot be disabled", fields=twice)
    return missing, changes
