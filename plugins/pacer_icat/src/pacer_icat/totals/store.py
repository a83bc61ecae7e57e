"""Writing what was counted: parameters, and ICAT's own counts where the database does not keep them.

All is counted again until ICAT holds what was counted, so that of two writers the later one prevails.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from pacer_core import NotYet
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
    record, files = until_stable(lambda: _dataset(message.dataset_id, icat), _OTHERS)
    # Where it is right for a dataset with files, the database keeps the counts of all datasets.
    by_database = (
        icat.counts.keeper == "database"
        and icat.wire.schema.has("Dataset", "fileCount")
        and files[0] > 0
        and (record["fileCount"], record["fileSize"]) == files
    )
    owners = [("Investigation", record["investigation"])]
    if record["sample"] is not None:
        owners.append(("Sample", record["sample"]))
    for owner, one in owners:
        asked, counted = message.asked_at, icat.counted.get((owner, one.id))
        if asked is None or counted is None or not asked < counted <= time.time():
            started = time.time()
            _owner(owner, one.id, options, icat, by_database=by_database)
            icat.counted.put((owner, one.id), started)


def _dataset(dataset: int, icat: Shared) -> tuple[tuple[Record, tuple[int, int]], bool]:
    record = _read("Dataset", dataset, icat)
    files, volume = count.files_of(dataset, icat)
    values: dict[str, Any] = {NAME: record["name"], "__fileCount": files, "__volume": volume}
    start, end = record["startDate"], record["endDate"]
    if start is not None and end is not None:
        values["__elapsedTime"] = count.milliseconds(start, end)
    wrote = _parameters("Dataset", dataset, values, icat, only_new=(NAME,))
    if icat.counts.are_ours("Dataset") and (record["fileCount"], record["fileSize"]) != (files, volume):
        icat.wire.update(record, fileCount=files, fileSize=volume)
        wrote = True
    return (record, (files, volume)), wrote


def _owner(owner: str, id_: int, options: StatisticsOptions, icat: Shared, *, by_database: bool) -> None:
    def write() -> tuple[None, bool]:
        totals = count.below(owner, id_, options, icat, kept=by_database)
        values = dict(count.parameters(totals))
        if owner == "Investigation":
            values["__sampleCount"] = count.samples(id_, icat)
            values["__elapsedTime"] = count.elapsed(id_, icat)
        wrote = _parameters(owner, id_, values, icat)
        if owner == "Investigation" and icat.counts.are_ours(owner):
            wrote = _keep(id_, (totals.all.files, totals.all.volume), icat) or wrote
        return None, wrote

    until_stable(write, _OTHERS)


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
        until_stable(
            lambda: (
                None,
                _keep(investigation, count.files_of_investigation(investigation, icat), icat),
            ),
            _OTHERS,
        )


def _keep(investigation: int, counted: tuple[int, int], icat: Shared) -> bool:
    """Write an investigation's counts where they differ; tell whether they did."""
    record = _read("Investigation", investigation, icat)
    if (record["fileCount"], record["fileSize"]) == counted:
        return False
    try:
        icat.wire.update(record, fileCount=counted[0], fileSize=counted[1])
    except IcatFault as fault:
        if fault.type != "INSUFFICIENT_PRIVILEGES":
            raise
        # No reason to keep a dataset waiting.
        log.warning(
            "investigation %d: its fileCount stays as it is: the account may not update Investigation",
            investigation,
        )
        return False
    return True


def _parameters(
    owner: str, id_: int, values: Mapping[str, Any], icat: Shared, only_new: tuple[str, ...] = ()
) -> bool:
    types = kept.types_for(owner, values, icat)
    stored = kept.read(owner, [id_], types, icat)
    wanted = {
        (id_, name): value
        for name, value in values.items()
        if name not in only_new or (id_, name) not in stored
    }
    return kept.write(owner, wanted, stored, types, icat)


def _read(entity: str, id_: int, icat: Shared) -> Record:
    record = icat.wire.read(entity, id_)
    if record is None:
        raise NotYet(f"ICAT has no {entity.lower()} with id {id_}")
    return record
