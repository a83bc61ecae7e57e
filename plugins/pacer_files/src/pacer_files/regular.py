"""Regular files: all else that may be in a folder is left alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen


@frozen
class RegularFile:
    """A regular file, and what it looked like."""

    path: Path
    stat: os.stat_result

    @property
    def name(self) -> str:
        """Its name in its folder."""
        return self.path.name


def files_in(folder: Path, odd: Callable[[str], None] = lambda _: None) -> Iterator[RegularFile]:
    """Give the regular files of a folder, and name what is neither that nor a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(found.st_mode):
                yield RegularFile(folder / entry.name, found)
            elif not stat.S_ISDIR(found.st_mode):
                odd(entry.name)


def stat_of(path: Path) -> os.stat_result | None:
    """Give what a regular file looks like; ``None`` where there is none."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def read(path: Path, most: int) -> tuple[bytes | None, os.stat_result]:
    """Give what is in a file, ``None`` where that is too much, and what it looked like afterwards."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            return None, found
        body = bytearray()
        while part := file.read(most + 1 - len(body)):
            body += part
        return bytes(body), os.fstat(descriptor)
