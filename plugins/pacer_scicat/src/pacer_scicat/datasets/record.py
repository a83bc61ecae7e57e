"""A dataset message's record, with what SciCat has to be asked for it. Nothing is written here."""

from __future__ import annotations

from pacer_icat import Dataset
from pacer_scicat.client import Scicat
from pacer_scicat.datasets.mapping import record_of
from pacer_scicat.datasets.options import ScicatDatasetOptions
from pacer_scicat.writing import Record, readable, with_fields


def looked_up(
    dataset: Dataset, proposal: str, options: ScicatDatasetOptions, scicat: Scicat, sample: str | None
) -> Record:
    """Give the record of a dataset; ``sample`` is the id of its sample in SciCat, where there is one."""
    record = record_of(
        dataset,
        proposal,
        options,
        contact=options.contact_email or scicat.account().email,
        instrument=options.instruments.get(dataset.instrument) or scicat.instrument(dataset.instrument),
        sample=sample,
    )
    return with_fields(record, **readable(record.fields, scicat))
