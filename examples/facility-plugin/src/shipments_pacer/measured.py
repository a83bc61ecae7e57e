"""A task that joins the datasets of ``pacer-icat``: the courier hears of each that is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pacer_core import Context, task
from shipments_pacer.courier import COURIER

if TYPE_CHECKING:
    from pacer_icat import Dataset  # not needed where nobody has datasets

JOINED = "datasets"


@task(needs=[COURIER], after=["store_dataset"])
def tell_courier(dataset: Dataset, ctx: Context) -> None:
    """Say that a sample has been measured, when ICAT holds the dataset and not before.

    ``optional``, as every task that joins another plugin's consumer type: where the consumer does not name
    ``courier`` among its integrations, it is left out.
    """
    if dataset.investigation is not None:
        ctx[COURIER].measured(dataset.investigation, dataset.name)
