"""What storing a dataset message would change in SciCat; it writes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from pacer_core import Context, Planned
from pacer_icat import Dataset
from pacer_scicat.datasets.mapping import proposal_of
from pacer_scicat.datasets.options import ScicatDatasetOptions
from pacer_scicat.datasets.record import looked_up
from pacer_scicat.foresee import foresee_record
from pacer_scicat.integration import SCICAT
from pacer_scicat.samples.find import find
from pacer_scicat.writing import MessageFacts


def foresee_scicat_dataset(dataset: Dataset, ctx: Context) -> list[Planned]:
    """Say what `store_scicat_dataset` would do."""
    options: ScicatDatasetOptions = ctx.options
    scicat, proposal = ctx[SCICAT], proposal_of(dataset)
    sample = None if options.samples == "none" else find(scicat, dataset.sample.name, proposal)
    record = looked_up(dataset, proposal, options, scicat, sample)
    facts = MessageFacts(ctx.facts, "scicat_dataset")
    said = list(foresee_record(record, scicat, facts, options.patience))
    return [*said, *_foresee_sample(dataset, sample, options)]


def _foresee_sample(dataset: Dataset, sample: str | None, options: ScicatDatasetOptions) -> Iterator[Planned]:
    what = f"sample {dataset.sample.name!r}"
    if sample is not None:
        yield Planned(what, "there")
    elif options.samples == "create":
        yield Planned(what, "new")
    elif options.samples == "find":
        yield Planned(what, "left-out", "SciCat has none of that name, and option 'samples' creates none")
