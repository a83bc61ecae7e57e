"""The YAML options of a consumer of type ``nexus-files``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

from attrs import field, frozen, validators

from pacer_core import Seen

PREFIX = "20.500.12269"


def _is_absolute(_: Any, __: Any, path: str) -> None:
    if not os.path.isabs(path):
        raise ValueError(f"{path!r} is no absolute path")


def _is_algorithm(_: Any, __: Any, name: str | None) -> None:
    if name is not None and (name not in hashlib.algorithms_available or name.startswith("shake")):
        raise ValueError(f"{name!r} is no algorithm of hashlib, such as blake2b or sha256")


def _is_extension(_: Any, __: Any, text: str) -> None:
    if not text or "/" in text:
        raise ValueError("is no ending of a file's name")


@frozen
class PidOptions:
    """Where a dataset's pid comes from.

    Attributes
    ----------
    policy
        ``given``: the schema's field ``pid``; ``generated``: made from the job id, the same each time;
        ``server``: the backend makes one.
    prefix
        What stands before a pid that is generated, or given without a prefix; ``""`` for nothing.
    """

    policy: Literal["given", "generated", "server"] = "given"
    prefix: str = PREFIX


@frozen
class Sidecars:
    """What is written beside, and about, a file.

    Attributes
    ----------
    folder
        Where: an absolute folder, or one that counts from the file's own. It is made where it is missing.
    hash
        Whether the file's hash is written there.
    hash_extension
        How its name ends.
    message
        Whether the message is written there, as JSON.
    message_extension
        How its name ends.
    """

    folder: str = "../ingestor"
    hash: bool = False
    hash_extension: str = field(default="b2b", validator=_is_extension)
    message: bool = False
    message_extension: str = field(default="message.json", validator=_is_extension)


@frozen
class Defaults:
    """Values for fields of the dataset that the schema does not give.

    Attributes
    ----------
    owner_group
        The group that owns the dataset.
    access_groups
        Groups that may see it.
    instrument_id, proposal_id
        The instrument's pid and the proposal's id in SciCat.
    """

    owner_group: str | None = None
    access_groups: tuple[str, ...] = ()
    instrument_id: str | None = None
    proposal_id: str | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """Those that are given, by SciCat's names."""
        given = {
            "ownerGroup": self.owner_group,
            "accessGroups": list(self.access_groups),
            "instrumentId": self.instrument_id,
            "proposalId": self.proposal_id,
        }
        return {name: value for name, value in given.items() if value}


@frozen
class NexusFilesOptions:
    """How files become datasets.

    Attributes
    ----------
    schemas
        The folder with the ``imsc`` files.
    fallback_schema
        The schema of files that no schema selects: its id, its name or its file's.
    allowed_roots
        Folders below which a file has to lie, wherever links in its path lead.
    base_folder
        Where a relative path in a message counts from.
    pid
        Where a dataset's pid comes from.
    metadata_key
        The scientific metadata by which a dataset is found where it has no pid of ours; ``null`` for none.
    look_up
        By what a dataset is found that is there already: ``pid``, or ``metadata``: what it has under that
        key, whatever its pid is. That is one request more for each file.
    hash
        The algorithm by which files are hashed, any of hashlib; ``null`` for none.
    paths
        Whether files are named ``relative`` to the dataset's source folder, or ``absolute``.
    sidecars
        What is written beside the file.
    defaults
        Values for fields of the dataset that the schema does not give.
    patience
        How long a dataset without its files is left to whoever has created it.
    lock_folder
        A folder in which the workers of all hosts hold a dataset while they write it; without one, those of
        one host do.
    """

    schemas: str = field(validator=_is_absolute)
    allowed_roots: tuple[str, ...] = field(validator=validators.deep_iterable(_is_absolute))
    fallback_schema: str | None = None
    base_folder: str | None = field(default=None, validator=validators.optional(_is_absolute))
    pid: PidOptions = field(factory=PidOptions)
    metadata_key: str | None = "job_id"
    look_up: Literal["pid", "metadata"] = "pid"
    hash: str | None = field(default="blake2b", validator=_is_algorithm)
    paths: Literal["relative", "absolute"] = "relative"
    sidecars: Sidecars = field(factory=Sidecars)
    defaults: Defaults = field(factory=Defaults)
    patience: timedelta = field(default=timedelta(minutes=1), validator=validators.ge(timedelta(0)))
    lock_folder: str | None = field(default=None, validator=validators.optional(_is_absolute))

    def __attrs_post_init__(self) -> None:
        """Refuse what does not go together."""
        if not self.allowed_roots:
            raise ValueError("allowedRoots names no folder: no file could be read; [/] allows any")
        if self.sidecars.hash and self.hash is None:
            raise ValueError("sidecars.hash needs 'hash', the algorithm")
        if self.look_up == "metadata" and self.metadata_key is None:
            raise ValueError("lookUp 'metadata' needs a metadataKey")


def warn(options: NexusFilesOptions) -> Iterator[Seen]:
    """Warn of schemas that cannot be used, and of pids that two workers may make at once."""
    from pathlib import Path

    from pacer_core import PacerError
    from pacer_scicat.schemas.folder import SchemaFolder

    try:
        problems = SchemaFolder(Path(options.schemas)).problems()
    except PacerError as error:
        yield Seen(str(error), "name the folder that holds the imsc files as 'schemas'")
        return
    for problem in problems:
        if problem.serious:
            yield Seen(str(problem), f"correct it; `pacer scicat schema check {options.schemas}` shows all")
    if options.pid.policy == "server":
        yield Seen(
            "with pid.policy 'server' two hosts that hold the same message at once may create two datasets",
            "use 'generated', or name a lockFolder that all hosts share",
        )
