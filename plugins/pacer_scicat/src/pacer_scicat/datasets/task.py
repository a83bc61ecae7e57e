"""The task of ``datasets`` that stores the message in SciCat as well."""

from __future__ import annotations

from pacer_core import BadField, Context, Reject, task
from pacer_icat import Dataset
from pacer_scicat.client import Scicat
from pacer_scicat.datasets.mapping import record_of
from pacer_scicat.datasets.options import ScicatDatasetOptions
from pacer_scicat.integration import SCICAT
from pacer_scicat.samples.find import find_or_create
from pacer_scicat.writing import MessageFacts, readable, store, with_fields


@task(needs=[SCICAT], options=ScicatDatasetOptions)
def store_scicat_dataset(dataset: Dataset, ctx: Context) -> None:
    """Write a dataset with its files into SciCat; the same one twice is one.

    What is there already is left as it is, and gets the files that it lacks.
    """
    options: ScicatDatasetOptions = ctx.options
    if dataset.investigation is None:
        raise Reject(
            "SciCat needs the proposal's name",
            fields=[BadField("investigation", "is missing, and an id of ICAT's is none of SciCat's")],
        )
    scicat = ctx[SCICAT]
    record = record_of(
        dataset,
        dataset.investigation,
        options,
        contact=options.contact_email or scicat.account().email,
        instrument=options.instruments.get(dataset.instrument) or scicat.instrument(dataset.instrument),
        sample=_sample(dataset, scicat, options),
    )
    record = with_fields(record, **readable(record.fields, scicat))
    stored = store(
        record,
        scicat,
        MessageFacts(ctx.facts, "scicat_dataset"),
        patience=options.patience,
        lock_folder=options.lock_folder,
    )
    ctx.log.info(
        "SciCat has %s%s, %d files added", stored.pid, " (new)" if stored.created else "", stored.files
    )


def _sample(dataset: Dataset, scicat: Scicat, options: ScicatDatasetOptions) -> str | None:
    if options.samples == "none" or dataset.investigation is None:
        return None
    group = options.owner_group.format_map(
        {
            "investigation": dataset.investigation,
            "instrument": dataset.instrument,
            "name": dataset.name,
            "location": dataset.location,
            "sample": dataset.sample.name,
        }
    )
    fields = {"ownerGroup": group, "accessGroups": [], "isPublished": options.is_published}
    wanted = fields if options.samples == "create" else None
    return find_or_create(scicat, dataset.sample.name, dataset.investigation, wanted)
