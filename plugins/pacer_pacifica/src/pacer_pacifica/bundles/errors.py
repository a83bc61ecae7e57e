"""What is wrong with a bundle, by the task of a job at which it shows."""

from __future__ import annotations

from pacer_core import PacerError


class BundleError(PacerError):
    """A bundle, or what it says of itself, cannot be accepted, now or ever; the text says why."""


class TarError(BundleError):
    """It is no tar archive that we take, or has a member that we refuse: the task ``open tar``."""


class MetadataError(BundleError):
    """What ``metadata.txt`` says cannot be read or accepted: the task ``load metadata``."""


class ContentError(BundleError):
    """Declared and present do not agree: the task ``ingest files`` (of a move, ``move files``)."""


class CatalogueError(BundleError):
    """What is declared is nothing that a catalogue takes: the task ``ingest metadata``."""
