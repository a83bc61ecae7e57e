"""What storing a planned dataset would change in ICAT; it reads, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pacer_core import Context, Planned, Retry
from pacer_icat.client import Shared
from pacer_icat.datasets.changes import Found, field_changes, lacks_instrument, parameter_changes
from pacer_icat.datasets.files import missing_files
from pacer_icat.datasets.message import Dataset
from pacer_icat.datasets.plan import Plan, plan
from pacer_icat.datasets.store import target
from pacer_icat.integration import ICAT
from pacer_icat.signals import looking_again
from pacer_icat.soap import Record
from pacer_icat.wording import number_of


def foresee_dataset(dataset: Dataset, ctx: Context) -> list[Planned]:
    """Say what `store_dataset` would do."""
    icat = ctx[ICAT].shared
    return looking_again(icat.catalogue, lambda: list(_foresee(plan(dataset, ctx.options, icat), icat, ctx)))


def _foresee(planned: Plan, icat: Shared, ctx: Context) -> Iterator[Planned]:
    samples: list[Record] = icat.wire.search(
        "SELECT s FROM Sample s WHERE s.investigation.id = :investigation AND s.name = :name INCLUDE 1",
        investigation=planned.investigation,
        name=planned.sample_name,
    )
    there = target(planned, icat)
    ctx.facts["investigation_id"] = planned.investigation
    if isinstance(there, Found):
        ctx.facts["dataset_id"] = there.id
        yield from _completed(planned, there, samples[0].id if samples else _NEW, icat)
    else:
        renamed = "" if there == planned.name else f"; another dataset is called {planned.name!r}"
        yield Planned(f"dataset {there!r}", "new", _extent(planned) + renamed)
    yield _sample(planned, samples)
    if planned.unknown:
        yield Planned(number_of(planned.unknown, "parameter"), "left-out", "ICAT has no type of that name")


_NEW = 0
"""In the place of the id of a sample that is not there yet: no sample has it."""


def _extent(planned: Plan) -> str:
    files, parameters = len(planned.files), len(planned.parameters)
    return f"{number_of(files, 'file')}, {number_of(parameters, 'parameter')}"


def _completed(planned: Plan, found: Found, sample: int, icat: Shared) -> Iterator[Planned]:
    """Say what of a dataset that is there would be written, and what differs and stays."""
    what = f"dataset {found.name!r}"
    changes = parameter_changes(planned, found, icat)
    if changes.outdated:
        yield Planned(what, "there", "of a later processing, which stays")
        return
    missing, sizes = missing_files(planned.files, planned.location, found.id, icat)
    record = icat.wire.read("Dataset", found.id)
    if record is None:
        raise Retry(f"dataset {found.id} was deleted meanwhile")
    fields = field_changes(planned, record, icat, sample=sample, replace=changes.newer)
    added, replaced = len(changes.added), len(changes.replaced)
    if changes.newer and planned.sequence is not None:
        numbered = planned.sequence.type.id in changes.there
        added, replaced = added + (not numbered), replaced + numbered
    writes = [
        f"{len(missing)} of {number_of(len(planned.files), 'file')} to be added" if missing else "",
        f"{number_of(added, 'parameter')} to be added" if added else "",
        f"{number_of(replaced, 'parameter')} to be replaced" if replaced else "",
        f"{', '.join(fields.written)} to be set" if fields.written else "",
        "its instrument to be linked" if lacks_instrument(planned, found.id, icat) else "",
    ]
    said = ", ".join(filter(None, writes))
    yield Planned(what, "changed" if said else "there", said or _extent(planned))
    kept = [*(one.type.name for one in changes.kept), *fields.kept]
    if sizes:
        kept.append(f"the {'size' if sizes == 1 else 'sizes'} of {number_of(sizes, 'file')}")
    if kept:
        yield Planned(what, "kept", f"in ICAT another value stays: {', '.join(kept)}")


def _sample(planned: Plan, samples: Sequence[Record]) -> Planned:
    what = f"sample {planned.sample_name!r}"
    if not samples:
        return Planned(what, "new")
    kind = samples[0]["type"]
    if planned.sample_type is None or (kind is not None and kind.id == planned.sample_type):
        return Planned(what, "there")
    if kind is None:
        return Planned(what, "changed", "type to be set")
    return Planned(what, "kept", "in ICAT another type stays")
