"""Who may write now, and who is alive: locks of the kernel on a small file beside the broker's file.

Byte 0 is the write mutex. SQLite would do without it, but its waiters poll, for up to 100 ms; the kernel
wakes them at once. Byte N is held by owner N for as long as it lives: the kernel lets go of it when the
process ends, however it ends, and knows nothing of process ids that are used again, of containers with
process ids of their own, or of a task that takes an hour. So a lease needs neither a heartbeat nor a time:
it holds while its owner lives, and not a moment longer.

These are POSIX record locks: they belong to the process, a forked child does not inherit them, and one
descriptor per process and file must stay open (closing any other one of the same file would drop them all).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

MUTEX = 0


class Locks(Protocol):
    """What the store asks of its locks."""

    def writing(self) -> AbstractContextManager[None]:
        """Hold the write mutex inside."""
        ...

    def hold(self, owner: int) -> None:
        """Show that this owner lives, until `let_go` or the end of the process."""
        ...

    def let_go(self, owner: int) -> None:
        """Show that this owner has ended."""
        ...

    def is_dead(self, owner: int) -> bool:
        """Tell whether an owner's process has ended; owners of this very process live."""
        ...

    def close(self) -> None:
        """Give the descriptor back."""
        ...


class FileLocks:
    """Locks that all processes of one machine see."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._held: set[int] = set()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the write mutex inside; the caller keeps other threads of its process out."""
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, MUTEX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, MUTEX)

    def hold(self, owner: int) -> None:
        """Show that this owner lives, until `let_go` or the end of the process."""
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, owner)
        self._held.add(owner)

    def let_go(self, owner: int) -> None:
        """Show that this owner has ended."""
        self._held.discard(owner)
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, owner)

    def is_dead(self, owner: int) -> bool:
        """Tell whether an owner's process has ended; owners of this very process live."""
        if owner in self._held:
            return False
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, owner)
        except BlockingIOError:
            return False
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, owner)
        return True

    @property
    def stale(self) -> bool:
        """Whether others who open the file now lock another one."""
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(self._file))
        except OSError:
            return True

    def begin_anew(self) -> None:
        """Forget all owners: those of a broker's file that has been replaced."""
        for owner in list(self._held):
            self.let_go(owner)

    def close(self) -> None:
        """Give the descriptor back, and with it every lock."""
        os.close(self._file)


class NoLocks:
    """For a broker in the memory of one process: nobody else writes, and nobody dies alone."""

    def writing(self) -> AbstractContextManager[None]:
        """Nothing to hold: the store's own lock keeps threads apart."""
        return nullcontext()

    def hold(self, owner: int) -> None:
        """Nothing to show."""

    def let_go(self, owner: int) -> None:
        """Nothing to show."""

    def is_dead(self, owner: int) -> bool:
        """Owners end with the process, and the broker with them."""
        return False

    def close(self) -> None:
        """Nothing to give back."""
