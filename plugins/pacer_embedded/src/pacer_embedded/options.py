"""What YAML says of an embedded broker."""

from __future__ import annotations

from attrs import frozen


@frozen
class FileOptions:
    """A broker in a file, for one machine and without a server: messages survive a killed process.

    Attributes
    ----------
    path
        The file, as seen from where PACER runs; on a local disk.
    """

    path: str


@frozen
class MemoryOptions:
    """A broker inside the process, for trying things out: it keeps nothing, and no other process sees it."""
