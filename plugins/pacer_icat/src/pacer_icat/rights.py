"""What PACER's account has to be allowed in ICAT, by consumer type: letters of CRUD by entity."""

from __future__ import annotations

from collections.abc import Mapping

_VISITS = {"Facility": "R", "Investigation": "R", "InvestigationInstrument": "R", "Instrument": "R"}
_KEPT = {"ParameterType": "R", "DatasetParameter": "CRU"}

NEEDED: Mapping[str, Mapping[str, str]] = {
    "users": {"User": "CRU"},
    "investigations": {
        "Facility": "R",
        "InvestigationType": "R",
        "Instrument": "R",
        "User": "R",
        "ParameterType": "R",
        "Investigation": "CRU",
        "InvestigationInstrument": "CRD",
        "InvestigationUser": "CRD",
        "InvestigationParameter": "CRUD",
    },
    "datasets": {
        **_VISITS,
        **_KEPT,
        "DatasetType": "R",
        "SampleType": "R",
        "Sample": "CRU",
        "Dataset": "CRU",
        "Datafile": "CR",
        "DatasetInstrument": "CR",
    },
    "dataset-links": {"Facility": "R", "Investigation": "R", "Dataset": "R", **_KEPT},
    "dataset-statistics": {
        "Facility": "R",
        "Investigation": "R",
        "Sample": "R",
        "Dataset": "R",
        "Datafile": "R",
        **_KEPT,
        "InvestigationParameter": "CRU",
        "SampleParameter": "CRU",
    },
    "dataset-metadata": {"Facility": "R", "Investigation": "R", "Dataset": "R", **_KEPT},
    "dataset-files": {"Investigation": "R", "Dataset": "R", "Datafile": "CR"},
    "archive-status": {"Facility": "R", "Investigation": "R", "Dataset": "R", **_KEPT},
    "investigation-operations": {
        **_VISITS,
        "InvestigationType": "R",
        "InvestigationUser": "R",
        "Dataset": "R",
    },
    "reingest": {
        "Facility": "R",
        "Investigation": "R",
        "Instrument": "R",
        "Dataset": "R",
        "DatasetInstrument": "R",
        "DatasetParameter": "R",
        "ParameterType": "R",
        "Datafile": "R",
        "Sample": "R",
        "SampleType": "R",
    },
}
