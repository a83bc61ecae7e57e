"""The task that stores a dataset's links, and its consumer type."""

from __future__ import annotations

from pacer_core import ConsumerType, Context, task
from pacer_icat.integration import ICAT
from pacer_icat.links.store import store_links
from pacer_icat.references import BY_INVESTIGATION, DatasetReference, describe
from pacer_icat.signals import looking_again


@task(needs=[ICAT])
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
