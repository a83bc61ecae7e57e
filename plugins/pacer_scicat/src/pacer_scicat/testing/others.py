"""Instruments, proposals, samples and attachments (A8, 30 and 31)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pacer_scicat.testing import datasets, rules
from pacer_scicat.testing.accounts import User
from pacer_scicat.testing.refusals import broken, refused
from pacer_scicat.testing.store import Store
from pacer_scicat.testing.validation import check
from pacer_scicat.testing.values import date, metadata, now

PROPOSAL_TYPES = ("DOOR Proposal", "Beamtime", "Default Proposal")


def _made(user: User) -> dict[str, Any]:
    stamp = now()
    return {"createdBy": user.name, "updatedBy": user.name, "createdAt": stamp, "updatedAt": stamp, "__v": 0}


def create_instrument(store: Store, user: User, body: Any) -> dict[str, Any]:
    """Create an instrument: an administrator's right.

    Raises
    ------
    Refused
        403, 400, and 409 where name or pid are taken.
    """
    if not user.is_admin:
        raise refused(403, "Forbidden resource")
    check(body, rules.INSTRUMENT)
    pid = body.get("pid") or f"{store.prefix}{uuid4()}"
    if pid in store.instruments or any(
        one["uniqueName"] == body["uniqueName"] for one in store.instruments.values()
    ):
        raise refused(409, "Instrument with the same unique name or PID already exists")
    made = {"customMetadata": {}, **body, "pid": pid, **_made(user), "_id": pid, "id": pid}
    store.instruments[pid] = made
    return made


def change_instrument(store: Store, user: User, pid: str, body: Any) -> dict[str, Any]:
    """Change an instrument: an administrator's right.

    Raises
    ------
    Refused
        403 or 400.
    """
    if not user.is_admin:
        raise refused(403, "Forbidden resource")
    check(body, dict.fromkeys(rules.INSTRUMENT, "anything?"))
    store.instruments[pid] |= {**body, "updatedAt": now(), "updatedBy": user.name}
    return store.instruments[pid]


def create_proposal(store: Store, user: User, body: Any) -> dict[str, Any]:
    """Create a proposal.

    Raises
    ------
    Refused
        403, 400, and 409 where there is one of that id.
    """
    if not user.proposals:
        raise refused(403, "Forbidden resource")
    check(body, rules.PROPOSAL)
    if body.get("type", PROPOSAL_TYPES[-1]) not in PROPOSAL_TYPES:
        raise refused(400, f"type must be one of the following values: {', '.join(PROPOSAL_TYPES)}")
    name = body["proposalId"]
    if name in store.proposals:
        raise refused(409, f"Proposal with {name} already exists")
    made = {
        "accessGroups": [],
        "isPublished": False,
        "MeasurementPeriodList": [],
        "metadata": {},
        "parentProposalId": None,
        "type": PROPOSAL_TYPES[-1],
        "instrumentIds": [],
        "numberOfDatasets": 0,
        **body,
        **{key: date(body[key]) for key in ("startTime", "endTime") if key in body},
        **_made(user),
        "_id": name,
        "id": name,
    }
    store.proposals[name] = made
    return made


def proposal(store: Store, user: User, name: str) -> dict[str, Any]:
    """Give a proposal.

    Raises
    ------
    Refused
        404 where there is none, 403 where there is one.
    """
    if name not in store.proposals:
        raise refused(404, f"Proposal: {name} not found")
    if not user.reads(store.proposals[name]):
        raise refused(403, "Unauthorized to this proposal")
    return store.proposals[name]


def create_sample(store: Store, user: User, body: Any) -> dict[str, Any]:
    """Create a sample; without a name, and a second time, it is a 500 (A8, 14).

    That an account which may create samples of its own groups is refused others is by the facts alone
    (A8, 30), in the words that a dataset is refused with (step 507): no recorded answer is to such a
    question. Samples are asked for there by an account without the right (577), by one that may create
    them for any group (578), and by one for its own group (580) alone.

    Raises
    ------
    Refused
        403, 400 or 500.
    """
    if user.samples == "none":
        raise refused(403, "Forbidden resource")
    check(body, rules.SAMPLE)
    if user.samples == "own" and not user.owns(body):
        raise refused(403, "Unauthorized to create this sample")
    name = body.get("sampleId") or str(uuid4())
    if not body.get("sampleName") or name in store.samples:
        raise broken()
    made = {
        "accessGroups": [],
        "isPublished": False,
        **body,
        "sampleCharacteristics": metadata(body.get("sampleCharacteristics", {})),
        **_made(user),
        "sampleId": name,
        "_id": name,
    }
    store.samples[name] = made
    return made


def sample(store: Store, user: User, name: str) -> dict[str, Any]:
    """Give a sample.

    Raises
    ------
    Refused
        404 where there is none, 403 where there is one.
    """
    if name not in store.samples:
        raise refused(404, f"Sample: {name} not found")
    if not user.reads(store.samples[name]):
        raise refused(403, "Unauthorized to this sample")
    return store.samples[name]


def create_attachment(store: Store, user: User, pid: str, body: Any) -> dict[str, Any]:
    """Attach an image to a dataset.

    Raises
    ------
    Refused
        403, 400, or 404 where there is no such dataset.
    """
    datasets.permit(user)
    check(body, rules.ATTACHMENT)
    dataset = store.datasets.get(pid)
    if dataset is None:
        raise refused(404, f"dataset: {pid} not found")
    if not (user.owns(dataset) or user.creates == "any"):
        raise refused(403, "Unauthorized access")
    made = {
        "isPublished": False,
        "accessGroups": [],
        **body,
        **_made(user),
        "datasetId": pid,
        "_id": (name := str(uuid4())),
        "id": name,
    }
    store.attachments[name] = made
    return made


def attachments(store: Store, pid: str) -> list[dict[str, Any]]:
    """Give the attachments of a dataset, the newest first."""
    return [one for one in reversed(store.attachments.values()) if one["datasetId"] == pid]


def thumbnail(store: Store, pid: str) -> Mapping[str, Any]:
    """Give the image of a dataset: the first attachment's."""
    found = [one["thumbnail"] for one in reversed(attachments(store, pid)) if one.get("thumbnail")]
    return {"thumbnail": found[0]} if found else {}
