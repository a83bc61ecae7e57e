"""Blocks of files: each one adds its size and its number of files to its dataset (A8, 19 to 23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pacer_scicat.testing import rules
from pacer_scicat.testing.accounts import ANONYMOUS, User
from pacer_scicat.testing.datasets import permit
from pacer_scicat.testing.refusals import broken, refused
from pacer_scicat.testing.store import Store, object_id
from pacer_scicat.testing.validation import check, problems
from pacer_scicat.testing.values import date, now, number


def create(
    store: Store, user: User, body: Any, *, below: str | None = None, version: int = 3
) -> dict[str, Any]:
    """Add a block to a dataset, ``below`` its address where that names it; the same one again is another one.

    Raises
    ------
    Refused
        Where body or account are not right for it, or there is no such dataset.
    """
    permit(user)
    check(body, rules.BLOCK_OF if below is None else rules.BLOCK)
    for file in body["dataFileList"]:
        if file["path"] == "":
            raise broken()
        if file.get("metadata"):
            raise refused(
                400,
                "Datafile metadata is not following the configured schema: "
                "metadata must NOT have additional properties",
            )
    pid = body["datasetId"] if below is None else below
    dataset = store.datasets.get(pid)
    if dataset is None:
        what = f"Dataset: {pid} not found for attaching an origdatablock"
        raise refused(404, what if below is None else f"dataset: {pid} not found")
    if not (user.owns(dataset) or (user.creates == "any" and version == 3)):
        raise refused(403, "Unauthorized access")
    stamp = now()
    block: dict[str, Any] = {
        "createdBy": user.name,
        "updatedBy": user.name,
        "createdAt": stamp,
        "updatedAt": stamp,
        "isPublished": body.get("isPublished", False),
        "datasetId": pid,
        "size": number(body["size"]),
        **({"chkAlg": body["chkAlg"]} if "chkAlg" in body else {}),
        **{
            name: dataset[name]
            for name in ("ownerGroup", "accessGroups", "instrumentGroup")
            if name in dataset
        },
        "dataFileList": [_file(one) for one in body["dataFileList"]],
        "_id": (made := str(uuid4())),
        "__v": 0,
    }
    store.blocks[made] = block
    dataset["size"] = number(dataset["size"] + block["size"])
    dataset["numberOfFiles"] += len(block["dataFileList"])
    dataset["updatedAt"] = stamp
    return seen(block)


def _file(given: Mapping[str, Any]) -> dict[str, Any]:
    file = {name: number(value) for name, value in given.items() if name != "metadata"}
    return {**file, "time": date(given["time"]), "_id": object_id()}


def seen(block: Mapping[str, Any]) -> dict[str, Any]:
    """Give a block as answers have it: every id a second time."""
    files = [{**file, "id": file["_id"]} for file in block["dataFileList"]]
    return {**block, "dataFileList": files, "id": block["_id"]}


def visible(store: Store, user: User) -> list[dict[str, Any]]:
    """Give the blocks that an account may see."""
    return [block for block in store.blocks.values() if user.reads(block)]


def of(store: Store, pid: str) -> list[dict[str, Any]]:
    """Give the blocks of a dataset, the newest first."""
    return [block for block in reversed(store.blocks.values()) if block["datasetId"] == pid]


def one(store: Store, user: User, block_id: str) -> dict[str, Any]:
    """Give a block.

    Raises
    ------
    Refused
        403, where it is not to be seen and where there is none alike (A8, 23).
    """
    block = store.blocks.get(block_id)
    if block is None or not user.reads(block):
        raise refused(403, "Unauthorized access")
    return seen(block)


def change(store: Store, user: User, block_id: str, body: Any) -> dict[str, Any]:
    """Change a block; the dataset's sums stay as they are.

    Raises
    ------
    Refused
        Where body or account are not right for it.
    """
    permit(user)
    check(body, rules.BLOCK_PARTS)
    block = store.blocks.get(block_id)
    if block is None or not (user.owns(block) or user.creates == "any"):
        raise refused(403, "Unauthorized access")
    block |= {**body, "updatedAt": now(), "updatedBy": user.name}
    return seen(block)


def delete(store: Store, user: User, block_id: str) -> dict[str, Any]:
    """Delete a block; the dataset's sums stay as they are.

    Raises
    ------
    Refused
        403 for whoever is in no group that deletes; 404.
    """
    if user is ANONYMOUS or not user.deletes:
        raise refused(403, "Forbidden resource")
    if block_id not in store.blocks:
        raise refused(404, f"origDatablock: {block_id} not found")
    return seen(store.blocks.pop(block_id))


def is_valid(body: Any) -> dict[str, Any]:
    """Say whether a body is valid, as class-validator lists what is wrong."""
    shown = {name: value for name, value in body.items() if name != "datasetId"} | {
        "datasetId": body.get("datasetId")
    }
    found = [
        {"target": shown, "value": body.get(one["property"]), **one} for one in problems(body, rules.BLOCK_OF)
    ]
    return {"valid": not found, "errors": found}


def files(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give each file with its block, as ``fullquery/files`` does."""
    return [
        {**block, "dataFileList": file, "datasetExist": True}
        for block in blocks
        for file in block["dataFileList"]
    ]
