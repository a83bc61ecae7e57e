"""The task that stores a dataset, and its consumer type."""

from __future__ import annotations

from pacer_core import ConsumerType, Context, task
from pacer_icat.datasets.foresee import foresee_dataset
from pacer_icat.datasets.message import Dataset, describe
from pacer_icat.datasets.options import DatasetsOptions, warn
from pacer_icat.datasets.plan import Plan, plan
from pacer_icat.datasets.store import store
from pacer_icat.integration import ICAT
from pacer_icat.keys import investigation_key
from pacer_icat.parameters import UNKNOWN_PARAMETERS
from pacer_icat.references import reference
from pacer_icat.signals import looking_again
from pacer_icat.totals.store import keep_investigation


@task(needs=[ICAT], counts=[UNKNOWN_PARAMETERS], plan=foresee_dataset)
def store_dataset(dataset: Dataset, ctx: Context) -> None:
    """Write a dataset with its sample, parameters, files and instrument; the same one twice is one."""
    icat = ctx[ICAT].shared
    options: DatasetsOptions = ctx.options

    def work() -> tuple[int, Plan]:
        planned = plan(dataset, options, icat)
        return store(planned, icat), planned

    dataset_id, planned = looking_again(icat.catalogue, work)
    investigation_id = planned.investigation
    ctx.count(UNKNOWN_PARAMETERS, planned.unknown)
    ctx.facts["dataset_id"] = dataset_id
    ctx.facts["investigation_id"] = investigation_id
    stored = reference(dataset_id, investigation_id)
    ctx.emit("dataset-links", stored)
    if not ctx.emit("dataset-statistics", stored):
        looking_again(icat.catalogue, lambda: keep_investigation(investigation_id, icat))


DATASETS = ConsumerType(
    name="datasets",
    message=Dataset,
    tasks=[store_dataset],
    options=DatasetsOptions,
    key=investigation_key(
        lambda dataset: dataset.investigation_id if dataset.investigation is None else dataset.investigation
    ),
    describe=describe,
    warn=warn,
)
