"""Datasets become documents: when they are stored, when a message asks for it, or all of an investigation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from attrs import frozen

from pacer_core import ConsumerType, Context, NotYet, Reject, Text, task
from pacer_elastic.bulk import Refusal
from pacer_elastic.documents import datasets_of, read
from pacer_elastic.foresee import foresee_named, foresee_referred, foresee_reindexing, foresee_stored
from pacer_elastic.integration import ELASTIC
from pacer_icat import (
    ICAT,
    DatasetReference,
    InvestigationOperations,
    found_dataset,
    found_investigation,
)

OPERATION = "reindex"
_NAMED = 20


@frozen
class DatasetIndex:
    """A dataset that is to be indexed; ``index_name`` instead of the one that the options name."""

    dataset_id: int
    index_name: Text | None = None


def describe(message: DatasetIndex) -> dict[str, str]:
    """Give the identifiers by which people look for the message."""
    found = {"dataset_id": str(message.dataset_id)}
    return found if message.index_name is None else {**found, "index_name": message.index_name}


@task(needs=[ICAT, ELASTIC], plan=foresee_named)
def index_dataset(message: DatasetIndex, ctx: Context) -> None:
    """Write the document of the dataset that a message names."""
    _index(message.dataset_id, message.index_name, ctx)


@task(needs=[ICAT, ELASTIC], after=["store_dataset"], plan=foresee_stored)
def index_stored_dataset(message: Any, ctx: Context) -> None:
    """Write the document of the dataset that `store_dataset` has written."""
    _index(found_dataset(message, ctx), None, ctx)


@task(needs=[ICAT, ELASTIC], after=["count_dataset"], plan=foresee_referred)
def index_counted_dataset(message: DatasetReference, ctx: Context) -> None:
    """Write the document of the dataset whose statistics have been stored."""
    _index(message.dataset_id, None, ctx)


@task(needs=[ICAT, ELASTIC], after=["link_dataset"], plan=foresee_referred)
def index_linked_dataset(message: DatasetReference, ctx: Context) -> None:
    """Write the document of the dataset whose links have been stored."""
    _index(message.dataset_id, None, ctx)


@task(needs=[ICAT, ELASTIC], after=["check_investigation"], plan=partial(foresee_reindexing, OPERATION))
def reindex_investigation(message: InvestigationOperations, ctx: Context) -> None:
    """Write the documents of all datasets of an investigation, where the message asks to ``reindex`` it."""
    if OPERATION not in message.operations:
        return
    icat = ctx[ICAT]
    ids = datasets_of(icat, found_investigation(message, ctx))
    refused = ctx[ELASTIC].index(read(icat, ids))
    ctx.log.info("datasets indexed: %s of %s", len(ids) - len(refused), len(ids))
    _all_accepted(refused)


DATASET_INDEX = ConsumerType(
    name="dataset-index", message=DatasetIndex, tasks=[index_dataset], describe=describe
)


def _index(dataset: int, index: str | None, ctx: Context) -> None:
    documents = list(read(ctx[ICAT], [dataset]))
    if not documents:
        raise NotYet(f"ICAT has no dataset of id {dataset}")
    _all_accepted(ctx[ELASTIC].index(documents, index))


def _all_accepted(refused: Sequence[Refusal]) -> None:
    if refused:
        shown = "; ".join(f"{one.id}: {one.reason}" for one in refused[:_NAMED])
        more = f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
        raise Reject(f"Elasticsearch refuses the documents of these datasets: {shown}{more}")
