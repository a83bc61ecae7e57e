"""Numbers for jobs and files, each given once."""

from __future__ import annotations

from threading import Lock
from typing import Protocol

UPLOAD_JOB, FILE = "upload_job", "file"


class Ids(Protocol):
    """Gives ranges of numbers, as Pacifica's uniqueid service does."""

    def take(self, mode: str, count: int) -> int:
        """Give the first of so many numbers in a row; ``mode`` is `UPLOAD_JOB` or `FILE`."""
        ...


_SOME = 100
"""Numbers that are drawn at once."""


class FileNumbers:
    """Numbers for the files of many bundles: drawn a hundred at a time, and given in rows; threads share it.

    What is left when the process ends is given to nobody: numbers have holes, as those of uniqueid have.
    """

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._lock = Lock()
        self._next = self._left = 0

    def take(self, count: int) -> int:
        """Give the first of so many numbers in a row; raises what its source does."""
        if count > _SOME:
            return self._ids.take(FILE, count)
        with self._lock:
            if self._left >= count:
                first = self._next
                self._next, self._left = first + count, self._left - count
                return first
        first = self._ids.take(FILE, _SOME)  # others go on meanwhile, and may draw some as well
        with self._lock:
            if self._left < _SOME - count:
                self._next, self._left = first + count, _SOME - count
        return first
