"""The message: a writer has finished a file. Its fields are those of the FlatBuffer ``wrdn``."""

from __future__ import annotations

import os

from attrs import frozen

from pacer_core import Text


@frozen
class NexusFile:
    """A file that is written; ``file_name`` is its path. Everything else may be missing."""

    file_name: Text
    job_id: str | None = None
    service_id: str | None = None
    error_encountered: bool = False
    metadata: str | None = None
    message: str | None = None


def describe(message: NexusFile) -> dict[str, str]:
    """Give the identifiers by which people look for the message."""
    found = {"file": os.path.basename(message.file_name)}
    if message.job_id:
        found["job"] = message.job_id
    return found
