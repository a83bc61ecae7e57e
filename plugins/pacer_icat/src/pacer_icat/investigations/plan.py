"""An investigation message, checked and looked up: all that it means in ICAT, before anything is written."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from attrs import frozen

from pacer_core import BadField, Reject
from pacer_icat import parameters
from pacer_icat.catalogue import ParameterType
from pacer_icat.checks import Lookups, too_long
from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.investigations.message import Investigation, Member
from pacer_icat.investigations.options import InvestigationsOptions
from pacer_icat.parameters import Given, Parameter
from pacer_icat.periods import check_period, kept_period
from pacer_icat.spellings import user_name, user_spellings
from pacer_icat.times import LATEST_YEAR, storable, stored

log = logging.getLogger("pacer.icat.investigations")

COUNTS = ("__datasetCount", "__sampleCount", "__fileCount", "__volume")
"""Parameters that are nought from the start, where ICAT has types for them."""
_NAMES_IN_ONE_QUERY = 100


@frozen
class Plan:
    """What an investigation message asks of ICAT."""

    facility: int
    name: str
    visit: str
    values: dict[str, str | datetime | None]
    """Title, summary and dates by ICAT's field names."""
    type: int
    instrument: int
    members: frozenset[tuple[int, str]]
    """Users' ids and roles."""
    roles: frozenset[str]
    """The roles that messages alone give and take, as ICAT compares them."""
    parameters: tuple[Parameter, ...]
    counts: tuple[Parameter, ...]
    """Parameters that a new investigation gets beside the others."""
    dropped: frozenset[int]
    """The ids of parameter types that the investigation shall not have."""


@frozen
class _Value:
    """A parameter that PACER gives itself."""

    name: str
    value: str | int
    units: str | None = None


def plan(message: Investigation, options: InvestigationsOptions, icat: Shared) -> Plan:
    """Check a message and look up what it names.

    Raises
    ------
    Reject
        With every bad field.
    NotYet
        Naming everything that is not in ICAT; members by their place in the message.
    """
    catalogue = icat.catalogue
    facility = catalogue.facility(message.facility)
    bad = _check(message, options, icat)
    chosen = _parameters(message, options, facility, icat, bad)
    if bad:
        raise Reject("the investigation has bad fields", fields=bad)
    lookups = Lookups()
    look = lookups.find
    type_ = look(lambda: catalogue.investigation_type(message.type, facility))
    instrument = look(lambda: catalogue.instrument(message.instrument.code, facility))
    users = _users([user_name(member.username) for member in message.user_list], options, icat)
    unknown = [
        f"user_list[{place}].username"
        for place, member in enumerate(message.user_list)
        if fold(user_name(member.username)) not in users
    ]
    if unknown:
        more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
        lookups.missing.append(f"ICAT has no user for {', '.join(unknown[:10])}{more}")
    lookups.check()
    industrial = message.is_industrial or fold(message.type) == fold(options.industrial_type)
    release = None if industrial else message.release_date(options.embargo_years)
    whose = f"investigation {message.name}"
    start, end = kept_period(message.start_date, message.end_date, icat.zone, whose)
    return Plan(
        facility=facility,
        name=message.name,
        visit=message.visit_id,
        values={
            "title": message.title,
            "summary": message.summary,
            "startDate": start,
            "endDate": end,
            "releaseDate": None if release is None else stored(release, icat.zone),
        },
        type=type_,
        instrument=instrument,
        members=frozenset(
            (users[fold(user_name(member.username))], role)
            for member in message.user_list
            for role in _roles(member, message.user_list, options)
        ),
        roles=frozenset(map(fold, options.roles)),
        parameters=chosen,
        counts=_counts(chosen, facility, icat),
        dropped=_dropped(message, options, facility, chosen, icat),
    )


def _check(message: Investigation, options: InvestigationsOptions, icat: Shared) -> list[BadField]:
    bad = too_long(
        [
            ("name", "Investigation", "name", message.name),
            ("icat_visit_id", "Investigation", "visitId", message.visit_id),
            ("title", "Investigation", "title", message.title),
            ("summary", "Investigation", "summary", message.summary),
        ],
        icat.wire.schema,
    )
    bad += check_period(message.start_date, message.end_date, icat.zone)
    if storable(message.end_date) and message.end_date.year + options.embargo_years > LATEST_YEAR:
        bad.append(BadField("end_date", "gives a release date that ICAT cannot store"))
    if message.is_industrial and fold(message.type) != fold(options.industrial_type):
        bad.append(BadField("type", f"is not {options.industrial_type}, but is_industrial is true"))
    known = set(map(fold, options.roles))
    bad += [
        BadField(f"user_list[{place}].role", f"is none of {', '.join(options.roles)}")
        for place, member in enumerate(message.user_list)
        if fold(member.role) not in known
    ]
    return bad


def _roles(member: Member, members: Iterable[Member], options: InvestigationsOptions) -> list[str]:
    """Give the role of a member in the option's spelling, or none where they have a better one."""
    role = next(one for one in options.roles if fold(one) == fold(member.role))
    least = options.roles[-1]
    if role != least:
        return [role]
    name = fold(user_name(member.username))
    others = {fold(one.role) for one in members if fold(user_name(one.username)) == name} - {fold(least)}
    return [] if others else [role]


def _users(names: Iterable[str], options: InvestigationsOptions, icat: Shared) -> dict[str, int]:
    """Give the ids of users by folded name; somebody who is disabled is found as well."""
    wanted = sorted({fold(name): name for name in names}.items())
    found: dict[str, int] = {}
    for start in range(0, len(wanted), _NAMES_IN_ONE_QUERY):
        part = wanted[start : start + _NAMES_IN_ONE_QUERY]
        rows = {
            fold(user_name(name)): id_
            for id_, name in icat.wire.search(
                "SELECT u.id, u.name FROM User u WHERE u.name IN (:names) ORDER BY u.id",
                names=[
                    text
                    for _, name in part
                    for one in user_spellings(name)
                    for text in (one, one + options.disabled_suffix)
                ],
            )
        }
        for key, name in part:
            id_ = rows.get(key) or rows.get(fold(user_name(name + options.disabled_suffix)))
            if id_ is not None:
                found[key] = id_
    return found


def _parameters(
    message: Investigation,
    options: InvestigationsOptions,
    facility: int,
    icat: Shared,
    bad: list[BadField],
) -> tuple[Parameter, ...]:
    """Give all parameters of a message; adds to ``bad``. Those in ``parameters`` outweigh the others."""
    special: list[tuple[str, str | None, str | int | None]] = [
        ("visit_count", options.visit_count_parameter, message.visit_count),
        ("sample_acronyms", options.sample_acronyms_parameter, _acronyms(message, icat)),
    ]
    good = list(_checked(message.parameters, "parameters", facility, icat, bad))
    for field, name, value in special:
        if name is not None and value is not None:
            found: list[BadField] = []
            wanted = _Value(name, value)
            there = {one.type.id for one in good}
            good += [
                one for one in _checked([wanted], field, facility, icat, found) if one.type.id not in there
            ]
            bad += [BadField(field, one.message) for one in found]
    return tuple(good)


def _checked(
    wanted: Iterable[Given], path: str, facility: int, icat: Shared, bad: list[BadField]
) -> tuple[Parameter, ...]:
    wanted = list(wanted)
    if not wanted:
        return ()
    checked = parameters.check(
        wanted,
        icat.catalogue.parameter_types((one.name for one in wanted), facility),
        owner="Investigation",
        schema=icat.wire.schema,
        zone=icat.zone,
        path=path,
    )
    parameters.log_empty(checked, "an investigation")
    bad += checked.bad
    bad += checked.unknown_as_bad(path)
    return checked.good


def _acronyms(message: Investigation, icat: Shared) -> str | None:
    """Give the acronyms joined by commas, as many whole ones as ICAT has room for."""
    acronyms = list(dict.fromkeys(message.sample_acronyms or ()))
    longest = icat.wire.schema.length("InvestigationParameter", "stringValue")
    kept: list[str] = []
    length = -1
    for acronym in acronyms:
        length += len(acronym) + 1
        if longest is not None and length > longest:
            left_out = len(acronyms) - len(kept)
            log.warning("investigation %s: %d sample acronyms are left out", message.name, left_out)
            break
        kept.append(acronym)
    return ",".join(kept) or None


def _counts(chosen: Iterable[Parameter], facility: int, icat: Shared) -> tuple[Parameter, ...]:
    there = {one.type.id for one in chosen}
    noughts = [_Value(name, 0) for name in COUNTS]
    return tuple(one for one in _checked(noughts, "", facility, icat, []) if one.type.id not in there)


def _dropped(
    message: Investigation,
    options: InvestigationsOptions,
    facility: int,
    chosen: Iterable[Parameter],
    icat: Shared,
) -> frozenset[int]:
    """Give the parameter types to remove: that of the acronyms, where the message says there are none."""
    name = options.sample_acronyms_parameter
    if name is None or message.sample_acronyms != ():
        return frozenset()
    types: tuple[ParameterType, ...] = icat.catalogue.parameter_types([name], facility).get(fold(name), ())
    return frozenset(one.id for one in types) - {one.type.id for one in chosen}
