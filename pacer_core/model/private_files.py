"""Folders and files that nobody but PACER's own account may look into."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

OTHERS = 0o077
"""The rights of everybody but the owner."""
_FOLDER, _FILE = 0o700, 0o600


def make_folder(path: Path) -> None:
    """Make a private folder, with those above it; one that is there stays as it is.

    Raises
    ------
    OSError
        Where that cannot be.
    """
    path.mkdir(mode=_FOLDER, parents=True, exist_ok=True)


def private(path: str | Path, flags: int) -> int:
    """Open a private file; one of ours that others may look into is closed to them. For ``open(opener=...)``.

    Raises
    ------
    OSError
        Where that cannot be; a symbolic link is no file of ours.
    """
    file = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, _FILE)
    if exposed(os.fstat(file)):
        with suppress(OSError):  # a file system without rights: `pacer doctor` warns of the folder
            os.fchmod(file, _FILE)
    return file


def close_to_others(folder: Path) -> None:
    """Take a folder of ours from everybody else, where the file system can."""
    with suppress(OSError):
        if exposed(folder.stat()):
            folder.chmod(_FOLDER)


def exposed(status: os.stat_result) -> bool:
    """Tell whether something of this account's is open to others."""
    return bool(stat.S_IMODE(status.st_mode) & OTHERS) and status.st_uid == os.geteuid()


def why_exposed(folder: Path) -> str | None:
    """Say what others may do in a folder, where it is there and they may do something."""
    try:
        rights = stat.S_IMODE(folder.stat().st_mode) & OTHERS
    except OSError:
        return None
    if rights & 0o022:
        return "others than its owner may write there"
    return "others than its owner may look into it" if rights else None
