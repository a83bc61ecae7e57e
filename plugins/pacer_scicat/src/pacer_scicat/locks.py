"""One writer for each dataset: a lock that the kernel takes back from whoever dies."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pacer_core import PacerError, Retry

SOON = 1.0
"""Seconds after which a message comes again whose dataset another worker is writing."""


@contextmanager
def held(what: str, folder: str | None) -> Iterator[None]:
    """Hold something's lock, among all processes that use the same folder; this host's own by default.

    Raises
    ------
    Retry
        Where another worker holds it; no attempt is counted.
    """
    place = Path(folder) if folder is not None else _own_folder()
    name = hashlib.blake2b(what.encode("utf-8", "replace"), digest_size=2).hexdigest()
    try:
        descriptor = os.open(place / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PacerError(
            f"the locks in {place} cannot be written: {error.strerror}; correct lockFolder"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Retry("another worker is writing this dataset", after=SOON, counted=False) from None
        yield
    finally:
        os.close(descriptor)


def _own_folder() -> Path:
    """Give a folder of this account's alone."""
    place = Path(tempfile.gettempdir()) / f"pacer-scicat-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    status = place.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PacerError(f"{place} is somebody else's: remove it, or name a lockFolder")
    return place
