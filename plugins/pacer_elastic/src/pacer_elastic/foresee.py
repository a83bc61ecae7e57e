"""What indexing datasets would change in Elasticsearch; it reads, and writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pacer_core import Context, NotYet, Planned
from pacer_elastic.documents import datasets_of, read
from pacer_elastic.integration import ELASTIC
from pacer_icat import ICAT, DatasetReference, InvestigationOperations, found_dataset, found_investigation

_DIFFER = {"_metadataSize"}
"""What is counted of the others."""


def foresee_named(message: Any, ctx: Context) -> list[Planned]:
    """Say what `index_dataset` would do."""
    return list(_foresee([message.dataset_id], message.index_name, ctx))


def foresee_stored(message: Any, ctx: Context) -> list[Planned]:
    """Say what `index_stored_dataset` would do; a dataset that is new to ICAT has no id yet."""
    if "dataset_id" not in ctx.facts:
        return [Planned("document of the dataset", "new", "under the id that ICAT gives it")]
    return list(_foresee([found_dataset(message, ctx)], None, ctx))


def foresee_referred(message: DatasetReference, ctx: Context) -> list[Planned]:
    """Say what is done with the document of a dataset whose statistics or links are stored before."""
    return list(_foresee([message.dataset_id], None, ctx))


def foresee_reindexing(operation: str, message: InvestigationOperations, ctx: Context) -> list[Planned]:
    """Say what `reindex_investigation` would do: how many documents, not each of them."""
    if operation not in message.operations:
        return []
    ids = datasets_of(ctx[ICAT], found_investigation(message, ctx))
    counted = Counter(one.change for one in _foresee(ids, None, ctx, several=True) if "document" in one.what)
    return [Planned(_documents(number), change) for change, number in counted.items()]


def _foresee(
    ids: Sequence[int], index: str | None, ctx: Context, *, several: bool = False
) -> Iterator[Planned]:
    documents = {one.id: one.source for one in read(ctx[ICAT], ids)}
    if not documents and not several:
        raise NotYet(f"ICAT has no dataset of id {ids[0]}")
    elastic = ctx[ELASTIC]
    held = elastic.held(documents, index)
    if held is None:
        yield Planned(f"index {index or elastic.options.index!r}", "new")
    for id_, source in documents.items():
        change, differing = _difference(source, None if held is None else held.get(id_))
        yield Planned(f"document of dataset {id_}", change, differing)


def _difference(source: Any, there: Any) -> tuple[Literal["new", "there", "changed"], str]:
    """Say how a document would change, and in which fields."""
    if there is None:
        return "new", f"{len(source)} fields"
    names = sorted(name for name in {*source, *there} - _DIFFER if source.get(name) != there.get(name))
    return ("changed" if names else "there"), ", ".join(names[:10]) + ("..." if len(names) > 10 else "")


def _documents(number: int) -> str:
    return f"{number} document{'' if number == 1 else 's'}"
