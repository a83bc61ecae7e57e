"""The task that stores a dataset's links, and its consumer type."""

from __future__ import annotations

from pacer_core import ConsumerType, Context, Planned, task
from pacer_icat.integration import ICAT
from pacer_icat.links.store import foresee_links, store_links
from pacer_icat.references import BY_INVESTIGATION, DatasetReference, describe
from pacer_icat.signals import looking_again


def foresee_linking(message: DatasetReference, ctx: Context) -> list[Planned]:
    """Say what `link_dataset` would do."""
    icat = ctx[ICAT].shared
    return looking_again(icat.catalogue, lambda: list(foresee_links(message.dataset_id, icat)))


@task(needs=[ICAT], plan=foresee_linking)
def link_dataset(message: DatasetReference, ctx: Context) -> None:
    """Write which datasets a dataset was made from, and which were made from it; safe to repeat."""
    icat = ctx[ICAT].shared
    looking_again(icat.catalogue, lambda: store_links(message.dataset_id, icat))


DATASET_LINKS = ConsumerType(
    name="dataset-links",
    message=DatasetReference,
    tasks=[link_dataset],
    key=BY_INVESTIGATION,
    describe=describe,
)
