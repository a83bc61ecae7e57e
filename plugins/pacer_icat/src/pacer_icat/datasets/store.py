"""Writing a planned dataset: one nested create, batches for the rest, ``complete`` last.

Right with two writers, and whatever a crash leaves behind, the same plan completes it: nothing here deletes,
and nothing that ICAT holds already is changed, except by a reprocessing.
"""

from __future__ import annotations

import logging
from typing import Any

from pacer_core import Reject, Retry
from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.datasets.changes import Found, field_changes, lacks_instrument, parameter_changes
from pacer_icat.datasets.files import add_files, batches, datafile, missing_files, with_checksum
from pacer_icat.datasets.plan import Plan
from pacer_icat.faults import IcatFault
from pacer_icat.others import despite_others
from pacer_icat.soap import Bean, Record, ref
from pacer_icat.spellings import folder

log = logging.getLogger("pacer.icat.datasets")

_TRIES = 4


def store(plan: Plan, icat: Shared) -> int:
    """Bring ICAT to what the plan says; give the dataset's id.

    Raises
    ------
    IcatFault
        Where ICAT refuses for a reason other than another writer.
    Reject
        Where two other datasets have the plain and the suffixed name.
    Retry
        Where other writers come in between again and again.
    """
    return despite_others(
        lambda: _store(plan, icat), "others are writing the same dataset", tries=_TRIES, nested=True
    )


def _store(plan: Plan, icat: Shared) -> int:
    sample = find_sample(plan, icat)
    there = target(plan, icat)
    if isinstance(there, Found):
        _complete(plan, there, sample, icat)
        return there.id
    return _create(plan, there, sample, icat)


def target(plan: Plan, icat: Shared) -> Found | str:
    """Give the dataset of ICAT that a plan completes, or the name of the one that it creates.

    Raises
    ------
    Reject
        Where both names belong to others, or the longer one does not fit.
    """
    found = find(plan, icat)
    same = next((one for one in found if one.same), None)
    if same is not None:
        return same
    names = {fold(one.name): one for one in found}
    plain = names.get(fold(plan.name))
    if plain is None:
        return plan.name
    if plan.processed and plain.processed and plan.sequence is not None:
        return plain
    if fold(plan.suffixed) in names:
        raise Reject("other datasets have this name, with and without the date, at other locations")
    longest = icat.wire.schema.length("Dataset", "name")
    if longest is not None and len(plan.suffixed) > longest:
        raise Reject(f"another dataset has this name, and with its date it is longer than {longest}")
    return plan.suffixed


def find(plan: Plan, icat: Shared) -> list[Found]:
    """Give the datasets of the investigation that have the plain or the suffixed name."""
    rows = icat.wire.search(
        "SELECT d.id, d.name, d.location, d.startDate, d.type.id FROM Dataset d "
        "WHERE d.investigation.id = :investigation AND d.name IN (:names)",
        investigation=plan.investigation,
        names=[plan.name, plan.suffixed],
    )
    return [
        Found(
            id=id_,
            name=name,
            same=location is not None and folder(location) == plan.location and start == plan.start,
            processed=plan.processed and type_ == plan.type,
        )
        for id_, name, location, start, type_ in rows
    ]


def find_sample(plan: Plan, icat: Shared) -> int:
    """Give the id of the sample; create it where the investigation has none of that name."""
    known = icat.catalogue.sample(plan.investigation, plan.sample_name)
    if known is not None:
        return known
    kind = None if plan.sample_type is None else ref("SampleType", plan.sample_type)
    bean = Bean(
        "Sample",
        {"name": plan.sample_name, "investigation": ref("Investigation", plan.investigation), "type": kind},
    )
    try:
        # Asked for without a look before: one call for a new sample, and right with two writers.
        id_ = icat.wire.create(bean)
    except IcatFault as fault:
        if not fault.is_duplicate:
            raise
        rows = icat.wire.search(
            "SELECT s FROM Sample s WHERE s.investigation.id = :investigation AND s.name = :name INCLUDE 1",
            investigation=plan.investigation,
            name=plan.sample_name,
        )
        if not rows:
            raise Retry("a sample came and went") from None
        record: Record = rows[0]
        id_ = record.id
        if record["type"] is None and kind is not None:
            icat.wire.update(record, type=kind)
        elif kind is not None and record["type"].id != plan.sample_type:
            log.warning("sample %d: ICAT keeps its type; the message has another", id_)
    return icat.catalogue.remember_sample(plan.investigation, plan.sample_name, id_)


def _create(plan: Plan, name: str, sample: int, icat: Shared) -> int:
    rest = batches(plan.files)
    first = [with_checksum(file, plan.checksums) for file in next(rest, [])]
    whole = len(first) == len(plan.files)
    values: dict[str, Any] = {
        "name": name,
        "location": plan.location,
        "startDate": plan.start,
        "endDate": plan.end,
        "complete": whole,
        "investigation": ref("Investigation", plan.investigation),
        "type": ref("DatasetType", plan.type),
        "sample": ref("Sample", sample),
        "parameters": [one.bean("Dataset") for one in plan.parameters],
        "datafiles": [datafile(file) for file in first],
    }
    if icat.wire.schema.has("Dataset", "datasetInstruments"):
        values["datasetInstruments"] = [
            Bean("DatasetInstrument", {"instrument": ref("Instrument", plan.instrument)})
        ]
    sent = icat.counts.are_sent("Dataset")
    if sent:
        values["fileCount"] = len(first)
        values["fileSize"] = sum(file.size or 0 for file in first)
    id_ = icat.wire.create(Bean("Dataset", values))
    if not sent:
        icat.counts.look(id_, len(first))
    add_files(rest, plan.checksums, id_, icat)
    if not whole or (plan.files and not sent and icat.counts.are_ours("Dataset")):
        _finish(plan, id_, icat)
    return id_


def _complete(plan: Plan, found: Found, sample: int, icat: Shared) -> None:
    """Add what is missing to a dataset that is there, and say what differs; a reprocessing replaces that."""
    wire, dataset = icat.wire, found.id
    changes = parameter_changes(plan, found, icat)
    if changes.outdated:
        log.info("dataset %d: a later processing is there, nothing is changed", dataset)
        return
    owner = ref("Dataset", dataset)
    wire.create_many([one.bean("Dataset", dataset=owner) for one in changes.added])
    for one in changes.replaced:
        wire.update(changes.there[one.type.id], **{one.field: one.value})
    if lacks_instrument(plan, dataset, icat):
        links = {"dataset": owner, "instrument": ref("Instrument", plan.instrument)}
        wire.create(Bean("DatasetInstrument", links))
    missing, differing_sizes = missing_files(plan.files, plan.location, dataset, icat)
    add_files(batches(missing), plan.checksums, dataset, icat)
    kept_fields = _finish(plan, dataset, icat, sample=sample, replace=changes.newer)
    if changes.newer and plan.sequence is not None:
        # Last: until it is there, a repetition of this message replaces the metadata once more.
        record = changes.there.get(plan.sequence.type.id)
        if record is None:
            wire.create(plan.sequence.bean("Dataset", dataset=owner))
        else:
            wire.update(record, **{plan.sequence.field: plan.sequence.value})
    sizes = [f"sizes of {differing_sizes} files"] if differing_sizes else []
    if kept := [*(one.type.name for one in changes.kept), *sizes, *kept_fields]:
        log.warning(
            "dataset %d: ICAT keeps its own %s; the message has other values", dataset, ", ".join(kept[:20])
        )


def _finish(
    plan: Plan, dataset: int, icat: Shared, *, sample: int | None = None, replace: bool = False
) -> tuple[str, ...]:
    """Set what is still open on the dataset itself, ``complete`` last of all; give what differs and stays."""
    record = icat.wire.read("Dataset", dataset)
    if record is None:
        raise Retry(f"dataset {dataset} was deleted meanwhile")
    changes = field_changes(plan, record, icat, sample=sample, replace=replace)
    if changes.written:
        icat.wire.update(record, **changes.written)
    return changes.kept
