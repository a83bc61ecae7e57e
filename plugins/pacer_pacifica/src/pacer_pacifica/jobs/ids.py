"""Numbers for jobs and files, each given once."""

from __future__ import annotations

from typing import Protocol

UPLOAD_JOB, FILE = "upload_job", "file"


class Ids(Protocol):
    """Gives ranges of numbers, as Pacifica's uniqueid service does."""

    def take(self, mode: str, count: int) -> int:
        """Give the first of so many numbers in a row; ``mode`` is `UPLOAD_JOB` or `FILE`."""
        ...
