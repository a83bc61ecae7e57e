"""What storing a planned dataset would change in ICAT; it reads, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from pacer_core import Context, Planned
from pacer_icat.client import Shared
from pacer_icat.datasets.files import missing_files
from pacer_icat.datasets.message import Dataset
from pacer_icat.datasets.plan import Plan, plan
from pacer_icat.datasets.store import Found, target
from pacer_icat.integration import ICAT
from pacer_icat.signals import looking_again
from pacer_icat.wording import number_of


def foresee_dataset(dataset: Dataset, ctx: Context) -> list[Planned]:
    """Say what `store_dataset` would do."""
    icat = ctx[ICAT].shared
    return looking_again(icat.catalogue, lambda: list(_foresee(plan(dataset, ctx.options, icat), icat, ctx)))


def _foresee(planned: Plan, icat: Shared, ctx: Context) -> Iterator[Planned]:
    there = target(planned, icat)
    ctx.facts["investigation_id"] = planned.investigation
    if isinstance(there, Found):
        ctx.facts["dataset_id"] = there.id
        missing, differing = missing_files(planned.files, planned.location, there.id, icat)
        added = f"{len(missing)} of {number_of(len(planned.files), 'file')} to be added"
        sizes = f", {number_of(differing, 'file')} with another size, which stay" if differing else ""
        yield Planned(f"dataset {there.name!r}", "changed" if missing else "there", added + sizes)
    else:
        files, parameters = len(planned.files), len(planned.parameters)
        detail = f"{number_of(files, 'file')}, {number_of(parameters, 'parameter')}"
        renamed = "" if there == planned.name else f"; another dataset is called {planned.name!r}"
        yield Planned(f"dataset {there!r}", "new", detail + renamed)
    samples = icat.wire.search(
        "SELECT s.id FROM Sample s WHERE s.investigation.id = :investigation AND s.name = :name",
        investigation=planned.investigation,
        name=planned.sample_name,
    )
    yield Planned(f"sample {planned.sample_name!r}", "there" if samples else "new")
    if planned.unknown:
        yield Planned(number_of(planned.unknown, "parameter"), "left-out", "ICAT has no type of that name")
