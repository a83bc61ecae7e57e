"""The fields that the backend knows, by what they belong to (A8, 12 to 16, 19, 30 and 31)."""

from __future__ import annotations

from pacer_scicat.testing.validation import Nested, Rules

_TECHNIQUES = Nested({"pid": "string", "name": "string"})
_RELATIONSHIPS = Nested(
    {
        "identifier": "string",
        "identifierType": "string?",
        "relationship": "string",
        "entityType": "string?",
    }
)

_COMMON: Rules = {
    "owner": "string",
    "ownerEmail": "email?",
    "orcidOfOwner": "string?",
    "contactEmail": "emails",
    "sourceFolder": "filled",
    "sourceFolderHost": "string?",
    "size": "integer?",
    "packedSize": "integer?",
    "numberOfFiles": "integer?",
    "numberOfFilesArchived": "integer?",
    "creationTime": "date",
    "validationStatus": "string?",
    "keywords": "strings?",
    "description": "string?",
    "datasetName": "string?",
    "classification": "string?",
    "license": "string?",
    "isPublished": "truth?",
    "techniques": _TECHNIQUES,
    "sharedWith": "strings?",
    "relationships": _RELATIONSHIPS,
    "datasetlifecycle": "anything?",
    "scientificMetadata": "anything?",
    "scientificMetadataSchema": "string?",
    "scientificMetadataValid": "truth?",
    "comment": "string?",
    "dataQualityMetrics": "number?",
    "ownerGroup": "filled",
    "accessGroups": "strings?",
    "instrumentGroup": "string?",
    "runNumber": "string?",
    "jobParameters": "anything?",
    "jobLogData": "string?",
    "startTime": "date?",
    "endTime": "anything?",
    "dataFormat": "string?",
}
_NEW: Rules = {"pid": "string?", "type": "string", "version": "string?"}
_RAW: Rules = {
    "proposalId": "string?",
    "sampleId": "string?",
    "instrumentId": "string?",
    "inputDatasets": "strings?",
    "usedSoftware": "strings?",
    "investigator": "string?",
}
RAW: Rules = {
    **_NEW, **_COMMON, **_RAW, "principalInvestigator": "string", "creationLocation": "string",
}  # fmt: skip
DERIVED: Rules = {
    **_NEW, **_COMMON, "proposalId": "string?", "investigator": "string", "inputDatasets": "strings",
    "usedSoftware": "strings",
}  # fmt: skip
_ARRAYS: Rules = {
    "principalInvestigators": "strings?",
    "proposalIds": "strings?",
    "sampleIds": "strings?",
    "instrumentIds": "strings?",
    "inputDatasets": "strings?",
    "usedSoftware": "strings?",
    "creationLocation": "string?",
}
CUSTOM: Rules = {**_NEW, **_COMMON, **_ARRAYS, "datasetName": "string", "owner": "string?"}
"""Also what version 4 takes, of every type (A8, 31)."""
WHOLE: Rules = {**_COMMON, **_RAW, "owner": "string?", "creationLocation": "string?"}
"""What a PUT takes."""
WHOLE_RAW: Rules = {**WHOLE, "principalInvestigator": "string?"}
"""What a PUT takes for a raw dataset."""
PARTS: Rules = {
    name: rule if isinstance(rule, Nested) or rule.endswith("?") else f"{rule}?"
    for name, rule in {**WHOLE_RAW, **_ARRAYS}.items()
}
"""What a PATCH takes."""

FILES = Nested(
    {
        "path": "string",
        "size": "number",
        "time": "date",
        "chk": "string?",
        "uid": "string?",
        "gid": "string?",
        "perm": "string?",
        "type": "string?",
        "metadata": "anything?",
    },
    optional=False,
    filled=True,
)
_OWNED: Rules = {
    "ownerGroup": "named?",
    "accessGroups": "strings?",
    "instrumentGroup": "string?",
    "isPublished": "truth?",
}
BLOCK: Rules = {**_OWNED, "size": "integer", "chkAlg": "named?", "dataFileList": FILES}
"""A block below its dataset's own address."""
BLOCK_OF: Rules = {
    **_OWNED,
    "datasetId": "string",
    "size": "integer",
    "chkAlg": "named?",
    "dataFileList": FILES,
}
BLOCK_PARTS: Rules = {**_OWNED, "size": "integer?", "chkAlg": "named?"}

INSTRUMENT: Rules = {
    "pid": "string?",
    "uniqueName": "string",
    "name": "string",
    "customMetadata": "anything?",
}
PROPOSAL: Rules = {
    "proposalId": "string",
    "pi_email": "email?",
    "pi_firstname": "string?",
    "pi_lastname": "string?",
    "email": "email",
    "firstname": "string?",
    "lastname": "string?",
    "title": "string",
    "abstract": "string?",
    "startTime": "date?",
    "endTime": "date?",
    "MeasurementPeriodList": "anything?",
    "metadata": "anything?",
    "parentProposalId": "string?",
    "type": "string?",
    "instrumentIds": "strings?",
    "ownerGroup": "filled",
    "accessGroups": "strings?",
    "instrumentGroup": "string?",
    "isPublished": "truth?",
}
SAMPLE: Rules = {
    "sampleId": "string?",
    "owner": "string?",
    "sampleName": "anything?",
    "type": "string?",
    "description": "string?",
    "proposalId": "string?",
    "parentSampleId": "string?",
    "sampleCharacteristics": "anything?",
    "isPublished": "truth?",
    "ownerGroup": "filled",
    "accessGroups": "strings?",
    "instrumentGroup": "string?",
}
ATTACHMENT: Rules = {
    "_id": "string?",
    "aid": "string?",
    "thumbnail": "string?",
    "caption": "string",
    "datasetId": "string?",
    "proposalId": "string?",
    "sampleId": "string?",
    **_OWNED,
}
