"""``archive-status``: how far the archive has got with a dataset."""

from __future__ import annotations

from attrs import frozen

from pacer_core import ConsumerType, Context, NotYet, Planned, Text, task
from pacer_icat import kept
from pacer_icat.catalogue import ParameterType
from pacer_icat.client import Shared
from pacer_icat.integration import ICAT
from pacer_icat.keys import dataset_key
from pacer_icat.signals import looking_again


@frozen
class ArchiveStatus:
    """What the archive says of a dataset, given by its id in ICAT.

    Attributes
    ----------
    type
        What is being done: ``archiving`` or ``restoration``.
    level
        ``info``, ``warning`` or ``error``.
    """

    dataset_id: int
    type: Text
    level: Text
    message: Text | None = None


@frozen
class ArchiveStatusOptions:
    """The YAML options of a consumer of type ``archive-status``.

    Attributes
    ----------
    parameter
        The dataset parameter, of the kind STRING, that holds the latest status; without it none is stored.
    """

    parameter: str | None = None


def describe(message: ArchiveStatus) -> dict[str, str]:
    """Give the identifiers by which people look for the message."""
    return {"dataset_id": str(message.dataset_id)}


def foresee_status(message: ArchiveStatus, ctx: Context) -> list[Planned]:
    """Say what `store_archive_status` would do."""
    options: ArchiveStatusOptions = ctx.options
    name, icat, dataset = options.parameter, ctx[ICAT].shared, message.dataset_id
    if name is None:
        return []

    def changes() -> kept.Changes:
        types, wanted = _status(message, name, icat)
        return kept.lacking("Dataset", wanted, types, icat)

    said = looking_again(icat.catalogue, changes).said_of(dataset)
    return [kept.planned("Dataset", dataset, said)]


@task(needs=[ICAT], plan=foresee_status)
def store_archive_status(message: ArchiveStatus, ctx: Context) -> None:
    """Store the status in the parameter that the options name; safe to repeat."""
    options: ArchiveStatusOptions = ctx.options
    name, icat = options.parameter, ctx[ICAT].shared
    if name is None:
        return

    def store() -> None:
        types, wanted = _status(message, name, icat)
        kept.put("Dataset", wanted, types, icat)

    looking_again(icat.catalogue, store)


def _status(
    message: ArchiveStatus, name: str, icat: Shared
) -> tuple[dict[str, ParameterType], dict[kept.Place, str]]:
    """Give the type of the parameter, and what the dataset is to have of it."""
    dataset = message.dataset_id
    types = kept.types_for("Dataset", [name], icat)
    if not icat.wire.search("SELECT d.id FROM Dataset d WHERE d.id = :id", id=dataset):
        raise NotYet(f"ICAT has no dataset with id {dataset}")
    text = f"{message.type} {message.level}"
    if message.message is not None:
        text = f"{text}: {message.message}"
    # The beginning tells most, and a status is no reason to lose a message.
    return types, {(dataset, name): text[: icat.wire.schema.length("DatasetParameter", "stringValue")]}


ARCHIVE_STATUS = ConsumerType(
    name="archive-status",
    message=ArchiveStatus,
    tasks=[store_archive_status],
    options=ArchiveStatusOptions,
    key=dataset_key(lambda message: message.dataset_id, ordered=True),
    describe=describe,
)
