"""The task that counts, and its consumer type."""

from __future__ import annotations

from pacer_core import ConsumerType, Context, Planned, task
from pacer_icat.integration import ICAT
from pacer_icat.references import BY_INVESTIGATION, DatasetReference, describe
from pacer_icat.signals import looking_again
from pacer_icat.totals.options import StatisticsOptions
from pacer_icat.totals.store import foresee_statistics, store_statistics


def foresee_counting(message: DatasetReference, ctx: Context) -> list[Planned]:
    """Say what `count_dataset` would do."""
    icat = ctx[ICAT].shared
    options: StatisticsOptions = ctx.options
    return looking_again(icat.catalogue, lambda: list(foresee_statistics(message, options, icat)))


@task(needs=[ICAT], plan=foresee_counting)
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
