"""Names: of the folders that PACER makes, and of files, of which some are taken, and some are free."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

TAKEN, DONE, FAILED = "taken", "done", "failed"
RIGHTS = 0o775
"""Of these folders: as the umask says, and never more for those who are neither the account nor its group."""
PUBLISHED = ".published"  # within the first; no file that is taken is called so

_TEMPORARY = (".part", ".tmp", ".filepart", "~")
_MOST = 240  # bytes of a name, with room for a note's ending below the 255 of every file system
_TYPES = {".xml": "application/xml", ".json": "application/json"}


def is_wanted(name: str, patterns: Iterable[str]) -> bool:
    """Say whether a file of that name is to be taken: not hidden, not temporary, and of a pattern."""
    hidden = name.startswith((".", "~")) or name.lower().endswith(_TEMPORARY)
    return not hidden and any(fnmatchcase(name, one) for one in patterns)


def content_type(name: str) -> str | None:
    """Give the media type that the ending of a name stands for, or ``None``."""
    ending = Path(name).suffix.lower()
    return _TYPES.get(ending) or mimetypes.guess_type(f"file{ending}")[0]


def printable(name: str) -> str:
    """Give a name as text: what is no UTF-8 in it is spelled out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class Places:
    """Finds names that are free in a folder, without looking through all that are taken each time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers: dict[str, int] = {}

    def free(self, name: str) -> Path:
        """Give a path for a file of that name: ``scan.xml``, then ``scan.2.xml``, ``scan.3.xml``, ..."""
        number = self._numbers.get(name, 1)
        while os.path.lexists(path := self.folder / _numbered(name, number)):
            number += 1
        if number > 1:
            self._numbers[name] = number
        return path


def _numbered(name: str, number: int) -> str:
    path = Path(name)
    stem, ending = os.fsencode(path.stem), os.fsencode(path.suffix)
    more = b"" if number == 1 else b".%d" % number
    room = _MOST - len(more) - len(ending)
    if len(stem) <= room:
        return os.fsdecode(stem + more + ending)
    return os.fsdecode(stem[: max(room, 1)] + more + ending[: _MOST // 2])
