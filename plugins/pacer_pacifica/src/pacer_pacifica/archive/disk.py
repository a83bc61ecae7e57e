"""What an archive in a folder asks of the file system; what is written is on disk when it returns."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pacer_core import Retry

READ_ONLY = 0o444
_BLOCK = 1024 * 1024


def make_folder(folder: Path) -> Path:
    """Make a folder, and those above, where they are missing; give it."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        fsync_folder(folder.parent)
    return folder


def fsync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, content: Iterable[bytes], modified: datetime | None) -> None:
    """Write a file anew, and have it on disk; read-only, with its time of modification where it is known."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb", buffering=0) as file:
        for block in content:
            view = memoryview(block)
            while view:
                view = view[file.write(view) :]
        if modified is not None:
            os.utime(descriptor, (modified.timestamp(), modified.timestamp()))
        os.fchmod(descriptor, READ_ONLY)
        os.fsync(descriptor)


def linked(descriptor: int, path: Path) -> bool:
    """Give an open file another name; ``False`` where it is on another disk, or is not ours to link.

    Whoever owns a file, or has another name of it, could change what is in the archive later.
    """
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid() or status.st_nlink != 1:
        return False
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # The descriptor of the folder has Python call linkat(), which follows /proc's link; link() does not.
        os.link(f"/proc/self/fd/{descriptor}", path.name, dst_dir_fd=folder)
        path.chmod(READ_ONLY)
    except OSError:
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(folder)
    os.fsync(descriptor)
    return True


def hash_of(path: Path) -> str:
    """Give the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def exclusive(folder: Path, job_id: int) -> Iterator[None]:
    """Keep other threads and processes from the same job; a process that dies lets go.

    Raises
    ------
    Retry
        Where another one is at it.
    """
    make_folder(folder)
    path = folder / f"{job_id}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.path.samestat(os.fstat(descriptor), path.stat())
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:
            raise Retry(f"another process archives the files of job {job_id}", after=15)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
