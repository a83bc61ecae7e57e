"""A dataset and its files, written once: whatever was lost, repeated or killed on the way.

Two requests make a dataset whole, and there is no transaction around them. So each time it is looked first:
is the dataset there, and which of its files? A dataset that has just been created by somebody, without its
files, is left to them for a while: a request may still be on its way that nobody waits for any more (A8, 5).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from attrs import evolve, frozen

from pacer_core import Reject, Retry
from pacer_http import Away
from pacer_scicat.client import Held, Scicat
from pacer_scicat.locks import held

BLOCK = 2_000
"""Files in one block: a backend takes seconds for so many (A8, 27)."""

File = Mapping[str, Any]


@frozen
class Record:
    """What SciCat is to hold.

    Attributes
    ----------
    fields
        The dataset, by version 3's names; with a ``pid`` or without.
    files
        Items of ``dataFileList``; their paths count from the dataset's ``sourceFolder``.
    algorithm
        How they are hashed.
    known_by
        The key and value of scientific metadata by which the dataset is found where it has no pid.
    is_looked_for
        Whether it is looked for by these although it has one: somebody may have given it another.
    """

    fields: Mapping[str, Any]
    files: Sequence[File]
    algorithm: str | None = None
    known_by: tuple[str, Any] | None = None
    is_looked_for: bool = False

    @property
    def identity(self) -> str:
        """What one writer at a time holds."""
        return str(self.fields.get("pid") or self.known_by or self.fields.get("sourceFolder"))


@frozen
class Stored:
    """What was done: ``files`` are those that were added."""

    pid: str
    created: bool
    files: int


def store(
    record: Record, scicat: Scicat, facts: Facts, *, patience: timedelta, lock_folder: str | None
) -> Stored:
    """Write a dataset and its files, as far as they are not there; safe to repeat at any point.

    ``facts`` remembers the pid for the next sight of the message.

    Raises
    ------
    Retry
        Where another worker is at it, or has been a moment ago.
    Reject
        Where the dataset is there and cannot be read, so that nobody can say whether its files are.
    Away, Forbidden, Refused, NotAllowed, Upset
        As `Scicat.create_dataset`.
    """
    with held(f"{scicat.options.root} {record.identity}", lock_folder):
        pid = facts.pid or found(record, scicat)
        created = False
        if pid is None:
            pid = _create(record, scicat, facts, patience)
            created = pid is not None
            pid = pid or str(record.fields["pid"])
            facts.remember(pid, created=created)
        files = list(record.files)
        if not created:
            files = missing(record, pid, scicat.held(pid), scicat, facts, patience)
        for block in _blocks(files):
            try:
                scicat.create_block(pid, block, record.algorithm)
            except Away as problem:
                facts.remember(pid, created=False)  # it may yet be carried out
                raise _later(problem, patience) from problem
        return Stored(pid, created, len(files))


class Facts(Protocol):
    """What is remembered of a message from one sight to the next."""

    @property
    def pid(self) -> str | None:
        """The dataset's pid, once it is known."""
        ...

    @property
    def is_ours(self) -> bool:
        """Whether this very message has created it, and no request of it is open."""
        ...

    def remember(self, pid: str, *, created: bool) -> None:
        """Note a pid."""
        ...

    def forget(self) -> None:
        """Know of no pid any more."""
        ...


@frozen
class MessageFacts:
    """The facts of a message, under a key of its own."""

    facts: dict[str, Any]
    key: str = "scicat"

    @property
    def _held(self) -> Mapping[str, Any]:
        held = self.facts.get(self.key)
        return held if isinstance(held, Mapping) else {}

    @property
    def pid(self) -> str | None:
        """The dataset's pid, once it is known."""
        return self._held.get("pid")

    @property
    def is_ours(self) -> bool:
        """Whether this very message has created it, and no request of it is open."""
        return bool(self._held.get("created"))

    def remember(self, pid: str, *, created: bool) -> None:
        """Note a pid."""
        self.facts[self.key] = {**self._held, "pid": pid, "created": created}

    def forget(self) -> None:
        """Know of no pid any more."""
        self.facts.pop(self.key, None)


def found(record: Record, scicat: Scicat) -> str | None:
    """Give the pid of the dataset where it is there already; an empty list means that it is not.

    One with a pid of ours is looked for where that is asked for alone: SciCat takes no second one of a pid,
    and says so when it is created.
    """
    own = record.fields.get("pid")
    if record.known_by is None or (own is not None and not record.is_looked_for):
        return None
    pids = scicat.pids_with(*record.known_by)
    return None if not pids else own if own in pids else pids[0]


def _create(record: Record, scicat: Scicat, facts: Facts, patience: timedelta) -> str | None:
    try:
        return scicat.create_dataset(record.fields)
    except Away as problem:
        # With a pid of ours the next one is told "there already"; without, it has to be found first.
        raise (problem if "pid" in record.fields else _later(problem, patience)) from None


def _later(problem: Away, patience: timedelta) -> Away:
    """Give the same failure with a delay: what was asked may be carried out meanwhile (A8, 5)."""
    if problem.status is not None and problem.status < 500:
        return problem
    after = max(problem.after or 0.0, patience.total_seconds())
    return Away(problem.reason, problem.answer, after=after, counted=problem.counted)


def missing(
    record: Record, pid: str, there: Held, scicat: Scicat, facts: Facts, patience: timedelta
) -> list[File]:
    """Give the files that a dataset lacks; ``there`` is what the backend has under its pid.

    Raises
    ------
    Retry
        Where it has gone, or somebody else may be about to add them.
    Reject
        Where it cannot be read.
    """
    if there.state == "hidden":
        raise Reject(
            f"the dataset {pid} is in SciCat and PACER's account may not read it, so that nobody can say "
            "whether its files are: add the account's group to its accessGroups, then replay the message"
        )
    if there.state == "absent":
        facts.forget()  # somebody has deleted it: it is created again
        raise Retry(f"the dataset {pid} was in SciCat a moment ago, and is not now")
    folder = str(there.dataset.get("sourceFolder") or "")
    known = {_whole(folder, path) for path in scicat.files_of(pid)}
    own = str(record.fields.get("sourceFolder") or "")
    lacking = [file for file in record.files if _whole(own, str(file["path"])) not in known]
    if lacking and not facts.is_ours:
        left = patience.total_seconds() - max(0.0, _age(there))
        if left > 0:
            raise Retry(
                f"the dataset {pid} has just been created, without its files: they may be on their way",
                after=left,
                counted=False,
            )
    if posixpath.normpath(own) == posixpath.normpath(folder):
        return lacking
    # Relative to our folder they would be others' files in that one, and be missing for ever.
    return [{**file, "path": _whole(own, str(file["path"]))} for file in lacking]


def _whole(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))


def _age(there: Held) -> float:
    """Give the seconds since a dataset was last written, by the backend's own clock."""
    text = there.dataset.get("updatedAt") or there.dataset.get("createdAt")
    try:
        written = datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return float("inf")
    return ((there.asked_at or datetime.now(UTC)) - written).total_seconds()


def _blocks(files: Sequence[File]) -> Iterator[Sequence[File]]:
    for first in range(0, len(files), BLOCK):
        yield files[first : first + BLOCK]


def readable(fields: Mapping[str, Any], scicat: Scicat) -> dict[str, Any]:
    """Give a dataset with the account's own group among those that may read it."""
    group = scicat.own_group()
    groups = fields.get("accessGroups") or []
    groups = [groups] if isinstance(groups, str) else list(groups)
    if group is None or group in groups or group == fields.get("ownerGroup"):
        return dict(fields)
    return {**fields, "accessGroups": [*groups, group]}


def with_fields(record: Record, **fields: Any) -> Record:
    """Give a record with other values of fields."""
    return evolve(record, fields={**record.fields, **fields})
