"""The task of ``datasets`` that stores the message in SciCat as well."""

from __future__ import annotations

from pacer_core import Context, task
from pacer_icat import Dataset
from pacer_scicat.client import Scicat
from pacer_scicat.datasets.foresee import foresee_scicat_dataset
from pacer_scicat.datasets.mapping import proposal_of, words_of
from pacer_scicat.datasets.options import ScicatDatasetOptions
from pacer_scicat.datasets.record import looked_up
from pacer_scicat.integration import SCICAT
from pacer_scicat.samples.find import find_or_create
from pacer_scicat.writing import MessageFacts, store


@task(needs=[SCICAT], options=ScicatDatasetOptions, plan=foresee_scicat_dataset)
def store_scicat_dataset(dataset: Dataset, ctx: Context) -> None:
    """Write a dataset with its files into SciCat; the same one twice is one.

    What is there already is left as it is, and gets the files that it lacks.
    """
    options: ScicatDatasetOptions = ctx.options
    scicat, proposal = ctx[SCICAT], proposal_of(dataset)
    sample = _sample(dataset, proposal, scicat, options)
    stored = store(
        looked_up(dataset, proposal, options, scicat, sample),
        scicat,
        MessageFacts(ctx.facts, "scicat_dataset"),
        patience=options.patience,
        lock_folder=options.lock_folder,
    )
    ctx.log.info(
        "SciCat has %s%s, %d files added", stored.pid, " (new)" if stored.created else "", stored.files
    )


def _sample(dataset: Dataset, proposal: str, scicat: Scicat, options: ScicatDatasetOptions) -> str | None:
    if options.samples == "none":
        return None
    group = options.owner_group.format_map(words_of(dataset, proposal))
    fields = {"ownerGroup": group, "accessGroups": [], "isPublished": options.is_published}
    wanted = fields if options.samples == "create" else None
    return find_or_create(scicat, dataset.sample.name, proposal, wanted)
