"""What a dataset that is there lacks, or has otherwise, than a plan: to complete it, and to foresee that."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from pacer_core import read_number
from pacer_icat.client import Shared
from pacer_icat.datasets.plan import Plan
from pacer_icat.parameters import Parameter
from pacer_icat.soap import Bean, Record, ref
from pacer_icat.spellings import folder
from pacer_icat.totals.count import files_of


@frozen
class Found:
    """A dataset of the planned name that ICAT has already."""

    id: int
    name: str
    same: bool
    """Whether location and start are those of the plan: it is the same dataset."""
    processed: bool


@frozen
class ParameterChanges:
    """How the parameters of a plan compare with those of a dataset that is there."""

    there: dict[int, Record]
    """Those of ICAT, by their types."""
    newer: bool
    """Whether the message is of a later processing, which replaces what differs."""
    outdated: bool
    """Whether the later processing is there: the message changes nothing."""
    added: tuple[Parameter, ...]
    replaced: tuple[Parameter, ...]
    kept: tuple[Parameter, ...]
    """Those of which ICAT keeps another value."""


@frozen
class FieldChanges:
    """How the fields of a dataset that is there compare with those of a plan."""

    written: dict[str, Any]
    kept: tuple[str, ...]
    """Those of which ICAT keeps another value."""


def parameter_changes(plan: Plan, found: Found, icat: Shared) -> ParameterChanges:
    """Compare parameters. The number of a later processing is in none: it is written last of all."""
    records = icat.wire.search(
        "SELECT p FROM DatasetParameter p WHERE p.dataset.id = :dataset ORDER BY p.id INCLUDE 1",
        dataset=found.id,
    )
    there: dict[int, Record] = {record["type"].id: record for record in records}
    newer = found.processed and _is_newer(plan.sequence, there, unknown_is_older=not found.same)
    if not found.same and not newer:
        return ParameterChanges(there, newer, outdated=True, added=(), replaced=(), kept=())
    compared = [one for one in plan.parameters if not (newer and one is plan.sequence)]
    added = tuple(one for one in compared if one.type.id not in there)
    differing = tuple(
        one for one in compared if one.type.id in there and one.differs(there[one.type.id][one.field])
    )
    replaced, kept = (differing, ()) if newer else ((), differing)
    return ParameterChanges(there, newer, outdated=False, added=added, replaced=replaced, kept=kept)


def _is_newer(sequence: Parameter | None, there: dict[int, Record], *, unknown_is_older: bool) -> bool:
    if sequence is None:
        return False
    record = there.get(sequence.type.id)
    old = None if record is None else read_number(record[sequence.field])
    if old is None and record is not None:
        return False
    new = read_number(sequence.value)
    return new is not None and (unknown_is_older if old is None else new > old)


def lacks_instrument(plan: Plan, dataset: int, icat: Shared) -> bool:
    """Tell whether a dataset is not linked to its instrument, in an ICAT that has such links."""
    if not icat.wire.schema.has("Dataset", "datasetInstruments"):
        return False
    linked = icat.wire.search(
        "SELECT l.instrument.id FROM DatasetInstrument l WHERE l.dataset.id = :dataset ORDER BY l.id",
        dataset=dataset,
    )
    return plan.instrument not in linked


def field_changes(
    plan: Plan, record: Record, icat: Shared, *, sample: int | None = None, replace: bool = False
) -> FieldChanges:
    """Compare the fields of the dataset itself, its counts of files and ``complete`` among them.

    With ``replace``, what differs is written; else what is open alone. Without ``sample`` the one that the
    dataset has is right.
    """
    wanted: dict[str, Any] = {"location": plan.location, "startDate": plan.start, "endDate": plan.end}
    there: dict[str, Any] = {name: record[name] for name in wanted}
    if there["location"] is not None and folder(there["location"]) == plan.location:
        there["location"] = plan.location  # the same in another spelling
    references: dict[str, Bean] = {"type": ref("DatasetType", plan.type)}
    if sample is not None:
        references["sample"] = ref("Sample", sample)
    for name, bean in references.items():
        wanted[name] = bean.values["id"]
        there[name] = None if record[name] is None else record[name].id
    differing = [name for name in wanted if there[name] is not None and there[name] != wanted[name]]
    changed = [name for name in wanted if there[name] is None or (replace and name in differing)]
    written = {name: references.get(name, wanted[name]) for name in changed}
    if not record["complete"]:
        written["complete"] = True
    if icat.counts.are_ours("Dataset"):
        counted = files_of(record.id, icat)
        if counted != (record["fileCount"], record["fileSize"]):
            written |= {"fileCount": counted[0], "fileSize": counted[1]}
    return FieldChanges(written, () if replace else tuple(differing))
