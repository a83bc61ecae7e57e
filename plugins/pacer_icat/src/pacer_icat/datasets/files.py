"""Writing files of a dataset, in batches that ICAT takes well; those that it has already are left alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from attrs import evolve

from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.datasets.paths import Checksums
from pacer_icat.datasets.plan import File
from pacer_icat.soap import Bean, ref
from pacer_icat.spellings import folder as spelt

BATCH = 1000
"""Files in one call."""
_BATCH_CHARACTERS = 1_000_000


def batches(files: Sequence[File]) -> Iterator[list[File]]:
    """Cut files into batches that ICAT takes well: some number, and some length of text."""
    batch: list[File] = []
    characters = 0
    for file in files:
        length = len(file.name) + len(file.location)
        if batch and (len(batch) == BATCH or characters + length > _BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(file)
        characters += length
    if batch:
        yield batch


def with_checksum(file: File, checksums: Checksums | None) -> File:
    """Give a file with its checksum where that is wanted; what was asked of the disk is then of this reading.

    Raises
    ------
    Retry
        Where the file cannot be read for its checksum.
    Reject
        Where it may not be.
    """
    if checksums is None:
        return file
    checksum, details = checksums.of(file.path)
    if file.details is None:
        return evolve(file, checksum=checksum)
    size = details.size if file.size == file.details.size else file.size
    return evolve(file, checksum=checksum, details=details, size=size)


def datafile(file: File, **more: Any) -> Bean:
    """Give a file as ICAT takes it."""
    values = {"name": file.name, "location": file.location, "fileSize": file.size, **more}
    if file.details is not None:
        values["datafileModTime"] = file.details.modified
        values["datafileCreateTime"] = file.details.created
    if file.checksum is not None:
        values["checksum"] = file.checksum
    return Bean("Datafile", values)


def add_files(
    groups: Iterable[Sequence[File]], checksums: Checksums | None, dataset: int, icat: Shared
) -> None:
    """Create files of a dataset, each group in one call."""
    owner = ref("Dataset", dataset)
    for group in groups:
        icat.wire.create_many([datafile(with_checksum(file, checksums), dataset=owner) for file in group])


def missing_files(files: Sequence[File], folder: str, dataset: int, icat: Shared) -> tuple[list[File], int]:
    """Give the files that a dataset does not have, by names that are free; count those with another size."""
    rows = icat.wire.search_all(
        "SELECT f.name, f.location, f.fileSize FROM Datafile f WHERE f.dataset.id = :dataset ORDER BY f.id",
        dataset=dataset,
    )
    names = {fold(name) for name, _, _ in rows}
    sizes = {spelt(location): size for _, location, size in rows if location is not None}
    missing: list[File] = []
    differing = 0
    for file in files:
        if file.location not in sizes:
            missing.append(_renamed(file, folder, names))
            names.add(fold(missing[-1].name))
        elif file.size is not None and sizes[file.location] not in (file.size, 0, None):
            differing += 1
    return missing, differing


def _renamed(file: File, folder: str, taken: set[str]) -> File:
    """Give a file the shortest name that no other file of the dataset has: its own, or of its path."""
    below = file.location.removeprefix(f"{folder.rstrip('/')}/")
    names = (file.name, below.lstrip("/"), file.location.lstrip("/"), file.location)
    return evolve(file, name=next((name for name in names if fold(name) not in taken), file.name))
