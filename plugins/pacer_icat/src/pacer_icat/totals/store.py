"""Writing what was counted: parameters, and ICAT's own counts where the database does not keep them.

All is counted again until ICAT holds what was counted, so that of two writers the later one prevails.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from attrs import field, frozen

from pacer_core import NotYet, Planned
from pacer_icat import kept
from pacer_icat.client import Shared
from pacer_icat.faults import IcatFault
from pacer_icat.others import until_stable
from pacer_icat.references import DatasetReference
from pacer_icat.soap import Record
from pacer_icat.totals import count
from pacer_icat.totals.options import StatisticsOptions

log = logging.getLogger("pacer.icat.statistics")

NAME = "datasetName"
_OTHERS = "others are writing the same statistics"


@frozen
class Counted:
    """A dataset, an investigation or a sample, and what was counted of it, as compared with ICAT.

    ``files`` are its number of files and their bytes together, where it has a field of its own for each.
    """

    owner: str
    id: int
    files: tuple[int, int] | None
    changes: kept.Changes = field(factory=kept.Changes)
    record: Record | None = None
    """The object itself, where it was read before its files were counted."""

    def itself(self, icat: Shared) -> Record:
        """Give the object, as it was then, or is now."""
        return _read(self.owner, self.id, icat) if self.record is None else self.record


def store_statistics(message: DatasetReference, options: StatisticsOptions, icat: Shared) -> None:
    """Count a dataset, and unless that was done since the message was sent, its investigation and sample.

    Raises
    ------
    NotYet
        Where ICAT has no such dataset, or lacks a parameter type.
    Retry
        Where other writers come in between again and again.
    IcatFault
        Where ICAT refuses for a reason other than another writer.
    """
    dataset = _until_stable(lambda: _dataset(message.dataset_id, icat), icat)
    for owner, id_, count_ in _owners(dataset, message, options, icat):
        started = time.time()
        _until_stable(count_, icat)
        icat.counted.put((owner, id_), started)


def foresee_statistics(
    message: DatasetReference, options: StatisticsOptions, icat: Shared
) -> Iterator[Planned]:
    """Say what `store_statistics` would do.

    Raises
    ------
    NotYet
        As `store_statistics`.
    """
    dataset = _dataset(message.dataset_id, icat)
    for one in (dataset, *(count_() for _, _, count_ in _owners(dataset, message, options, icat))):
        yield planned(one, icat)


def planned(counted: Counted, icat: Shared) -> Planned:
    """Say what would be written of something that was counted."""
    fields = [] if _outdated(counted, icat) is None else ["fileCount, fileSize to be set"]
    return kept.planned(counted.owner, counted.id, [*counted.changes.said_of(counted.id), *fields])


def _until_stable(count_: Callable[[], Counted], icat: Shared) -> Counted:
    """Count and write until ICAT holds what was counted."""

    def write() -> tuple[Counted, bool]:
        counted = count_()
        wrote = kept.write(counted.changes, icat)
        return counted, _keep(counted, icat) or wrote

    return until_stable(write, _OTHERS)


def _owners(
    dataset: Counted, message: DatasetReference, options: StatisticsOptions, icat: Shared
) -> Iterator[tuple[str, int, Callable[[], Counted]]]:
    """Give what is to be counted beside a dataset, each with what counts it."""
    record = dataset.itself(icat)
    # Where it is right for a dataset with files, the database keeps the counts of all datasets.
    by_database = (
        icat.counts.keeper == "database"
        and icat.wire.schema.has("Dataset", "fileCount")
        and dataset.files is not None
        and dataset.files[0] > 0
        and (record["fileCount"], record["fileSize"]) == dataset.files
    )
    for owner, one in (("Investigation", record["investigation"]), ("Sample", record["sample"])):
        if one is None:
            continue
        asked, counted = message.asked_at, icat.counted.get((owner, one.id))
        if asked is None or counted is None or not asked < counted <= time.time():
            yield owner, one.id, partial(_owner, owner, one.id, options, icat, by_database=by_database)


def _dataset(dataset: int, icat: Shared) -> Counted:
    record = _read("Dataset", dataset, icat)
    files, volume = count.files_of(dataset, icat)
    values: dict[str, Any] = {NAME: record["name"], "__fileCount": files, "__volume": volume}
    start, end = record["startDate"], record["endDate"]
    if start is not None and end is not None:
        values["__elapsedTime"] = count.milliseconds(start, end)
    changes = _parameters("Dataset", dataset, values, icat, only_new=(NAME,))
    return Counted("Dataset", dataset, (files, volume), changes, record)


def _owner(owner: str, id_: int, options: StatisticsOptions, icat: Shared, *, by_database: bool) -> Counted:
    totals = count.below(owner, id_, options, icat, kept=by_database)
    values = dict(count.parameters(totals))
    if owner != "Investigation":
        return Counted(owner, id_, None, _parameters(owner, id_, values, icat))
    values["__sampleCount"] = count.samples(id_, icat)
    values["__elapsedTime"] = count.elapsed(id_, icat)
    files = (totals.all.files, totals.all.volume)
    return Counted(owner, id_, files, _parameters(owner, id_, values, icat))


def keep_dataset(dataset: int, icat: Shared) -> None:
    """Bring a dataset's own counts up to date, where they are PACER's.

    Raises
    ------
    NotYet
        Where ICAT has no such dataset any more.
    """
    if icat.counts.are_ours("Dataset"):
        _keep(counted_dataset(dataset, icat), icat)


def counted_dataset(dataset: int, icat: Shared) -> Counted:
    """Count a dataset for its own counts alone."""
    # In this order: what somebody adds in between is in both, or makes us write the newer number.
    record = _read("Dataset", dataset, icat)
    return Counted("Dataset", dataset, count.files_of(dataset, icat), record=record)


def keep_investigation(investigation: int, icat: Shared) -> None:
    """Bring an investigation's own counts up to date, where they are PACER's and no statistics are kept.

    Raises
    ------
    NotYet
        Where ICAT has no such investigation any more.
    Retry
        Where other writers come in between again and again.
    """
    if icat.counts.are_ours("Investigation"):
        _until_stable(
            lambda: Counted(
                "Investigation", investigation, count.files_of_investigation(investigation, icat)
            ),
            icat,
        )


def _outdated(counted: Counted, icat: Shared) -> Record | None:
    """Give the object whose own counts are PACER's to write, and are not what was counted."""
    if counted.files is None or not icat.counts.are_ours(counted.owner):
        return None
    record = counted.itself(icat)
    return None if (record["fileCount"], record["fileSize"]) == counted.files else record


def _keep(counted: Counted, icat: Shared) -> bool:
    """Write an object's own counts where they differ; tell whether they did."""
    record = _outdated(counted, icat)
    if record is None or counted.files is None:
        return False
    try:
        icat.wire.update(record, fileCount=counted.files[0], fileSize=counted.files[1])
    except IcatFault as fault:
        if counted.owner != "Investigation" or fault.type != "INSUFFICIENT_PRIVILEGES":
            raise
        # No reason to keep a dataset waiting.
        log.warning(
            "investigation %d: its fileCount stays as it is: the account may not update Investigation",
            counted.id,
        )
        return False
    return True


def _parameters(
    owner: str, id_: int, values: Mapping[str, Any], icat: Shared, only_new: tuple[str, ...] = ()
) -> kept.Changes:
    types = kept.types_for(owner, values, icat)
    stored = kept.read(owner, [id_], types, icat)
    wanted = {
        (id_, name): value
        for name, value in values.items()
        if name not in only_new or (id_, name) not in stored
    }
    return kept.compare(owner, wanted, stored, types, icat)


def _read(entity: str, id_: int, icat: Shared) -> Record:
    record = icat.wire.read(entity, id_)
    if record is None:
        raise NotYet(f"ICAT has no {entity.lower()} with id {id_}")
    return record
