"""Folders and files of a dataset on this machine's disks: what may be named, and what is there."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from attrs import evolve, frozen

from pacer_core import BadField, Reject, Retry, Text
from pacer_icat.datasets.message import Datafile, Dataset
from pacer_icat.datasets.options import DatasetsOptions

log = logging.getLogger("pacer.icat.datasets")

_BLOCK = 1024 * 1024
_OF_THE_PATH = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENXIO}
)


@frozen
class Details:
    """What the file system says of a file; times in UTC, to the second."""

    size: int
    modified: datetime
    created: datetime
    """The earliest time that the file system still knows."""


def on_disk(message: Dataset, options: DatasetsOptions) -> tuple[Dataset, list[BadField]]:
    """Check the paths of a message by the options' rules; add the files of its folder where it names none.

    Symbolic links and ``..`` count as what they lead to.

    Raises
    ------
    Retry
        Where an allowed root is not there (a disk that is not mounted), or a drive is in trouble.
    Reject
        Where the folder holds more files than one message may bring.
    """
    if not (options.allowed_roots or options.must_exist or options.list_files):
        return message, []
    rules = _Rules(options)
    bad = list(rules.check("location", message.location))
    if bad:
        return message, bad
    if not message.datafiles and options.list_files:
        found = _listed(message.location, options.max_datafiles, rules)
        return evolve(message, datafiles=tuple(Datafile(Text(path)) for path in found)), []
    for place, file in enumerate(message.datafiles):
        bad += rules.check(f"datafiles[{place}].location", path_of(file.location, message.location))
    return message, bad


def files_below(folder: str, options: DatasetsOptions) -> tuple[Datafile, ...]:
    """List the files below a dataset's folder, by the options' rules for paths.

    Raises
    ------
    Retry
        Where an allowed root is not there, or a folder cannot be read.
    Reject
        Where the rules forbid the folder, or it holds more files than accepted.
    """
    rules = _Rules(options)
    if bad := list(rules.check("location", folder)):
        raise Reject("the dataset has bad fields", fields=bad)
    return tuple(Datafile(Text(path)) for path in _listed(folder, options.max_datafiles, rules))


def path_of(location: str, folder: str) -> str:
    """Give the path of a file: its location, which may be relative to the dataset's folder."""
    return os.path.join(folder, location)


def details_of(path: str) -> Details | None:
    """Ask the file system about a file; ``None`` where it is not there, or may not be looked at.

    Raises
    ------
    Retry
        Where the drive is in trouble.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        if is_of_the_path(error) or isinstance(error, PermissionError):
            return None
        raise Retry(f"a file cannot be looked at: {error.strerror}") from None
    return Details(
        size=found.st_size,
        modified=_moment(found.st_mtime),
        created=_moment(min(found.st_ctime, found.st_mtime)),
    )


def is_of_the_path(error: OSError) -> bool:
    """Tell whether a path leads nowhere; what else a drive says (stale, no permission) may pass."""
    return error.errno in _OF_THE_PATH


def checksum_of(path: str, algorithm: str) -> str:
    """Give the checksum of a file's content in hexadecimal digits.

    Raises
    ------
    Retry
        Where the file cannot be read.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    try:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise Retry(f"a file cannot be read for its checksum: {error.strerror}") from None
    return digest.hexdigest()


class _Rules:
    """The rules for paths, for one message."""

    def __init__(self, options: DatasetsOptions) -> None:
        self._must_exist = options.must_exist
        self._roots = [os.path.realpath(root) for root in options.allowed_roots]
        for root, given in zip(self._roots, options.allowed_roots, strict=True):
            if not os.path.isdir(root):
                raise Retry(f"{given} is no folder on this machine: mount it, or correct allowedRoots")
        self._folder = lru_cache(maxsize=1024)(os.path.realpath)

    def check(self, field: str, path: str) -> Iterator[BadField]:
        """Give what is wrong with a path."""
        if not os.path.isabs(path):
            yield BadField(field, "is no absolute path")
        elif not self.allows(path):
            yield BadField(field, "leads out of the folders that allowedRoots permits")
        elif self._must_exist and not _exists(path):
            yield BadField(field, "does not exist on this machine, or cannot be reached")

    def allows(self, path: str) -> bool:
        """Tell whether a path leads to a place below one of the roots."""
        if not self._roots:
            return True
        folder, name = os.path.split(path)
        if name in ("", ".", ".."):
            real = os.path.realpath(path)
        else:
            real = os.path.join(self._folder(folder), name)
            if os.path.islink(real):
                real = os.path.realpath(real)
        return any(real == root or real.startswith(f"{root.rstrip('/')}/") for root in self._roots)


def _exists(path: str) -> bool:
    try:
        os.stat(path)
    except OSError as error:
        if is_of_the_path(error):
            return False
        raise Retry(f"a path of the message cannot be looked at: {error.strerror}") from None
    return True


def _listed(folder: str, limit: int, rules: _Rules) -> Sequence[str]:
    found: list[str] = []
    outside = 0
    for path in _walk(folder):
        if not rules.allows(path):
            outside += 1
            continue
        if len(found) == limit:
            raise Reject(
                "the dataset has bad fields",
                fields=[BadField("location", f"holds more than the {limit} files accepted")],
            )
        found.append(path)
    if outside:
        log.warning("links out of the folders that allowedRoots permits are left out: %d", outside)
    return found


def _walk(folder: str) -> Iterator[str]:
    """Give the files below a folder in the order of their names; nothing hidden, and no folder behind a link.

    Raises
    ------
    Retry
        Where a folder cannot be read.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise Retry(f"the dataset's folder cannot be listed: {error.strerror}") from None
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        elif _is_file(entry):
            yield entry.path


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError as error:
        if is_of_the_path(error) or isinstance(error, PermissionError):
            return False  # a link into nowhere
        raise Retry(f"a file cannot be looked at: {error.strerror}") from None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
