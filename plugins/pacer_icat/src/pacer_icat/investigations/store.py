"""Writing a planned investigation: one nested create, or what differs from what is there.

Right with two writers, and whatever a crash leaves behind, the same plan completes it. What is missing is
added before what is too much is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from pacer_core import Planned
from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.investigations.plan import Plan
from pacer_icat.others import despite_others
from pacer_icat.soap import Bean, Record, ref
from pacer_icat.wording import number_of


def store(plan: Plan, icat: Shared) -> int:
    """Bring ICAT to what the plan says; give the investigation's id.

    Raises
    ------
    IcatFault
        Where ICAT refuses for a reason other than another writer.
    Retry
        Where other writers come in between again and again.
    """
    return despite_others(
        lambda: _store(plan, icat),
        "others are writing the same investigation, or PACER's account may not read it",
        also=("NO_SUCH_OBJECT_FOUND",),
        nested=True,
    )


def foresee(plan: Plan, icat: Shared) -> Iterator[Planned]:
    """Say what `store` would do, of members how many."""
    there = find(plan, icat)
    name = f"investigation {plan.name!r}, visit {plan.visit!r}"
    if there is None:
        members, parameters = len(plan.members), len(plan.parameters) + len(plan.counts)
        yield Planned(name, "new", f"{number_of(members, 'member')}, {number_of(parameters, 'parameter')}")
        return
    changed = sorted(_changes(plan, there))
    yield Planned(name, "changed" if changed else "there", ", ".join(changed))
    for noun, difference in (("instrument", _instruments(plan, there)), ("member", _members(plan, there))):
        if difference.added:
            yield Planned(number_of(len(difference.added), noun), "new")
        if difference.removed:
            yield Planned(number_of(len(difference.removed), noun), "removed")


def _changes(plan: Plan, there: Record) -> dict[str, Any]:
    """Give the fields that differ, with their new values."""
    changes: dict[str, Any] = {name: value for name, value in plan.values.items() if there[name] != value}
    if there.related("type").id != plan.type:
        changes["type"] = ref("InvestigationType", plan.type)
    return changes


def _store(plan: Plan, icat: Shared) -> int:
    there = find(plan, icat)
    if there is None:
        return icat.wire.create(_new(plan))
    _update(plan, there, icat)
    return there.id


def find(plan: Plan, icat: Shared) -> Record | None:
    """Give the investigation with all that its plan is about, or ``None`` where it is not there."""
    rows = icat.wire.search(
        "SELECT o FROM Investigation o "
        "WHERE o.facility.id = :facility AND o.name = :name AND o.visitId = :visit "
        "INCLUDE o.facility, o.type, o.investigationInstruments AS link, link.instrument, "
        "o.investigationUsers AS person, person.user, o.parameters AS parameter, parameter.type",
        facility=plan.facility,
        name=plan.name,
        visit=plan.visit,
    )
    return rows[0] if rows else None


def _new(plan: Plan) -> Bean:
    parameters = [one.bean("Investigation") for one in (*plan.parameters, *plan.counts)]
    values: dict[str, Any] = {
        "name": plan.name,
        "visitId": plan.visit,
        **plan.values,
        "facility": ref("Facility", plan.facility),
        "type": ref("InvestigationType", plan.type),
        "investigationInstruments": [_link(plan.instrument)],
        "investigationUsers": [_member(user, role) for user, role in sorted(plan.members)],
        "parameters": parameters,
    }
    return Bean("Investigation", values)


def _link(instrument: int, **more: Any) -> Bean:
    return Bean("InvestigationInstrument", {"instrument": ref("Instrument", instrument), **more})


def _member(user: int, role: str, **more: Any) -> Bean:
    return Bean("InvestigationUser", {"user": ref("User", user), "role": role, **more})


@frozen
class _Difference:
    """What is to be done to the children of an investigation: first the new ones, then those too many."""

    added: list[Bean]
    removed: list[Bean]


def _update(plan: Plan, there: Record, icat: Shared) -> None:
    wire = icat.wire
    if changes := _changes(plan, there):
        wire.update(there, **changes)
    for difference in (_instruments(plan, there), _members(plan, there)):
        wire.create_many(difference.added)
        wire.delete_many(difference.removed)
    _write_parameters(plan, there, icat)


def _instruments(plan: Plan, there: Record) -> _Difference:
    links: list[Record] = there["investigationInstruments"] or []
    owner = ref("Investigation", there.id)
    linked = any(link.related("instrument").id == plan.instrument for link in links)
    return _Difference(
        added=[] if linked else [_link(plan.instrument, investigation=owner)],
        removed=[_ref(link) for link in links if link.related("instrument").id != plan.instrument],
    )


def _members(plan: Plan, there: Record) -> _Difference:
    """Compare the members of the roles that messages give; others, given by hand, stay."""
    members: list[Record] = there["investigationUsers"] or []
    known = {(member.related("user").id, fold(member["role"])) for member in members}
    wanted = {(user, fold(role)) for user, role in plan.members}
    owner = ref("Investigation", there.id)
    return _Difference(
        added=[
            _member(user, role, investigation=owner)
            for user, role in sorted(plan.members)
            if (user, fold(role)) not in known
        ],
        removed=[
            _ref(member)
            for member in members
            if fold(member["role"]) in plan.roles
            and (member.related("user").id, fold(member["role"])) not in wanted
        ],
    )


def _write_parameters(plan: Plan, there: Record, icat: Shared) -> None:
    known: dict[int, Record] = {one.related("type").id: one for one in there["parameters"] or ()}
    owner = ref("Investigation", there.id)
    icat.wire.create_many(
        [
            one.bean("Investigation", investigation=owner)
            for one in plan.parameters
            if one.type.id not in known
        ]
    )
    for one in plan.parameters:
        record = known.get(one.type.id)
        if record is not None and record[one.field] != one.value:
            icat.wire.update(record, investigation=owner, **{one.field: one.value})
    icat.wire.delete_many([_ref(record) for type_, record in known.items() if type_ in plan.dropped])


def _ref(record: Record) -> Bean:
    return ref(record.entity, record.id)
