"""A user message, checked: the accounts that it asks of ICAT, before anything is read or written."""

from __future__ import annotations

import logging

from attrs import frozen

from pacer_core import BadField, Reject
from pacer_icat.checks import too_long
from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.spellings import orcid_uri, user_name
from pacer_icat.users.message import User
from pacer_icat.users.options import UsersOptions

log = logging.getLogger("pacer.icat.users")


@frozen
class Wanted:
    """One account as it shall stand in ICAT."""

    place: int
    """Where the message names it."""
    name: str
    other: str
    """The name that it has where the person is disabled, or enabled, the other way round."""
    plain: str
    """The one of the two under which the person logs in."""


@frozen
class Plan:
    """What a user message asks of ICAT."""

    enabled: bool
    accounts: tuple[Wanted, ...]
    """In the order of their names, which keeps two writers from a deadlock."""
    values: dict[str, str]
    """The fields that all accounts of the person share; what the message leaves out is not among them."""


def plan(message: User, options: UsersOptions, icat: Shared) -> Plan:
    """Check a message.

    Raises
    ------
    Reject
        With every field that is too long for ICAT.
    """
    length = icat.wire.schema.length
    bad = too_long(
        [
            ("first_name", "User", "givenName", message.first_name),
            ("last_name", "User", "familyName", message.last_name),
            ("email", "User", "email", message.email),
        ],
        icat.wire.schema,
    )
    accounts: dict[str, Wanted] = {}
    longest = length("User", "name")
    for place, account in enumerate(message.user_list):
        name = user_name(account.username)
        disabled = name + options.disabled_suffix
        if longest is not None and len(disabled) > longest:
            problem = f"is longer than {longest} characters with {options.disabled_suffix}"
            bad.append(BadField(f"user_list[{place}].username", problem))
        if fold(name).endswith(fold(options.disabled_suffix)):
            problem = f"ends in {options.disabled_suffix}: give the plain name, and 'enabled: false'"
            bad.append(BadField(f"user_list[{place}].username", problem))
        names = (name, disabled) if message.enabled else (disabled, name)
        accounts.setdefault(fold(name), Wanted(place, *names, name))
    if bad:
        raise Reject("the user has bad fields", fields=bad)
    identifier = orcid_uri(message.orcid)
    if identifier is None and message.orcid is not None:
        log.warning("user %d: what the message gives as ORCID iD is none, and is left out", message.id)
    values = {
        "givenName": message.first_name,
        "familyName": message.last_name,
        "fullName": f"{message.first_name} {message.last_name}"[: length("User", "fullName")],
        "email": message.email,
        "orcidId": identifier or "",
        "affiliation": "",
    }
    if message.affiliation is not None:
        values["affiliation"] = message.affiliation.text[: length("User", "affiliation")].rstrip(", ")
    return Plan(
        enabled=message.enabled,
        accounts=tuple(sorted(accounts.values(), key=lambda one: one.name)),
        values={field: text for field, text in values.items() if text},
    )
