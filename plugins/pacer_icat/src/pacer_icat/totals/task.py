"""The task that counts, and its consumer type."""

from __future__ import annotations

from pacer_core import ConsumerType, Context, task
from pacer_icat.integration import ICAT
from pacer_icat.references import BY_INVESTIGATION, DatasetReference, describe
from pacer_icat.signals import looking_again
from pacer_icat.totals.options import StatisticsOptions
from pacer_icat.totals.store import store_statistics


@task(needs=[ICAT])
def count_dataset(message: DatasetReference, ctx: Context) -> None:
    """Count the files of a dataset, and what its investigation and sample hold; safe to repeat."""
    icat = ctx[ICAT].shared
    options: StatisticsOptions = ctx.options
    looking_again(icat.catalogue, lambda: store_statistics(message, options, icat))


DATASET_STATISTICS = ConsumerType(
    name="dataset-statistics",
    message=DatasetReference,
    tasks=[count_dataset],
    options=StatisticsOptions,
    key=BY_INVESTIGATION,
    describe=describe,
)
