"""The state folder, and who has which part of it: two supervisors never write the same notes."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from attrs import define

from pacer_core.model.errors import PacerError
from pacer_core.model.private_files import close_to_others, make_folder, private, why_exposed

log = logging.getLogger("pacer.supervisor")

_MOST = 64


@define(eq=False)
class Place:
    """Where one supervisor keeps the notes of its workers; nobody else does until `close`, or its end."""

    folder: Path
    _lock: IO[bytes] | None = None

    def close(self) -> None:
        """Leave it to others."""
        if self._lock is not None:
            self._lock.close()


def occupy(folder: Path, *, ours: bool = False) -> Place:
    """Take the state folder, or one of its own below it where another ``pacer run`` has that.

    Where the file system has no locks (some NFS), it is one named for this host and process. One that is
    ``ours``, since no configuration names it, is closed to others.

    Raises
    ------
    PacerError
        Where it cannot be written.
    """
    try:
        make_folder(folder)
        if ours:
            close_to_others(folder)
        elif (why := why_exposed(folder)) and os.stat(folder).st_mode & 0o022:
            log.warning("%s: %s, and replace what PACER keeps in it: chmod 700 %s", folder, why, folder)
        os.close(private(folder / "writable", os.O_WRONLY | os.O_CREAT))
        for one in _places(folder):
            _own(one, folder)
            try:
                lock = _lock(one)
            except BlockingIOError:
                log.warning("another `pacer run` has %s; both count crashes in %s", one, folder)
                continue
            except OSError as error:
                own = folder / f"run-{socket.gethostname()}-{os.getpid()}"
                log.warning("%s has no locks (%s); notes are in %s: use a local disk", folder, error, own)
                make_folder(own)
                return Place(own)
            return Place(one, lock)
    except OSError as error:
        raise PacerError(
            f"{folder} cannot be written ({error.strerror}): name a folder in processes.stateFolder"
        ) from None
    raise PacerError(f"{_MOST} processes use {folder} already: name another one in processes.stateFolder")


def leftovers(folder: Path, mine: Place) -> Iterator[Path]:
    """Give the notes that earlier supervisors' workers may have left: here, and where nobody is any more."""
    yield from mine.folder.glob("worker-*.notes")
    for one in _places(folder):
        if one == mine.folder or not one.exists():
            continue
        try:
            lock = _lock(one)
        except OSError:
            continue
        with lock:
            yield from one.glob("worker-*.notes")


def _places(folder: Path) -> Iterator[Path]:
    yield folder
    for number in range(2, _MOST + 1):
        yield folder / f"run-{number}"


def _own(one: Path, folder: Path) -> None:
    """Make the place of one supervisor; what is below the state folder was made by PACER."""
    make_folder(one)
    if one != folder:
        close_to_others(one)


def _lock(folder: Path) -> IO[bytes]:
    file = open(folder / "lock", "ab", opener=private)  # noqa: SIM115 - it is held
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file
