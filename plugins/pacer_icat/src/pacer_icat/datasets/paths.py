"""Folders and files of a dataset on this machine's disks: what may be named, and what is there."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from attrs import evolve, frozen

from pacer_core import BadField, Reject, Retry, Text
from pacer_icat.datasets.message import Datafile, Dataset
from pacer_icat.datasets.options import DatasetsOptions
from pacer_icat.disk import (
    KERNEL,
    FileRefusedError,
    Roots,
    entries,
    is_below,
    is_of_the_path,
    looked_at,
    opened,
)

log = logging.getLogger("pacer.icat.datasets")

_BLOCK = 1024 * 1024
_URL = re.compile(r"[a-z][a-z0-9+.-]*:/|file:", re.IGNORECASE | re.ASCII)
_FILE_URL = re.compile(r"file:", re.IGNORECASE)
_DEEPEST = 100
"""Folders in one another below a dataset's own; each costs a call of the function that lists them."""


@frozen
class Details:
    """What the file system says of a file; times in UTC, to the second."""

    size: int
    modified: datetime
    created: datetime
    """The earliest time that the file system still knows."""


@frozen
class Checksums:
    """How files get their checksums: with this algorithm, where they lie below these roots."""

    algorithm: str
    roots: Roots

    def of(self, path: str) -> tuple[str, Details]:
        """Give the checksum of a file's content in hexadecimal digits, and what it was when it was opened.

        As many bytes are read as it had then, so that both belong together.

        Raises
        ------
        Retry
            Where the file cannot be read.
        Reject
            Where it may not be.
        """
        digest = hashlib.new(self.algorithm, usedforsecurity=False)
        try:
            with opened(path, self.roots) as (descriptor, status):
                left = status.st_size
                while left and (block := os.read(descriptor, min(left, _BLOCK))):
                    digest.update(block)
                    left -= len(block)
                return digest.hexdigest(), _details(status)
        except FileRefusedError as error:
            raise Reject(f"a file may not be read for its checksum: {error}") from None
        except OSError as error:
            raise Retry(f"a file cannot be read for its checksum: {error.strerror}") from None


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
        return message, list(_by_name(message))
    rules = _Rules(options)
    bad = list(rules.check("location", message.location))
    if bad:
        return message, bad
    if not message.datafiles and options.list_files:
        found = _listed(message.location, options.max_datafiles, rules)
        return evolve(message, datafiles=tuple(Datafile(Text(path)) for path in found)), []
    for place, file in enumerate(message.datafiles):
        where = f"datafiles[{place}].location"
        if _URL.match(file.location):
            bad.append(BadField(where, "is a URL, and no path"))
            continue
        bad += rules.check(where, path_of(file.location, message.location), file=True)
    return message, bad


def _by_name(message: Dataset) -> Iterator[BadField]:
    """Give the locations that name no data, wherever the disks are."""
    named = [("location", message.location)]
    named += [(f"datafiles[{place}].location", one.location) for place, one in enumerate(message.datafiles)]
    for where, location in named:
        if _FILE_URL.match(location):
            yield BadField(where, "is a URL of a file: the path itself is wanted")
            continue
        path = os.path.normpath(path_of(location, message.location))
        # Two slashes at the front stay in the normal form.
        if any(is_below(f"/{path.lstrip('/')}", folder) for folder in KERNEL) and path.startswith("/"):
            yield BadField(where, "leads into a folder of the kernel")


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


def details_of(path: str, roots: Roots) -> Details | None:
    """Ask the file system about a file; ``None`` where it is not there, or may not be looked at.

    Raises
    ------
    FileRefusedError
        Where it may not be one of a dataset, or is no regular file.
    Retry
        Where the drive is in trouble.
    """
    try:
        with looked_at(path, roots) as (_, status):
            if not stat.S_ISREG(status.st_mode):
                raise FileRefusedError("no regular file")
            return _details(status)
    except OSError as error:
        if is_of_the_path(error) or isinstance(error, PermissionError):
            return None
        raise Retry(f"a file cannot be looked at: {error.strerror}") from None


def _details(found: os.stat_result) -> Details:
    return Details(
        size=found.st_size,
        modified=_moment(found.st_mtime),
        created=_moment(min(found.st_ctime, found.st_mtime)),
    )


class _Rules:
    """The rules for paths, for one message."""

    def __init__(self, options: DatasetsOptions) -> None:
        self._must_exist = options.must_exist
        self.roots = Roots(options.allowed_roots)
        for root, given in zip(self.roots.real, self.roots.given, strict=True):
            if not os.path.isdir(root):
                raise Retry(f"{given} is no folder on this machine: mount it, or correct allowedRoots")

    def check(self, field: str, path: str, *, file: bool = False) -> Iterator[BadField]:
        """Give what is wrong with the path of a folder, or of a file."""
        if not os.path.isabs(path):
            yield BadField(field, "is no absolute path")
            return
        try:
            self.roots.resolved(path)
            wrong = _missing(path, self.roots, file=file) if self._must_exist else None
        except FileRefusedError:
            wrong = "leads out of the folders that allowedRoots permits"
            if not self.roots.given:
                wrong = "leads into a folder of the kernel, or is no path"
        if wrong:
            yield BadField(field, wrong)


def _missing(path: str, roots: Roots, *, file: bool) -> str | None:
    """Say what a path that has to be there lacks."""
    try:
        with looked_at(path, roots) as (_, status):
            if file and not stat.S_ISREG(status.st_mode):
                return "is no regular file"
    except OSError as error:
        if is_of_the_path(error):
            return "does not exist on this machine, or cannot be reached"
        raise Retry(f"a path of the message cannot be looked at: {error.strerror}") from None
    return None


def _listed(folder: str, limit: int, rules: _Rules) -> Sequence[str]:
    found: list[str] = []
    outside = 0
    for path, inside in _walk(folder, rules.roots.resolved(folder), rules.roots):
        if not inside:
            outside += 1
            continue
        if len(found) == limit:
            raise _refused(f"holds more than the {limit} files accepted")
        found.append(path)
    if outside:
        log.warning("links out of the folders that allowedRoots permits are left out: %d", outside)
    return found


def _refused(why: str) -> Reject:
    return Reject("the dataset has bad fields", fields=[BadField("location", why)])


def _walk(folder: str, real: str, roots: Roots, depth: int = 0) -> Iterator[tuple[str, bool]]:
    """Give the files below a folder in the order of their names, and whether they lie where files may.

    Nothing hidden, and no folder behind a link.

    Raises
    ------
    Retry
        Where a folder cannot be read.
    Reject
        Where there is no end of folders.
    """
    try:
        held = entries(real, roots)
    except FileRefusedError:
        yield folder, False  # it has become a link since
        return
    except OSError as error:
        raise Retry(f"the dataset's folder cannot be listed: {error.strerror}") from None
    if depth > _DEEPEST:
        raise _refused(f"holds folders in one another, more than the {_DEEPEST} accepted")
    for one in held:
        path = os.path.join(folder, one.name)
        if one.name.startswith(".") or one.kind == "other":
            continue
        if one.kind == "folder":
            yield from _walk(path, os.path.join(real, one.name), roots, depth + 1)
        elif one.kind == "file":
            yield path, True
        else:
            yield from _linked(path, roots)


def _linked(path: str, roots: Roots) -> Iterator[tuple[str, bool]]:
    """Give a link to a file, and whether that lies where files may; nothing for one to something else."""
    try:
        with looked_at(path, roots) as (_, status):
            if stat.S_ISREG(status.st_mode):
                yield path, True
    except FileRefusedError:
        yield path, False
    except OSError as error:
        if is_of_the_path(error) or isinstance(error, PermissionError):
            return  # a link into nowhere
        raise Retry(f"a file cannot be looked at: {error.strerror}") from None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
