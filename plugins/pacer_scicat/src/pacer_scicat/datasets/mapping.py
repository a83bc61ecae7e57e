"""A dataset message as SciCat's record: fields, scientific metadata, files. Nothing is written here."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from pacer_core import BadField, Reject, read_number
from pacer_icat import Dataset, FileRefusedError, Parameter, Roots, looked_at
from pacer_scicat.datasets.options import ScicatDatasetOptions
from pacer_scicat.writing import Record

INPUTS = "input_datasets"
"""The parameter of a processed dataset: the locations of those that it was made from."""
_NAMESPACE = UUID("4c2b6c1e-2f0a-5a7d-8b1c-6f3e9d0a7b55")
"""Of the pids that PACER makes: never to be changed, or every dataset gets a second one."""
_RESERVED = frozenset({"constructor", "__proto__", "prototype"})
"""Names that the backend's JavaScript stumbles over (A8, 18)."""


def record_of(
    dataset: Dataset,
    investigation: str,
    options: ScicatDatasetOptions,
    *,
    contact: str | None,
    instrument: str | None,
    sample: str | None,
) -> Record:
    """Give the record of a dataset; ``instrument`` and ``sample`` are ids in SciCat, where there are any."""
    words = words_of(dataset, investigation)
    inputs = _inputs(dataset.parameters)
    folder = options.source_folder.format_map(words)
    fields = {
        "pid": pid_of(dataset, investigation, options.pid_prefix),
        "type": "derived" if inputs else "raw",
        "datasetName": options.dataset_name.format_map(words),
        "owner": options.owner.format_map(words),
        "contactEmail": contact,
        "ownerGroup": options.owner_group.format_map(words),
        "accessGroups": [one.format_map(words) for one in options.access_groups],
        "sourceFolder": folder,
        "creationTime": _stamp(dataset.end_date),
        "startTime": _stamp(dataset.start_date),
        "endTime": _stamp(dataset.end_date),
        "proposalId": investigation,
        "isPublished": options.is_published,
        "scientificMetadata": dict(_metadata(dataset, options)),
    }
    investigator = options.principal_investigator.format_map(words)
    if inputs:
        fields |= {
            "investigator": investigator,
            "inputDatasets": inputs,
            "usedSoftware": list(options.used_software),
        }
    else:
        fields |= {
            "principalInvestigator": investigator,
            "sampleId": sample,
            "instrumentId": instrument,
            "creationLocation": options.creation_location.format_map(words),
        }
    return Record(fields, list(_files(dataset, folder, options)))


def proposal_of(dataset: Dataset) -> str:
    """Give the name of a dataset's proposal.

    Raises
    ------
    Reject
        Where the message has none.
    """
    if dataset.investigation is None:
        raise Reject(
            "SciCat needs the proposal's name",
            fields=[BadField("investigation", "is missing, and an id of ICAT's is none of SciCat's")],
        )
    return dataset.investigation


def words_of(dataset: Dataset, investigation: str) -> dict[str, str]:
    """Give what templates may name."""
    return {
        "investigation": investigation,
        "instrument": dataset.instrument,
        "name": dataset.name,
        "location": dataset.location,
        "sample": dataset.sample.name,
    }


def pid_of(dataset: Dataset, investigation: str, prefix: str) -> str:
    """Give the pid of a dataset: the same for the same message, whoever asks."""
    suffix = uuid5(_NAMESPACE, f"{investigation}\n{dataset.location.rstrip('/')}\n{dataset.name}")
    return f"{prefix}/{suffix}" if prefix else str(suffix)


def _inputs(parameters: tuple[Parameter, ...]) -> list[str]:
    found = [str(one.value) for one in parameters if one.name == INPUTS and one.value is not None]
    return [path.strip() for text in found for path in text.split(",") if path.strip()]


def _metadata(dataset: Dataset, options: ScicatDatasetOptions) -> Iterator[tuple[str, Any]]:
    """Give parameters as quantities; of several with one name, all values."""
    left_out = {name.casefold() for name in options.leave_out}
    values: dict[str, list[Any]] = {}
    units: dict[str, str] = {}
    for one in dataset.parameters:
        if one.value is None or one.name.casefold() in left_out:
            continue
        unit = (one.units or "").strip()
        values.setdefault(one.name, []).append(_value(one.value, unit))
        units.setdefault(one.name, unit)
    yield "sample_name", {"value": dataset.sample.name, "unit": ""}
    for name, several in values.items():
        shown = f"{name}_" if name in _RESERVED else name
        yield shown, {"value": several[0] if len(several) == 1 else several, "unit": units[name]}


def _value(value: Any, unit: str) -> Any:
    """Give a number that is written as text as one where it has a unit: XML knows text alone."""
    number = read_number(value) if unit and isinstance(value, str) else None
    return value if number is None else number


def _files(dataset: Dataset, folder: str, options: ScicatDatasetOptions) -> Iterator[Mapping[str, Any]]:
    roots = Roots(options.allowed_roots)
    seen: set[str] = set()
    for one in dataset.datafiles:
        path = posixpath.normpath(posixpath.join(dataset.location, one.location))
        if path in seen:
            continue
        seen.add(path)
        size, time = one.size, _stamp(dataset.end_date)
        if options.allowed_roots:
            size, time = _on_disk(path, roots, size, time)
        relative = path.removeprefix(f"{folder.rstrip('/')}/")
        yield {"path": relative, "size": size or 0, "time": time}


def _on_disk(path: str, roots: Roots, size: int | None, time: str) -> tuple[int | None, str]:
    """Ask the disk for what the message does not say; a file that is not there is as the message says."""
    try:
        with looked_at(path, roots) as (_, status):
            modified = datetime.fromtimestamp(status.st_mtime, UTC)
            return (status.st_size if size is None else size), _stamp(modified)
    except (OSError, FileRefusedError):
        return size, time


def _stamp(time: datetime) -> str:
    aware = time if time.tzinfo is not None else time.astimezone()
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
