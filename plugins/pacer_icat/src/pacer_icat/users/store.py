"""Writing a planned user: what is missing is created in one call, what differs is updated, nothing deleted.

Right with two writers: who comes second finds what the first has made.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from pacer_core import BadField, Planned, Reject
from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.others import despite_others
from pacer_icat.soap import Bean, Record
from pacer_icat.spellings import orcid, user_name, user_spellings
from pacer_icat.users.options import UsersOptions
from pacer_icat.users.plan import Plan
from pacer_icat.wording import number_of

log = logging.getLogger("pacer.icat.users")


def store(plan: Plan, options: UsersOptions, icat: Shared) -> None:
    """Bring ICAT to what the plan says.

    Raises
    ------
    IcatFault
        Where ICAT refuses for a reason other than another writer.
    Reject
        Where somebody to be disabled is there under both names, where an account may not be touched, and
        where one is somebody else's.
    Retry
        Where other writers come in between again and again.
    """
    despite_others(
        lambda: _store(plan, options, icat),
        "others are writing the same users, or PACER's account may not read them",
        also=("NO_SUCH_OBJECT_FOUND",),
    )


def foresee(plan: Plan, options: UsersOptions, icat: Shared) -> Iterator[Planned]:
    """Say what `store` would do, without a name: how many accounts, and which of their fields.

    Raises
    ------
    Reject
        As `store`.
    """
    missing, changes = _compare(plan, options, icat)
    if missing:
        yield Planned(number_of(len(missing), "account"), "new")
    for record, values in changes:
        yield Planned(f"user {record.id}", "changed", ", ".join(sorted(values)))
    if same := len(plan.accounts) - len(missing) - len(changes):
        yield Planned(number_of(same, "account"), "there")


def _store(plan: Plan, options: UsersOptions, icat: Shared) -> None:
    missing, changes = _compare(plan, options, icat)
    icat.wire.create_many(missing)
    for record, values in changes:
        icat.wire.update(record, **values)


def _compare(
    plan: Plan, options: UsersOptions, icat: Shared
) -> tuple[list[Bean], list[tuple[Record, dict[str, str]]]]:
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
    kept: list[BadField] = []
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
        differing = {field: text for field, text in values.items() if _said(record, field) != text}
        if differing and (why := _untouchable(one.plain, record, plan, options, icat)):
            kept.append(BadField(f"user_list[{one.place}].username", why))
        elif record is None:
            missing.append(Bean("User", values))
        elif differing:
            changes.append((record, differing))
    if kept:
        raise Reject("an account is not this message's to change", fields=kept + twice)
    if twice:
        raise Reject("a user cannot be disabled", fields=twice)
    return missing, changes


def _said(record: Record | None, field: str) -> str | None:
    return None if record is None else record[field]


def _untouchable(
    name: str, record: Record | None, plan: Plan, options: UsersOptions, icat: Shared
) -> str | None:
    """Tell why an account may not be written, and what to do, without naming it."""
    if why := options.why_protected(name) or icat.accounts.why_protected(name):
        return f"is a protected account: {why}; leave it out of the message, and change it in ICAT by hand"
    if record is not None and _is_of_another(record, plan.values):
        return (
            f"belongs to another person: of user {record.id} in ICAT, name, e-mail and ORCID iD are others; "
            "correct the message, or, where it is the same person, one of these in ICAT"
        )
    return None


def _is_of_another(record: Record, values: Mapping[str, str]) -> bool:
    """Tell whether nothing by which one knows a person is the same: one of it may change, not all at once.

    Of a given name alone two people with two ORCID iDs are not one. What either side leaves out says nothing.
    """
    before, now = orcid(record["orcidId"]), orcid(values.get("orcidId"))
    if before is not None and before == now:
        return False
    marks = ["email", "familyName"]
    if before is None or now is None:
        marks.append("givenName")
    return all(record[mark] and fold(record[mark]) != fold(values[mark]) for mark in marks)
