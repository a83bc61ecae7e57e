"""``dataset-files``: the files in a dataset's folder that ICAT does not know yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from attrs import field, frozen, validators

from pacer_core import BadField, ConsumerType, Context, NotYet, Planned, Reject, Seen, task
from pacer_icat.client import Shared
from pacer_icat.datasets.files import add_files, batches, missing_files
from pacer_icat.datasets.options import DatasetsOptions, is_absolute, warn_of_roots
from pacer_icat.datasets.paths import Checksums, files_below
from pacer_icat.datasets.plan import File, check_files, checksums_of, look_at, name_files
from pacer_icat.integration import ICAT
from pacer_icat.keys import dataset_key
from pacer_icat.others import despite_others
from pacer_icat.references import reference
from pacer_icat.signals import looking_again
from pacer_icat.soap import Record
from pacer_icat.totals.store import counted_dataset, keep_dataset, keep_investigation, planned
from pacer_icat.wording import number_of

_TRIES = 4


@frozen
class DatasetFiles:
    """A dataset, by its id in ICAT, whose folder may hold files that ICAT does not know."""

    dataset_id: int


@frozen
class DatasetFilesOptions:
    """The YAML options of a consumer of type ``dataset-files``.

    Attributes
    ----------
    max_datafiles
        The number of files that a folder may hold.
    allowed_roots
        Absolute folders. Where there are some, the dataset's folder and its files have to be below one of
        them, with symbolic links and ``..`` resolved on this machine.
    stat_files
        Whether files are stored with their sizes and times.
    checksums
        The checksum that every new file is stored with; each file is read for it.
    """

    max_datafiles: int = field(default=30_000, validator=validators.ge(1))
    allowed_roots: tuple[str, ...] = field(default=(), validator=validators.deep_iterable(is_absolute))
    stat_files: bool = True
    checksums: Literal["md5", "sha1", "sha256"] | None = None


def describe(message: DatasetFiles) -> dict[str, str]:
    """Give the identifiers by which people look for the message."""
    return {"dataset_id": str(message.dataset_id)}


def warn(options: DatasetFilesOptions) -> Iterator[Seen]:
    """Warn of what options leave to whoever may send a dataset."""
    yield from warn_of_roots(
        options.allowed_roots, "whatever folder a dataset was sent with is listed, and its files are stored"
    )


@frozen
class Listing:
    """The files below a dataset's folder, as they would be stored."""

    dataset: Record
    folder: str
    files: Sequence[File]
    checksums: Checksums | None


def foresee_files(message: DatasetFiles, ctx: Context) -> list[Planned]:
    """Say what `add_datafiles` would do; no file is read for a checksum.

    The counts of dataset and investigation, which follow from the files to be added, are not spoken of.
    """
    icat = ctx[ICAT].shared
    return looking_again(
        icat.catalogue, lambda: list(_foresee(_list(message.dataset_id, ctx.options, icat), icat))
    )


def _foresee(listing: Listing, icat: Shared) -> Iterator[Planned]:
    dataset = listing.dataset
    missing, sizes = missing_files(listing.files, listing.folder, dataset.id, icat)
    if missing:
        extent = number_of(len(listing.files), "file")
        yield Planned(f"dataset {dataset.id}", "changed", f"{len(missing)} of {extent} to be added")
    else:
        yield planned(counted_dataset(dataset.id, icat), icat)
    if sizes:
        which = f"the {'size' if sizes == 1 else 'sizes'} of {number_of(sizes, 'file')}"
        yield Planned(f"dataset {dataset.id}", "kept", f"in ICAT another value stays: {which}")


@task(needs=[ICAT], plan=foresee_files)
def add_datafiles(message: DatasetFiles, ctx: Context) -> None:
    """Store the files below the dataset's folder that ICAT does not have; safe to repeat.

    The counts of dataset and investigation are kept right, where ICAT leaves them to PACER.
    """
    icat = ctx[ICAT].shared
    options: DatasetFilesOptions = ctx.options
    investigation = looking_again(icat.catalogue, lambda: _add(message.dataset_id, options, icat))
    if not ctx.emit("dataset-statistics", reference(message.dataset_id, investigation)):
        looking_again(icat.catalogue, lambda: keep_investigation(investigation, icat))


def _list(dataset: int, options: DatasetFilesOptions, icat: Shared) -> Listing:
    record = icat.wire.read("Dataset", dataset)
    if record is None:
        raise NotYet(f"ICAT has no dataset with id {dataset}")
    folder: str | None = record["location"]
    if not folder:
        raise Reject("the dataset has no folder", fields=[BadField("dataset_id", "has no location in ICAT")])
    rules = DatasetsOptions(
        allowed_roots=options.allowed_roots,
        max_datafiles=options.max_datafiles,
        list_files=True,
        stat_files=options.stat_files,
        checksums=options.checksums,
    )
    checksums = checksums_of(rules)
    files, bad = look_at(name_files(files_below(folder, rules), folder), checksums, rules)
    bad += check_files(files, icat)
    if bad:
        raise Reject("the dataset's folder holds files that ICAT does not take", fields=bad)
    return Listing(record, folder, files, checksums)


def _add(dataset: int, options: DatasetFilesOptions, icat: Shared) -> int:
    listing = _list(dataset, options, icat)

    def add() -> None:
        missing, _sizes = missing_files(listing.files, listing.folder, dataset, icat)
        add_files(batches(missing), listing.checksums, dataset, icat)

    despite_others(add, "others are adding files to the same dataset", tries=_TRIES)
    keep_dataset(dataset, icat)
    return int(listing.dataset["investigation"].id)


DATASET_FILES = ConsumerType(
    name="dataset-files",
    message=DatasetFiles,
    tasks=[add_datafiles],
    options=DatasetFilesOptions,
    key=dataset_key(lambda message: message.dataset_id),
    describe=describe,
    warn=warn,
)
