"""Files that a move names: opened only where they lie in folders that it may take from."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pacer_core import Retry
from pacer_pacifica.bundles.errors import ContentError
from pacer_pacifica.bundles.names import shown

_BLOCK = 1024 * 1024
_QUIET = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def check_named(path: str, roots: Sequence[str]) -> None:
    """Check by its name alone that a path lies in one of the folders; for paths of other hosts.

    Raises
    ------
    ContentError
        Where it does not, or climbs.
    """
    parts = path.split("/")
    below = any(is_below(path, str(Path(root))) for root in roots)
    if ".." in parts or "." in parts[1:] or "//" in path or not below:
        raise ContentError(
            f"{shown(path)} may not be moved: it is in none of the folders of the option 'moveFrom'"
        )


def is_below(path: str, folder: str) -> bool:
    """Tell whether a path in its normal form lies below a folder."""
    return path.startswith(f"{folder.rstrip('/')}/")


@contextmanager
def opened(path: str, roots: Sequence[str]) -> Iterator[tuple[int, os.stat_result]]:
    """Open a regular file for reading, with all links followed, where that leads into one of the folders.

    Raises
    ------
    ContentError
        Where there is none, or it lies elsewhere.
    Retry
        Where one of the folders is not there: a disk that is not mounted.
    OSError
        What the drive says.
    """
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        away = [root for root in roots if not Path(root).is_dir()]
        if away:
            raise Retry(f"{away[0]} is not there: mount it, or correct 'moveFrom'") from None
        raise ContentError(f"{shown(path)} is not there") from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            raise ContentError(f"{shown(path)} is no path: {error.strerror}") from None
        raise
    try:
        real = os.readlink(f"/proc/self/fd/{handle}")
        if not any(is_below(real, os.path.realpath(root)) for root in roots):
            raise ContentError(
                f"{shown(path)} may not be moved: it is in none of the folders of the option 'moveFrom'"
            )
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ContentError(f"{shown(path)} is no regular file")
        readable = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | _QUIET)
        try:
            yield readable, os.fstat(readable)
        finally:
            os.close(readable)
    finally:
        os.close(handle)


def blocks(descriptor: int) -> Iterator[bytes]:
    """Give the content of an open file, from its first byte on."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    while block := os.read(descriptor, _BLOCK):
        yield block


def drop(path: str, status: os.stat_result, roots: Sequence[str]) -> None:
    """Remove the name of a file that was opened, where that, or a link, is still what has the name.

    The folder is opened once and looked at: one that is exchanged meanwhile does not lead elsewhere.
    """
    above, _, name = path.rpartition("/")
    folder = os.open(above or "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        real = os.readlink(f"/proc/self/fd/{folder}")
        if not any(is_below(f"{real}/", os.path.realpath(root)) for root in roots):
            return
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(there.st_mode) or os.path.samestat(there, status):
            os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)
