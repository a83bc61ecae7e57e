"""What storing a dataset message would change in SciCat; it writes nothing."""

from __future__ import annotations

from pacer_core import Context, Planned
from pacer_icat import Dataset
from pacer_scicat.datasets.mapping import proposal_of
from pacer_scicat.datasets.options import ScicatDatasetOptions
from pacer_scicat.datasets.record import looked_up
from pacer_scicat.foresee import foresee_record
from pacer_scicat.integration import SCICAT
from pacer_scicat.samples import find
from pacer_scicat.writing import MessageFacts


def foresee_scicat_dataset(dataset: Dataset, ctx: Context) -> list[Planned]:
    """Say what `store_scicat_dataset` would do."""
    options: ScicatDatasetOptions = ctx.options
    scicat, proposal = ctx[SCICAT], proposal_of(dataset)
    sample: str | None = None
    of_sample: list[Planned] = []
    if options.samples != "none":
        create = options.samples == "create"
        sample, planned = find.foresee(scicat, dataset.sample.name, proposal, create=create)
        of_sample = [planned]
    record = looked_up(dataset, proposal, options, scicat, sample)
    facts = MessageFacts(ctx.facts, "scicat_dataset")
    return [*foresee_record(record, scicat, facts, options.patience), *of_sample]
