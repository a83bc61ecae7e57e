"""From ICAT's datasets to documents, with the fields that ICAT-PACER's have."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pacer_core import read_number
from pacer_elastic.client import Document
from pacer_icat import IcatClient

AT_ONCE = 100
"""Datasets that ICAT is asked for at once, each with all its parameters."""
NUMBERS = frozenset(
    {
        "InstrumentMonochromator_energy",
        "InstrumentMonochromator_wavelength",
        "InstrumentSource_current",
    }
)
"""Parameters that are numbers in a document even where ICAT has them as text."""
COMPACT = (
    "investigationVisitId",
    "investigationSummary",
    "investigationName",
    "InstrumentMonochromatorCrystal_type",
    "InstrumentMonochromatorCrystal_reflection",
    "InstrumentMonochromatorCrystal_usage",
    "definition",
    "name",
    "sampleName",
)
"""The fields of which ``escompactsearch`` is made."""
_INCLUDE = (
    "d.type, d.sample, d.investigation AS i, i.investigationInstruments AS il, il.instrument, "
    "d.parameters AS p, p.type"
)


def datasets_of(icat: IcatClient, investigation: int) -> list[int]:
    """Give the ids of an investigation's datasets."""
    return [
        int(one)
        for one in icat.shared.wire.search_all(
            "SELECT d.id FROM Dataset d WHERE d.investigation.id = :id ORDER BY d.id", id=investigation
        )
    ]


def read(icat: IcatClient, ids: Sequence[int]) -> Iterator[Document]:
    """Give the documents of those datasets that ICAT has."""
    wire = icat.shared.wire
    own = wire.schema.has("Dataset", "datasetInstruments")
    include = f"{_INCLUDE}, d.datasetInstruments AS dl, dl.instrument" if own else _INCLUDE
    for start in range(0, len(ids), AT_ONCE):
        version = time.time_ns() // 1_000_000  # before the look: who looked later knows better
        rows = wire.search(
            f"SELECT d FROM Dataset d WHERE d.id IN (:ids) ORDER BY d.id INCLUDE {include}",  # noqa: S608 - constants
            ids=list(ids[start : start + AT_ONCE]),
        )
        for row in rows:
            yield Document(row.id, version, document_of(row, own=own))


def document_of(dataset: Any, *, own: bool) -> dict[str, Any]:
    """Give the document of a dataset that was read with all that belongs to it; nothing in it is empty.

    ``own`` says whether ICAT knows instruments of datasets, which prevail over the investigation's.
    """
    investigation, sample = dataset["investigation"], dataset["sample"]
    instrument = _first(dataset["datasetInstruments"] if own else ()) or _first(
        investigation["investigationInstruments"]
    )
    parameters = _parameters(dataset["parameters"] or ())
    document = parameters | {
        "id": dataset.id,
        "estype": "dataset",
        "name": dataset["name"],
        "location": dataset["location"],
        "type": dataset["type"]["name"],
        "definition": parameters.get("scanType", "undefined"),
        "startDate": _utc(dataset["startDate"]),
        "endDate": _utc(dataset["endDate"]),
        "sampleId": None if sample is None else sample.id,
        "sampleName": None if sample is None else sample["name"],
        "instrumentId": None if instrument is None else instrument.id,
        "instrumentName": None if instrument is None else instrument["name"].replace("-", ""),
        "investigationId": investigation.id,
        "investigationName": investigation["name"],
        "investigationVisitId": investigation["visitId"],
        "investigationTitle": investigation["title"],
        "investigationSummary": investigation["summary"],
        "investigationDOI": investigation["doi"],
        "releaseDate": _utc(investigation["releaseDate"]),
        "parametersCount": len(dataset["parameters"] or ()),
    }
    document = {name: value for name, value in document.items() if value not in (None, "")}
    words = (str(document[name]) for name in COMPACT if name in document)
    document["escompactsearch"] = " ".join(words)
    document["_metadataSize"] = len(document)
    return document


def _parameters(records: Sequence[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for record in sorted(records, key=lambda one: int(one.id)):
        name = field_of(record["type"]["name"])
        value = _value(record)
        if name in NUMBERS and isinstance(value, str):
            value = read_number(value)
        if name and value not in (None, ""):
            found[name] = value
    return found


def field_of(name: str) -> str:
    """Give the field of a parameter: without ``__``; a dot would make an object of it."""
    return name.replace("__", "").replace(".", "_").strip()


def _value(record: Any) -> Any:
    kind = record["type"]["valueType"]
    if kind == "NUMERIC":
        return _finite(record["numericValue"])
    if kind == "DATE_AND_TIME":
        return _utc(record["dateTimeValue"])
    return record["stringValue"]


def _finite(value: float | None) -> float | None:
    """Leave out what JSON has no word for."""
    return None if value is None or not math.isfinite(value) else float(value)


def _first(links: Sequence[Mapping[str, Any]] | None) -> Any:
    instruments = [link["instrument"] for link in links or ()]
    return min(instruments, key=lambda one: int(one.id), default=None)


def _utc(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat(timespec="milliseconds")
