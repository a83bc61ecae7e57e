"""The fields of a dataset, and what versions 3 and 4 of the interface call them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LISTS = {
    "principalInvestigator": "principalInvestigators",
    "proposalId": "proposalIds",
    "sampleId": "sampleIds",
    "instrumentId": "instrumentIds",
}
"""One value in version 3, a list in version 4: whichever a schema uses, the backend gets its own."""
SINGLE = {many: one for one, many in LISTS.items()}

MANDATORY = (
    *("datasetName", "principalInvestigator", "creationLocation", "owner", "ownerEmail"),
    *("sourceFolder", "contactEmail", "creationTime", "ownerGroup"),
)
"""What every dataset of a file has to have, by version 3's names."""
OPTIONAL = (
    *("pid", "description", "type", "sampleId", "techniques", "instrumentId", "proposalId", "accessGroups"),
    *("startTime", "endTime", "runNumber", "keywords", "isPublished", "license", "classification"),
    *("dataFormat", "comment", "instrumentGroup", "orcidOfOwner", "sourceFolderHost", "validationStatus"),
    *("sharedWith", "relationships", "scientificMetadataSchema", "dataQualityMetrics"),
    *("investigator", "inputDatasets", "usedSoftware", "jobParameters", "jobLogData"),
)
"""What it may have beside."""
KNOWN = frozenset({*MANDATORY, *OPTIONAL, *SINGLE})
TEXTS = frozenset(
    {*MANDATORY, "pid", "type", "sampleId", "instrumentId", "proposalId", "runNumber", "description"}
)
"""Fields that are text: a number there is a refusal of the backend's."""


def one_name(name: str) -> str:
    """Give version 3's name of a field."""
    return SINGLE.get(name, name)


def single(value: Any) -> Any:
    """Give the first of several values: version 3 holds one."""
    if isinstance(value, list | tuple):
        return value[0] if value else None
    return value


def in_version(fields: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Give a dataset, held by version 3's names, as a version takes it; what is null is left out (A8, 14)."""
    held = {name: value for name, value in fields.items() if value is not None}
    if version == "v3":
        return held
    if "investigator" in held:
        held.setdefault("principalInvestigator", held["investigator"])
        del held["investigator"]
    return {LISTS.get(name, name): [value] if name in LISTS else value for name, value in held.items()}
