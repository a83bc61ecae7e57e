"""Datasets: how they are created, seen, changed and deleted.

They are kept as version 4 has them; version 3 sees the first of each list by another name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pacer_scicat.testing import rules
from pacer_scicat.testing.accounts import ANONYMOUS, User
from pacer_scicat.testing.refusals import Refused, bare, broken, of_version_3, refused, required
from pacer_scicat.testing.store import Store, object_id
from pacer_scicat.testing.validation import check, check_version_3, problems, sentences
from pacer_scicat.testing.values import date, metadata, now, number

TYPES = ("raw", "derived", "custom")
ABSENT = "\0absent"
"""Stands in a list for what the request did not give; it is null once the answer is out."""
_SINGLE = {
    "principalInvestigator": "principalInvestigators",
    "proposalId": "proposalIds",
    "sampleId": "sampleIds",
    "instrumentId": "instrumentIds",
}
_REQUIRED = ("pid", "owner", "size", "numberOfFiles", "isPublished", "datasetName")
_NOT_KEPT = ("investigator",)


def create(store: Store, user: User, body: Any, version: int) -> dict[str, Any]:
    """Create a dataset; give it as the answer has it.

    Raises
    ------
    Refused
        Where body or account are not right for it, or the pid is taken.
    """
    permit(user)
    _check(body, version)
    group, pid = body.get("ownerGroup"), body.get("pid")
    allowed = user.creates == "any" or user.is_admin or group in user.groups
    if not allowed or (user.creates == "own" and "pid" in body):
        raise refused(403, "Unauthorized to create this dataset")
    check_pid(store, body)
    document = _document(store, body, version, user)
    _check_document(document, version)
    if (
        isinstance(document["scientificMetadata"], Mapping)
        and "constructor" in document["scientificMetadata"]
    ):
        raise broken()
    if document["pid"] in store.datasets:
        raise refused(409, f"A dataset with pid {pid} already exists!")
    store.datasets[document["pid"]] = document
    answer = seen(document, version, new=True)
    for name in _SINGLE.values():
        document[name] = [None if one == ABSENT else one for one in document[name]]
    if _has_null(document):
        raise Refused(500, {})
    return answer


def permit(user: User) -> None:
    """Refuse who may create nothing.

    Raises
    ------
    Refused
        403.
    """
    if user.creates == "none":
        raise refused(403, "Forbidden resource")


def check_pid(store: Store, body: Mapping[str, Any]) -> None:
    """Refuse a pid that does not follow the rule, where there is one (A8, 9).

    Raises
    ------
    Refused
        400.
    """
    pid = body.get("pid")
    if store.pid_rule and isinstance(pid, str) and not re.fullmatch(store.pid_rule, pid):
        raise refused(400, "PID is not following required standards")


def is_valid(store: Store, user: User, body: Any, version: int) -> dict[str, Any]:
    """Say whether a body is valid: of unknown fields and of duplicates nothing is said (A8, 28)."""
    permit(user)
    check_pid(store, body)
    kind = rules.CUSTOM if version == 4 else _RULES.get(body.get("type"), rules.RAW)
    known = {name: value for name, value in body.items() if name in kind}
    found = list(sentences(problems(known, kind)))
    return {"valid": True} if not found else {"valid": False, "error": found[0]}


_RULES = {"raw": rules.RAW, "derived": rules.DERIVED, "custom": rules.CUSTOM}


def _check(body: Any, version: int) -> None:
    if body is None:
        raise broken()
    if version == 4:
        check(body, rules.CUSTOM)
        if body["type"] not in TYPES:
            raise refused(400, "Invalid dataset type!")
        return
    if isinstance(body, list):
        check_version_3(body, {})
    if body.get("type") not in TYPES:
        raise of_version_3("Invalid dataset type!")
    check_version_3(body, _RULES[body["type"]])


def _document(store: Store, body: Mapping[str, Any], version: int, user: User) -> dict[str, Any]:
    stamp = now()
    lists = _lists(body) if version == 3 and body["type"] != "custom" else {}
    folder = str(body.get("sourceFolder", "")).strip("/").split("/")
    given = {name: value for name, value in body.items() if name not in _SINGLE and name not in _NOT_KEPT}
    document = {
        "accessGroups": [],
        "size": 0,
        "packedSize": 0,
        "numberOfFiles": 0,
        "numberOfFilesArchived": 0,
        "keywords": [],
        "isPublished": False,
        "techniques": [],
        "sharedWith": [],
        "relationships": [],
        "inputDatasets": [],
        "usedSoftware": [],
        **{name: [] for name in _SINGLE.values()},
        "scientificMetadata": {},
        **given,
        "classification": "IN=medium,AV=low,CO=low",  # whatever was given
        **lists,
        "version": str(version),
        "pid": body["pid"] if "pid" in body else f"{store.prefix}/{uuid4()}",
        "createdBy": user.name,
        "updatedBy": user.name,
        "createdAt": stamp,
        "updatedAt": stamp,
        "__v": 0,
    }
    if body.get("datasetName") is None:
        document["datasetName"] = "/".join(folder[-2:])
    document["datasetlifecycle"] = _lifecycle(body.get("datasetlifecycle"))
    _tidy(document)
    document["_id"] = document["pid"]
    return document


def _lists(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give version 3's single values as lists: one value that is not there is one of null."""
    investigator = body.get("investigator" if body["type"] == "derived" else "principalInvestigator")
    lists = {"principalInvestigators": [investigator], "proposalIds": [body.get("proposalId", ABSENT)]}
    if body["type"] == "raw":
        lists |= {name: [body.get(one, ABSENT)] for one, name in _SINGLE.items() if name not in lists}
    return lists


_PARTS = {"techniques": {}, "relationships": {"identifierType": "Other", "entityType": "Other"}}


def _tidy(document: dict[str, Any]) -> None:
    """Turn values into what the database gives back."""
    for name in ("creationTime", "startTime", "endTime"):
        if name in document:
            document[name] = date(document[name])
    for name in ("accessGroups", "keywords", "sharedWith", "inputDatasets", "usedSoftware"):
        if isinstance(document.get(name), str):
            document[name] = [document[name]]
    for name, more in _PARTS.items():
        if isinstance(document.get(name), list):
            document[name] = [{**more, "_id": object_id(), **one} for one in document[name]]
    for name, value in document.items():
        document[name] = number(value)
    document["scientificMetadata"] = metadata(document["scientificMetadata"])


def _lifecycle(given: Any) -> dict[str, Any]:
    stamp = now()
    return {
        "archivable": True,
        "retrievable": False,
        "publishable": False,
        "dateOfDiskPurging": stamp,
        "publishedOn": stamp,
        "isOnCentralDisk": True,
        "archiveStatusMessage": "datasetCreated",
        "retrieveStatusMessage": "",
        "retrieveIntegrityCheck": False,
        "archiveRetentionTime": stamp,
        "dateOfPublishing": stamp,
        **(given if isinstance(given, Mapping) else {}),
        "_id": object_id(),
    }


def _check_document(document: Mapping[str, Any], version: int) -> None:
    for name in _REQUIRED:
        if document.get(name) in (None, ""):
            if version == 4:
                raise Refused(
                    500, {"message": "Something went wrong. Please try again later.", "statusCode": 500}
                )
            shown = {key: value for key, value in document.items() if key == name}
            raise required(name, shown)


def _has_null(document: Mapping[str, Any]) -> bool:
    """Tell whether metadata hold a null at their top: the dataset is written, the answer is 500 (A8, 18)."""
    held = document.get("scientificMetadata")
    return isinstance(held, Mapping) and None in held.values()


def seen(
    document: Mapping[str, Any], version: int, *, new: bool = False, alone: bool = False
) -> dict[str, Any]:
    """Give a dataset as a version shows it.

    ``new``: as the answer to its creation, in which what was not given is left out. ``alone``: as the answer
    about one dataset, which has its history.
    """
    shown = dict(document)
    if version == 3:
        for one, name in _SINGLE.items():
            held = document.get(name) or []
            if held and not (new and held[0] == ABSENT):
                shown[one] = None if held[0] == ABSENT else held[0]
        if alone:
            shown["history"] = []
    for name in _SINGLE.values():
        if name in shown:
            shown[name] = [None if one == ABSENT else one for one in shown[name]]
    return shown


def one(store: Store, user: User, pid: str, version: int = 3) -> dict[str, Any]:
    """Give a dataset that the account may see, as it is kept (A8, 6).

    Raises
    ------
    Refused
        404 where there is none, 403 where there is one.
    """
    document = store.datasets.get(pid)
    if document is None:
        raise refused(404, f"dataset: {'null' if version == 4 else pid} not found")
    if not user.reads(document):
        raise refused(403, "Unauthorized access")
    return document


def change(
    store: Store, user: User, pid: str, body: Any, version: int, *, whole: bool, since: str | None
) -> dict[str, Any]:
    """Change a dataset, or replace it; give it as the answer has it (A8, 29).

    Raises
    ------
    Refused
        Where body or account are not right for it; 500 after the change where metadata hold a null.
    """
    permit(user)
    document = store.datasets.get(pid)
    if document is None:
        raise bare(404)
    kind = rules.PARTS
    if whole:  # by what is stored: a PUT takes the type away (A8, 29)
        kind = rules.WHOLE_RAW if document.get("type") == "raw" else rules.WHOLE
    if version == 4:
        check(body, kind)
    else:
        check_version_3(body, kind)
    if since is not None:
        raise refused(412, f"Dataset #{pid} has been modified on the server since {since}.")
    if not user.owns(document):
        raise refused(403, "Unauthorized to update this dataset")
    spoilt = _has_null(document)
    if whole:
        for name in ("version", "type", "classification", "__v", "scientificMetadata"):
            document.pop(name, None)
        document["scientificMetadata"] = {}
    document |= {name: value for name, value in body.items() if name not in (*_SINGLE, *_NOT_KEPT)}
    document |= {name: [body[one]] for one, name in _SINGLE.items() if one in body}
    document |= {"updatedAt": now(), "updatedBy": user.name}
    _tidy(document)
    if spoilt or _has_null(document):
        raise broken()
    return seen(document, version)


def delete(store: Store, user: User, pid: str) -> dict[str, Any]:
    """Delete a dataset; its blocks stay (A8, 29).

    Raises
    ------
    Refused
        403 for whoever is in no group that deletes; 404.
    """
    if user is ANONYMOUS or not user.deletes:
        raise refused(403, "Forbidden resource")
    if pid not in store.datasets:
        raise bare(404)
    return store.datasets.pop(pid)
