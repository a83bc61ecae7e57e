"""Counting what a dataset, a sample or an investigation holds, as ICAT's database counts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.totals.options import StatisticsOptions


@frozen
class Total:
    """Datasets with their files; the volume in bytes."""

    datasets: int = 0
    files: int = 0
    volume: int = 0

    def __add__(self, other: Total) -> Total:
        return Total(self.datasets + other.datasets, self.files + other.files, self.volume + other.volume)


@frozen
class Totals:
    """What is below an investigation or a sample."""

    all: Total
    raw: Total
    processed: Total


def files_of(dataset: int, icat: Shared) -> tuple[int, int]:
    """Give the number of a dataset's files, and their size in bytes together."""
    ((count, size),) = icat.wire.search(
        "SELECT COUNT(f), SUM(f.fileSize) FROM Datafile f WHERE f.dataset.id = :dataset", dataset=dataset
    )
    return count or 0, size or 0


def files_of_investigation(investigation: int, icat: Shared) -> tuple[int, int]:
    """Give the number of an investigation's files, and their size in bytes together.

    The counts of its datasets are summed up; the files of those that have none are counted.
    """
    ((kept, size),) = icat.wire.search(
        "SELECT SUM(d.fileCount), SUM(d.fileSize) FROM Dataset d WHERE d.investigation.id = :id",
        id=investigation,
    )
    ((more, more_size),) = icat.wire.search(
        "SELECT COUNT(f), SUM(f.fileSize) FROM Datafile f "
        "WHERE f.dataset.investigation.id = :id AND f.dataset.fileCount = 0",
        id=investigation,
    )
    return (kept or 0) + (more or 0), (size or 0) + (more_size or 0)


def below(owner: str, id_: int, options: StatisticsOptions, icat: Shared, *, kept: bool) -> Totals:
    """Count the datasets of an ``owner`` (Investigation, Sample), and their files.

    With ``kept`` the counts that the database keeps on each dataset are summed up, instead of all files.
    """
    field = owner.lower()
    sums = ", SUM(d.fileCount), SUM(d.fileSize)" if kept else ""
    by_type: dict[str, Total] = {}
    for name, datasets, *more in icat.wire.search(
        f"SELECT d.type.name, COUNT(d){sums} FROM Dataset d WHERE d.{field}.id = :id GROUP BY d.type.name",  # noqa: S608 - names
        id=id_,
    ):
        files, volume = more or (0, 0)
        by_type[fold(name)] = Total(datasets, files or 0, volume or 0)
    if not kept:
        for name, files, volume in icat.wire.search(
            "SELECT f.dataset.type.name, COUNT(f), SUM(f.fileSize) FROM Datafile f "  # noqa: S608 - names
            f"WHERE f.dataset.{field}.id = :id GROUP BY f.dataset.type.name",
            id=id_,
        ):
            by_type[fold(name)] = by_type.get(fold(name), Total()) + Total(0, files or 0, volume or 0)
    nothing = Total()
    return Totals(
        all=sum(by_type.values(), nothing),
        raw=by_type.get(fold(options.raw_type), nothing),
        processed=by_type.get(fold(options.processed_type), nothing),
    )


def elapsed(investigation: int, icat: Shared) -> int:
    """Give the time that an investigation's datasets took together, in milliseconds."""
    rows = icat.wire.search_all(
        "SELECT d.startDate, d.endDate FROM Dataset d WHERE d.investigation.id = :id "
        "AND d.startDate IS NOT NULL AND d.endDate IS NOT NULL ORDER BY d.id",
        id=investigation,
    )
    return sum(milliseconds(start, end) for start, end in rows)


def milliseconds(start: Any, end: Any) -> int:
    """Give the time between two moments: whole seconds, in milliseconds."""
    return int((end - start).total_seconds()) * 1000


def samples(investigation: int, icat: Shared) -> int:
    """Give the number of an investigation's samples."""
    (number,) = icat.wire.search(
        "SELECT COUNT(s) FROM Sample s WHERE s.investigation.id = :id", id=investigation
    )
    return number or 0


def parameters(totals: Totals) -> Mapping[str, int]:
    """Give the totals by the names of their parameter types."""
    return {
        f"__{prefix}{what if prefix else what[0].lower() + what[1:]}": value
        for prefix, total in (("", totals.all), ("acquisition", totals.raw), ("processed", totals.processed))
        for what, value in (
            ("DatasetCount", total.datasets),
            ("FileCount", total.files),
            ("Volume", total.volume),
        )
    }
