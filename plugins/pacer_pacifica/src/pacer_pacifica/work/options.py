"""The YAML options of the consumers."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from pacer_pacifica.bundles.limits import Limits


@frozen
class BundlesOptions:
    """What a facility asks of a bundle.

    Attributes
    ----------
    limits
        How large it may be, and in which ways.
    failed_files
        What becomes of files that are in the archive already when their job fails for good: ``report`` says
        so in the log and in the job, ``remove`` takes them out.
    """

    limits: Limits = field(factory=Limits)
    failed_files: Literal["report", "remove"] = "report"


@frozen
class MovesOptions:
    """What a facility asks of a list of files to be moved.

    Attributes
    ----------
    limits
        Of these, ``maxMetadata`` counts.
    """

    limits: Limits = field(factory=Limits)
