"""Files that a message names, on this machine's disks: what is read is what was checked.

A path is opened first, and the open descriptor is asked where it lies and what it is; a link that takes the
place of a folder in between leads nowhere. It is opened with ``O_PATH``, which wakes no device and waits for
no pipe, and for reading only once it is known to be a regular file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal

from attrs import frozen

from pacer_core import PacerError

KERNEL = ("/proc", "/sys", "/dev")
"""Folders of the kernel and of devices: nobody's data, unless a root lies in one of them."""

_OF_THE_PATH = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENXIO}
)
_QUIET = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY  # neither a pipe nor a lease keeps us waiting


class FileRefusedError(PacerError):
    """A path that PACER does not look at: the text says why, and not which."""


def is_of_the_path(error: OSError) -> bool:
    """Tell whether a path leads nowhere; what else a drive says (stale, no permission) may pass."""
    return error.errno in _OF_THE_PATH


def is_below(path: str, folder: str) -> bool:
    """Tell whether a path in its normal form is a folder, or lies below it."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


class Roots:
    """The folders below which the files of messages have to lie; where there are none, anywhere else."""

    def __init__(self, given: Sequence[str] = ()) -> None:
        self.given = tuple(given)
        self.real = tuple(os.path.realpath(root) for root in given)
        self._folder = lru_cache(maxsize=1024)(os.path.realpath)

    def permit(self, real: str) -> bool:
        """Tell whether a path without links may be looked at."""
        above = [root for root in self.real if is_below(real, root)]
        if self.real and not above:
            return False
        return not any(
            is_below(real, folder) and not any(is_below(root, folder) for root in above) for folder in KERNEL
        )

    def resolved(self, path: str) -> str:
        """Give where a path leads, all links followed; whether anything is there is not told.

        Raises
        ------
        FileRefusedError
            Where it leads elsewhere, or is no path.
        """
        try:
            whole = os.fsencode(path)
        except UnicodeEncodeError:  # half a character
            whole = b"\0"
        if b"\0" in whole:
            raise FileRefusedError("no path")
        real = self._real(path)
        if not self.permit(real):
            raise FileRefusedError("outside the allowed roots" if self.real else "in a folder of the kernel")
        return real

    def _real(self, path: str) -> str:
        folder, name = os.path.split(path)
        if name in ("", ".", ".."):
            return os.path.realpath(path)
        real = os.path.join(self._folder(folder), name)
        return os.path.realpath(real) if os.path.islink(real) else real


@contextmanager
def looked_at(path: str, roots: Roots) -> Iterator[tuple[int, os.stat_result]]:
    """Give a descriptor of what a path leads to, which cannot be read from, and what it is.

    Raises
    ------
    FileRefusedError
        Where it lies outside of the roots.
    OSError
        What the drive says.
    """
    descriptor = os.open(roots.resolved(path), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _check(descriptor, roots)
        status = os.fstat(descriptor)
        if stat.S_ISLNK(status.st_mode):  # a circle, or one that has just been made
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        yield descriptor, status
    finally:
        os.close(descriptor)


@contextmanager
def opened(path: str, roots: Roots) -> Iterator[tuple[int, os.stat_result]]:
    """Give a descriptor of a regular file to read from, and what it was when it was opened.

    Raises
    ------
    FileRefusedError
        Where it lies outside of the roots, or is no regular file.
    OSError
        What the drive says.
    """
    with looked_at(path, roots) as (descriptor, status):
        if not stat.S_ISREG(status.st_mode):
            raise FileRefusedError("no regular file")
        readable = os.open(_link(descriptor), os.O_RDONLY | _QUIET)  # this very file, whatever has its name
        try:
            yield readable, os.fstat(readable)
        finally:
            os.close(readable)


@frozen
class Entry:
    """What a folder holds under one name."""

    name: str
    kind: Literal["folder", "file", "link", "other"]


def entries(real: str, roots: Roots) -> list[Entry]:
    """Give what a folder holds, by name. ``real`` is its path without links.

    Raises
    ------
    FileRefusedError
        Where it lies outside of the roots.
    OSError
        What the drive says.
    """
    descriptor = os.open(real, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | _QUIET)
    try:
        _check(descriptor, roots)
        with os.scandir(descriptor) as found:
            return sorted((Entry(one.name, _kind(one)) for one in found), key=lambda one: one.name)
    finally:
        os.close(descriptor)


def _kind(entry: os.DirEntry[str]) -> Literal["folder", "file", "link", "other"]:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "other"


def _check(descriptor: int, roots: Roots) -> None:
    """Refuse what lies elsewhere: a folder on the way may have become a link between look and open."""
    if not roots.permit(os.readlink(_link(descriptor))):
        raise FileRefusedError("outside the allowed roots" if roots.real else "in a folder of the kernel")


def _link(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"
