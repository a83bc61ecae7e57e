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

from pacer_core.errors import PacerError

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


def occupy(folder: Path) -> Place:
    """Take the state folder, or one of its own below it where another ``pacer run`` has that.

    Where the file system has no locks (some NFS), it is one named for this host and process.

    Raises
    ------
    PacerError
        Where it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "writable").touch()
        for one in _places(folder):
            one.mkdir(exist_ok=True)
            try:
                lock = _lock(one)
            except BlockingIOError:
                log.warning("another `pacer run` has %s; both count crashes in %s", one, folder)
                continue
            except OSError as error:
                own = folder / f"run-{socket.gethostname()}-{os.getpid()}"
                log.warning("%s has no locks (%s); notes are in %s: use a local disk", folder, error, own)
                own.mkdir(exist_ok=True)
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


def _lock(folder: Path) -> IO[bytes]:
    file = (folder / "lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file
