"""The lock by which one process alone watches a folder."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from pacer_files.trouble import Trouble

LOCK = ".pacer-files.lock"
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class Lock:
    """A folder's lock; where the file system has none, it is as if it were held."""

    def __init__(self, folder: Path, trouble: Trouble) -> None:
        self._folder, self._trouble = folder, trouble
        self._file: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process has the folder."""
        return self._file is not None

    def is_still_there(self) -> bool:
        """Say whether the folder is the one that is locked: it may have been removed, or mounted over."""
        try:
            return os.path.samestat(os.fstat(self._file or 0), os.stat(self._folder / LOCK))
        except OSError:
            return False

    def acquire(self) -> bool:
        """Lock the folder; say whether this process has it now, and not another one."""
        folder, trouble = self._folder, self._trouble
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(folder / LOCK, flags, 0o664)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(file)
                if not isinstance(error, BlockingIOError):
                    raise
                trouble.once("lock", "%s is watched by another process; this one stands by", folder)
                return False
            trouble.once("locks", "%s has no locks: see that one process alone watches it", folder)
        trouble.over("lock")
        self._file = file
        return True

    def release(self) -> None:
        """Leave the folder to others."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
