"""The items of a dataset's list of files: sizes, times, hashes; and what is written beside the file."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen

from pacer_core import Reject, Retry
from pacer_icat import FileRefusedError, Roots, opened
from pacer_scicat.files.options import NexusFilesOptions, Sidecars

_BLOCK = 1024 * 1024
_FORGOTTEN = 8
"""Hexadecimal digits of a file's version, by which a hash is remembered for the next sight."""


@frozen
class DataFile:
    """A file on this machine's disks, as it was when it was opened."""

    path: str
    status: os.stat_result
    hash: str | None = None

    def item(self, folder: str, *, relative: bool) -> dict[str, Any]:
        """Give the file as SciCat takes it, its path counted from a folder where that is asked for."""
        path = posixpath.normpath(self.path)
        if relative and (path.startswith(f"{folder.rstrip('/')}/")):
            path = posixpath.relpath(path, folder)
        return {
            "path": path,
            "size": self.status.st_size,
            "time": _stamp(self.status.st_mtime),
            "chk": self.hash,
            "uid": str(self.status.st_uid),
            "gid": str(self.status.st_gid),
            "perm": oct(self.status.st_mode),
        }


def version_of(status: os.stat_result) -> str:
    """Give what changes when a file does."""
    text = f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"
    return hashlib.blake2b(text.encode(), digest_size=_FORGOTTEN).hexdigest()


def hash_of(descriptor: int, size: int, algorithm: str) -> str:
    """Give the hash of a file's first ``size`` bytes, in hexadecimal digits."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    left, place = size, 0
    while left and (block := os.pread(descriptor, min(left, _BLOCK), place)):
        digest.update(block)
        left -= len(block)
        place += len(block)
    return digest.hexdigest()


def sidecar_folder(path: str, sidecars: Sidecars) -> str:
    """Give where the sidecars of a file are."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), sidecars.folder))


def sidecar_names(path: str, options: NexusFilesOptions) -> list[str]:
    """Give the names of the files that are wanted beside one: the message's, and the hash's last."""
    sidecars = options.sidecars
    stem = posixpath.splitext(posixpath.basename(path))[0]
    return [
        *([f"{stem}.{sidecars.message_extension}"] if sidecars.message else ()),
        *([f"{stem}.{sidecars.hash_extension}"] if sidecars.hash else ()),
    ]


def write_sidecars(
    file: DataFile, message: Mapping[str, Any], options: NexusFilesOptions, roots: Roots
) -> list[DataFile]:
    """Write what is wanted beside a file; give what belongs to its dataset.

    Raises
    ------
    Reject
        Where they would lie outside of the roots.
    Retry
        Where the disk does not take them.
    """
    sidecars = options.sidecars
    names = sidecar_names(file.path, options)
    if not names:
        return []
    written: list[DataFile] = []
    try:
        with _folder(sidecar_folder(file.path, sidecars), roots) as folder:
            if sidecars.message:
                text = json.dumps(message, ensure_ascii=False, indent=1)
                _write(folder / names[0], text)
            if sidecars.hash and file.hash is not None and options.hash is not None:
                place = folder / names[-1]
                _write(place, file.hash)
                named = posixpath.join(sidecar_folder(file.path, sidecars), place.name)
                with opened(named, roots) as (descriptor, status):
                    own = hash_of(descriptor, status.st_size, options.hash)
                    written.append(DataFile(named, status, own))
    except FileRefusedError as error:
        raise Reject(f"the folder for sidecars of the file: {error}; correct sidecars.folder") from None
    except OSError as error:
        raise Retry(f"sidecars of the file cannot be written: {error.strerror}") from None
    return written


@contextmanager
def _folder(path: str, roots: Roots) -> Iterator[Path]:
    """Make a folder, and give it by its open descriptor: a link that takes its place leads nowhere."""
    real = roots.resolved(path)
    os.makedirs(real, exist_ok=True)
    descriptor = os.open(real, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        by_descriptor = f"/proc/self/fd/{descriptor}"
        if not roots.permit(os.readlink(by_descriptor)):
            raise FileRefusedError("outside the allowed roots")
        yield Path(by_descriptor)
    finally:
        os.close(descriptor)


def _write(place: Path, text: str) -> None:
    """Write a file whole or not at all; the same text again leaves it as it is."""
    if _text_of(place, len(text.encode())) == text:
        return
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".pacer-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        os.replace(name, place)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def _text_of(place: Path, length: int) -> str | None:
    """Give what a regular file of a length holds; a pipe in its place holds nobody up."""
    with suppress(OSError, ValueError):
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, encoding="utf-8") as file:
            status = os.fstat(descriptor)
            return file.read() if stat.S_ISREG(status.st_mode) and status.st_size == length else None
    return None


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
