"""What every archive can do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from attrs import frozen

from pacer_pacifica.bundles.metadata import File

Note = Callable[[int], None]
"""Is told how many more bytes are done; it may raise to stop the work."""


@frozen
class Deposit:
    """A file to be archived: its number in the catalogue, what is declared of it, and its content.

    ``read()`` gives the content from its first byte on, each time that it is called; for a move, whose files
    are at the archive, there is none.
    """

    id: int
    file: File
    size: int
    read: Callable[[], Iterable[bytes]] | None = None


@frozen
class Removal:
    """What became of the files of a job that are taken out of an archive again."""

    removed: int
    left: int
    """How many are still there, since another job has the same or the archive would not."""


class Archive(Protocol):
    """Keeps files for good. Everything may be repeated, and finds what an earlier try has done.

    All raise `pacer_pacifica.bundles.errors.ContentError` where a file is not what is declared, and ``Retry``
    where the archive is away.
    """

    def check(self) -> None:
        """Ask whether the archive is there and can be written to."""
        ...

    def has(self, number: int) -> bool:
        """Tell whether there is a file under a number already; ``False`` where numbers do not matter."""
        ...

    def store(self, job_id: int, deposits: Sequence[Deposit], *, again: bool, note: Note) -> None:
        """Store the files of a bundle: all hashes are checked before the first file can be seen.

        ``again`` says that an earlier try may have stored some of them.
        """
        ...

    def move(self, job_id: int, deposits: Sequence[Deposit], *, again: bool, note: Note) -> None:
        """Move files that are at the archive's host into the archive, each from its ``source``."""
        ...

    def remove(self, job_id: int, deposits: Sequence[Deposit]) -> Removal:
        """Take the files of a failed job out again; those that another job has stay."""
        ...

    def folder_of(self, job_id: int) -> str:
        """Give the folder that stands in a catalogue for the files of a job."""
        ...
